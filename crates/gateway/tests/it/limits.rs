//! Limits of keys and accounts, and money under pressure.

use crate::platform::{Platform, Wishes, key_hash};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tacit_kernel::Nano;
use tacit_kernel::call::CallStatus;
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Limits;
use tacit_link::convert;

#[tokio::test(flavor = "multi_thread")]
async fn requests_per_minute_with_headers_and_retry_after() {
    let key_limits = Limits { requests_per_minute: Some(2), ..Limits::default() };
    let account_limits =
        Limits { requests_per_minute: Some(100), tokens_per_minute: Some(1_000_000), ..Limits::default() };
    let p = Platform::start(Wishes { key_limits, account_limits, ..Wishes::default() }).await;
    let first = p.chat("chat", "").await;
    assert_eq!(
        (first.header("x-ratelimit-limit-requests"), first.header("x-ratelimit-remaining-requests")),
        ("2", "1")
    );
    assert_eq!(first.header("x-ratelimit-limit-tokens"), "1000000");
    assert!(!first.header("x-ratelimit-reset-requests").is_empty());
    let body = r#"{"model":"chat","max_tokens":9,"messages":[]}"#;
    let second = p.post("/v1/messages", body).await;
    assert_eq!(second.header("anthropic-ratelimit-requests-remaining"), "0");
    let third = p.chat("chat", "").await;
    assert_eq!(third.status, 429);
    let wait: u32 = third.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_per_minute_and_concurrency() {
    let key_limits = Limits { tokens_per_minute: Some(10), ..Limits::default() };
    let p = Platform::start(Wishes { key_limits, ..Wishes::default() }).await;
    let refused = p.chat("chat", "").await;
    assert_eq!((refused.status.as_u16(), refused.body.contains("this request alone")), (429, true));
    p.stop().await;

    let account_limits = Limits { concurrency: Some(1), ..Limits::default() };
    let models = vec![("chat", vec![("practice-chat:wait-500", 0)])];
    let p = Platform::start(Wishes { account_limits, models, ..Wishes::default() }).await;
    let (a, b) = tokio::join!(p.chat("chat", ""), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        p.chat("chat", "").await
    });
    assert_eq!((a.status.as_u16(), b.status.as_u16()), (200, 429));
    assert_eq!(p.chat("chat", "").await.status, 200);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spend_limits_hold() {
    let key_limits = Limits { spend_per_day: Some(Nano(2_000_000)), ..Limits::default() };
    let p = Platform::start(Wishes { key_limits, ..Wishes::default() }).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = p.chat("chat", r#","max_tokens":40"#).await;
        statuses.push(answer.status.as_u16());
        if answer.status == 402 {
            assert!(answer.body.contains("spend limit") && !answer.header("retry-after").is_empty());
        }
    }
    assert_eq!((statuses[0], statuses[5]), (200, 402), "{statuses:?}");
    let spent: i64 = p.plane.calls(6).await.iter().map(|c| c.amount).sum();
    assert!(spent <= 2_000_000, "{spent}");
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_do_not_pass_a_spend_limit_together() {
    // Each reserves some 0.0006 for 40 output tokens, so about three can be under way.
    let key_limits = Limits { spend_per_day: Some(Nano(2_000_000)), ..Limits::default() };
    let p = Arc::new(Platform::start(Wishes { key_limits, ..Wishes::default() }).await);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let p = Arc::clone(&p);
            tokio::spawn(async move { p.chat("chat", r#","max_tokens":40"#).await.status.as_u16() })
        })
        .collect();
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.unwrap());
    }
    assert!(statuses.contains(&200) && statuses.contains(&402), "{statuses:?}");
    let spent: i64 = p.plane.calls(100).await.iter().map(|c| c.amount).sum();
    assert!(spent > 0 && spent <= 2_000_000, "{spent}");
}

/// The control plane reads what was spent, a call is settled, and only then the answer arrives.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_settled_during_a_look_up_counts_against_the_spend_limit() {
    let account_limits = Limits { spend_total: Some(Nano(1_000_000)), ..Limits::default() };
    let models = vec![("slow", vec![("practice-chat:tokens-60+wait-500", 0)]), ("chat", vec![("practice-chat", 0)])];
    let p = Platform::start(Wishes { account_limits, models, ..Wishes::default() }).await;
    let until = async |what: &str, holds: &(dyn Fn() -> bool + Sync)| {
        for _ in 0..1000 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("waited in vain until {what}");
    };
    let (slow, refused) = tokio::join!(p.chat("slow", r#","max_tokens":60"#), async {
        until("the call is under way", &|| p.plane.books.lock().unwrap().begun.len() == 1).await;
        p.plane.delayed.store(true, SeqCst);
        let what = tacit_link::wire::Invalidate { key_hashes: vec![key_hash(&p.key)], ..Default::default() };
        p.plane.updates.send(tacit_link::wire::update::Kind::Invalidate(what)).unwrap();
        tokio::join!(
            async {
                // Until the invalidation has arrived a call is admitted without a look-up, and refused for the room.
                loop {
                    let answer = p.chat("chat", r#","max_tokens":60"#).await;
                    if p.plane.lookups.load(SeqCst) == 2 {
                        return answer;
                    }
                }
            },
            async {
                until("the key is looked up again", &|| p.plane.lookups.load(SeqCst) == 2).await;
                let charged = || p.plane.books.lock().unwrap().ended.values().any(|e| e.amount > 0);
                until("the call is charged", &charged).await;
                let acknowledged = "tacit_gateway_unacknowledged_events 0\n";
                while !p.get_from(p.admin, "/metrics").await.body.contains(acknowledged) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                p.plane.delayed.store(false, SeqCst);
            }
        )
        .0
    });
    assert_eq!((slow.status.as_u16(), refused.status.as_u16()), (200, 402), "{}", refused.body);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_on_a_nearly_empty_wallet() {
    // Each reserves at most some 0.0012 for 100 output tokens, so about eight can be under way.
    let wallet = 10_000_000;
    let p = Arc::new(Platform::start(Wishes { wallet, ..Wishes::default() }).await);
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let p = Arc::clone(&p);
            tokio::spawn(async move { p.chat("chat", r#","max_tokens":100"#).await.status.as_u16() })
        })
        .collect();
    let mut answered = 0;
    for call in calls {
        match call.await.unwrap() {
            200 => answered += 1,
            402 => {}
            other => panic!("{other}"),
        }
    }
    assert!((1..1000).contains(&answered), "{answered}");
    let calls = p.plane.calls(1000).await;
    let completed = CallStatus::Completed.number();
    assert_eq!(calls.iter().filter(|c| c.status == completed).count(), answered);
    assert!(calls.iter().all(|c| !c.capped));
    let spent: i64 = calls.iter().map(|c| c.amount).sum();
    assert!(spent <= wallet);
    assert!(p.plane.leases.load(SeqCst) < 200, "the control plane was asked {:?} times", p.plane.leases);
    let plane = Arc::clone(&p.plane);
    Arc::into_inner(p).unwrap().stop().await;
    assert_eq!(plane.books.lock().unwrap().wallet, wallet - spent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_gives_back_what_is_free() {
    let p = Platform::start(Wishes::default()).await;
    assert_eq!(p.chat("chat", "").await.status, 200);
    let call = p.plane.only_call().await;
    assert!(p.plane.books.lock().unwrap().leased > 0);
    let account: AccountId = convert::event_id("account", call.begun.unwrap().account).unwrap();
    let account = convert::id_bytes(account);
    let recall = tacit_link::wire::update::Kind::Recall(tacit_link::wire::Recall { account });
    p.plane.updates.send(recall).unwrap();
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if p.plane.books.lock().unwrap().leased == 0 {
            break;
        }
    }
    assert_eq!(p.plane.books.lock().unwrap().leased, 0);
    p.stop().await;
}

/// The list of models is for the same callers as the models.
#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_for_those_who_may_call() {
    let expired = Limits { expires_at: Some(tacit_kernel::Timestamp(1)), ..Limits::default() };
    let elsewhere = Limits { ip_ranges: Some(vec!["192.0.2.0/24".parse().unwrap()]), ..Limits::default() };
    let cases = [
        (expired.clone(), Limits::default(), "key_expired"),
        (Limits::default(), expired, "account_disabled"),
        (elsewhere.clone(), Limits::default(), "address_not_allowed"),
        (Limits::default(), elsewhere, "address_not_allowed"),
    ];
    for (key_limits, account_limits, code) in cases {
        let p = Platform::start(Wishes { key_limits, account_limits, ..Wishes::default() }).await;
        let call = p.chat("chat", "").await;
        for path in ["/v1/models", "/v1/models/chat"] {
            let listed = p.get_from(p.address, path).await;
            assert_eq!((listed.status, listed.body.contains("chat")), (call.status, false), "{code} {path}");
        }
        p.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_calls_whose_data_is_restricted() {
    let p = Platform::start(Wishes::default()).await;
    for grant in p.plane.books.lock().unwrap().keys.values_mut() {
        grant.restricted = true;
    }
    let refused = p.chat("chat", "").await;
    assert_eq!((refused.status.as_u16(), refused.body.contains("account_restricted")), (403, true), "{}", refused.body);
    assert!(refused.body.contains("lift that in the console"), "{}", refused.body);
    assert_eq!(p.get_from(p.address, "/v1/models").await.status, 403);
    p.stop().await;
}
