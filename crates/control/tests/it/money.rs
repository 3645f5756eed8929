//! Leases, recalls, and what becomes of the money of a gateway that is gone.

use crate::world::{COST, World, until};
use std::time::Duration;
use tacit_kernel::call::CallStatus;
use tacit_kernel::ids::CallId;
use tacit_link::wire::{self, update::Kind};
use tacit_storage::{Db, both_engines};
use tonic::Code;

both_engines! {
    async fn a_lease_that_another_gateway_holds_is_called_back(db: Db) {
        let world = World::new(db).await;
        world.top_up(10 * COST).await;
        let control = world.start().await;
        let (mut one, mut two) = (world.gateway("one").await, world.gateway("two").await);
        let mut updates = one.watch().await;
        let _watching = two.watch().await;
        // One asks for much and gets what it needs, which is nearly all.
        assert_eq!(one.lease(world.account, 9 * COST, 100 * COST, 0).await, 9 * COST);
        assert_eq!(two.lease(world.account, COST / 2, COST / 2, 0).await, COST / 2);

        let account = world.account;
        let giving = tokio::spawn(async move {
            while let Some(update) = updates.message().await.unwrap() {
                if let Some(Kind::Recall(recall)) = update.kind {
                    assert_eq!(recall.account, tacit_link::convert::id_bytes(account));
                    assert_eq!(one.lease(account, 0, 0, 8 * COST).await, 0);
                    return;
                }
            }
        });
        assert_eq!(two.lease(world.account, 5 * COST, 5 * COST, 0).await, 5 * COST);
        giving.await.unwrap();
        assert_eq!(world.wallet().await, (10 * COST - COST - COST / 2 - 5 * COST, COST + COST / 2 + 5 * COST));
        assert!(control.metrics_text().contains("tacit_control_recalls_total 1"));
        control.stop().await;
    }

    async fn who_asks_again_at_once_waits_too(db: Db) {
        let world = World::new(db).await;
        world.top_up(10 * COST).await;
        let control = world.start().await;
        let (mut one, mut two) = (world.gateway("one").await, world.gateway("two").await);
        let (_of_one, _of_two) = (one.watch().await, two.watch().await);
        let account = world.account;
        assert_eq!(one.lease(account, 10 * COST, 10 * COST, 0).await, 10 * COST);
        assert_eq!(two.lease(account, 4 * COST, 4 * COST, 0).await, 0);
        let giving = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            one.lease(account, 0, 0, 8 * COST).await
        });
        assert_eq!(two.lease(account, 4 * COST, 4 * COST, 0).await, 4 * COST);
        assert_eq!(giving.await.unwrap(), 0);
        control.stop().await;
    }

    async fn grants_shrink_as_the_wallet_empties(db: Db) {
        let world = World::new(db).await;
        world.top_up(16 * COST).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let _watching = gateway.watch().await;
        let mut granted = Vec::new();
        for _ in 0..4 {
            granted.push(gateway.lease(world.account, COST, 100 * COST, 0).await / COST);
        }
        assert_eq!(granted, [8, 4, 2, 1]);
        // What is needed is given to the last, and no more than there is.
        assert_eq!(gateway.lease(world.account, COST, COST, 0).await, COST);
        assert_eq!(gateway.lease(world.account, 1, 1, 0).await, 0);
        assert_eq!(world.wallet().await, (0, 16 * COST));
        assert!(control.metrics_text().contains(r#"tacit_control_leases_total{outcome="Refused"} 1"#));
        control.stop().await;
    }

    async fn a_new_process_of_the_same_gateway_ends_the_old_session(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let mut old = world.gateway("one").await;
        old.lease(world.account, 10 * COST, 10 * COST, 0).await;
        let call = CallId::fresh();
        let mut recording = old.record().await;
        recording.send(old.events(1, vec![world.begun(call)], vec![])).await;
        recording.acknowledged(1).await;

        let new = world.gateway("one").await;
        assert_ne!(new.session, old.session);
        // 1,500 input tokens by estimate, no output.
        let lost = 1_500_000;
        assert_eq!(world.call(call).await, Some((CallStatus::Lost, lost, Some("a-model".into()))));
        assert_eq!(world.wallet().await, (100 * COST - lost, 0));
        recording.send(old.events(2, vec![], vec![world.ended(call)])).await;
        assert_eq!(recording.refused().await, Code::NotFound);
        assert!(old.client.watch(wire::WatchRequest { session: old.session.clone() }).await.is_err());
        control.stop().await;
    }

    async fn a_gateway_that_stays_away_is_settled(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start_as("link.sock", Duration::from_millis(400)).await;
        let (mut here, mut gone) = (world.gateway("here").await, world.gateway("gone").await);
        let _watching = here.watch().await;
        here.lease(world.account, COST, COST, 0).await;
        gone.lease(world.account, 10 * COST, 10 * COST, 0).await;
        assert_eq!(world.wallet().await, (89 * COST, 11 * COST));
        until("the lost session is settled", async || world.wallet().await == (99 * COST, COST)).await;
        let open = world.ledger.session_list_open().await.unwrap();
        assert_eq!(open.iter().map(|s| s.gateway.as_str()).collect::<Vec<_>>(), ["here"]);
        until("it is counted", async || control.metrics_text().contains("tacit_control_sessions_lost_total 1")).await;
        control.stop().await;
    }

    async fn the_ledger_is_checked_by_itself(db: Db) {
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let control = world.start().await;
        let clean = r#"tacit_control_ledger_checks_total{outcome="Ok"}"#;
        until("it was checked", async || control.metrics_text().contains(clean)).await;
        assert!(control.metrics_text().contains("tacit_control_ledger_problems 0"));
        control.stop().await;
    }
}
