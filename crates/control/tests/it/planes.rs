//! Several control planes on one database, each with gateways of its own.

use crate::links::next;
use crate::set_aside::run;
use crate::world::{COST, World, until};
use std::time::Duration;
use tacit_control::ControlConfig;
use tacit_kernel::Timestamp;
use tacit_link::convert;
use tacit_link::wire::update::Kind;
use tacit_storage::{Db, both_engines};

both_engines! {
    async fn an_idle_gateway_of_another_control_plane_is_not_taken_for_lost(db: Db) {
        // Long enough that a slow machine does not lose one that is looked at four times as often.
        const LOST_AFTER: Duration = Duration::from_secs(2);
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        let one = world.start_as("link.sock", LOST_AFTER).await;
        let two = world.start_as("other.sock", LOST_AFTER).await;
        let mut idle = world.gateway("idle").await;
        let _watching = idle.watch().await;
        idle.lease(world.account, 7 * COST, 7 * COST, 0).await;
        let open = async || -> Vec<String> {
            let open = world.ledger.session_list_open().await.unwrap();
            open.into_iter().map(|s| s.gateway).collect()
        };
        // Which of the two settles a session that is away is left to chance.
        for socket in ["link.sock", "other.sock"] {
            let mut gone = world.gateway_of(socket, &format!("gone from {socket}")).await;
            gone.lease(world.account, COST, COST, 0).await;
            until("it is settled", async || open().await.len() == 1).await;
        }
        assert_eq!(open().await, ["idle"]);
        assert_eq!(world.wallet().await, (93 * COST, 7 * COST));
        // Its control plane goes, and it stays away from the other one.
        one.stop().await;
        until("the idle one is settled", async || open().await.is_empty()).await;
        assert_eq!(world.wallet().await, (100 * COST, 0));
        two.stop().await;
    }

    async fn an_outage_of_the_database_loses_nobody(db: Db) {
        const LOST_AFTER: Duration = Duration::from_secs(3);
        let world = World::new(db.clone()).await;
        let control = world.start_as("link.sock", LOST_AFTER).await;
        let (mut here, _away) = (world.gateway("here").await, world.gateway("away").await);
        let _watching = here.watch().await;
        let open = async || -> Vec<(String, Timestamp)> {
            let open = world.ledger.session_list_open().await.unwrap();
            open.into_iter().map(|s| (s.gateway, s.seen_at)).collect()
        };
        // One is connected, of the other it was noticed that it is away.
        let before = open().await[0].1;
        until("there was a look", async || open().await[0].1 > before).await;
        run(&db, "ALTER TABLE gateway_sessions RENAME COLUMN sandbox TO renamed").await;
        tokio::time::sleep(LOST_AFTER + Duration::from_millis(500)).await;
        run(&db, "ALTER TABLE gateway_sessions RENAME COLUMN renamed TO sandbox").await;
        let before = open().await[0].1;
        until("there was a look", async || open().await[0].1 > before).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(open().await.len(), 2);
        // Since then it counts anew.
        until("the other is settled", async || open().await.len() == 1).await;
        control.stop().await;
    }

    async fn a_lease_is_called_back_from_a_gateway_of_another_control_plane(db: Db) {
        let world = World::new(db).await;
        world.top_up(10 * COST).await;
        let here = world.start().await;
        let there = world.start_as("other.sock", ControlConfig::LOST_AFTER).await;
        let (mut one, mut two) = (world.gateway("one").await, world.gateway_of("other.sock", "two").await);
        let mut of_one = one.watch().await;
        let mut of_two = two.watch().await;
        assert_eq!(one.lease(world.account, 10 * COST, 10 * COST, 0).await, 10 * COST);

        let account = world.account;
        let giving = tokio::spawn(async move {
            loop {
                if let Kind::Recall(recall) = next(&mut of_one).await {
                    assert_eq!(recall.account, convert::id_bytes(account));
                    assert_eq!(one.lease(account, 0, 0, 8 * COST).await, 0);
                    return;
                }
            }
        });
        // One that is slow to give back comes too late for the first request; the next one finds it.
        let mut granted = 0;
        for _ in 0..100 {
            granted = two.lease(account, 5 * COST, 5 * COST, 0).await;
            if granted > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(granted, 5 * COST);
        giving.await.unwrap();
        assert_eq!(world.wallet().await, (3 * COST, 7 * COST));

        // Who asked is not asked in turn, though its own control plane reads of the recall too.
        world.top_up(1).await;
        loop {
            match next(&mut of_two).await {
                Kind::Recall(_) => panic!("it is asked to give back what it has just asked for"),
                Kind::Invalidate(what) if !what.accounts.is_empty() => break,
                _ => {}
            }
        }
        there.stop().await;
        here.stop().await;
    }

    async fn recalls_from_two_control_planes_do_not_stand_for_each_other(db: Db) {
        let world = World::new(db).await;
        world.top_up(10 * COST).await;
        let here = world.start().await;
        let there = world.start_as("other.sock", ControlConfig::LOST_AFTER).await;
        let (mut one, mut two) = (world.gateway("one").await, world.gateway_of("other.sock", "two").await);
        let (mut of_one, mut of_two) = (one.watch().await, two.watch().await);
        assert_eq!(one.lease(world.account, 8 * COST, 8 * COST, 0).await, 8 * COST);
        assert_eq!(two.lease(world.account, 2 * COST, 2 * COST, 0).await, 2 * COST);
        // Each asks once, and the other one is told.
        for (asks, told) in [(&mut one, &mut of_two), (&mut two, &mut of_one)] {
            assert_eq!(asks.lease(world.account, 5 * COST, 5 * COST, 0).await, 0);
            let recall = async { while !matches!(next(told).await, Kind::Recall(_)) {} };
            tokio::time::timeout(Duration::from_secs(10), recall).await.unwrap();
        }
        there.stop().await;
        here.stop().await;
    }
}
