//! Sessions and leases.

use super::*;
use crate::LedgerError;
use crate::leases::{LeaseOutcome, LeaseRequest};

fn ask(session: SessionId, account: AccountId, request: u64, need: i64, want: i64, give_back: i64) -> LeaseRequest {
    LeaseRequest { session, account, request, need: Nano(need), want: Nano(want), give_back: Nano(give_back) }
}

fn outcome(granted: i64, left: i64) -> LeaseOutcome {
    LeaseOutcome { granted: Nano(granted), left: Nano(left) }
}

tacit_storage::both_engines! {
    async fn a_lease_takes_the_gift_first_and_gives_the_wallet_back_first(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(100).await;
        world.ledger.grant(a, Nano(30), "gift").await.unwrap();
        let s = world.session("gw").await;
        assert_eq!(world.ledger.lease(ask(s, a, 1, 10, 50, 0)).await.unwrap(), outcome(50, 80));
        assert_eq!(world.wallet(a).await, [80, 0, 50]);
        // Asked again: the same answer, nothing moves.
        assert_eq!(world.ledger.lease(ask(s, a, 1, 10, 50, 0)).await.unwrap(), outcome(50, 80));
        assert_eq!(world.wallet(a).await, [80, 0, 50]);
        // 25 go back: 20 to the wallet, 5 to the gift. Then nothing is granted, as 500 cannot be.
        assert_eq!(world.ledger.lease(ask(s, a, 2, 500, 600, 25)).await.unwrap(), outcome(0, 105));
        assert_eq!(world.wallet(a).await, [100, 5, 25]);
        // More is given back than held: all of it, and it can be granted at once.
        assert_eq!(world.ledger.lease(ask(s, a, 3, 130, 130, 1_000)).await.unwrap(), outcome(130, 0));
        assert_eq!(world.wallet(a).await, [0, 0, 130]);
        assert!(matches!(world.ledger.lease(ask(s, a, 2, 1, 1, 0)).await, Err(LedgerError::RequestOld)));
        assert!(matches!(world.ledger.lease(ask(s, a, 4, -1, 1, 0)).await, Err(LedgerError::RequestForm)));
        assert_eq!(world.settler.session_close(s).await.unwrap(), Nano(130));
        assert_eq!(world.wallet(a).await, [100, 30, 0]);
        assert!(matches!(world.ledger.lease(ask(s, a, 4, 1, 1, 0)).await, Err(LedgerError::SessionEnded)));
        let nobody = SessionId::fresh();
        assert!(matches!(world.ledger.lease(ask(nobody, a, 1, 1, 1, 0)).await, Err(LedgerError::SessionUnknown)));
        world.assert_clean().await;
    }

    async fn an_account_without_money_gets_nothing(db: Db) {
        let world = World::new(db).await;
        let (a, s) = (world.account().await, world.session("gw").await);
        assert_eq!(world.ledger.lease(ask(s, a, 1, 1, 100, 50)).await.unwrap(), outcome(0, 0));
        world.assert_clean().await;
    }

    async fn a_new_session_names_the_ones_before_until_they_are_settled(db: Db) {
        let world = World::new(db).await;
        let first = world.session("gw").await;
        world.session("other").await;
        let opened = world.ledger.session_open("gw", "0.1.0", false).await.unwrap();
        assert_eq!(opened.ended, [first]);
        assert_eq!(world.ledger.session_resume(first).await.unwrap(), 0);
        world.settler.settle_lost(first, &world.price_of()).await.unwrap();
        assert!(matches!(world.ledger.session_resume(first).await, Err(LedgerError::SessionEnded)));
        assert!(matches!(world.ledger.session_resume(SessionId::fresh()).await, Err(LedgerError::SessionUnknown)));
        let third = world.ledger.session_open("gw", "0.1.0", true).await.unwrap();
        assert_eq!(third.ended, [opened.session]);
        assert_eq!(world.ledger.session_list_open().await.unwrap().len(), 3);
        let page = world.ledger.session_list(tacit_storage::Page { after: None, limit: 3 }).await.unwrap();
        assert_eq!(page.items[0].id, third.session);
        assert!(page.items[0].sandbox && !page.items[1].sandbox);
        let rest = tacit_storage::Page { after: page.next, limit: 3 };
        let rest = world.ledger.session_list(rest).await.unwrap();
        assert_eq!((rest.items[0].id, rest.items[0].ended_at.is_some(), rest.next), (first, true, None));
    }

    async fn a_thousand_requests_on_a_nearly_empty_wallet(db: Db) {
        let world = World::new(db.clone()).await;
        let a = world.customer(1_000).await;
        world.ledger.grant(a, Nano(5), "gift").await.unwrap();
        // Two control planes, ten gateways, a hundred requests each; every one wants more than its share.
        let planes = [world.ledger.clone(), Ledger::new(db, world.clock.clone())];
        let mut asks = Vec::new();
        for gateway in 0..10 {
            let s = world.session(&format!("gw{gateway}")).await;
            let ledger = planes[gateway % 2].clone();
            asks.push(tokio::spawn(async move {
                let mut granted = Vec::new();
                for request in 1..=100 {
                    let got = ledger.lease(ask(s, a, request, 7, 9, 0)).await.unwrap();
                    assert!(got.left.0 >= 0);
                    assert!(got.granted.0 == 0 || (7..=9).contains(&got.granted.0), "{got:?}");
                    granted.push(got.granted.0);
                }
                granted
            }));
        }
        let mut granted = Vec::new();
        for ask in asks {
            granted.extend(ask.await.unwrap());
        }
        assert_eq!(granted.len(), 1_000);
        let sum: i64 = granted.iter().sum();
        let [wallet, gift, reserved] = world.wallet(a).await;
        assert_eq!(reserved, sum);
        assert_eq!(wallet + gift + reserved, 1_005);
        // Refused only for want of money: less is left than anybody needed.
        assert!(wallet + gift < 7, "{wallet} {gift}");
        world.assert_clean().await;
    }
}
