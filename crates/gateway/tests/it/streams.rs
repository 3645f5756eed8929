//! Streamed answers, and what can happen to them.

use crate::platform::{Platform, Wishes, chat};
use std::time::Duration;
use tacit_kernel::call::{CallStatus, ErrorCode, UsageSource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn one(model: &'static str) -> Wishes {
    Wishes { models: vec![("chat", vec![(model, 0)])], ..Wishes::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_comes_through_and_hides_the_usage_nobody_asked_for() {
    let p = Platform::start(Wishes::default()).await;
    let answer = p.chat("chat", r#","stream":true"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!((answer.header("cache-control"), answer.header("x-accel-buffering")), ("no-cache", "no"));
    assert!(answer.body.ends_with("data: [DONE]\n\n"));
    assert!(!answer.body.contains("prompt_tokens"));
    let call = p.plane.only_call().await;
    assert_eq!(call.usage_source, UsageSource::Provider.number());
    assert!(call.amount > 0 && call.first_byte_micros >= 0 && call.begun.unwrap().stream);

    let answer = p.chat("chat", r#","stream":true,"stream_options":{"include_usage":true}"#).await;
    assert!(answer.body.contains("prompt_tokens"));
    let body = r#"{"model":"chat","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
    let answer = p.post("/v1/messages", body).await;
    assert!(answer.body.starts_with("event: message_start") && answer.body.contains("event: message_stop"));
    assert!(p.plane.calls(3).await.iter().all(|c| c.status == CallStatus::Completed.number()));
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_breaks_off_never_looks_complete() {
    for (fault, code) in [
        ("cut", ErrorCode::ProviderBroken),
        ("reset", ErrorCode::ProviderBroken),
        ("malformed-stream", ErrorCode::ProviderBroken),
        ("error-event", ErrorCode::ProviderError),
        ("hang-midstream", ErrorCode::ProviderTimeout),
    ] {
        let model: &'static str = format!("practice-chat:{fault}").leak();
        let p = Platform::start(Wishes { idle: Duration::from_millis(300), ..one(model) }).await;
        for (path, more) in [("/v1/chat/completions", ""), ("/v1/messages", r#","max_tokens":500"#)] {
            let answer = p.post(path, &chat("chat", &format!(r#","stream":true{more}"#))).await;
            assert_eq!(answer.status, 200, "{fault}");
            assert!(!answer.body.contains("[DONE]") && !answer.body.contains("message_stop"), "{fault}");
            let last = answer.body.trim_end().rsplit("\n\n").next().unwrap();
            assert!(last.contains("\"error\""), "{fault}: {last}");
        }
        for call in p.plane.calls(2).await {
            assert_eq!(call.status, CallStatus::Interrupted.number(), "{fault}");
            if fault != "error-event" {
                assert_eq!(call.error, code.number() + 1, "{fault}");
            }
            assert!(call.amount > 0, "{fault}");
        }
        p.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_provider_is_bridged_before_and_after_its_first_byte() {
    let keep_alive = Duration::from_millis(150);
    let p = Platform::start(Wishes { keep_alive, ..one("practice-chat:wait-500") }).await;
    let answer = p.chat("chat", r#","stream":true"#).await;
    assert!(answer.body.starts_with(": keep-alive\n\n: keep-alive\n\n"), "{}", answer.body);
    assert!(answer.body.ends_with("data: [DONE]\n\n"));
    let body = chat("chat", r#","stream":true,"max_tokens":50"#);
    assert!(p.post("/v1/messages", &body).await.body.starts_with("event: ping\n"));
    p.stop().await;

    let p = Platform::start(Wishes { keep_alive, ..one("practice-chat:tokens-4+pace-400") }).await;
    let answer = p.chat("chat", r#","stream":true"#).await;
    assert!(answer.body.matches(": keep-alive").count() >= 2 && answer.body.ends_with("data: [DONE]\n\n"));
    p.stop().await;

    // The status is gone by the time the provider fails.
    let p = Platform::start(Wishes { keep_alive, ..one("practice-chat:wait-400+status-500") }).await;
    let answer = p.chat("chat", r#","stream":true"#).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("\"provider_error\"") && !answer.body.contains("[DONE]"), "{}", answer.body);
    let call = p.plane.only_call().await;
    assert_eq!((call.status, call.amount), (CallStatus::Failed.number(), 0));
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_cancels_the_provider_and_pays_for_what_it_got() {
    for (model, stream) in [("practice-chat:tokens-400+pace-20", true), ("practice-chat:tokens-400+wait-3000", false)] {
        let p = Platform::start(one(model)).await;
        let body = chat("chat", if stream { r#","stream":true"# } else { "" });
        let mut socket = TcpStream::connect(p.address).await.unwrap();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
            p.key,
            body.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(body.as_bytes()).await.unwrap();
        if stream {
            let mut buffer = [0; 2000];
            let mut seen = 0;
            while seen < 1500 {
                let read = socket.read(&mut buffer).await.unwrap();
                assert!(read > 0, "the answer ended at once");
                seen += read;
            }
        } else {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        drop(socket);
        let call = p.plane.only_call().await;
        assert_eq!(call.status, CallStatus::ClientGone.number());
        let usage = call.usage.unwrap();
        assert!(usage.input > 0 && call.amount > 0);
        assert_eq!(call.usage_source, UsageSource::Estimate.number());
        assert!(if stream { (1..399).contains(&usage.output) } else { usage.output == 0 }, "{}", usage.output);
        if stream {
            for _ in 0..200 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if p.provider.abandoned() == 1 {
                    break;
                }
            }
            assert_eq!(p.provider.abandoned(), 1, "the provider was not told");
        }
        p.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_where_the_balance_does() {
    // Input is bounded by some 100 bytes; the first step of 1,024 tokens costs 10,240,000 nano.
    let wallet = 12_000_000;
    let p = Platform::start(Wishes { wallet, ..one("practice-chat:tokens-4000+pace-1") }).await;
    let answer = p.chat("chat", r#","stream":true"#).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!answer.body.contains("[DONE]"));
    assert!(answer.body.contains("the balance is used up"), "{}", &answer.body[answer.body.len() - 300..]);
    let call = p.plane.only_call().await;
    assert_eq!(call.status, CallStatus::BalanceExhausted.number());
    assert!(call.amount > wallet / 2 && call.amount <= wallet, "{}", call.amount);
    // Nothing is left for another.
    assert_eq!(p.chat("chat", "").await.status, 402);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_limit_reserves_step_by_step() {
    let p = Platform::start(Wishes { wallet: 500_000_000, ..one("practice-chat:tokens-20000") }).await;
    let answer = p.chat("chat", r#","stream":true"#).await;
    assert!(answer.body.ends_with("data: [DONE]\n\n"));
    let call = p.plane.only_call().await;
    assert_eq!((call.status, call.capped), (CallStatus::Completed.number(), false));
    assert!(call.usage.unwrap().output >= 20_000);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_before_its_first_event_is_asked_for_elsewhere() {
    for fault in ["error-event+at-once", "cut+at-once", "no-end+tokens-0+cut+at-once"] {
        let first: &'static str = format!("practice-chat:{fault}").leak();
        let models = vec![("chat", vec![(first, 9), ("practice-chat", 0)]), ("alone", vec![(first, 0)])];
        let p = Platform::start(Wishes { models, ..Wishes::default() }).await;
        let answer = p.chat("chat", r#","stream":true"#).await;
        assert!(answer.status == 200 && answer.body.ends_with("data: [DONE]\n\n"), "{fault}");
        let call = p.plane.only_call().await;
        assert_eq!((call.tried, call.attempts.len(), call.status), (2, 1, CallStatus::Completed.number()), "{fault}");
        assert!(call.attempts[0].error != 0 && call.amount > 0);

        // With nobody else to ask it is a failure, and costs nothing.
        let answer = p.chat("alone", r#","stream":true"#).await;
        assert!(answer.status.is_server_error(), "{fault}");
        let calls = p.plane.calls(2).await;
        assert!(calls.iter().any(|c| (c.amount, c.status) == (0, CallStatus::Failed.number())), "{fault}");
        p.stop().await;
    }
}
