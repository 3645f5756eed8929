//! The check finds what is wrong, and only that.

use super::settling::lease;
use super::*;
use crate::verify::{MOST_LISTED, Violation};
use tacit_kernel::ids::{LedgerAccountId, TransactionId};

/// Two customers with leases and settled calls, checked and found clean.
async fn settled(db: Db) -> (World, [AccountId; 2], [BegunCall; 3]) {
    let world = World::new(db).await;
    let accounts = [world.customer(1_000).await, world.customer(1_000).await];
    let s = world.session("gw").await;
    for a in accounts {
        lease(&world, s, a, 1, 500).await;
    }
    let calls = [accounts[0], accounts[0], accounts[1]].map(|a| world.begun(a, 100, 10));
    let ended: Vec<_> = calls.iter().map(|c| world.ended(c, 10, 5)).collect();
    world.commit(&[batch(s, 1, &calls, &ended)]).await;
    let report = world.verify().await;
    assert!(report.is_clean(), "{report:?}");
    let checked = report.checked;
    // Two top-ups of two entries, two leases of two, two settlements of two.
    assert_eq!((checked.transactions, checked.entries, checked.settlements), (6, 12, 2));
    assert_eq!((checked.ledger_accounts, checked.leases, checked.calls), (8, 2, 3));
    (world, accounts, calls)
}

async fn account_of(world: &World, account: AccountId, kind: &str) -> LedgerAccountId {
    let all = world.ledger.entries(Some(account), tacit_storage::Page { after: None, limit: 500 }).await.unwrap();
    let mut entries = all.items.iter().flat_map(|t| &t.entries);
    entries.find(|e| e.kind.as_str() == kind).unwrap().ledger_account
}

tacit_storage::both_engines! {
    async fn a_wrong_balance_is_found(db: Db) {
        let (world, accounts, _) = settled(db).await;
        let wallet = account_of(&world, accounts[1], "wallet").await;
        world.corrupt("UPDATE ledger_accounts SET balance = balance + 1 WHERE id = ", wallet).await;
        let expected = [
            Violation::BalanceWrong {
                ledger_account: wallet,
                kind: crate::postings::LedgerAccountKind::Wallet,
                owner: Some(accounts[1]),
                balance: Nano(501),
                entries: "500".into(),
            },
            Violation::BooksUnbalanced { sum: "1".into() },
        ];
        assert_eq!(world.verify().await.violations, expected);
    }

    async fn a_wrong_entry_is_found(db: Db) {
        let (world, accounts, _) = settled(db).await;
        let page = tacit_storage::Page { after: None, limit: 500 };
        let top_up = world.ledger.entries(Some(accounts[0]), page).await.unwrap().items.pop().unwrap();
        let wallet = account_of(&world, accounts[0], "wallet").await;
        world.corrupt("UPDATE ledger_entries SET amount = amount - 3 WHERE line = 1 AND transaction_id = ", top_up.id).await;
        let expected = [
            Violation::TransactionUnbalanced { transaction: top_up.id, sum: "-3".into() },
            Violation::BalanceWrong {
                ledger_account: wallet,
                kind: crate::postings::LedgerAccountKind::Wallet,
                owner: Some(accounts[0]),
                balance: Nano(500),
                entries: "497".into(),
            },
        ];
        assert_eq!(world.verify().await.violations, expected);
    }

    async fn a_wrong_amount_of_a_call_is_found(db: Db) {
        let (world, _, calls) = settled(db).await;
        let call = calls[0].call;
        let settlement = world.ledger.call(call).await.unwrap().unwrap().settlement.unwrap();
        world.corrupt("UPDATE calls SET amount = amount - 1 WHERE id = ", call).await;
        let expected = [
            Violation::SettlementWrong { transaction: settlement, revenue: "40".into(), calls: Nano(39) },
            Violation::CallAmount { call, amount: Nano(19), computed: Nano(20), capped: false },
        ];
        assert_eq!(world.verify().await.violations, expected);
        // Less than computed is what capped means; the settlement still tells.
        world.corrupt("UPDATE calls SET capped = 1 WHERE id = ", call).await;
        assert_eq!(world.verify().await.violations, expected[..1]);
        world.corrupt("UPDATE calls SET amount = amount + 3 WHERE id = ", call).await;
        let expected = [
            Violation::SettlementWrong { transaction: settlement, revenue: "40".into(), calls: Nano(42) },
            Violation::CallAmount { call, amount: Nano(22), computed: Nano(20), capped: true },
        ];
        assert_eq!(world.verify().await.violations, expected);
    }

    async fn a_wrong_lease_is_found(db: Db) {
        let (world, accounts, _) = settled(db).await;
        world.corrupt("UPDATE leases SET from_wallet = from_wallet + 2 WHERE account_id = ", accounts[0]).await;
        let account = accounts[0];
        let expected = [Violation::ReservedWrong { account, reserved: Nano(460), leased: Nano(462) }];
        assert_eq!(world.verify().await.violations, expected);
        world.corrupt("DELETE FROM leases WHERE account_id = ", accounts[0]).await;
        let expected = [Violation::ReservedWrong { account, reserved: Nano(460), leased: Nano(0) }];
        assert_eq!(world.verify().await.violations, expected);
    }

    async fn a_settlement_without_its_calls_and_calls_without_theirs_are_found(db: Db) {
        let (world, _, calls) = settled(db).await;
        let [first, _, third] = &calls;
        let settlement = world.ledger.call(third.call).await.unwrap().unwrap().settlement.unwrap();
        world.corrupt("DELETE FROM calls WHERE id = ", third.call).await;
        let lonely = Violation::SettlementWrong { transaction: settlement, revenue: "20".into(), calls: Nano(0) };
        assert_eq!(world.verify().await.violations, std::slice::from_ref(&lonely));

        // Later than every transaction there is, so that it is looked for behind the last page.
        let nowhere = TransactionId::fresh();
        let of_first = world.ledger.call(first.call).await.unwrap().unwrap().settlement.unwrap();
        let values = [first.call.into(), nowhere.into()];
        world.execute(&Sql::new("UPDATE calls SET settlement_id = $2 WHERE id = $1"), &values).await;
        let left = Violation::SettlementWrong { transaction: of_first, revenue: "40".into(), calls: Nano(20) };
        let missing = Violation::SettlementMissing { transaction: nowhere, calls: Nano(20) };
        let found = world.verify().await.violations;
        assert_eq!(found.len(), 3);
        assert!([lonely, left, missing].iter().all(|violation| found.contains(violation)), "{found:?}");
        let free = Violation::CallSettlement { call: first.call, amount: Nano(20), settlement: None };
        world.corrupt("UPDATE calls SET settlement_id = NULL WHERE id = ", first.call).await;
        assert!(world.verify().await.violations.contains(&free));
    }

    async fn more_than_can_be_listed_is_counted(db: Db) {
        let world = World::new(db).await;
        let (a, s) = (world.account().await, world.session("gw").await);
        let free = BegunCall { price: None, ..world.begun(a, 0, 0) };
        let many: Vec<_> = (0..MOST_LISTED + 7)
            .map(|_| EndedCall { amount: Nano::ZERO, ..world.ended(&BegunCall { call: CallId::fresh(), ..free.clone() }, 1, 0) })
            .collect();
        world.commit(&[batch(s, 1, &[], &many)]).await;
        world.assert_clean().await;
        world.corrupt("UPDATE calls SET amount = 1, settlement_id = NULL WHERE session_id = ", s).await;
        let report = world.verify().await;
        assert_eq!((report.violations.len(), report.not_listed), (MOST_LISTED, 7));
        assert_eq!(report.checked.calls, MOST_LISTED as u64 + 7);
        assert!(!report.is_clean());
    }
}
