//! What a gateway holds at most.

use crate::platform::{Platform, Wishes, chat};
use crate::unread::Flood;
use std::time::Duration;
use tacit_kernel::call::{CallStatus, ErrorCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_the_memory_for_them_are_refused_and_others_are_not() {
    let p = Platform::start(Wishes { tune: |c| c.max_bodies_bytes = 20_000, ..Wishes::default() }).await;
    let large = chat("chat", &format!(r#","user":"{}""#, "x".repeat(30_000)));
    for _ in 0..3 {
        let refused = p.post("/v1/chat/completions", &large).await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "2"));
        assert_eq!(p.chat("chat", "").await.status, 200);
    }
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_larger_than_allowed_is_not_read_to_its_end_and_costs_nothing() {
    let flood = Flood::whole(64 << 20).await;
    let provider = Some(flood.address);
    let p = Platform::start(Wishes { tune: |c| c.max_answer_bytes = 100_000, provider, ..Wishes::default() }).await;
    let answer = p.chat("chat", "").await;
    assert_eq!(answer.status, 502);
    assert!(answer.body.contains("larger than this gateway accepts"), "{}", answer.body);
    let call = p.plane.only_call().await;
    assert_eq!((call.status, call.amount), (CallStatus::Failed.number(), 0));
    assert_eq!(call.error, ErrorCode::ProviderBroken.number() + 1);
    assert!(flood.ended().await < flood.size, "it was read to the end");
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_beyond_the_memory_for_them_are_refused_and_others_are_not() {
    let flood = Flood::whole(200_000).await;
    let provider = Some(flood.address);
    let p = Platform::start(Wishes { tune: |c| c.max_bodies_bytes = 300_000, provider, ..Wishes::default() }).await;
    let mut reader = crate::unread::http2(p.address, 1_000).await;
    let held = reader.send_request(p.request("/v1/chat/completions", &chat("chat", ""))).await.unwrap();
    let refused = p.chat("chat", "").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "2"));
    let whole = crate::unread::rest(held.into_body()).await.unwrap();
    assert_eq!(u64::try_from(whole.len()).unwrap(), flood.size);
    // It is given back when the last piece is known to be sent, a moment after it has come.
    let mut status = p.chat("chat", "").await.status;
    for _ in 0..100 {
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        status = p.chat("chat", "").await.status;
    }
    assert_eq!(status, 200);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_most_at_a_time_are_refused() {
    let models = vec![("slow", vec![("practice-chat:wait-2000", 0)]), ("chat", vec![("practice-chat", 0)])];
    let p = Platform::start(Wishes { tune: |c| c.max_calls = 1, models, ..Wishes::default() }).await;
    assert_eq!(p.chat("chat", "").await.status, 200);
    let (slow, refused) = tokio::join!(p.chat("slow", ""), async {
        while !p.get_from(p.admin, "/metrics").await.body.contains("tacit_gateway_open_calls 1") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        p.chat("chat", "").await
    });
    assert_eq!((slow.status.as_u16(), refused.status.as_u16(), refused.header("retry-after")), (200, 503, "2"));
    assert_eq!(p.chat("chat", "").await.status, 200);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_most_wait_for_one_to_close() {
    let p = Platform::start(Wishes { tune: |c| c.max_connections = 1, ..Wishes::default() }).await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = TcpStream::connect(p.address).await.unwrap();
    first.write_all(request).await.unwrap();
    assert!(first.read(&mut [0; 500]).await.unwrap() > 0);
    let mut second = TcpStream::connect(p.address).await.unwrap();
    second.write_all(request).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(300), second.read(&mut [0; 500])).await;
    assert!(waited.is_err(), "the second connection was served beside the first");
    drop(first);
    assert!(second.read(&mut [0; 500]).await.unwrap() > 0);
    drop(second);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_makes_no_more_attempts_than_allowed() {
    let broken = ("practice-chat:status-500", 0);
    let models = vec![("chat", vec![broken, broken, broken, ("practice-chat", -1)])];
    for (tune, attempts, status) in
        [((|c| c.max_attempts = 2) as fn(&mut tacit_gateway::config::GatewayConfig), 2, 502), (|_| (), 4, 200)]
    {
        let p = Platform::start(Wishes { tune, models: models.clone(), ..Wishes::default() }).await;
        assert_eq!(p.chat("chat", "").await.status.as_u16(), status);
        assert_eq!(p.plane.only_call().await.tried, attempts);
        p.stop().await;
    }
}
