//! Calls that are answered whole, and calls that are refused.

use crate::plane::event_id;
use crate::platform::{Platform, UNIT, Wishes, chat};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::sync::atomic::Ordering::SeqCst;
use tacit_kernel::call::{CallStatus, ErrorCode, UsageSource};
use tacit_kernel::limits::Limits;

fn error(code: ErrorCode) -> u32 {
    code.number() + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn an_openai_call_is_answered_charged_and_recorded() {
    let p = Platform::start(Wishes::default()).await;
    let answer = p.chat("chat", "").await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert_eq!(json["object"], "chat.completion");
    assert!(answer.header("x-request-id").starts_with("call_"));
    assert!(answer.header("x-ratelimit-limit-requests").is_empty());
    let call = p.plane.only_call().await;
    assert_eq!(call.status, CallStatus::Completed.number());
    assert_eq!((call.error, call.http_status, call.capped), (0, 200, false));
    assert_eq!(call.usage_source, UsageSource::Provider.number());
    let usage = call.usage.unwrap();
    assert_eq!(json["usage"]["prompt_tokens"], usage.input + usage.cache_read);
    let output = usage.output + usage.reasoning;
    assert_eq!(json["usage"]["completion_tokens"], output);
    let amount = i64::try_from((usage.input + usage.cache_read) * 1_000 + output * 10_000).unwrap();
    assert_eq!(call.amount, amount);
    assert!(!call.sealed_ip.is_empty() && call.sealed_user_agent.is_empty());
    let begun = call.begun.unwrap();
    // The one attempt is told by the call itself.
    assert_eq!((call.tried, call.attempts.len()), (1, 0));
    let channels = p.plane.catalog.lock().unwrap().channels.clone();
    let served = channels.iter().find(|c| event_id(&c.id) == begun.channel).unwrap();
    assert!(begun.reserved >= amount && begun.credential == event_id(&served.credentials[0].id));
    let plane = p.plane.clone();
    p.stop().await;
    assert_eq!(plane.books.lock().unwrap().wallet, 100 * UNIT - amount);
}

/// Sent as it is, such an event would be refused for ever, and all behind it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_breaks_a_bound_is_mended_before_it_leaves() {
    let p = Platform::start(Wishes::default()).await;
    for grant in p.plane.books.lock().unwrap().keys.values_mut() {
        grant.group_multiplier_ppm = -5;
    }
    assert_eq!(p.chat("chat", "").await.status, 200);
    let call = p.plane.only_call().await;
    assert_eq!((call.begun.unwrap().group_multiplier_ppm, call.amount), (0, 0));
    let metrics = p.get_from(p.admin, "/metrics").await.body;
    assert!(metrics.contains("tacit_gateway_events_out_of_bounds_total 2\n"), "{metrics}");
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anthropic_call_too_and_the_key_from_its_own_header() {
    let p = Platform::start(Wishes { strict: true, ..Wishes::default() }).await;
    let body = r#"{"model":"chat","max_tokens":64,"messages":[{"role":"user","content":"hello"}]}"#;
    let request = Request::post(format!("http://{}/v1/messages?beta=true", p.address))
        .header("x-api-key", &p.key)
        .header("anthropic-version", "2023-06-01")
        .header("user-agent", "claude-cli/2.0")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let answer = p.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["type"], "message");
    assert_eq!(answer.header("request-id"), answer.header("x-request-id"));
    // Strict: the charge was durable before the last byte came.
    assert_eq!(p.plane.books.lock().unwrap().ended.len(), 1);
    let call = p.plane.only_call().await;
    assert_eq!(call.agent, tacit_kernel::call::AgentFamily::ClaudeCode.number());
    assert!(!call.sealed_user_agent.is_empty());
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_and_models() {
    let p =
        Platform::start(Wishes { models: vec![("vendor/e", vec![("practice-embed", 0)])], ..Wishes::default() }).await;
    let answer = p.post("/v1/embeddings", r#"{"model":"vendor/e","input":"a text"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let list = p.get_from(p.address, "/v1/models").await.json();
    assert_eq!(list["data"][0]["id"], "vendor/e");
    assert_eq!(p.get_from(p.address, "/v1/models/vendor%2Fe").await.json()["id"], "vendor/e");
    assert_eq!(p.get_from(p.address, "/v1/models/vendor/e").await.status, 200);
    assert_eq!(p.get_from(p.address, "/v1/models/nothing").await.status, 404);
    let call = p.plane.only_call().await;
    assert_eq!(call.usage.unwrap().output, 0);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_speak_the_callers_dialect() {
    let p = Platform::start(Wishes { max_body: 2000, ..Wishes::default() }).await;
    let get = |path: &str, method: &str, key: &str| {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", p.address));
        request.header("x-api-key", key).body(Full::new(Bytes::from(chat("chat", "")))).unwrap()
    };
    for (path, method, status) in [
        ("/v1/nothing", "POST", 404),
        ("/v1/chat/completions", "GET", 405),
        ("/v1/models", "POST", 405),
        ("/anything", "GET", 404),
        ("/", "GET", 200),
        ("/", "HEAD", 200),
    ] {
        assert_eq!(p.send(get(path, method, &p.key)).await.status, status, "{method} {path}");
    }
    let unknown = p.send(get("/v1/chat/completions", "POST", "sk-nothing")).await;
    assert_eq!((unknown.status.as_u16(), unknown.json()["error"]["code"].as_str()), (401, Some("invalid_api_key")));
    let unknown = p.send(get("/v1/messages", "POST", "")).await;
    assert_eq!(unknown.json()["error"]["type"], "authentication_error");
    assert_eq!(unknown.json()["request_id"], unknown.header("request-id"));
    assert_eq!(p.plane.lookups.load(SeqCst), 0, "a key with a wrong checksum is not asked for");

    let cases = [
        (chat("none", ""), 404, ErrorCode::ModelNotFound),
        ("{\"model\":".to_owned(), 400, ErrorCode::BodyInvalid),
        ("[]".to_owned(), 400, ErrorCode::BodyInvalid),
        (chat("chat", &format!(",\"x\":\"{}\"", "y".repeat(3000))), 413, ErrorCode::BodyTooLarge),
    ];
    for (n, (body, status, _)) in cases.iter().enumerate() {
        let answer = p.post("/v1/chat/completions", body).await;
        assert_eq!(answer.status, *status, "{n}");
        assert!(!answer.body.contains("yyy"));
    }
    let packed = Request::post(format!("http://{}/v1/messages", p.address))
        .header("x-api-key", &p.key)
        .header("content-encoding", "gzip")
        .body(Full::new(Bytes::from_static(b"x")))
        .unwrap();
    assert_eq!(p.send(packed).await.status, 400);
    let calls = p.plane.calls(cases.len() + 1).await;
    for (_, _, code) in &cases {
        assert!(calls.iter().any(|c| c.error == error(*code)), "{code:?}");
    }
    assert!(calls.iter().all(|c| c.status == CallStatus::Refused.number() && c.amount == 0 && c.tried == 0));
    assert_eq!(p.provider.requests(), 0);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_may_not() {
    let past = tacit_kernel::Timestamp(1);
    let cases = [
        (Limits { expires_at: Some(past), ..Limits::default() }, ErrorCode::KeyExpired),
        (
            Limits { ip_ranges: Some(vec!["10.0.0.0/8".parse().unwrap()]), ..Limits::default() },
            ErrorCode::AddressNotAllowed,
        ),
        (Limits { models: Some(vec!["other".into()]), ..Limits::default() }, ErrorCode::ModelNotAllowed),
    ];
    for (key_limits, code) in cases {
        let p = Platform::start(Wishes { key_limits, ..Wishes::default() }).await;
        assert!(p.chat("chat", "").await.status.is_client_error());
        assert_eq!(p.plane.only_call().await.error, error(code));
        p.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_key_is_refused_at_once_and_an_unknown_one_asked_for_once() {
    let p = Platform::start(Wishes::default()).await;
    assert_eq!(p.chat("chat", "").await.status, 200);
    let hash = {
        let mut books = p.plane.books.lock().unwrap();
        let (hash, grant) = books.keys.iter_mut().next().unwrap();
        grant.key_disabled = true;
        hash.clone()
    };
    assert_eq!(p.chat("chat", "").await.status, 200, "served from what is known");
    let what = tacit_link::wire::Invalidate { key_hashes: vec![hash], ..Default::default() };
    p.plane.updates.send(tacit_link::wire::update::Kind::Invalidate(what)).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let answer = p.chat("chat", "").await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (401, Some("key_disabled")));

    p.plane.lookups.store(0, SeqCst);
    use secrecy::ExposeSecret;
    let strange = tacit_kernel::keytext::generate(&mut rand::rng());
    for _ in 0..3 {
        let request = Request::get(format!("http://{}/v1/models?key={}", p.address, strange.expose_secret()));
        assert_eq!(p.send(request.body(Full::default()).unwrap()).await.status, 401);
    }
    assert_eq!(p.plane.lookups.load(SeqCst), 1);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_channel_answers_where_one_fails() {
    for fault in ["status-500", "status-401", "status-429", "close", "status-529"] {
        let first: &'static str = format!("practice-chat:{fault}").leak();
        let models = vec![("chat", vec![(first, 9), ("practice-chat", 0)])];
        let p = Platform::start(Wishes { models, ..Wishes::default() }).await;
        assert_eq!(p.chat("chat", "").await.status, 200, "{fault}");
        let call = p.plane.only_call().await;
        assert_eq!((call.tried, call.attempts.len()), (2, 1), "{fault}");
        let (failed, begun) = (&call.attempts[0], call.begun.unwrap());
        assert!(failed.error != 0 && failed.channel != begun.channel && failed.credential != begun.credential);
        // The one that failed is passed over for a while.
        assert_eq!(p.chat("chat", "").await.status, 200);
        assert!(p.plane.calls(2).await.iter().any(|c| (c.tried, c.attempts.len()) == (1, 0)), "{fault}");
        p.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_that_fail_cost_nothing() {
    for (fault, status, code) in [
        ("status-500", 502, ErrorCode::ProviderError),
        ("status-429", 503, ErrorCode::ProviderLimited),
        ("status-401", 502, ErrorCode::ProviderCredential),
        ("close", 502, ErrorCode::ProviderUnreachable),
        ("malformed-json", 502, ErrorCode::ProviderBroken),
        ("cut", 502, ErrorCode::ProviderBroken),
        ("hang", 504, ErrorCode::ProviderTimeout),
        ("status-422", 422, ErrorCode::ProviderRejected),
    ] {
        let model: &'static str = format!("practice-chat:{fault}").leak();
        let p = Platform::start(Wishes { models: vec![("chat", vec![(model, 0)])], ..Wishes::default() }).await;
        let answer = p.chat("chat", "").await;
        assert_eq!(answer.status, status, "{fault} {}", answer.body);
        let call = p.plane.only_call().await;
        assert_eq!((call.status, call.error), (CallStatus::Failed.number(), error(code)), "{fault}");
        assert_eq!((call.amount, call.http_status), (0, status.into()), "{fault}");
        p.stop().await;
    }
}
