//! Crashes: of the gateway between begun and ended, and of the control plane anywhere.

use super::settling::lease;
use super::*;
use crate::sessions::SessionView;
use crate::settlement::DifferenceReason;
use std::slice::from_ref;
use tacit_kernel::call::ErrorCode;

tacit_storage::both_engines! {
    async fn a_gateway_dies_with_open_calls(db: Db) {
        let world = World::new(db).await;
        let (a, b) = (world.customer(1_000).await, world.customer(1_000).await);
        world.ledger.grant(a, Nano(40), "gift").await.unwrap();
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 500).await;
        lease(&world, s, b, 1, 300).await;
        let done = world.begun(a, 100, 10);
        let by_estimate = world.begun(a, 100, 30);
        let beyond = world.begun(b, 20, 25);
        let nameless = BegunCall { price: Some(PriceId::fresh()), ..world.begun(b, 20, 5) };
        let begun = [done.clone(), by_estimate.clone(), beyond.clone(), nameless.clone()];
        world.commit(&[batch(s, 1, &begun, &[])]).await;
        world.commit(&[batch(s, 2, &[], from_ref(&world.ended(&done, 10, 10)))]).await;
        assert_eq!(world.wallet(a).await, [540, 0, 470]);

        // The control plane died too: another one settles from what the database holds.
        let settler = Settler::new(world.ledger.clone());
        let mut prices = settler.open_prices(s).await.unwrap();
        prices.sort();
        assert_eq!(prices, [world.price, nameless.price.unwrap()]);
        let report = settler.settle_lost(s, &world.price_of()).await.unwrap();
        let mut lost = report.lost.clone();
        lost.sort();
        assert_eq!(lost, [by_estimate.call, beyond.call, nameless.call]);
        assert_eq!((report.amount, report.released), (Nano(50), Nano(470 - 30 + 300 - 20)));
        let differences: Vec<_> = report.differences.iter().map(|d| (d.call, d.reason)).collect();
        assert_eq!(differences, [(nameless.call, DifferenceReason::PriceUnknown)]);

        // 30 of the gift were used before; now its last 10, then 20 of the wallet.
        assert_eq!(world.wallet(a).await, [980, 0, 0]);
        assert_eq!(world.wallet(b).await, [980, 0, 0]);
        let call = world.ledger.call(by_estimate.call).await.unwrap().unwrap();
        assert_eq!((call.status, call.usage_source), (CallStatus::Lost, UsageSource::Estimate));
        assert_eq!((call.usage.input, call.usage.output, call.amount), (30, 0, Nano(30)));
        assert_eq!((call.model.as_deref(), call.duration_micros), (Some("a-model"), 60_000_000));
        let call = world.ledger.call(beyond.call).await.unwrap().unwrap();
        assert_eq!((call.amount, call.capped), (Nano(20), true));

        let again = settler.settle_lost(s, &world.price_of()).await.unwrap();
        assert_eq!(again, crate::settlement::LostReport::default());
        // The gateway lives after all and tells how its call ended: too late, and not charged again.
        let late = world.commit(&[batch(s, 3, &[], from_ref(&world.ended(&by_estimate, 30, 9)))]).await;
        assert_eq!(late.calls, 0);
        let report = world.verify().await;
        assert_eq!(report.violations, [crate::verify::Violation::PriceUnknown {
            call: nameless.call,
            price: nameless.price.unwrap(),
        }]);
    }

    async fn one_that_was_heard_of_meanwhile_is_not_settled(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(1_000).await;
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 500).await;
        let look = async || world.ledger.session_list_open().await.unwrap().remove(0);
        let away = async |view: &SessionView| world.settler.settle_away(view, &world.price_of()).await.unwrap();
        let first = look().await;
        world.clock.advance_micros(1);
        world.ledger.session_seen(&[s]).await.unwrap();
        assert_eq!(away(&first).await, None);
        let seen = look().await;
        world.commit(&[batch(s, 1, from_ref(&world.begun(a, 100, 10)), &[])]).await;
        assert_eq!(away(&seen).await, None);
        assert_eq!(world.wallet(a).await, [500, 0, 500]);
        let last = look().await;
        assert_eq!(away(&last).await.map(|report| report.lost.len()), Some(1));
        assert_eq!(away(&last).await, None);
        assert_eq!(world.wallet(a).await, [990, 0, 0]);
    }

    async fn the_control_plane_dies_between_begun_and_ended(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(10_000).await;
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 5_000).await;
        let calls: Vec<_> = (0..200).map(|_| world.begun(a, 20, 10)).collect();
        world.commit(&[batch(s, 1, &calls[..100], &[]), batch(s, 2, &calls[100..], &[])]).await;
        let ended: Vec<_> = calls.iter().map(|c| world.ended(c, 10, 1)).collect();
        world.commit(&[batch(s, 3, &[], &ended[..50])]).await;

        let restarted = Settler::new(world.ledger.clone());
        assert_eq!(world.ledger.session_resume(s).await.unwrap(), 3);
        // The gateway does not know that batch 3 was acknowledged, and sends it again before it goes on.
        let batches = [batch(s, 3, &[], &ended[..50]), batch(s, 4, &[], &ended[50..])];
        let journaled = Journal::new(world.ledger.clone()).write(&journaled(&batches)).await.unwrap();
        assert_eq!((journaled.written.as_slice(), journaled.sessions[0].acknowledged), ([false, true].as_slice(), 4));
        let report = restarted.commit(&batches, &world.price_of()).await.unwrap();
        assert_eq!((report.calls, report.amount), (150, Nano(150 * 12)));
        // All have ended: none is open any more, and the session can be closed.
        assert_eq!(restarted.session_close(s).await.unwrap(), Nano(5_000 - 200 * 12));
        world.assert_clean().await;
    }

    async fn two_control_planes_settle_one_session(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(1_000).await;
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 1_000).await;
        let other = Settler::new(world.ledger.clone());
        let calls: Vec<_> = (0..6).map(|_| world.begun(a, 100, 10)).collect();
        world.commit(&[batch(s, 1, &calls, &[])]).await;
        for (number, call) in (2..).zip(&calls) {
            // The gateway's link moves from one to the other with every batch; each remembers an older state.
            let settler = if number % 2 == 0 { &other } else { &world.settler };
            let ended = [world.ended(call, 10, 0)];
            let batches = [batch(s, number, &[], &ended)];
            world.write(&batches).await;
            assert_eq!(settler.commit(&batches, &world.price_of()).await.unwrap().calls, 1);
        }
        assert_eq!(other.session_close(s).await.unwrap(), Nano(940));
        world.assert_clean().await;
    }

    async fn the_same_batch_at_two_control_planes_at_once(db: Db) {
        let world = World::new(db.clone()).await;
        let a = world.customer(100_000).await;
        let planes: Vec<Arc<Settler>> = (0..3)
            .map(|_| Arc::new(Settler::new(Ledger::new(db.clone(), world.clock.clone()))))
            .collect();
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 50_000).await;
        for number in 1..=10 {
            let calls: Vec<_> = (0..5).map(|_| world.begun(a, 100, 10)).collect();
            let ended: Vec<_> = calls.iter().map(|c| world.ended(c, 10, 0)).collect();
            let batch = batch(s, number, &calls, &ended);
            world.write(std::slice::from_ref(&batch)).await;
            let commits: Vec<_> = planes
                .iter()
                .map(|settler| {
                    let (settler, batch, price_of) = (settler.clone(), batch.clone(), world.price_of());
                    tokio::spawn(async move { settler.commit(&[batch], &price_of).await.unwrap() })
                })
                .collect();
            let mut recorded = 0;
            for commit in commits {
                recorded += commit.await.unwrap().calls;
            }
            assert_eq!(recorded, 5);
        }
        assert_eq!(world.wallet(a).await, [50_000, 0, 50_000 - 500]);
        world.assert_clean().await;
    }

    async fn a_lost_call_without_a_price_of_its_own_is_free(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(100).await;
        let s = world.session("gw").await;
        let call = BegunCall { price: None, ..world.begun(a, 0, 10) };
        world.commit(&[batch(s, 1, from_ref(&call), &[])]).await;
        let report = world.settler.settle_lost(s, &world.price_of()).await.unwrap();
        assert_eq!((report.lost.len(), report.amount, report.differences.len()), (1, Nano::ZERO, 0));
        let record = world.ledger.call(call.call).await.unwrap().unwrap();
        assert_eq!((record.settlement, record.error), (None, None::<ErrorCode>));
        world.assert_clean().await;
    }
}
