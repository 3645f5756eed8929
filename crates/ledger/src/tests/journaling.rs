//! Batches in the journal: durable at once, settled once, whoever settles them.

use super::settling::lease;
use super::*;
use crate::LedgerError;
use crate::journal::BatchState;
use std::slice::from_ref;

fn outcome(session: SessionId, acknowledged: u64, state: BatchState) -> SessionOutcome {
    SessionOutcome { session, acknowledged, state }
}

/// The numbers of a session's batches that lie in the journal.
async fn numbers(world: &World, session: SessionId) -> Vec<u64> {
    world.ledger.journal_rows(session, 0, 100).await.unwrap().iter().map(|row| row.batch).collect()
}

tacit_storage::both_engines! {
    async fn a_gap_a_duplicate_and_an_ended_session(db: Db) {
        let world = World::new(db).await;
        let (s, other) = (world.session("gw").await, world.session("other").await);
        let rows: Vec<_> = (1..=4).map(|n| batch(s, n, &[], &[])).collect();
        let beside = batch(other, 1, &[], &[]);
        let journaled = world.write(&[rows[2].clone(), rows[0].clone(), beside.clone(), rows[0].clone()]).await;
        let gap = outcome(s, 1, BatchState::Gap);
        assert_eq!(journaled.sessions, [gap, outcome(other, 1, BatchState::Durable)]);
        // Of the two that are the same the first was written.
        assert_eq!(journaled.written, [false, true, true, false]);
        let journaled = world.write(&rows[..3]).await;
        assert_eq!((journaled.sessions, journaled.written), (vec![outcome(s, 3, BatchState::Durable)], vec![false, true, true]));
        assert_eq!((numbers(&world, s).await, numbers(&world, other).await), (vec![1, 2, 3], vec![1]));
        assert_eq!(world.ledger.session_resume(s).await.unwrap(), 3);
        let row = &world.ledger.journal_rows(s, 1, 1).await.unwrap()[0];
        assert_eq!(*row, journaled_row(s, 2));

        // Another control plane wrote meanwhile: what looks like a gap is none, and what looks new is not.
        let restarted = Journal::new(world.ledger.clone());
        restarted.write(&super::journaled(&[rows[3].clone()])).await.unwrap();
        let fifth = batch(s, 5, &[], &[]);
        let journaled = world.write(&[rows[3].clone(), fifth]).await;
        assert_eq!((journaled.sessions, journaled.written), (vec![outcome(s, 5, BatchState::Durable)], vec![false, true]));
        assert_eq!(numbers(&world, s).await, [1, 2, 3, 4, 5]);

        // Ended, which this one has not heard of; never there.
        world.settle(from_ref(&beside)).await;
        world.settler.settle_lost(other, &world.price_of()).await.unwrap();
        let nobody = SessionId::fresh();
        let journaled = world.write(&[batch(other, 2, &[], &[]), batch(nobody, 1, &[], &[])]).await;
        assert_eq!(journaled.sessions, [outcome(other, 1, BatchState::Ended), outcome(nobody, 0, BatchState::Ended)]);
        assert_eq!((journaled.written, numbers(&world, other).await), (vec![false, false], vec![]));
    }

    async fn what_was_journaled_and_not_settled_is_found_and_settled_once(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(1_000).await;
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 1_000).await;
        let calls: Vec<_> = (0..3).map(|_| world.begun(a, 100, 10)).collect();
        let batches = [
            batch(s, 1, &calls, &[]),
            batch(s, 2, &[], &[world.ended(&calls[0], 10, 0)]),
            batch(s, 3, &[], &[world.ended(&calls[1], 10, 0)]),
        ];
        let written = world.clock_now();
        let (before, after) = (written.plus_micros(-1), written.plus_micros(1));
        world.write(&batches).await;
        let unsettled = async |but, after| world.ledger.journal_unsettled(but, after, 2).await.unwrap();
        assert_eq!(unsettled(None, None).await, [(s, 1), (s, 2)]);
        assert_eq!(unsettled(None, Some((s, 2))).await, [(s, 3)]);
        // Recent, written long ago, and by a clock that was ahead.
        assert_eq!(unsettled(Some((before, after)), None).await, []);
        assert_eq!(unsettled(Some((after, after)), None).await, [(s, 1), (s, 2)]);
        assert_eq!(unsettled(Some((before, before)), Some((s, 1))).await, [(s, 2), (s, 3)]);
        assert_eq!(world.ledger.call(calls[0].call).await.unwrap(), None);

        // Two control planes find it. One of them settles a part, the other all.
        let (one, two) = (Settler::new(world.ledger.clone()), Settler::new(world.ledger.clone()));
        assert_eq!(one.commit(&batches[..2], &world.price_of()).await.unwrap().calls, 1);
        assert_eq!(two.commit(&batches, &world.price_of()).await.unwrap().calls, 1);
        assert_eq!(one.commit(&batches, &world.price_of()).await.unwrap(), CommitReport::default());
        assert_eq!(unsettled(None, None).await, []);
        assert_eq!(world.wallet(a).await, [0, 0, 980]);
        // The third is open, and nothing else.
        let lost = two.settle_lost(s, &world.price_of()).await.unwrap();
        assert_eq!(lost.lost, [calls[2].call]);
        world.assert_clean().await;
    }

    async fn batches_of_many_sessions_of_which_one_is_settled_elsewhere(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(10_000).await;
        let mut batches = Vec::new();
        for name in ["one", "two", "three"] {
            let s = world.session(name).await;
            lease(&world, s, a, 1, 1_000).await;
            for number in 1..=3 {
                let call = world.begun(a, 100, 10);
                batches.push(batch(s, number, from_ref(&call), &[world.ended(&call, 10, 0)]));
            }
        }
        world.write(&batches).await;
        let other = Settler::new(world.ledger.clone());
        // In the midst of a session, at its end, and a whole one.
        let elsewhere = [&batches[1..2], &batches[5..6], &batches[6..9]].concat();
        assert_eq!(other.commit(&elsewhere, &world.price_of()).await.unwrap().calls, 5);
        assert_eq!(world.settle(&batches).await.calls, 4);
        assert_eq!(world.wallet(a).await, [7_000, 0, 3_000 - 90]);
        world.assert_clean().await;
    }

    async fn a_session_does_not_end_before_its_journal_is_settled(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(1_000).await;
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 1_000).await;
        let (done, open) = (world.begun(a, 100, 30), world.begun(a, 100, 10));
        let batches = [batch(s, 1, &[done.clone(), open.clone()], &[]), batch(s, 2, &[], &[world.ended(&done, 5, 0)])];
        world.write(&batches).await;
        let view = world.ledger.session_list_open().await.unwrap().remove(0);
        let refused = [
            world.settler.settle_lost(s, &world.price_of()).await.map(drop),
            world.settler.settle_away(&view, &world.price_of()).await.map(drop),
            world.settler.session_close(s).await.map(drop),
        ];
        assert!(refused.iter().all(|refused| matches!(refused, Err(LedgerError::Unsettled))), "{refused:?}");
        // Nothing of the attempts stayed.
        assert_eq!(world.ledger.session_resume(s).await.unwrap(), 2);
        assert_eq!(world.wallet(a).await, [0, 0, 1_000]);

        world.settle(&batches).await;
        let report = world.settler.settle_lost(s, &world.price_of()).await.unwrap();
        assert_eq!(report.lost, [open.call]);
        assert_eq!(world.wallet(a).await, [1_000 - 5 - 10, 0, 0]);
        world.assert_clean().await;
    }

    async fn an_end_that_is_settled_before_its_begin_is_no_open_call(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(1_000).await;
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 1_000).await;
        let call = world.begun(a, 100, 10);
        let batches = [batch(s, 1, from_ref(&call), &[]), batch(s, 2, &[], &[world.ended(&call, 10, 0)])];
        world.write(&batches).await;
        // The gateway moved to another control plane, which is the faster one.
        let other = Settler::new(world.ledger.clone());
        assert_eq!(other.commit(&batches[1..], &world.price_of()).await.unwrap().calls, 1);
        assert_eq!(world.settle(&batches[..1]).await.calls, 0);
        assert_eq!(world.settler.session_close(s).await.unwrap(), Nano(990));
        world.assert_clean().await;
    }

    async fn one_call_of_a_batch_is_recorded_before_the_rest(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(1_000).await;
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 1_000).await;
        let ended: Vec<_> = (0..2).map(|_| world.ended(&world.begun(a, 100, 10), 10, 0)).collect();
        let batch = batch(s, 1, &[], &ended);
        let record = async |call: usize| {
            world.settler.record_ended((s, 1), &ended[call..=call], &world.price_of()).await.unwrap().calls
        };
        assert_eq!(record(0).await, 0, "it is not in the journal");
        world.write(from_ref(&batch)).await;
        assert_eq!((record(0).await, record(0).await), (1, 0));
        assert_eq!(world.settle(from_ref(&batch)).await.calls, 1);
        assert_eq!(record(1).await, 0);
        assert_eq!(world.wallet(a).await, [0, 0, 980]);
        world.assert_clean().await;
    }
}

fn journaled_row(session: SessionId, number: u64) -> JournalBatch {
    super::journaled(&[batch(session, number, &[], &[])]).remove(0)
}
