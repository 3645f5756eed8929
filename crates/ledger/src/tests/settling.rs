//! Batches become records, charges and entries, once.

use super::*;
use crate::LedgerError;
use crate::calls::{Attempt, CallFilter, explain};
use crate::journal::BatchState;
use crate::leases::LeaseRequest;
use crate::settlement::{Difference, DifferenceReason, FailedAttempt};
use crate::spend::SpendOf;
use std::slice::from_ref;
use tacit_kernel::call::{AttemptOutcome, ErrorCode};
use tacit_storage::Page;

const ALL: Page = Page { after: None, limit: 500 };

pub(super) async fn lease(world: &World, session: SessionId, account: AccountId, request: u64, want: i64) {
    let (need, want, give_back) = (Nano(want), Nano(want), Nano::ZERO);
    let got = world.ledger.lease(LeaseRequest { session, account, request, need, want, give_back }).await.unwrap();
    assert_eq!(got.granted, want);
}

tacit_storage::both_engines! {
    async fn a_call_is_recorded_charged_and_explained(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(1_000).await;
        world.ledger.grant(a, Nano(50), "gift").await.unwrap();
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 500).await;
        let begun = world.begun(a, 400, 90);
        let ended = world.ended(&begun, 100, 40);
        let report = world.commit(&[batch(s, 1, from_ref(&begun), from_ref(&ended))]).await;
        assert_eq!((report.calls, report.amount, report.differences.len()), (1, Nano(180), 0));
        assert_eq!(world.wallet(a).await, [550, 0, 320]);

        let call = world.ledger.call(begun.call).await.unwrap().unwrap();
        assert_eq!((call.amount, call.capped, call.status), (Nano(180), false, CallStatus::Completed));
        assert_eq!((call.model.as_deref(), call.price), (Some("a-model"), Some(world.price)));
        assert_eq!((call.usage, call.started_at), (ended.usage, begun.started_at));
        assert_eq!((call.ip_sealed.clone(), call.user_agent_sealed.clone()), (Some(vec![1; 40]), Some(vec![2; 90])));
        let charge = explain(&call, &world.rates);
        assert_eq!((charge.amount, charge.lines.len()), (call.amount, 2));

        // The charge used up the gift part of the lease first: what comes back is of the wallet.
        let settlement = world.ledger.transaction(call.settlement.unwrap()).await.unwrap().unwrap();
        let lines: Vec<_> = settlement.entries.iter().map(|e| (e.kind.as_str(), e.amount.0)).collect();
        assert_eq!(lines, [("reserved", -180), ("revenue", 180)]);
        world.settler.session_close(s).await.unwrap();
        assert_eq!(world.wallet(a).await, [870, 0, 0]);
        world.assert_clean().await;
    }

    async fn many_sessions_and_accounts_in_one_commit(db: Db) {
        let world = World::new(db).await;
        let accounts = [world.customer(10_000).await, world.customer(10_000).await, world.customer(10_000).await];
        let sessions = [world.session("one").await, world.session("two").await];
        for s in sessions {
            for a in accounts {
                lease(&world, s, a, 1, 4_000).await;
            }
        }
        let mut batches = Vec::new();
        for number in 1..=3 {
            for s in sessions {
                let begun: Vec<_> = accounts.iter().map(|a| world.begun(*a, 100, 10)).collect();
                let ended: Vec<_> = begun.iter().map(|b| world.ended(b, 10, number)).collect();
                batches.push(batch(s, number, &begun, &ended));
            }
        }
        let report = world.commit(&batches).await;
        assert_eq!((report.calls, report.amount), (18, Nano(6 * (12 + 14 + 16))));
        let all = world.ledger.call_list(&CallFilter::default(), ALL).await.unwrap().items;
        for a in accounts {
            let mut settled: Vec<_> = all.iter().filter(|c| c.account == a).map(|c| c.settlement.unwrap()).collect();
            settled.dedup();
            assert_eq!(settled.len(), 1, "one transaction an account and commit");
        }
        world.assert_clean().await;
    }

    async fn a_batch_sent_twice_counts_once(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(1_000).await;
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 1_000).await;
        let calls: Vec<_> = (0..3).map(|_| world.begun(a, 100, 10)).collect();
        let first = batch(s, 1, &calls, &[world.ended(&calls[0], 10, 0)]);
        let second = batch(s, 2, &[], &[world.ended(&calls[1], 10, 0)]);
        assert_eq!(world.commit(&[first.clone(), first.clone()]).await.calls, 1);
        let again = world.commit(&[first.clone(), second.clone()]).await;
        assert_eq!((again.calls, again.sessions[0].acknowledged), (1, 2));
        // After a restart of the control plane nothing is remembered but what the database holds.
        let restarted = Settler::new(world.ledger.clone());
        let replayed = restarted.commit(&[first, second], &world.price_of()).await.unwrap();
        assert_eq!(replayed, CommitReport::default());
        assert_eq!(world.wallet(a).await, [0, 0, 980]);
        assert_eq!(world.ledger.session_resume(s).await.unwrap(), 2);
        // A call that is reported again under a new batch is not charged again either.
        let third = batch(s, 3, &[], &[world.ended(&calls[0], 10, 0), world.ended(&calls[2], 10, 0)]);
        world.write(std::slice::from_ref(&third)).await;
        assert_eq!(restarted.commit(&[third], &world.price_of()).await.unwrap().calls, 1);
        assert_eq!(world.wallet(a).await, [0, 0, 970]);
        let spend = world.ledger.spend(a, SpendOf::Account, world.clock_now()).await.unwrap();
        assert_eq!(spend.total, Nano(30));
        world.assert_clean().await;
    }

    async fn free_calls_move_no_money(db: Db) {
        let world = World::new(db).await;
        let (a, s) = (world.account().await, world.session("gw").await);
        let refused = EndedCall {
            status: CallStatus::Refused,
            error: Some(ErrorCode::BalanceInsufficient),
            http_status: 402,
            amount: Nano::ZERO,
            usage: Usage::default(),
            ..world.ended(&BegunCall { model: None, model_name: None, price: None, ..world.begun(a, 0, 5) }, 0, 0)
        };
        let failed = EndedCall {
            status: CallStatus::Failed,
            error: Some(ErrorCode::ProviderError),
            amount: Nano::ZERO,
            ..world.ended(&world.begun(a, 0, 5), 7, 7)
        };
        let empty = world.ended(&world.begun(a, 0, 5), 0, 0);
        let report = world.commit(&[batch(s, 1, &[], &[refused.clone(), failed.clone(), empty.clone()])]).await;
        assert_eq!((report.calls, report.amount, report.differences.clone()), (3, Nano::ZERO, vec![]));
        assert_eq!(world.ledger.entries(None, ALL).await.unwrap().items, []);
        let record = world.ledger.call(refused.begun.call).await.unwrap().unwrap();
        assert_eq!((record.error, record.settlement, record.price), (refused.error, None, None));
        world.assert_clean().await;
    }

    async fn every_attempt_is_told(db: Db) {
        let world = World::new(db).await;
        let (a, s) = (world.account().await, world.session("gw").await);
        let own = ChannelId(world.price.0);
        let provider = Some(ProviderId(world.price.0));
        let last = Some(CredentialId(world.price.0));
        let (other, credential) = (ChannelId::fresh(), CredentialId::fresh());
        let timeout = FailedAttempt {
            channel: other,
            credential,
            started_micros: 10,
            duration_micros: 500,
            error: Some(ErrorCode::ProviderTimeout),
            http_status: None,
        };
        let broke = FailedAttempt {
            channel: own,
            credential: CredentialId(uuid::Uuid::nil()),
            started_micros: 600,
            error: Some(ErrorCode::ProviderBroken),
            http_status: Some(200),
            ..timeout
        };
        let first = Attempt {
            channel: other,
            provider: None,
            credential: Some(credential),
            started_micros: 10,
            duration_micros: 500,
            outcome: AttemptOutcome::Failed,
            error: Some(ErrorCode::ProviderTimeout),
            http_status: None,
        };
        let answered = Attempt {
            channel: own,
            provider,
            credential: last,
            started_micros: 0,
            duration_micros: 2_000,
            outcome: AttemptOutcome::Answered,
            error: None,
            http_status: Some(200),
        };
        let ended = |tried, failed| EndedCall { tried, failed, ..world.ended(&world.begun(a, 0, 0), 0, 0) };
        let at_once = ended(1, vec![]);
        let again = ended(2, vec![timeout.clone()]);
        let never = EndedCall { status: CallStatus::Failed, ..ended(2, vec![timeout.clone(), broke.clone()]) };
        let refused = EndedCall { status: CallStatus::Refused, ..ended(0, vec![]) };
        let lost = world.begun(a, 0, 0);
        let calls = [at_once.clone(), again.clone(), never.clone(), refused.clone()];
        world.commit(&[batch(s, 1, from_ref(&lost), &calls)]).await;
        world.settler.settle_lost(s, &world.price_of()).await.unwrap();

        let told = async |id: CallId| {
            let call = world.ledger.call(id).await.unwrap().unwrap();
            let attempts = world.ledger.call_attempts(&call).await.unwrap();
            assert_eq!(attempts.len(), usize::try_from(call.attempts).unwrap());
            attempts
        };
        assert_eq!(told(at_once.begun.call).await, from_ref(&answered));
        let second = Attempt { started_micros: 510, duration_micros: 1_490, ..answered.clone() };
        assert_eq!(told(again.begun.call).await, [first.clone(), second]);
        let broken = Attempt {
            provider,
            credential: None,
            channel: own,
            started_micros: 600,
            error: broke.error,
            http_status: broke.http_status,
            ..first.clone()
        };
        assert_eq!(told(never.begun.call).await, [first, broken]);
        assert_eq!(told(refused.begun.call).await, []);
        let lost = told(lost.call).await;
        let [only] = lost.as_slice() else { panic!("{lost:?}") };
        assert_eq!((only.outcome, only.channel, only.credential), (AttemptOutcome::Lost, own, last));
        assert_eq!((only.error, only.http_status), (None, None));
    }

    async fn the_ledger_computes_for_itself(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(1_000).await;
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 500).await;
        let wrong = EndedCall { amount: Nano(9), ..world.ended(&world.begun(a, 100, 10), 10, 0) };
        let capped = EndedCall { amount: Nano(7), capped: true, ..world.ended(&world.begun(a, 100, 10), 10, 0) };
        let nameless = BegunCall { price: Some(PriceId::fresh()), ..world.begun(a, 100, 10) };
        let unknown = world.ended(&nameless, 10, 0);
        let report = world.commit(&[batch(s, 1, &[], &[wrong.clone(), capped.clone(), unknown.clone()])]).await;
        assert_eq!(report.amount, Nano(17));
        let expected = [
            Difference {
                call: wrong.begun.call,
                said: Nano(9),
                charged: Nano(10),
                reason: DifferenceReason::Computed,
            },
            Difference {
                call: unknown.begun.call,
                said: Nano(10),
                charged: Nano(0),
                reason: DifferenceReason::PriceUnknown,
            },
        ];
        assert_eq!(report.differences, expected);
        assert!(world.ledger.call(capped.begun.call).await.unwrap().unwrap().capped);
    }

    async fn a_charge_beyond_the_lease_takes_the_wallet_and_then_caps(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(100).await;
        world.ledger.grant(a, Nano(20), "gift").await.unwrap();
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 50).await;
        let more = world.ended(&world.begun(a, 50, 10), 90, 0);
        let most = world.ended(&world.begun(a, 50, 10), u64::MAX, 0);
        let report = world.commit(&[batch(s, 1, &[], &[more, most.clone()])]).await;
        assert_eq!(report.amount, Nano(120));
        let uncovered: Vec<_> =
            report.differences.iter().map(|d| (d.call, d.charged, d.reason)).collect();
        assert_eq!(uncovered, [(most.begun.call, Nano(30), DifferenceReason::Uncovered)]);
        let call = world.ledger.call(most.begun.call).await.unwrap().unwrap();
        assert_eq!((call.amount, call.capped), (Nano(30), true));
        assert_eq!(world.wallet(a).await, [0, 0, 0]);
        // Nothing is left at all: recorded, capped at nothing.
        let last = world.ended(&world.begun(a, 0, 10), 1, 0);
        world.commit(&[batch(s, 2, &[], from_ref(&last))]).await;
        let call = world.ledger.call(last.begun.call).await.unwrap().unwrap();
        assert_eq!((call.amount, call.capped, call.settlement), (Nano(0), true, None));
        world.assert_clean().await;
    }

    async fn calls_are_filtered_and_paged(db: Db) {
        let world = World::new(db).await;
        let (a, b) = (world.customer(1_000).await, world.customer(1_000).await);
        let s = world.session("gw").await;
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let mut ended = Vec::new();
        for (account, day) in [(a, "2026-10-31"), (a, "2026-11-01"), (b, "2026-11-02"), (a, "2026-11-23")] {
            ended.push(world.ended(&BegunCall { started_at: at(day), ..world.begun(account, 0, 0) }, 10, 0));
        }
        ended[3].status = CallStatus::ClientGone;
        world.commit(&[batch(s, 1, &[], &ended)]).await;
        let ids: Vec<_> = ended.iter().map(|c| c.begun.call).collect();
        let list = async |filter: CallFilter| -> Vec<CallId> {
            world.ledger.call_list(&filter, ALL).await.unwrap().items.iter().map(|c| c.id).collect()
        };
        let none = CallFilter::default;
        assert_eq!(list(none()).await, [ids[3], ids[2], ids[1], ids[0]]);
        assert_eq!(list(CallFilter { account: Some(a), ..none() }).await, [ids[3], ids[1], ids[0]]);
        assert_eq!(list(CallFilter { key: Some(KeyId(b.0)), ..none() }).await, [ids[2]]);
        assert_eq!(list(CallFilter { status: Some(CallStatus::ClientGone), ..none() }).await, [ids[3]]);
        assert_eq!(list(CallFilter { model: Some("another".into()), ..none() }).await, []);
        let channel = Some(ChannelId(world.price.0));
        assert_eq!(list(CallFilter { channel, min_id: Some(ids[2]), ..none() }).await, [ids[3], ids[2]]);
        let november = CallFilter { since: Some(at("2026-11-01")), until: Some(at("2026-11-23")), ..none() };
        assert_eq!(list(november).await, [ids[2], ids[1]]);
        let first = world.ledger.call_list(&none(), Page { after: None, limit: 3 }).await.unwrap();
        let second = Page { after: first.next, limit: 3 };
        assert_eq!(world.ledger.call_list(&none(), second).await.unwrap().items[0].id, ids[0]);

        let of = async |account, of: SpendOf| {
            let spend = world.ledger.spend(account, of, world.clock_now()).await.unwrap();
            [spend.day.0, spend.month.0, spend.total.0]
        };
        assert_eq!(of(a, SpendOf::Account).await, [10, 20, 30]);
        assert_eq!(of(b, SpendOf::Key(KeyId(b.0))).await, [0, 10, 10]);
        assert_eq!(of(b, SpendOf::Key(KeyId(a.0))).await, [0, 0, 0]);
    }

    async fn a_session_with_open_calls_cannot_be_closed(db: Db) {
        let world = World::new(db).await;
        let a = world.customer(1_000).await;
        let s = world.session("gw").await;
        lease(&world, s, a, 1, 500).await;
        let begun = world.begun(a, 100, 10);
        world.commit(&[batch(s, 1, from_ref(&begun), &[])]).await;
        assert!(matches!(world.settler.session_close(s).await, Err(LedgerError::CallsOpen)));
        world.commit(&[batch(s, 2, &[], &[world.ended(&begun, 10, 0)])]).await;
        assert_eq!(world.settler.session_close(s).await.unwrap(), Nano(490));
        assert_eq!(world.settler.session_close(s).await.unwrap(), Nano::ZERO);
        assert_eq!(world.wallet(a).await, [990, 0, 0]);
        let late = world.commit(&[batch(s, 3, &[], &[world.ended(&world.begun(a, 1, 1), 10, 0)])]).await;
        assert_eq!((late.sessions[0].state, late.calls), (BatchState::Ended, 0));
        world.assert_clean().await;
    }
}
