//! A panic in a call: `cargo test -p tacit-gateway --features faults`.

use crate::platform::{Platform, UNIT, Wishes, chat};
use std::time::Duration;
use tacit_kernel::call::{CallStatus, ErrorCode};

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_its_call_and_nothing_else() {
    let p = Platform::start(Wishes::default()).await;
    let mut request = p.request("/v1/chat/completions", &chat("chat", ""));
    request.headers_mut().insert("x-tacit-fault", "panic".parse().unwrap());
    let answer = p.send(request).await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (500, Some("internal")));
    assert!(!answer.body.contains("hello"));
    let call = p.plane.only_call().await;
    assert_eq!((call.status, call.error), (CallStatus::Failed.number(), ErrorCode::Internal.number() + 1));
    assert_eq!(call.amount, 0);
    assert_eq!(p.chat("chat", "").await.status, 200);
    assert!(p.get_from(p.admin, "/metrics").await.body.contains("tacit_gateway_panics_total 1"));
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_broke_costs_only_what_was_delivered_of_it() {
    let (soon, late) = (Duration::from_secs(10), Duration::from_millis(100));
    let (failed, interrupted) = (CallStatus::Failed, CallStatus::Interrupted);
    for (word, keep_alive, more, status) in [
        ("panic-relay", soon, "", failed),
        ("panic-relay", soon, r#","stream":true"#, failed),
        // The client already has the head of the stream, and a sign of life.
        ("panic-relay", late, r#","stream":true"#, failed),
        ("panic-poll", soon, r#","stream":true"#, failed),
        ("panic-stream", soon, r#","stream":true"#, interrupted),
    ] {
        let models = vec![("chat", vec![("practice-chat:wait-300+tokens-30+pace-5", 0)])];
        let p = Platform::start(Wishes { models, keep_alive, per_call: "0.5", ..Wishes::default() }).await;
        let mut request = p.request("/v1/chat/completions", &chat("chat", more));
        request.headers_mut().insert("x-tacit-fault", word.parse().unwrap());
        let answer = p.send(request).await;
        assert!(answer.body.contains("internal") && !answer.body.contains("[DONE]"), "{word}: {}", answer.body);
        let call = p.plane.only_call().await;
        assert_eq!((call.status, call.error), (status.number(), ErrorCode::Internal.number() + 1), "{word}");
        let (output, paid) = (call.usage.map_or(0, |u| u.output) > 0, call.amount > UNIT / 2);
        assert_eq!((output, paid), (status == interrupted, status == interrupted), "{word}: {}", call.amount);
        assert!(paid || call.amount == 0, "{word}: {}", call.amount);
        p.stop().await;
    }
}
