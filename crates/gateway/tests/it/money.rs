//! Where the money for a call comes from while it runs, and what happens when that is slow, short or refused.

use crate::platform::{Platform, UNIT, Wishes};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tacit_kernel::Nano;
use tacit_kernel::call::CallStatus;
use tacit_kernel::limits::Limits;

fn one(model: &'static str, max_output_tokens: u64) -> Wishes {
    Wishes { models: vec![("chat", vec![(model, 0)])], max_output_tokens, ..Wishes::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_was_reserved_is_charged_where_the_wallet_has_it() {
    let p = Platform::start(Wishes { wallet: 5 * UNIT, ..one("practice-chat:tokens-4000", 1) }).await;
    assert_eq!(p.chat("chat", "").await.status, 200);
    let call = p.plane.only_call().await;
    assert_eq!((call.status, call.capped), (CallStatus::Completed.number(), false));
    assert!(call.amount >= 40_000_000, "{}", call.amount);
    assert!(std::mem::take(&mut p.plane.books.lock().unwrap().beyond) > 0);
    // What the gateway believes to hold is what it holds: another call, and everything is given back.
    assert_eq!(p.chat("chat", "").await.status, 200);
    p.plane.calls(2).await;
    p.plane.books.lock().unwrap().beyond = 0;
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_waits_for_money_that_is_on_its_way() {
    let p = Platform::start(one("practice-chat:tokens-8000", 64)).await;
    p.plane.slow.store(150, SeqCst);
    let answer = p.chat("chat", r#","stream":true"#).await;
    assert!(answer.body.ends_with("data: [DONE]\n\n"), "{}", &answer.body[answer.body.len().saturating_sub(300)..]);
    let call = p.plane.only_call().await;
    assert_eq!((call.status, call.capped), (CallStatus::Completed.number(), false));
    assert!(call.amount >= 80_000_000, "{}", call.amount);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_money_is_not_the_silence_of_a_provider() {
    let wishes = Wishes { idle: Duration::from_millis(400), ..one("practice-chat:tokens-2000", 64) };
    let p = Platform::start(wishes).await;
    p.plane.slow.store(250, SeqCst);
    let answer = p.chat("chat", r#","stream":true"#).await;
    assert!(answer.body.ends_with("data: [DONE]\n\n"));
    p.stop().await;

    // But nobody waits for ever.
    let mut p =
        Platform::start(Wishes { idle: Duration::from_millis(400), ..one("practice-chat:tokens-2000", 64) }).await;
    p.plane.slow.store(1, SeqCst);
    let warm = p.chat("chat", r#","max_tokens":8"#).await;
    assert_eq!(warm.status, 200);
    p.plane.slow.store(3_000, SeqCst);
    let answer = p.chat("chat", r#","stream":true"#).await;
    assert!(!answer.body.contains("[DONE]"));
    assert!(!answer.body.contains("balance is used up"), "{}", &answer.body[answer.body.len().saturating_sub(300)..]);
    let calls = p.plane.calls(2).await;
    assert!(calls.iter().any(|c| c.status == CallStatus::Interrupted.number()));
    p.link.take();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_share_a_small_wallet() {
    let p = Platform::start(Wishes { wallet: 300_000_000, ..one("practice-chat:tokens-60+pace-20", 20_000) }).await;
    let p = Arc::new(p);
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let p = Arc::clone(&p);
            tokio::spawn(async move { p.chat("chat", r#","stream":true"#).await.status.as_u16() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
    Arc::into_inner(p).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stream_waits_for_is_not_promised_yet() {
    // Room for the first step and one more; the stream waits for the one, another call needs a little of it.
    let key_limits = Limits { spend_per_day: Some(Nano(14_000_000)), ..Limits::default() };
    let p = Platform::start(Wishes { key_limits, ..one("practice-chat:tokens-600", 64) }).await;
    let p = Arc::new(p);
    assert_eq!(p.chat("chat", r#","max_tokens":8"#).await.status, 200);
    p.plane.slow.store(1_500, SeqCst);
    let stream = {
        let p = Arc::clone(&p);
        tokio::spawn(async move { p.chat("chat", r#","stream":true"#).await })
    };
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!stream.is_finished());
    assert_eq!(p.chat("chat", r#","max_tokens":64"#).await.status, 200);
    assert!(stream.await.unwrap().body.ends_with("data: [DONE]\n\n"));
    Arc::into_inner(p).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_reserves_anew_in_a_new_session() {
    let mut p = Platform::start(one("practice-chat:tokens-500+pace-4", 64)).await;
    let link = p.link.take();
    let p = Arc::new(p);
    let call = {
        let p = Arc::clone(&p);
        tokio::spawn(async move { p.chat("chat", r#","stream":true"#).await })
    };
    tokio::time::sleep(Duration::from_millis(400)).await;
    drop(link);
    tokio::time::sleep(Duration::from_millis(300)).await;
    p.plane.books.lock().unwrap().next_session();
    let _link = p.plane.listen(&p.endpoint);
    let answer = call.await.unwrap();
    assert!(answer.body.ends_with("data: [DONE]\n\n"), "{}", &answer.body[answer.body.len().saturating_sub(300)..]);
    let ended = p.plane.only_call().await;
    assert_eq!((ended.status, ended.capped), (CallStatus::Completed.number(), false));
    assert!(ended.amount >= 5_000_000, "{}", ended.amount);
    p.plane.books.lock().unwrap().beyond = 0;
    Arc::into_inner(p).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_refused_is_not_asked_for_ever() {
    let p = Platform::start(Wishes::default()).await;
    p.plane.old.store(2, SeqCst);
    assert_eq!(p.chat("chat", "").await.status, 200);
    p.stop().await;

    let p = Arc::new(Platform::start(Wishes::default()).await);
    p.plane.old.store(u64::MAX, SeqCst);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let p = Arc::clone(&p);
            tokio::spawn(async move { p.chat("chat", "").await.status.as_u16() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 503);
    }
    assert!(p.plane.leases.load(SeqCst) < 50, "one asks for all: {:?}", p.plane.leases);
    p.plane.old.store(0, SeqCst);
    assert_eq!(p.chat("chat", "").await.status, 200);
    Arc::into_inner(p).unwrap().stop().await;
}
