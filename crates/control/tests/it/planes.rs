//! Several control planes on one database, each with gateways of its own.

use crate::links::next;
use crate::world::{COST, World, until};
use std::sync::Arc;
use std::time::Duration;
use tacit_control::ControlConfig;
use tacit_kernel::time::ManualClock;
use tacit_kernel::{Clock, SystemClock, Timestamp};
use tacit_link::convert;
use tacit_link::wire::update::Kind;
use tacit_storage::{Db, both_engines};

both_engines! {
    async fn an_idle_gateway_of_another_control_plane_is_not_taken_for_lost(db: Db) {
        const LOST_AFTER: Duration = Duration::from_millis(400);
        let world = World::new(db).await;
        world.top_up(100 * COST).await;
        // How long a session is away is told by this clock, so that a slow machine does not lose one.
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let one = world.start_with("link.sock", LOST_AFTER, clock.clone()).await;
        let two = world.start_with("other.sock", LOST_AFTER, clock.clone()).await;
        let mut idle = world.gateway("idle").await;
        let _watching = idle.watch().await;
        idle.lease(world.account, 7 * COST, 7 * COST, 0).await;
        let open = async || -> Vec<(String, Timestamp)> {
            let open = world.ledger.session_list_open().await.unwrap();
            open.into_iter().map(|s| (s.gateway, s.seen_at)).collect()
        };
        // Which of the two settles a session that is away is left to chance: several make it likely to be each.
        for round in 0..6 {
            let socket = if round % 2 == 0 { "link.sock" } else { "other.sock" };
            let mut gone = world.gateway_of(socket, &format!("gone-{round}")).await;
            gone.lease(world.account, COST, COST, 0).await;
            while open().await.len() > 1 {
                let before = open().await[0].1;
                clock.advance_micros(i64::try_from(LOST_AFTER.as_micros()).unwrap() / 2);
                until("the idle one is seen", async || open().await[0].1 > before).await;
            }
        }
        assert_eq!(open().await[0].0, "idle");
        assert_eq!(world.wallet().await, (93 * COST, 7 * COST));
        // Its control plane goes, and it stays away from the other one.
        one.stop().await;
        until("the idle one is settled", async || {
            clock.advance_micros(100_000);
            open().await.is_empty()
        })
        .await;
        assert_eq!(world.wallet().await, (100 * COST, 0));
        two.stop().await;
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
}
