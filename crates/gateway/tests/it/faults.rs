//! A panic in a call: `cargo test -p tacit-gateway --features faults`.

use crate::platform::{Platform, Wishes, chat};
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
