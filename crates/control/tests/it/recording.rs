//! Events: acknowledged when they are durable, counted once, never lost.

use crate::world::{COST, Gateway, World, settled, until};
use tacit_control::ControlConfig;
use tacit_kernel::call::CallStatus;
use tacit_kernel::ids::CallId;
use tacit_link::wire;
use tacit_storage::{Db, both_engines};
use tonic::Code;

both_engines! {
    async fn a_call_is_acknowledged_recorded_and_charged(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        assert_eq!(gateway.lease(world.account, COST, 10 * COST, 0).await, 10 * COST);
        assert_eq!(world.wallet().await, (90 * COST, 10 * COST));

        let call = CallId::fresh();
        let mut recording = gateway.record().await;
        recording.send(gateway.events(1, vec![world.begun(call)], vec![])).await;
        recording.acknowledged(1).await;
        assert_eq!(world.call(call).await, None);
        recording.send(gateway.events(2, vec![], vec![world.ended(call)])).await;
        recording.acknowledged(2).await;
        settled(&control).await;
        assert_eq!(world.call(call).await, Some((CallStatus::Completed, COST, Some("a-model".into()))));
        assert_eq!(world.wallet().await, (90 * COST, 9 * COST));

        let text = control.metrics_text();
        assert!(text.contains(r#"tacit_control_events_total{event="Ended"} 1"#), "{text}");
        assert!(text.contains("tacit_control_differences_total 0"), "{text}");

        let session = gateway.session.clone();
        gateway.client.close(wire::CloseRequest { session }).await.unwrap();
        assert_eq!(world.wallet().await, (99 * COST, 0));
        control.stop().await;
    }

    async fn many_sessions_share_commits(db: Db) {
        let world = World::new(db).await;
        world.top_up(1000 * COST).await;
        let control = world.start().await;
        let mut streams = Vec::new();
        for name in ["one", "two", "three"] {
            let mut gateway = world.gateway(name).await;
            gateway.lease(world.account, 50 * COST, 50 * COST, 0).await;
            let recording = gateway.record().await;
            for batch in 1..=40 {
                let call = CallId::fresh();
                recording.send(gateway.events(batch, vec![world.begun(call)], vec![world.ended(call)])).await;
            }
            streams.push(recording);
        }
        for recording in &mut streams {
            recording.acknowledged(40).await;
        }
        settled(&control).await;
        assert_eq!(world.wallet().await, (850 * COST, 30 * COST));
        control.stop().await;
    }

    async fn what_is_sent_again_counts_once(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        gateway.lease(world.account, 10 * COST, 10 * COST, 0).await;
        let (one, two) = (CallId::fresh(), CallId::fresh());
        let first = gateway.events(1, vec![world.begun(one), world.begun(two)], vec![]);
        let second = gateway.events(2, vec![], vec![world.ended(one), world.ended(two)]);
        let mut recording = gateway.record().await;
        recording.send(first.clone()).await;
        recording.send(second.clone()).await;
        recording.acknowledged(2).await;
        drop(recording);

        // The acknowledgements were lost on the way.
        let mut again = Gateway::resume(world.client(), "one", gateway.session.clone()).await;
        assert_eq!((again.session.clone(), again.acknowledged), (gateway.session.clone(), 2));
        let mut recording = again.record().await;
        recording.send(first).await;
        recording.send(second).await;
        recording.acknowledged(2).await;
        settled(&control).await;
        assert_eq!(world.wallet().await, (90 * COST, 8 * COST));
        control.stop().await;
    }

    async fn a_call_may_end_under_another_process_than_it_began_under(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        gateway.lease(world.account, 10 * COST, 10 * COST, 0).await;
        let call = CallId::fresh();
        let mut recording = gateway.record().await;
        recording.send(gateway.events(1, vec![world.begun(call)], vec![])).await;
        recording.acknowledged(1).await;
        control.stop().await;
        recording.over().await;

        let control = world.start().await;
        let mut again = Gateway::resume(world.client(), "one", gateway.session.clone()).await;
        assert_eq!((&again.session, again.acknowledged), (&gateway.session, 1));
        let mut recording = again.record().await;
        recording.send(again.events(2, vec![], vec![world.ended(call)])).await;
        recording.acknowledged(2).await;
        settled(&control).await;
        assert_eq!(world.call(call).await, Some((CallStatus::Completed, COST, Some("a-model".into()))));
        assert_eq!(world.wallet().await, (90 * COST, 9 * COST));
        control.stop().await;
    }

    async fn a_session_may_wander_between_control_planes(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let other = world.start_as("other.sock", ControlConfig::LOST_AFTER).await;
        let mut gateway = world.gateway("one").await;
        gateway.lease(world.account, 10 * COST, 10 * COST, 0).await;
        let session = gateway.session.clone();
        let calls: Vec<CallId> = (0..6).map(|_| CallId::fresh()).collect();
        let mut clients = [world.client(), world.client_of("other.sock")].into_iter().cycle();
        for (batch, call) in (1..).zip(&calls) {
            // Each call begins under one and ends under the other.
            let mut there = Gateway::resume(clients.next().unwrap(), "one", session.clone()).await;
            assert_eq!((&there.session, there.acknowledged), (&session, batch - 1));
            let before = usize::try_from(batch - 1).unwrap().checked_sub(1);
            let ended = before.map(|before| world.ended(calls[before]));
            let mut recording = there.record().await;
            recording.send(there.events(batch, vec![world.begun(*call)], ended.into_iter().collect())).await;
            recording.acknowledged(batch).await;
        }
        settled(&control).await;
        settled(&other).await;
        assert_eq!(world.wallet().await, (90 * COST, 5 * COST));
        assert_eq!(world.call(calls[5]).await, None);
        other.stop().await;
        control.stop().await;
    }

    async fn without_its_database_nothing_is_acknowledged(db: Db) {
        let world = World::new(db.clone()).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let mut recording = gateway.record().await;
        recording.send(gateway.events(1, vec![world.begun(CallId::fresh())], vec![])).await;
        recording.acknowledged(1).await;
        db.close().await;
        recording.send(gateway.events(2, vec![world.begun(CallId::fresh())], vec![])).await;
        let refused = recording.refused().await;
        assert!(matches!(refused, Code::Unavailable | Code::Internal), "{refused:?}");
        until("it is not ready", async || !control.ready()).await;
        assert!(control.metrics_text().contains(r#"tacit_control_commits_total{outcome="Failed"} 1"#));
        control.stop().await;
    }

    async fn a_missing_batch_is_asked_for(db: Db) {
        let world = World::new(db).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let mut recording = gateway.record().await;
        recording.send(gateway.events(2, vec![world.begun(CallId::fresh())], vec![])).await;
        assert_eq!(recording.refused().await, Code::OutOfRange);
        let again = Gateway::resume(world.client(), "one", gateway.session.clone()).await;
        assert_eq!(again.acknowledged, 0);
        control.stop().await;
    }

    async fn wrong_messages_are_refused_and_do_no_harm(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let call = CallId::fresh();
        let good = gateway.events(1, vec![world.begun(call)], vec![]);
        // Wrong as a whole; a wrong event in a batch is set aside.
        let mut bad = vec![good.clone(); 3];
        bad[0].session = vec![1; 15];
        bad[1].batch = 0;
        bad[2].begun = vec![world.begun(call); tacit_link::MAX_EVENTS + 1];
        for events in bad {
            let mut recording = gateway.record().await;
            recording.send(events).await;
            assert_eq!(recording.refused().await, Code::InvalidArgument);
        }
        let mut other = gateway.record().await;
        other.send(wire::Events { session: vec![9; 16], ..good.clone() }).await;
        assert_eq!(other.refused().await, Code::NotFound);

        let key = wire::KeyRequest { session: gateway.session.clone(), hash: vec![0; 31] };
        assert_eq!(gateway.client.key(key).await.unwrap_err().code(), Code::InvalidArgument);
        let watch = wire::WatchRequest { session: vec![] };
        assert_eq!(gateway.client.watch(watch).await.unwrap_err().code(), Code::InvalidArgument);
        let hello = wire::Hello { gateway: "x".repeat(65), ..wire::Hello::default() };
        assert_eq!(gateway.client.open(hello).await.unwrap_err().code(), Code::InvalidArgument);

        let mut recording = gateway.record().await;
        recording.send(good).await;
        recording.acknowledged(1).await;
        control.stop().await;
    }

    async fn a_charge_that_differs_is_counted_and_ours_holds(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        gateway.lease(world.account, 10 * COST, 10 * COST, 0).await;
        let call = CallId::fresh();
        let mut recording = gateway.record().await;
        let ended = wire::Ended { amount: 5, ..world.ended(call) };
        recording.send(gateway.events(1, vec![world.begun(call)], vec![ended])).await;
        recording.acknowledged(1).await;
        settled(&control).await;
        assert_eq!(world.call(call).await.unwrap().1, COST);
        assert!(control.metrics_text().contains("tacit_control_differences_total 1"));
        control.stop().await;
    }
}
