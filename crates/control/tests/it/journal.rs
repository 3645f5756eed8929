//! What lies between an acknowledgement and its settlement: durable, and settled once, whatever happens meanwhile.

use crate::set_aside::run;
use crate::world::{COST, Gateway, Recording, World, settled, until};
use std::sync::Arc;
use std::time::Duration;
use tacit_control::{Control, ControlConfig};
use tacit_kernel::call::CallStatus;
use tacit_kernel::ids::{CallId, SessionId};
use tacit_ledger::Journal;
use tacit_ledger::journal::JournalBatch;
use tacit_link::{convert, wire};
use tacit_storage::testing::run as run_on;
use tacit_storage::{Db, Engine, SqlText, StorageError, WriteTx, both_engines};
use tokio::sync::Notify;
use tonic::Code;

/// Writes batches as a control plane that dies right after it has acknowledged them.
async fn left_behind(world: &World, batches: &[wire::Events]) {
    let row = |events: &wire::Events| JournalBatch {
        session: convert::id("session", &events.session).unwrap(),
        batch: events.batch,
        events: convert::event_bytes(events),
    };
    let rows: Vec<_> = batches.iter().map(row).collect();
    let written = Journal::new(world.ledger.clone()).write(&rows).await.unwrap().written;
    assert!(written.iter().all(|written| *written), "{written:?}");
}

async fn journaled(db: &Db) -> usize {
    run(db, "SELECT batch FROM call_journal").await
}

const COMPLETED: Option<(CallStatus, i64)> = Some((CallStatus::Completed, COST));

async fn call(world: &World, call: CallId) -> Option<(CallStatus, i64)> {
    world.call(call).await.map(|(status, amount, _)| (status, amount))
}

async fn key_spend(world: &World, gateway: &mut Gateway) -> Result<i64, Code> {
    let request = wire::KeyRequest { session: gateway.session.clone(), hash: world.hash.to_vec() };
    let reply = gateway.client.key(request).await.map_err(|status| status.code())?.into_inner();
    Ok(reply.grant.unwrap().key_spend.unwrap().total)
}

/// A gateway that holds money and has a stream open.
async fn at_work(world: &World, name: &str) -> (Gateway, Recording) {
    let mut gateway = world.gateway(name).await;
    gateway.lease(world.account, 20 * COST, 20 * COST, 0).await;
    let recording = gateway.record().await;
    (gateway, recording)
}

/// Waits until settlement has failed, or goes again.
async fn deferred(control: &Control, sessions: usize) {
    let gauge = format!("tacit_control_deferred_sessions {sessions}\n");
    until("the number of deferred sessions is right", async || control.metrics_text().contains(&gauge)).await;
}

/// Only on PostgreSQL can settlement be kept waiting while the journal is written.
#[test]
fn gateways_are_not_read_from_when_settlement_lags() {
    run_on(Engine::Postgres, async |db: Db| {
        const BATCHES: u64 = 8;
        let world = World::new(db.clone()).await;
        let control = world.start().await;
        let (gateway, mut recording) = at_work(&world, "one").await;
        let release = Arc::new(Notify::new());
        let (held, released) = (Arc::new(Notify::new()), Arc::clone(&release));
        let holding = tokio::spawn({
            let (db, held) = (db.clone(), Arc::clone(&held));
            async move {
                let hold = async |tx: &mut WriteTx<'_>| {
                    tx.query(SqlText::new("LOCK TABLE open_calls IN EXCLUSIVE MODE")).await?;
                    held.notify_one();
                    released.notified().await;
                    Ok::<_, StorageError>(())
                };
                let hold = &hold;
                db.write("test.hold", |tx| Box::pin(hold(tx))).await
            }
        });
        held.notified().await;
        let many: Vec<_> = (0..tacit_link::MAX_EVENTS).map(|_| world.begun(CallId::fresh())).collect();
        for number in 1..=BATCHES + 1 {
            recording.send(gateway.events(number, many.clone(), vec![])).await;
        }
        recording.acknowledged(BATCHES).await;
        assert!(!control.settled().await);
        let full = format!("tacit_control_unsettled_events {}\n", 8 * tacit_link::MAX_EVENTS);
        assert!(control.metrics_text().contains(&full), "{}", control.metrics_text());
        let more = tokio::time::timeout(Duration::from_millis(200), recording.acks.message()).await;
        assert!(more.is_err(), "more was taken than there is room for");
        assert_eq!(journaled(&db).await, 8);

        release.notify_one();
        holding.await.unwrap().unwrap();
        recording.acknowledged(BATCHES + 1).await;
        settled(&control).await;
        assert_eq!(journaled(&db).await, 0);
        control.stop().await;
    });
}

both_engines! {
    async fn what_a_dead_process_has_acknowledged_is_settled_by_the_next(db: Db) {
        let world = World::new(db.clone()).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let (gateway, _) = at_work(&world, "one").await;
        control.stop().await;
        let (one, two, open) = (CallId::fresh(), CallId::fresh(), CallId::fresh());
        let begun = vec![world.begun(one), world.begun(open)];
        left_behind(&world, &[gateway.events(1, begun, vec![world.ended(two)])]).await;
        left_behind(&world, &[gateway.events(2, vec![], vec![world.ended(one)])]).await;
        assert_eq!((journaled(&db).await, call(&world, one).await), (2, None));

        let control = world.start().await;
        settled(&control).await;
        assert_eq!((call(&world, one).await, call(&world, two).await), (COMPLETED, COMPLETED));
        assert_eq!((journaled(&db).await, world.wallet().await), (0, (80 * COST, 18 * COST)));
        // The gateway sends both again, as it does not know.
        let mut again = Gateway::resume(world.client(), "one", gateway.session.clone()).await;
        assert_eq!(again.acknowledged, 2);
        let mut recording = again.record().await;
        recording.send(again.events(2, vec![], vec![world.ended(one)])).await;
        recording.send(again.events(3, vec![], vec![world.ended(open)])).await;
        recording.acknowledged(3).await;
        settled(&control).await;
        assert_eq!(world.wallet().await, (80 * COST, 17 * COST));
        assert_eq!(run(&db, "SELECT batch FROM open_calls").await, 0);
        world.assert_clean().await;
        control.stop().await;
    }

    async fn what_another_control_plane_has_left_is_found_by_itself(db: Db) {
        let world = World::new(db.clone()).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let (gateway, _) = at_work(&world, "one").await;
        let calls: Vec<CallId> = (0..3).map(|_| CallId::fresh()).collect();
        left_behind(&world, &[gateway.events(1, vec![world.begun(calls[0])], vec![world.ended(calls[1])])]).await;
        // Not at once: the other one may be at it.
        assert_eq!(journaled(&db).await, 1);
        until("it is settled", async || journaled(&db).await == 0).await;
        assert_eq!((call(&world, calls[1]).await, call(&world, calls[0]).await), (COMPLETED, None));

        // When its gateway comes here it does not take so long, and comes before what the gateway tells.
        left_behind(&world, &[gateway.events(2, vec![world.begun(calls[2])], vec![])]).await;
        let mut here = Gateway::resume(world.client(), "one", gateway.session.clone()).await;
        let mut recording = here.record().await;
        recording.send(here.events(3, vec![], vec![world.ended(calls[2]), world.ended(calls[0])])).await;
        recording.acknowledged(3).await;
        assert_eq!(key_spend(&world, &mut here).await, Ok(3 * COST));
        assert_eq!((journaled(&db).await, run(&db, "SELECT batch FROM open_calls").await), (0, 0));
        world.assert_clean().await;
        control.stop().await;
    }

    async fn two_control_planes_find_the_same(db: Db) {
        let world = World::new(db.clone()).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let (gateway, _) = at_work(&world, "one").await;
        control.stop().await;
        let calls: Vec<CallId> = (0..15).map(|_| CallId::fresh()).collect();
        for (number, call) in (1..).zip(&calls) {
            left_behind(&world, &[gateway.events(number, vec![], vec![world.ended(*call)])]).await;
        }
        let starts = (world.start(), world.start_as("other.sock", ControlConfig::LOST_AFTER));
        let (one, two) = tokio::join!(starts.0, starts.1);
        until("all is settled", async || journaled(&db).await == 0).await;
        settled(&one).await;
        settled(&two).await;
        assert_eq!(world.wallet().await, (80 * COST, 5 * COST));
        world.assert_clean().await;
        one.stop().await;
        two.stop().await;
    }

    async fn only_what_did_not_end_is_lost(db: Db) {
        let world = World::new(db.clone()).await;
        world.top_up(100 * COST).await;
        let control = world.start_as("link.sock", Duration::from_millis(400)).await;
        // One stays away, of the other there is a new process.
        for name in ["away", "again"] {
            let (gateway, _) = at_work(&world, name).await;
            let (done, lost) = (CallId::fresh(), CallId::fresh());
            let begun = vec![world.begun(done), world.begun(lost)];
            left_behind(&world, &[
                gateway.events(1, begun, vec![]),
                gateway.events(2, vec![], vec![world.ended(done)]),
            ]).await;
            if name == "again" {
                world.gateway(name).await;
            } else {
                until("it is settled", async || world.call(lost).await.is_some()).await;
            }
            assert_eq!(call(&world, done).await, COMPLETED);
            assert_eq!(call(&world, lost).await.map(|(status, _)| status), Some(CallStatus::Lost));
        }
        assert_eq!(journaled(&db).await, 0);
        world.assert_clean().await;
        control.stop().await;
    }

    async fn while_settlement_fails_events_are_acknowledged(db: Db) {
        let world = World::new(db.clone()).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let (mut gateway, mut recording) = at_work(&world, "one").await;
        let calls: Vec<CallId> = (0..12).map(|_| CallId::fresh()).collect();
        run(&db, "ALTER TABLE calls RENAME COLUMN stream TO renamed").await;
        for (number, call) in (1..).zip(&calls) {
            // Each ends in the batch after the one in which it has begun.
            let next = calls.get(usize::try_from(number).unwrap());
            let begun = next.map(|call| world.begun(*call)).into_iter().collect();
            recording.send(gateway.events(number, begun, vec![world.ended(*call)])).await;
            recording.acknowledged(number).await;
            if number == 6 {
                deferred(&control, 1).await;
            }
        }
        assert_eq!(journaled(&db).await, 12);
        // Nobody is told a spend that lacks what was acknowledged, and no session ends before its charges.
        assert_eq!(key_spend(&world, &mut gateway).await, Err(Code::Unavailable));
        assert!(!control.settled().await);
        // Another gateway has acknowledged nothing of it and is not refused.
        let mut other = world.gateway("other").await;
        assert!(key_spend(&world, &mut other).await.is_ok());
        let session = gateway.session.clone();
        let closed = gateway.client.close(wire::CloseRequest { session: session.clone() }).await;
        assert_eq!(closed.unwrap_err().code(), Code::Internal);
        let text = control.metrics_text();
        assert!(text.contains(r#"tacit_control_settlements_total{outcome="Failed"}"#), "{text}");
        // What lies in the journal holds no room.
        assert!(text.contains("tacit_control_unsettled_events 0\n"), "{text}");

        run(&db, "ALTER TABLE calls RENAME COLUMN renamed TO stream").await;
        deferred(&control, 0).await;
        assert_eq!((journaled(&db).await, key_spend(&world, &mut gateway).await), (0, Ok(12 * COST)));
        gateway.client.close(wire::CloseRequest { session }).await.unwrap();
        assert_eq!(call(&world, calls[1]).await, COMPLETED);
        world.assert_clean().await;
        control.stop().await;
    }

    async fn one_that_cannot_be_read_holds_up_nothing_but_its_session(db: Db) {
        let world = World::new(db.clone()).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let (mut gateway, _) = at_work(&world, "one").await;
        let session: SessionId = convert::id("session", &gateway.session).unwrap();
        let calls: Vec<CallId> = (0..3).map(|_| CallId::fresh()).collect();
        let row = |batch, events: Vec<u8>| JournalBatch { session, batch, events };
        let of = |number: u64, call: CallId| {
            row(number, convert::event_bytes(&gateway.events(number, vec![], vec![world.ended(call)])))
        };
        // Rubbish, and a batch under the number of another.
        let rows = [of(1, calls[0]), row(2, vec![255; 9]), row(3, of(7, calls[1]).events), of(4, calls[2])];
        Journal::new(world.ledger.clone()).write(&rows).await.unwrap();
        until("the rest is settled", async || call(&world, calls[2]).await.is_some()).await;
        assert_eq!((call(&world, calls[0]).await, call(&world, calls[1]).await), (COMPLETED, None));
        settled(&control).await;
        assert_eq!(journaled(&db).await, 2);
        let session = gateway.session.clone();
        let closed = gateway.client.close(wire::CloseRequest { session }).await;
        assert_eq!(closed.unwrap_err().code(), Code::Unavailable);
        // Each was told once, however often it was come by.
        assert!(control.metrics_text().contains("tacit_control_journal_unreadable_total 2\n"));
        assert_eq!(world.wallet().await, (80 * COST, 18 * COST));
        world.assert_clean().await;
        control.stop().await;
    }

    async fn the_spend_that_is_told_holds_what_was_acknowledged(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let (mut gateway, mut recording) = at_work(&world, "one").await;
        for round in 1..=3 {
            // Enough that the next settlement would have time.
            let many: Vec<_> = (0..10).map(|_| world.begun(CallId::fresh())).collect();
            recording.send(gateway.events(2 * round - 1, many, vec![])).await;
            recording.acknowledged(2 * round - 1).await;
            recording.send(gateway.events(2 * round, vec![], vec![world.ended(CallId::fresh())])).await;
            recording.acknowledged(2 * round).await;
            assert_eq!(key_spend(&world, &mut gateway).await, Ok(i64::try_from(round).unwrap() * COST));
        }
        control.stop().await;
    }

    async fn an_orderly_stop_settles_what_was_acknowledged(db: Db) {
        let world = World::new(db.clone()).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let (gateway, mut recording) = at_work(&world, "one").await;
        let calls: Vec<CallId> = (0..12).map(|_| CallId::fresh()).collect();
        for (number, of) in (1..).zip(calls.chunks(6)) {
            let (begun, ended) = of.iter().map(|call| (world.begun(*call), world.ended(*call))).unzip();
            recording.send(gateway.events(number, begun, ended)).await;
            recording.acknowledged(number).await;
        }
        control.stop().await;
        assert_eq!(journaled(&db).await, 0);
        assert_eq!(world.wallet().await, (80 * COST, 8 * COST));
        world.assert_clean().await;
    }
}
