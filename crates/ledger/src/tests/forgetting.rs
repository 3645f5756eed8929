//! Calls whose time is over go, in steps, and the books add up without them.

use super::settling::lease;
use super::*;
use crate::calls::CallFilter;
use crate::forgetting::{Forgetting, Forgotten};
use std::collections::HashSet;
use tacit_storage::Page;

const DAY: i64 = 86_400_000_000;
const ATTEMPTS: Sql = Sql::new("SELECT COUNT(*) AS n FROM call_attempts");

impl World {
    /// As many calls of an account as are asked for, begun now.
    async fn calls(&self, session: SessionId, number: u64, account: AccountId, many: usize) {
        lease(self, session, account, number, 100 * i64::try_from(many).unwrap()).await;
        let begun = |_| BegunCall { started_at: self.clock_now(), ..self.begun(account, 90, 10) };
        let begun: Vec<_> = (0..many).map(begun).collect();
        let ended: Vec<_> = begun.iter().map(|begun| self.ended(begun, 10, 3)).collect();
        self.commit(&[batch(session, number, &begun, &ended)]).await;
    }

    async fn forget(&self, what: Forgetting, before: Timestamp, held: &[AccountId]) -> Forgotten {
        let held: HashSet<AccountId> = held.iter().copied().collect();
        let (mut all, mut after) = (Forgotten::default(), CallId(uuid::Uuid::nil()));
        loop {
            let step =
                async |tx: &mut WriteTx<'_>| self.ledger.calls_forget_in_tx(tx, what, (after, before), &held).await;
            let step = &step;
            let done: Forgotten = self.db.write("test.forget", |tx| Box::pin(step(tx))).await.unwrap();
            (all.rows, all.held) = (all.rows + done.rows, all.held + done.held);
            match done.next {
                Some(next) => after = next,
                None => return all,
            }
        }
    }

    async fn left(&self, account: AccountId) -> Vec<crate::calls::CallRecord> {
        let (mut left, mut after) = (Vec::new(), None);
        loop {
            let filter = CallFilter { account: Some(account), ..CallFilter::default() };
            let page = self.ledger.call_list(&filter, Page { after, limit: 500 }).await.unwrap();
            left.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return left,
            }
        }
    }
}

tacit_storage::both_engines! {
    async fn what_is_old_goes_what_is_held_stays_and_the_books_add_up(db: Db) {
        let world = World::new(db).await;
        let (a, b, c) = (world.customer(1_000_000).await, world.customer(1_000_000).await, world.customer(1_000_000).await);
        let s = world.session("gw").await;
        world.calls(s, 1, a, 700).await;
        world.calls(s, 2, b, 3).await;
        world.calls(s, 3, a, 2).await;
        world.calls(s, 4, c, 2).await;
        world.clock.advance_micros(10 * DAY);
        world.calls(s, 5, a, 4).await;
        world.calls(s, 6, b, 1).await;
        let now = world.clock_now();
        let before = now.plus_micros(-5 * DAY);
        let kept = (world.left(b).await, world.left(c).await.len());

        let addresses = world.forget(Forgetting::Addresses, before, &[b]).await;
        assert_eq!((addresses.rows, addresses.held), (704, 3));
        let bare = world.left(a).await.iter().filter(|call| call.ip_sealed.is_none()).count();
        assert_eq!((bare, world.left(a).await.len()), (702, 706));
        assert!(world.left(b).await.iter().all(|call| call.ip_sealed.is_some() && call.user_agent_sealed.is_some()));
        let again = world.forget(Forgetting::Addresses, before, &[b]).await;
        assert_eq!((again.rows, again.held), (0, 3), "once");

        // Nothing is due before it is old.
        let young = world.forget(Forgetting::Calls, now.plus_micros(-11 * DAY), &[]).await;
        assert_eq!(young, Forgotten::default());
        let due = async |before: Timestamp| {
            let count = async |tx: &mut WriteTx<'_>| world.ledger.calls_due_in_tx(tx, Forgetting::Calls, before).await;
            let count = &count;
            world.db.write("test.due", |tx| Box::pin(count(tx))).await.unwrap()
        };
        assert_eq!(due(before).await, 707);
        let calls = world.forget(Forgetting::Calls, before, &[b]).await;
        assert_eq!((calls.rows, calls.held), (704, 3));
        assert_eq!((world.left(a).await.len(), world.left(c).await.len(), kept.1), (4, 0, 2));
        assert_eq!(world.left(b).await, kept.0, "whoever is held keeps every byte");
        world.assert_clean().await;

        // Without a hold the rest goes, and the books add up with sums alone.
        let rest = world.forget(Forgetting::Calls, now.plus_micros(DAY), &[]).await;
        assert_eq!((rest.rows, rest.held, due(now).await), (8, 0, 0));
        world.assert_clean().await;
        let rows = world.db.read("test.attempts", |tx| Box::pin(tx.all(&ATTEMPTS, &[]))).await.unwrap();
        assert_eq!(rows[0].get::<i64>("n").unwrap(), 0);
    }

    async fn one_person_has_their_old_calls_deleted_and_nobody_else_loses_any(db: Db) {
        let world = World::new(db).await;
        let (a, b) = (world.customer(1_000_000).await, world.customer(1_000_000).await);
        let s = world.session("gw").await;
        // Between each other in the order of their ids.
        for number in [1, 3, 5] {
            world.calls(s, number, a, 300).await;
            world.calls(s, number + 1, b, 2).await;
        }
        world.clock.advance_micros(10 * DAY);
        world.calls(s, 7, a, 4).await;
        let (before, others) = (world.clock_now().plus_micros(-5 * DAY), world.left(b).await);
        let (mut deleted, mut after) = (0, CallId(uuid::Uuid::nil()));
        loop {
            let step = async |tx: &mut WriteTx<'_>| world.ledger.own_calls_forget_in_tx(tx, a, (after, before)).await;
            let step = &step;
            let done: Forgotten = world.db.write("test.forget", |tx| Box::pin(step(tx))).await.unwrap();
            deleted += done.rows;
            match done.next {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!((deleted, world.left(a).await.len(), world.left(b).await), (900, 4, others));
        let left = async |tx: &mut WriteTx<'_>| world.ledger.own_calls_in_tx(tx, a).await;
        let left = &left;
        let left = world.db.write("test.left", |tx| Box::pin(left(tx))).await.unwrap();
        assert_eq!(left, (4, Some(world.clock_now())));
        world.assert_clean().await;
    }

    async fn a_sum_that_is_wrong_is_found(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(10_000).await;
        let s = world.session("gw").await;
        world.calls(s, 1, a, 3).await;
        world.clock.advance_micros(DAY);
        world.forget(Forgetting::Calls, world.clock_now(), &[]).await;
        world.assert_clean().await;
        world.corrupt("UPDATE forgotten_calls SET amount = amount + ", 1_i64).await;
        assert_eq!(world.verify().await.violations.len(), 1);
    }
}
