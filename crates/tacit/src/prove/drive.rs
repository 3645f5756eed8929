//! Sends calls with fresh canaries through a running platform: every field a client controls, every way a call can go.

use super::canary::Minter;
use super::report::Driven;
use crate::https::Client;
use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use serde_json::{Value, json};
use std::time::Duration;

/// The longest that one call may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Models asked at most until one answers.
const MOST_ASKED: usize = 32;
/// The most that is read of an answer.
const LARGEST: usize = 64 * 1024 * 1024;

struct Driver<'a> {
    client: Client,
    base: String,
    key: &'a str,
    minter: &'a mut Minter,
    driven: Vec<Driven>,
}

/// One call.
struct Call {
    scenario: &'static str,
    path: &'static str,
    body: Bytes,
    /// The key to send; the operator's if absent.
    key: Option<String>,
    /// Leave after the first bytes of the answer.
    abort: bool,
}

/// The models that answer, one for each kind of call.
struct Models {
    openai: String,
    anthropic: String,
    embeddings: String,
}

/// Drives every scenario once; says what was sent and how it was answered. Of `models`, or of the platform's own list if
/// there are none, the first that answers is taken for each dialect.
pub(super) async fn drive(
    client: Client,
    base: &str,
    key: &str,
    models: &[String],
    minter: &mut Minter,
) -> anyhow::Result<Vec<Driven>> {
    let base = base.trim_end_matches('/').to_owned();
    let mut driver = Driver { client, base, key, minter, driven: Vec::new() };
    let models = driver.models(models).await?;
    driver.all(&models).await?;
    Ok(driver.driven)
}

impl Driver<'_> {
    async fn all(&mut self, models: &Models) -> anyhow::Result<()> {
        for (path, model) in [("/v1/chat/completions", &models.openai), ("/v1/messages", &models.anthropic)] {
            for (scenario, stream, abort) in
                [("answered whole", false, false), ("answered as a stream", true, false), ("left midway", true, true)]
            {
                let body = self.body(scenario, model, stream);
                self.send(Call { scenario, path, body: body.to_string().into(), key: None, abort }).await?;
            }
            let name = self.minter.mint("unknown model: model");
            let body = self.body("unknown model", &name, false);
            self.plain("unknown model", path, body.to_string()).await?;

            let mut text = self.body("broken JSON", model, false).to_string();
            text.truncate(text.len() - 2);
            self.plain("broken JSON", path, text).await?;

            let mut body = self.body("wrong types", model, false);
            put(&mut body, "/messages", self.minter.mint("wrong types: messages"));
            put(&mut body, "/max_tokens", self.minter.mint("wrong types: max_tokens"));
            self.plain("wrong types", path, body.to_string()).await?;

            let key = format!("sk-{}", self.minter.mint("unknown key: key"));
            let body = self.body("unknown key", model, false).to_string().into();
            self.send(Call { scenario: "unknown key", path, body, key: Some(key), abort: false }).await?;

            let mut body = self.body("too large", model, false);
            let word = self.minter.mint("too large: message");
            put(&mut body, "/messages/0/content", word.repeat(48 * 1024 * 1024 / word.len()));
            self.plain("too large", path, body.to_string()).await?;
        }
        let model = &models.openai;
        let body = json!({"model": model, "prompt": self.minter.mint("completion: prompt")});
        self.plain("completion", "/v1/completions", body.to_string()).await?;
        let body = json!({"model": models.embeddings, "input": [self.minter.mint("embedding: input")]});
        self.plain("embedding", "/v1/embeddings", body.to_string()).await?;
        let body = json!({"model": model, "input": self.minter.mint("unknown path: input")});
        self.plain("unknown path", "/v1/no-such-path", body.to_string()).await
    }

    /// A request with a canary in every string and key that a client can choose.
    fn body(&mut self, scenario: &str, model: &str, stream: bool) -> Value {
        let mut mint = |field: &str| self.minter.mint(format!("{scenario}: {field}"));
        json!({
            "model": model,
            "stream": stream,
            "max_tokens": 400,
            "messages": [
                {"role": "user", "name": mint("name of a message"), "content": mint("message")},
                {"role": "user", "content": [
                    {"type": "text", "text": mint("text part")},
                    {"type": "file", "file": {"filename": mint("file name"), "file_data": mint("file data")}},
                ]},
                {"role": "user", "content": mint("last message")},
            ],
            "system": mint("system"),
            "user": mint("user"),
            "metadata": {"user_id": mint("metadata")},
            "stop": [mint("stop")],
            "stop_sequences": [mint("stop sequence")],
            "tools": [{"type": "function", "name": mint("tool"), "function": {
                "name": mint("function"),
                "description": mint("description"),
                "parameters": {"type": "object", "properties": {(mint("schema key")): {"type": "string"}}},
            }}],
            "prompt_cache_key": mint("prompt cache key"),
            (mint("unknown key of the body")): mint("unknown value of the body"),
        })
    }

    async fn plain(&mut self, scenario: &'static str, path: &'static str, body: String) -> anyhow::Result<()> {
        self.send(Call { scenario, path, body: body.into(), key: None, abort: false }).await
    }

    async fn send(&mut self, call: Call) -> anyhow::Result<()> {
        let Call { scenario, path, body, key, abort } = call;
        let mut mint = |field: &str| self.minter.mint(format!("{scenario}: {field}"));
        let uri: Uri = format!("{}{path}?{}={}", self.base, mint("query key"), mint("query value")).parse()?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header("authorization", format!("Bearer {}", key.as_deref().unwrap_or(self.key)))
            .header("content-type", "application/json")
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", mint("anthropic-beta"))
            .header("user-agent", format!("{}/1", mint("user agent")))
            .header("idempotency-key", mint("idempotency key"))
            .header("x-request-id", mint("request id"))
            .header("x-session-id", mint("session id"))
            .header("cookie", format!("a={}", mint("cookie")))
            .header("traceparent", mint("traceparent"))
            .header(format!("x-{}", mint("header name")), mint("header value"))
            .body(Full::new(body))?;
        let exchange = async {
            let response = self.client.request(request).await.ok()?;
            let status = response.status().as_u16();
            let mut body = Limited::new(response.into_body(), LARGEST);
            if abort {
                let _ = body.frame().await;
            } else {
                let _ = body.collect().await;
            }
            Some(status)
        };
        let status = tokio::time::timeout(PATIENCE, exchange).await.ok().flatten();
        self.driven.push(Driven { scenario: format!("{path}: {scenario}"), status });
        Ok(())
    }

    /// # Errors
    /// If no model answers at all: then nothing would be proved.
    async fn models(&self, named: &[String]) -> anyhow::Result<Models> {
        let listed = if named.is_empty() { self.listed().await? } else { named.to_vec() };
        let first = listed.first().context("this key may use no model; name one with --model")?;
        let ask = |model: &String| json!({"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]});
        let openai = self.answering(&listed, "/v1/chat/completions", ask).await?;
        let anthropic = self.answering(&listed, "/v1/messages", ask).await?;
        let embed = |model: &String| json!({"model": model, "input": "Hello"});
        let embeddings = self.answering(&listed, "/v1/embeddings", embed).await?;
        anyhow::ensure!(openai.is_some() || anthropic.is_some(), "no model answered; name one that does with --model");
        // Where none answers, refusals are what there is to be seen.
        let or_first = |found: Option<String>| found.unwrap_or_else(|| first.clone());
        Ok(Models { openai: or_first(openai), anthropic: or_first(anthropic), embeddings: or_first(embeddings) })
    }

    /// The first of these models that answers there with success.
    async fn answering(
        &self,
        models: &[String],
        path: &str,
        body: impl Fn(&String) -> Value,
    ) -> anyhow::Result<Option<String>> {
        for model in models.iter().take(MOST_ASKED) {
            let request = Request::post(format!("{}{path}", self.base))
                .header("authorization", format!("Bearer {}", self.key))
                .header("content-type", "application/json")
                .header("anthropic-version", "2023-06-01")
                .body(Full::new(body(model).to_string().into()))?;
            let asked = async {
                let response = self.client.request(request).await.ok()?;
                let success = response.status().is_success();
                // Read to its end, so that it counts as delivered.
                Limited::new(response.into_body(), LARGEST).collect().await.ok().filter(|_| success)
            };
            if tokio::time::timeout(PATIENCE, asked).await.is_ok_and(|answer| answer.is_some()) {
                return Ok(Some(model.clone()));
            }
        }
        Ok(None)
    }

    /// The platform's list of models.
    async fn listed(&self) -> anyhow::Result<Vec<String>> {
        let request = Request::get(format!("{}/v1/models", self.base))
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::default())?;
        let response = self.client.request(request).await.context("the platform cannot be reached")?;
        let status = response.status();
        anyhow::ensure!(status.is_success(), "the platform's list of models answered {status}; is --key right?");
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let body = body.map_err(|_| anyhow::anyhow!("the platform's list of models broke off"))?.to_bytes();
        let list: Value = serde_json::from_slice(&body).context("the platform's list of models is not JSON")?;
        let items = list.get("data").and_then(Value::as_array).context("the platform's list of models is none")?;
        Ok(items.iter().filter_map(|model| Some(model.get("id")?.as_str()?.to_owned())).collect())
    }
}

fn put(body: &mut Value, pointer: &str, text: String) {
    if let Some(slot) = body.pointer_mut(pointer) {
        *slot = Value::String(text);
    }
}
