//! Transactions whose years are over go, sums stay, and no balance changes.

use super::settling::lease;
use super::*;
use crate::forgetting::Forgetting;
use crate::shortening::Shortened;
use std::collections::HashSet;
use tacit_kernel::ids::TransactionId;
use tacit_storage::Page;

const DAY: i64 = 86_400_000_000;
const LEFT: Sql = Sql::new("SELECT COUNT(*) AS n FROM ledger_transactions");
const SUMS: Sql = Sql::new("SELECT COUNT(*) AS n FROM forgotten_calls");

impl World {
    async fn shorten(&self, before: Timestamp, held: &[AccountId]) -> Shortened {
        let held: HashSet<AccountId> = held.iter().copied().collect();
        let (mut all, mut after) = (Shortened::default(), TransactionId(uuid::Uuid::nil()));
        loop {
            let step = async |tx: &mut WriteTx<'_>| self.ledger.shorten_in_tx(tx, (after, before), &held).await;
            let step = &step;
            let done: Shortened = self.db.write("test.shorten", |tx| Box::pin(step(tx))).await.unwrap();
            (all.rows, all.held) = (all.rows + done.rows, all.held + done.held);
            match done.next {
                Some(next) => after = next,
                None => return all,
            }
        }
    }

    async fn count(&self, sql: &'static Sql) -> i64 {
        let rows = self.db.read("test.count", |tx| Box::pin(tx.all(sql, &[]))).await.unwrap();
        rows[0].get("n").unwrap()
    }

    async fn settled(&self, session: SessionId, number: u64, account: AccountId) {
        lease(self, session, account, number, 100).await;
        let begun = BegunCall { started_at: self.clock_now(), ..self.begun(account, 90, 10) };
        let ended = self.ended(&begun, 10, 3);
        self.commit(&[batch(session, number, &[begun], &[ended])]).await;
    }

    async fn forget_calls(&self, before: Timestamp) {
        let none = HashSet::new();
        let from = (CallId(uuid::Uuid::nil()), before);
        let step = async |tx: &mut WriteTx<'_>| {
            self.ledger.calls_forget_in_tx(tx, Forgetting::Calls, from, &none).await.map(drop)
        };
        let step = &step;
        self.db.write("test.forget", |tx| Box::pin(step(tx))).await.unwrap();
    }
}

tacit_storage::both_engines! {
    async fn what_is_old_goes_no_balance_changes_and_the_books_add_up(db: Db) {
        let world = World::new(db).await;
        let (a, b) = (world.customer(1_000_000).await, world.customer(1_000_000).await);
        let s = world.session("gw").await;
        for number in 1..=3 {
            world.settled(s, 2 * number - 1, a).await;
            world.settled(s, 2 * number, b).await;
        }
        for n in 0..600 {
            world.ledger.grant(a, Nano(1), &format!("gift {n}")).await.unwrap();
        }
        world.clock.advance_micros(10 * DAY);
        world.settled(s, 7, a).await;
        let (before, all) = (world.clock_now().plus_micros(-5 * DAY), world.count(&LEFT).await);
        let wallets = (world.wallet(a).await, world.wallet(b).await);
        let entries = |report: VerifyReport| report.checked.entries;
        let whole = entries(world.verify().await);

        // While calls name their settlements these stay, with nothing missing.
        let named = world.shorten(before, &[]).await;
        assert_eq!(named.held, 6, "{named:?}");
        world.assert_clean().await;
        world.forget_calls(before).await;
        // What moved money of who is held stays, whoever else's it moved.
        let held = world.shorten(before, &[b]).await;
        assert_eq!((held.rows, held.held), (3, 3), "the settlements of each");
        world.assert_clean().await;
        let kept = world.ledger.entries(Some(b), Page::default()).await.unwrap().items.len();
        assert_eq!(kept, 3);
        let rest = world.shorten(before, &[]).await;
        assert_eq!((rest.held, named.rows + held.rows + rest.rows), (0, u64::try_from(all - world.count(&LEFT).await).unwrap()));
        assert!((1..10).contains(&world.count(&LEFT).await), "what is young is there");
        assert_eq!((world.wallet(a).await, world.wallet(b).await), wallets);
        assert_eq!(world.count(&SUMS).await, 0, "sums of calls go with what they were for");
        let report = world.verify().await;
        assert!(report.is_clean() && entries(report) < whole);
        assert_eq!(world.shorten(before, &[]).await.rows, 0, "once");
        // Money goes on.
        world.settled(s, 8, b).await;
        world.ledger.top_up(b, Nano(7), "later").await.unwrap();
        world.assert_clean().await;
    }

    async fn a_sum_that_is_wrong_is_found(db: Db) {
        let world = World::new(db).await;
        world.customer(10_000).await;
        world.clock.advance_micros(DAY);
        assert_eq!(world.shorten(world.clock_now(), &[]).await.rows, 1);
        world.assert_clean().await;
        world.corrupt("UPDATE forgotten_entries SET amount = amount + ", 1_i64).await;
        assert!(!world.verify().await.violations.is_empty());
    }
}
