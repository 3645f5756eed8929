//! Top-ups, grants, adjustments and the views of the books.

use super::*;
use crate::LedgerError;
use crate::postings::{LedgerAccountKind, TransactionKind};
use crate::wallets::LARGEST;
use tacit_storage::Page;

tacit_storage::both_engines! {
    async fn money_comes_in_once_for_each_key(db: Db) {
        let world = World::new(db).await;
        let (a, b) = (world.account().await, world.account().await);
        assert_eq!(world.wallet(a).await, [0, 0, 0]);
        let first = world.ledger.top_up(a, Nano(100), "order-1").await.unwrap();
        assert_eq!(world.ledger.top_up(a, Nano(100), "order-1").await.unwrap(), first);
        world.ledger.grant(a, Nano(30), "welcome").await.unwrap();
        assert_eq!(world.wallet(a).await, [100, 30, 0]);

        for clash in [
            world.ledger.top_up(a, Nano(101), "order-1").await,
            world.ledger.top_up(b, Nano(100), "order-1").await,
            world.ledger.grant(a, Nano(100), "order-1").await,
            world.ledger.adjust(a, Nano(30), "welcome").await,
        ] {
            assert!(matches!(clash, Err(LedgerError::KeyReused)), "{clash:?}");
        }
        for bad in [Nano(0), Nano(-1), Nano(LARGEST + 1), Nano(i64::MIN)] {
            assert!(matches!(world.ledger.top_up(a, bad, "x").await, Err(LedgerError::Amount)));
        }
        assert!(matches!(world.ledger.top_up(a, Nano(1), "").await, Err(LedgerError::KeyForm)));
        assert_eq!(world.wallet(a).await, [100, 30, 0]);
        world.assert_clean().await;
    }

    async fn the_first_currency_stays(db: Db) {
        let world = World::new(db).await;
        assert_eq!(world.ledger.currency("EUR").await.unwrap(), "EUR");
        assert_eq!(world.ledger.currency("USD").await.unwrap(), "EUR");
    }

    async fn an_adjustment_never_goes_below_zero(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(100).await;
        assert!(matches!(world.ledger.adjust(a, Nano(-101), "k1").await, Err(LedgerError::Insufficient)));
        // What was refused left nothing behind, not even its key.
        world.ledger.adjust(a, Nano(-100), "k1").await.unwrap();
        world.ledger.adjust(a, Nano(7), "k2").await.unwrap();
        assert_eq!(world.wallet(a).await, [7, 0, 0]);
        world.assert_clean().await;
    }

    async fn one_key_asked_for_at_the_same_time_counts_once(db: Db) {
        let world = World::new(db.clone()).await;
        let a = world.account().await;
        // Two ledgers share no queue: two control planes.
        let other = Ledger::new(db, world.clock.clone());
        let asks = (0..16).map(|i| {
            let ledger = if i % 2 == 0 { world.ledger.clone() } else { other.clone() };
            tokio::spawn(async move { ledger.top_up(a, Nano(5), "same").await })
        });
        let mut ids = Vec::new();
        for ask in asks.collect::<Vec<_>>() {
            ids.push(ask.await.unwrap().unwrap());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
        assert_eq!(world.wallet(a).await, [5, 0, 0]);
        world.assert_clean().await;
    }

    async fn transactions_are_listed_newest_first(db: Db) {
        let world = World::new(db).await;
        let (a, b) = (world.account().await, world.account().await);
        let mut of_a = Vec::new();
        for i in 0..5 {
            of_a.push(world.ledger.top_up(a, Nano(10 + i), &format!("a{i}")).await.unwrap());
            world.ledger.grant(b, Nano(1), &format!("b{i}")).await.unwrap();
        }
        of_a.reverse();
        let (mut seen, mut page) = (Vec::new(), Page { after: None, limit: 2 });
        loop {
            let got = world.ledger.entries(Some(a), page).await.unwrap();
            for transaction in &got.items {
                assert_eq!(transaction.kind, TransactionKind::TopUp);
                assert!(transaction.entries.iter().all(|e| e.owner == Some(a)));
                seen.push(transaction.id);
            }
            let Some(next) = got.next else { break };
            page.after = Some(next);
        }
        assert_eq!(seen, of_a);
        let all = world.ledger.entries(None, Page { after: None, limit: 500 }).await.unwrap();
        assert_eq!(all.items.len(), 10);
        assert!(all.items.iter().all(|t| t.entries.iter().map(|e| e.amount.0).sum::<i64>() == 0));

        let newest = world.ledger.transaction(of_a[0]).await.unwrap().unwrap();
        assert_eq!(newest.idempotency_key.as_deref(), Some("a4"));
        let lines: Vec<_> = newest.entries.iter().map(|e| (e.line, e.kind, e.amount.0)).collect();
        assert_eq!(lines, [(1, LedgerAccountKind::Wallet, 14), (2, LedgerAccountKind::Clearing, -14)]);
        assert_eq!(world.ledger.transaction(tacit_kernel::ids::TransactionId::fresh()).await.unwrap(), None);
    }
}
