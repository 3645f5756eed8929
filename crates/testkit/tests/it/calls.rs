//! Calls through the real program that SDKs do not make.

use crate::{both_engines, chat, nano, text};
use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;
use tacit_storage::Engine;
use tacit_testkit::{Options, Platform};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_ends_the_provider_call_at_once_and_pays_for_what_came() {
    let platform = Platform::start(Engine::Sqlite, Options::default()).await.unwrap();
    platform.add_model("slow", "practice-openai", "practice-chat:tokens-500+pace-20").await.unwrap();
    platform.knows("slow").await.unwrap();
    let client = platform.client();
    let body = Full::from(chat("slow", "Hello", true).to_string());
    let request = client.request(Method::POST, "/v1/chat/completions").body(body).unwrap();
    let before = platform.provider_handle().abandoned();
    client.abandon(request, 2_000).await.unwrap();
    let noticed = async {
        while platform.provider_handle().abandoned() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3), noticed).await.expect("the provider call was not cancelled");
    platform.until("the call is recorded", async || !platform.calls().await.unwrap().is_empty()).await.unwrap();
    let calls = platform.calls().await.unwrap();
    assert_eq!(text(&calls[0], "/status"), "client_gone");
    assert_eq!(text(&calls[0], "/usage_source"), "estimate");
    assert!(nano(&calls[0], "/amount") > 0);
    assert!(calls[0]["usage"]["output"].as_u64().unwrap() < 400, "{}", calls[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_provider_is_covered_by_signs_of_life() {
    let options = Options::default().set("gateway.keep_alive_seconds", "1");
    let platform = Platform::start(Engine::Sqlite, options).await.unwrap();
    platform.add_model("sleepy", "practice-openai", "practice-chat:wait-2500").await.unwrap();
    platform.add_model("sleepy-claude", "practice-anthropic", "practice-claude:wait-2500").await.unwrap();
    platform.knows("sleepy-claude").await.unwrap();
    let client = platform.client();
    let answer = client.post("/v1/chat/completions", &chat("sleepy", "Hello", true)).await.unwrap();
    let first = answer.text().find("data: ").unwrap();
    assert!(answer.text()[..first].contains(':'), "a comment before the first event: {}", answer.text());
    assert!(answer.complete_stream(), "{}", answer.text());
    let mut body = chat("sleepy-claude", "Hello", true);
    body["max_tokens"] = json!(50);
    let answer = client.post("/v1/messages", &body).await.unwrap();
    assert!(answer.complete_stream(), "{}", answer.text());
    let first = answer.text().find("message_start").unwrap();
    assert!(answer.text()[..first].contains("event: ping"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_gets_the_body_as_it_was_and_no_header_about_the_client() {
    let platform = Platform::start(Engine::Sqlite, Options::default()).await.unwrap();
    let provider = platform.provider();
    provider.send(provider.request(Method::DELETE, "/practice/requests").body(Full::default()).unwrap()).await.unwrap();
    let client = platform.client();
    // Spaces, order, escapes and numbers as nobody would write them twice.
    let raw = "{ \"model\" : \"claude\",\"max_tokens\":20 , \"x\": 1.50, \"y\":\"\\u00e4\\/\", \n\"messages\":[{\"role\":\"user\",\
               \"content\":\"Hi\"}]}";
    let request = client
        .request(Method::POST, "/v1/messages?beta=true&key=not-for-the-provider")
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", "one-2026-01-01,two")
        .header("cookie", "session=4711")
        .header("x-forwarded-for", "198.51.100.7")
        .header("user-agent", "claude-cli/2.0.1 (external, cli)")
        .header("x-anything", "else")
        .body(Full::from(raw))
        .unwrap();
    let answer = client.send(request).await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.text());
    let received = provider.get("/practice/requests").await.unwrap().json();
    let call = &received[0];
    assert_eq!(text(call, "/body"), raw.replace("\"model\" : \"claude\"", "\"model\" : \"practice-claude\""));
    assert!(!text(call, "/target").contains("key="), "{call}");
    let headers: Vec<(String, String)> = call["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| (h[0].as_str().unwrap().to_owned(), h[1].as_str().unwrap().to_owned()))
        .collect();
    let allowed: HashSet<&str> = [
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-api-key",
    ]
    .into();
    for (name, value) in &headers {
        assert!(allowed.contains(name.as_str()), "{name} must not reach a provider");
        assert!(!value.contains(platform.key()) && !value.contains("claude-cli"), "{name}: {value}");
    }
    let beta = headers.iter().find(|(name, _)| name == "anthropic-beta");
    assert_eq!(beta.unwrap().1, "one-2026-01-01,two");
}

/// Calls at once on a nearly empty wallet.
const CALLS: usize = 1_000;

both_engines! {
    /// A thousand calls at once on a wallet that pays for few of them: none is served for nothing, none overdraws.
    async fn a_nearly_empty_wallet_is_never_overdrawn(engine) {
        let platform = Platform::start(engine, Options::default()).await?;
        platform.cli(&["account", "add", "poor", "--group", "standard"]).await?;
        platform.cli(&["wallet", "topup", "poor", "0.01"]).await?;
        let key = platform.cli(&["key", "create", "poor"]).await?;
        let client = tacit_testkit::Client::new(&platform.url(), text(&key, "/secret"));
        let mut body = chat("chat", "Hello, how are you today?", false);
        body["max_tokens"] = json!(60);
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..CALLS {
            let (client, body) = (client.clone(), body.clone());
            calls.spawn(async move { client.post("/v1/chat/completions", &body).await });
        }
        let mut served = 0;
        let mut refused = 0;
        while let Some(answer) = calls.join_next().await {
            let answer = answer??;
            match answer.status.as_u16() {
                200 => served += 1,
                _ => {
                    refused += 1;
                    assert!(answer.text().contains("insufficient_quota"), "{}", answer.text());
                }
            }
        }
        assert!(served > 0 && refused > 0, "{served} served, {refused} refused");
        platform
            .until("every call is recorded", async || {
                platform.calls().await.is_ok_and(|calls| calls.len() == CALLS)
            })
            .await?;
        let charged: i64 = platform.calls().await?.iter().map(|call| nano(call, "/amount")).sum();
        let wallet = platform.cli(&["wallet", "show", "poor"]).await?;
        let left = nano(&wallet, "/wallet") + nano(&wallet, "/gift") + nano(&wallet, "/reserved");
        assert!(nano(&wallet, "/wallet") >= 0 && left >= 0);
        assert_eq!(charged + left, 10_000_000, "what was charged and what is left are what was paid in");
        let verified = platform.cli(&["ledger", "verify"]).await?;
        assert_eq!(verified["balanced"], Value::Bool(true), "{verified}");
        Ok(())
    }
}
