//! An event that the books refuse for good does not keep those around it from being settled, and is not lost.

use crate::world::{COST, Gateway, World, settled};
use tacit_kernel::call::{CallEvent, CallStatus};
use tacit_kernel::ids::CallId;
use tacit_ledger::aside::AsideView;
use tacit_link::wire;
use tacit_storage::{Db, Page, SqlText, WriteTx, both_engines};

async fn waiting(world: &World) -> Vec<AsideView> {
    world.ledger.aside_list(false, Page::default()).await.unwrap().items
}

/// How many rows a statement has for an answer.
pub(crate) async fn run(db: &Db, text: &'static str) -> usize {
    let run = async |tx: &mut WriteTx<'_>| tx.query(SqlText::new(text)).await.map(|rows| rows.len());
    let run = &run;
    db.write("test.run", |tx| Box::pin(run(tx))).await.unwrap()
}

/// What these calls cost, as far as they are recorded.
async fn charged(world: &World, calls: &[CallId]) -> Vec<Option<i64>> {
    let mut charged = Vec::new();
    for call in calls {
        charged.push(world.call(*call).await.map(|(status, amount, _)| {
            assert_eq!(status, CallStatus::Completed);
            amount
        }));
    }
    charged
}

both_engines! {
    async fn one_that_cannot_be_read(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        gateway.lease(world.account, 10 * COST, 10 * COST, 0).await;
        let calls: Vec<CallId> = (0..5).map(|_| CallId::fresh()).collect();
        let (first, poison, second, third, long) = (calls[0], calls[1], calls[2], calls[3], calls[4]);
        let mut recording = gateway.record().await;
        recording.send(gateway.events(1, vec![world.begun(poison), world.begun(third)], vec![])).await;
        recording.acknowledged(1).await;
        // A word that only a later version knows.
        let mut ended = world.ended(poison);
        ended.begun.as_mut().unwrap().endpoint = 99;
        let begun = wire::Begun { source: 99, ..world.begun(second) };
        let nameless = wire::Begun { call: None, ..world.begun(first) };
        let too_long = wire::Ended { sealed_user_agent: vec![0; 401], ..world.ended(long) };
        let events = vec![world.ended(first), ended, too_long, world.ended(second)];
        recording.send(gateway.events(2, vec![begun, nameless], events)).await;
        recording.acknowledged(2).await;
        settled(&control).await;
        assert_eq!(charged(&world, &calls).await, [Some(COST), None, Some(COST), None, None]);
        let aside = waiting(&world).await;
        let seen: Vec<_> = aside.iter().map(|e| (e.event, e.call, e.reason.as_str(), e.amount.0)).collect();
        for wanted in [
            (CallEvent::Ended, Some(poison), "field.endpoint", COST),
            (CallEvent::Ended, Some(long), "field.sealed_user_agent", COST),
            (CallEvent::Begun, Some(second), "field.source", 2 * COST),
            (CallEvent::Begun, None, "field.call", 2 * COST),
        ] {
            assert!(seen.contains(&wanted), "{wanted:?} {seen:?}");
        }
        assert_eq!((seen.len(), aside[0].account, aside[0].key), (4, Some(world.account), Some(world.key)));
        let text = control.metrics_text();
        assert!(text.contains(r#"tacit_control_events_set_aside_total{event="Ended"} 2"#), "{text}");

        // Also another control plane does not take the call for open, and its gateway goes on.
        control.stop().await;
        let control = world.start().await;
        let mut gateway = Gateway::resume(world.client(), "one", gateway.session.clone()).await;
        assert_eq!(gateway.acknowledged, 2);
        let mut recording = gateway.record().await;
        recording.send(gateway.events(3, vec![], vec![world.ended(third)])).await;
        recording.acknowledged(3).await;
        settled(&control).await;
        assert_eq!(waiting(&world).await.len(), 4);
        let session = gateway.session.clone();
        gateway.client.close(wire::CloseRequest { session }).await.unwrap();
        assert_eq!(charged(&world, &calls).await, [Some(COST), None, Some(COST), Some(COST), None]);
        assert_eq!(world.wallet().await, (97 * COST, 0));
        world.assert_clean().await;

        // What is too long was left out of what is kept; a word is still not understood, and that a call has begun cannot
        // be settled.
        for event in &aside {
            let settled = control.settle_set_aside(event.id).await.map_err(|refused| refused.code);
            match (event.event, event.call == Some(long)) {
                (_, true) => assert_eq!(settled, Ok(())),
                (CallEvent::Ended, _) => assert_eq!(settled, Err("event.refused")),
                (CallEvent::Begun, _) => assert_eq!(settled, Err("event.begun")),
            }
            let dropped = world.ledger.aside_drop(event.id).await;
            assert_eq!(dropped.is_ok(), settled.is_err());
            assert_eq!(control.settle_set_aside(event.id).await.unwrap_err().code, "event.unknown");
        }
        assert_eq!(waiting(&world).await, []);
        assert_eq!(charged(&world, &[poison, long]).await, [None, Some(COST)]);
        // Its session has ended: the wallet paid.
        assert_eq!(world.wallet().await, (96 * COST, 0));
        world.assert_clean().await;
        let all = world.ledger.aside_list(true, Page::default()).await.unwrap().items;
        assert!(all.len() == 4 && all.iter().all(|e| e.resolved_at.is_some() && e.message.is_empty()));
        control.stop().await;
    }

    async fn one_that_the_database_refuses(db: Db) {
        let world = World::new(db.clone()).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let (mut gateway, mut other) = (world.gateway("one").await, world.gateway("two").await);
        gateway.lease(world.account, 10 * COST, 10 * COST, 0).await;
        other.lease(world.account, 10 * COST, 10 * COST, 0).await;
        // Of two calls with this number the second is refused, whatever it is sent with.
        run(&db, "CREATE UNIQUE INDEX poison ON calls (stream) WHERE concurrency = 77").await;
        let of_77 = |call| wire::Ended { concurrency: 77, ..world.ended(call) };
        let calls: Vec<CallId> = (0..7).map(|_| CallId::fresh()).collect();
        let poison = calls[3];
        let mut recording = gateway.record().await;
        recording.send(gateway.events(1, vec![world.begun(poison)], vec![of_77(calls[0])])).await;
        recording.acknowledged(1).await;
        settled(&control).await;
        assert_eq!(run(&db, "SELECT batch FROM open_calls").await, 1);
        let events = vec![world.ended(calls[1]), world.ended(calls[2]), of_77(poison), world.ended(calls[4])];
        recording.send(gateway.events(2, vec![], events)).await;
        recording.send(gateway.events(3, vec![], vec![world.ended(calls[5])])).await;
        let mut beside = other.record().await;
        beside.send(other.events(1, vec![], vec![world.ended(calls[6])])).await;
        recording.acknowledged(3).await;
        beside.acknowledged(1).await;
        settled(&control).await;
        let good = Some(COST);
        assert_eq!(charged(&world, &calls).await, [good, good, good, None, good, good, good]);
        let aside = waiting(&world).await;
        let seen: Vec<_> = aside.iter().map(|e| (e.event, e.call.unwrap(), e.reason.as_str(), e.amount.0)).collect();
        assert_eq!(seen, [(CallEvent::Ended, poison, "storage.exists", COST)]);
        assert_eq!(run(&db, "SELECT batch FROM open_calls").await, 0);
        assert_eq!(world.wallet().await, (80 * COST, 14 * COST));
        world.assert_clean().await;

        // Refused again it goes on to wait; when it is no longer refused it is settled once.
        assert_eq!(control.settle_set_aside(aside[0].id).await.unwrap_err().code, "storage.exists");
        assert_eq!(waiting(&world).await, aside);
        run(&db, "DROP INDEX poison").await;
        control.settle_set_aside(aside[0].id).await.unwrap();
        assert_eq!(control.settle_set_aside(aside[0].id).await.unwrap_err().code, "event.unknown");
        assert_eq!((charged(&world, &[poison]).await, waiting(&world).await), (vec![good], vec![]));
        assert_eq!(world.wallet().await, (80 * COST, 13 * COST));
        let session = gateway.session.clone();
        gateway.client.close(wire::CloseRequest { session }).await.unwrap();
        assert_eq!(world.wallet().await, (84 * COST, 9 * COST));
        world.assert_clean().await;
        control.stop().await;
    }
}
