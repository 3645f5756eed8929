//! Every outcome that a client or a provider can bring about, each with canaries all over, and what its record must say
//! so that the outcome was really reached.

use super::gate::{Gate, delivered};
use crate::text;
use anyhow::{Context as _, ensure};
use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;
use tacit_testkit::{Answer, Client};
use tokio::task::JoinSet;

/// What providers do, as the practice provider's models are asked for it, and how such a call may end: whole, streamed.
const FAULTS: [(&str, &[&str], &[&str]); 22] = [
    ("status-400", &["failed"], &["failed"]),
    ("status-422", &["failed"], &["failed"]),
    ("status-401", &["failed"], &["failed"]),
    ("status-404", &["failed"], &["failed"]),
    ("status-429", &["failed"], &["failed"]),
    ("status-500", &["failed"], &["failed"]),
    ("status-503", &["failed"], &["failed"]),
    ("close", &["failed"], &["failed"]),
    ("hang", &["failed"], &["failed"]),
    ("hang-midstream", &["failed"], &["interrupted"]),
    ("cut", &["failed"], &["interrupted"]),
    ("reset", &["failed"], &["interrupted"]),
    ("malformed-json", &["failed", "completed"], &["interrupted"]),
    ("malformed-stream", &["failed", "completed"], &["interrupted"]),
    ("error-event", &["failed"], &["interrupted"]),
    ("error-event+at-once", &["failed"], &["failed"]),
    ("no-end", &["completed"], &["completed"]),
    ("no-usage", &["completed"], &["completed"]),
    ("drip", &["completed"], &["completed"]),
    ("echo-headers", &["completed"], &["completed"]),
    // The client was promised a stream by then.
    ("wait-1300", &["completed"], &["completed"]),
    ("wait-1300+status-400", &["failed"], &["failed"]),
];

/// Keys that refuse: name, what the platform file says of it, and the error code of the record.
const REFUSING: [(&str, &str, &str); 8] = [
    ("requests", "limits = { requests_per_minute = 1 }", "rate_limit_requests"),
    ("tokens", "limits = { tokens_per_minute = 10 }", "rate_limit_tokens"),
    ("concurrency", "limits = { concurrency = 1 }", "rate_limit_concurrency"),
    ("spend", "limits = { spend_total = \"0.000001\" }", "spend_limit"),
    ("models", "limits = { models = [\"embed\"] }", "model_not_allowed"),
    ("addresses", "limits = { ip_ranges = [\"198.51.100.0/24\"] }", "address_not_allowed"),
    ("expired", "limits = { expires_at = \"2020-01-01\" }", "key_expired"),
    ("disabled", "enabled = false", "key_disabled"),
];

const SIDES: [(&str, &str, &str, &str); 2] = [
    ("/v1/chat/completions", "practice-openai", "practice-chat", "chat"),
    ("/v1/messages", "practice-anthropic", "practice-claude", "claude"),
];

/// Calls whose records are looked at in the end.
#[derive(Default)]
pub(super) struct Expected {
    /// Scenario, call, allowed states, error code.
    calls: Vec<(String, String, Vec<&'static str>, Option<&'static str>)>,
}

impl Expected {
    fn record(&mut self, name: &str, answer: Option<&Answer>, states: &[&'static str], code: Option<&'static str>) {
        // Without the head of an answer there is no id to look for.
        let Some(call) = answer.and_then(Answer::call) else { return };
        self.calls.push((name.to_owned(), call, states.to_vec(), code));
    }

    fn refused(&mut self, name: &str, answer: Option<&Answer>, code: &'static str) {
        assert!(answer.is_some(), "{name}: no answer");
        self.record(name, answer, &["refused"], Some(code));
    }

    /// # Errors
    /// If a scenario did not end as it was meant to.
    pub(super) fn check(&self, records: &[Value]) -> anyhow::Result<()> {
        ensure!(self.calls.len() > 100, "{} calls were expected", self.calls.len());
        let mut wrong = String::new();
        for (name, id, states, code) in &self.calls {
            let record = records.iter().find(|record| text(record, "/id") == id);
            let record = record.with_context(|| format!("{name} has no record"))?;
            let (status, error) = (text(record, "/status"), text(record, "/error_code"));
            if !states.contains(&status) || code.is_some_and(|code| code != error) {
                let _ = writeln!(wrong, "{name} ended as {status} ({error}), not as {states:?} ({code:?})");
            }
        }
        ensure!(wrong.is_empty(), "{wrong}");
        Ok(())
    }
}

fn model(side: &str, fault: &str, stream: bool) -> String {
    format!("{side}.{}.{}", fault.replace('+', "."), if stream { "stream" } else { "whole" })
}

impl Gate {
    /// Drives everything; gives what the records must say.
    pub(super) async fn drive(&mut self) -> anyhow::Result<Expected> {
        let keys = self.declare().await?;
        let mut expected = Expected::default();
        for (path, _, _, side) in SIDES {
            self.providers(&mut expected, path, side).await;
            self.mistakes(&mut expected, path, side).await;
            self.refusals(&mut expected, path, side, &keys).await?;
        }
        self.reached().await?;
        self.odd_paths().await?;
        self.raw().await?;
        Ok(expected)
    }

    /// Declares models, channels, accounts and keys; gives the keys by account and name.
    async fn declare(&self) -> anyhow::Result<Vec<(String, String)>> {
        let (mut models, mut channels) = (String::new(), String::new());
        let mut one = |name: &str, provider: &str, upstream: &str, priority: i32| {
            let _ = write!(
                channels,
                "[channels.\"{name}-{priority}\"]\nprovider = \"{provider}\"\npriority = {priority}\n\
                 models = {{ \"{name}\" = \"{upstream}\" }}\ncredentials = {{ main = {{ env = \"PRACTICE_CREDENTIAL\" }} }}\n"
            );
            if priority == 0 {
                let _ = write!(
                    models,
                    "[models.\"{name}\"]\nmax_output_tokens = 8192\nprice = {{ input = \"3\", output = \"15\" }}\n"
                );
            }
        };
        for (_, provider, upstream, side) in SIDES {
            for (fault, _, _) in FAULTS {
                for stream in [false, true] {
                    one(&model(side, fault, stream), provider, &format!("{upstream}:{fault}"), 0);
                }
            }
            // Two channels of one model: the first fails, the second answers.
            one(&format!("{side}.failover"), provider, upstream, 0);
            one(&format!("{side}.failover"), provider, &format!("{upstream}:status-500"), 5);
            one(&format!("{side}.slow"), provider, &format!("{upstream}:tokens-200+pace-20"), 0);
            one(&format!("{side}.long"), provider, &format!("{upstream}:tokens-6000"), 0);
        }
        let mut accounts = String::new();
        for (_, _, _, side) in SIDES {
            let _ = writeln!(accounts, "[accounts.{side}-refused]\ngroup = \"standard\"");
            for (name, says, _) in REFUSING {
                let _ = writeln!(accounts, "[accounts.{side}-refused.keys.{name}]\n{says}");
            }
            for name in ["poor", "brief"] {
                let _ = write!(
                    accounts,
                    "[accounts.{side}-{name}]\ngroup = \"standard\"\n[accounts.{side}-{name}.keys.main]\n"
                );
            }
            let _ = write!(
                accounts,
                "[accounts.{side}-closed]\ngroup = \"standard\"\nenabled = false\n[accounts.{side}-closed.keys.main]\n"
            );
        }
        let applied = self.platform.apply(&format!("{models}{channels}{accounts}")).await?;
        for (_, _, _, side) in SIDES {
            self.platform.cli(&["wallet", "topup", &format!("{side}-refused"), "10"]).await?;
            self.platform.cli(&["wallet", "topup", &format!("{side}-brief"), "0.03"]).await?;
        }
        self.platform.knows("claude.long").await?;
        let keys = applied["new_keys"].as_array().context("apply gives the new keys")?;
        let named = |key: &Value| {
            (format!("{}/{}", text(key, "/account"), text(key, "/name")), text(key, "/secret").to_owned())
        };
        Ok(keys.iter().map(named).collect())
    }

    /// What providers do.
    async fn providers(&mut self, expected: &mut Expected, path: &str, side: &str) {
        // All at once: some only end when the gateway's patience does.
        let mut calls = JoinSet::new();
        let client = self.platform.client();
        for stream in [false, true] {
            let good = [(side.to_owned(), &["completed"][..]), (format!("{side}.failover"), &["completed"])];
            let bad = FAULTS
                .map(|(fault, whole, streamed)| (model(side, fault, stream), if stream { streamed } else { whole }));
            for (model, states) in good.into_iter().chain(bad) {
                let name = format!("{model} {stream}");
                let body = self.canaries.body(&name, &model, stream).to_string();
                let request = self.prepared(&client, &name, path, body);
                let client = client.clone();
                calls.spawn(async move { (name, states, delivered(&client, request, None).await) });
            }
        }
        for (name, states, answer) in calls.join_all().await {
            expected.record(&name, answer.as_ref(), states, None);
        }
        let slow = format!("{side}.slow");
        let body = self.canaries.body(&format!("{side} abandoned"), &slow, true).to_string();
        self.send(&client, "abandoned", path, body, Some(1_500)).await;
        let second = Client::http2(&self.platform.url(), self.platform.key());
        for stream in [false, true] {
            let name = format!("{side} HTTP/2 {stream}");
            let body = self.canaries.body(&name, side, stream).to_string();
            let answer = self.send(&second, &name, path, body, None).await;
            expected.record(&name, answer.as_ref(), &["completed"], None);
        }
        let name = format!("{side} escaped");
        let body = self.canaries.escaped(&name, side);
        let answer = self.send(&client, &name, path, body, None).await;
        expected.record(&name, answer.as_ref(), &["completed"], None);
    }

    /// What clients do wrong.
    async fn mistakes(&mut self, expected: &mut Expected, path: &str, side: &str) {
        let unknown = self.canaries.mint("model");
        let answer = self.call("unknown model", path, &unknown, false).await;
        expected.refused("unknown model", answer.as_ref(), "model_not_found");
        let other = if side == "chat" { "claude" } else { "chat" };
        let answer = self.call("model of another dialect", path, other, false).await;
        expected.refused("model of another dialect", answer.as_ref(), "model_not_served");
        self.spoilt("cut JSON", path, side, |body| body.truncate(body.len() - 9)).await;
        self.spoilt("broken JSON", path, side, |body| body.insert(body.len() / 2, '\u{7}')).await;
        self.spoilt("nothing but text", path, side, |body| body.retain(char::is_alphanumeric)).await;
        self.spoilt("too large", path, side, |body| *body = body.repeat(1_200_000 / body.len())).await;
        self.spoilt("keys twice", path, side, |body| *body = body.replace("\"model\":", "\"model\":\"x\",\"model\":"))
            .await;
        self.spoilt("deep", path, side, |body| {
            *body = format!("{{\"x\":{}{body}{},\"model\":{{}}}}", "[".repeat(5_000), "]".repeat(5_000));
        })
        .await;
        self.spoilt("wrong types", path, side, |body| {
            let mut value: Value = serde_json::from_str(body).unwrap_or_default();
            let texts = value["messages"].to_string();
            value["messages"] = json!(texts);
            value["max_tokens"] = json!([texts]);
            value["stream"] = json!(texts);
            *body = value.to_string();
        })
        .await;
        // As a browser's form sends a file, and as some clients send everything.
        let client = self.platform.client();
        let [boundary, file, content] =
            ["boundary", "file name", "content"].map(|n| self.canaries.mint(format!("form: {n}")));
        let form = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{file}\"; filename=\"{file}.txt\"\r\n\r\n{content}\r\n\
             --{boundary}--\r\n"
        );
        self.send(&client, "form", path, form, None).await;
        let packed = self.canaries.body("gzip", side, false).to_string();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(packed.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        let request =
            client.request(Method::POST, path).header("content-encoding", "gzip").body(Full::from(gzip)).unwrap();
        let answer = client.send(request).await.ok();
        expected.refused("gzip", answer.as_ref(), "body_invalid");
    }

    /// Whom the platform refuses.
    async fn refusals(
        &mut self,
        expected: &mut Expected,
        path: &str,
        side: &str,
        keys: &[(String, String)],
    ) -> anyhow::Result<()> {
        let client = |gate: &Self, name: &str| {
            let key = keys.iter().find(|(known, _)| known == name).with_context(|| format!("no key {name}"))?;
            anyhow::Ok(Client::new(&gate.platform.url(), &key.1))
        };
        for (key, _, code) in REFUSING {
            let limited = client(self, &format!("{side}-refused/{key}"))?;
            let name = format!("{side} refused for {key}");
            // One that is let through, where the limit is on how many.
            let open = match key {
                "concurrency" => {
                    let body = self.canaries.body(&name, &format!("{side}.slow"), true).to_string();
                    let request = limited.request(Method::POST, path).body(Full::from(body))?;
                    Some(limited.open(request).await?)
                }
                "requests" => {
                    let body = self.canaries.body(&name, side, false).to_string();
                    let first = self.send(&limited, &name, path, body, None).await;
                    ensure!(
                        first.is_some_and(|answer| answer.status.is_success()),
                        "the first one is within the limit"
                    );
                    None
                }
                _ => None,
            };
            let body = self.canaries.body(&name, side, key.len() % 2 == 0).to_string();
            let answer = self.send(&limited, &name, path, body, None).await;
            expected.refused(&name, answer.as_ref(), code);
            drop(open);
        }
        for (account, code) in [("poor", "balance_insufficient"), ("closed", "account_disabled")] {
            let name = format!("{side} {account}");
            let body = self.canaries.body(&name, side, true).to_string();
            let answer = self.send(&client(self, &format!("{side}-{account}/main"))?, &name, path, body, None).await;
            expected.refused(&name, answer.as_ref(), code);
        }
        // A stream that names no end of its own, longer than the wallet.
        let name = format!("{side} brief");
        let mut body = json!({"model": format!("{side}.long"), "stream": true, "user": self.canaries.mint(&*name),
                              "messages": [{"role": "user", "content": self.canaries.mint(&*name)}]});
        if side == "claude" {
            body["max_tokens"] = json!(6_000);
        }
        let answer =
            self.send(&client(self, &format!("{side}-brief/main"))?, &name, path, body.to_string(), None).await;
        let (state, code): (&[_], _) = match side {
            "chat" => (&["balance_exhausted"], "balance_insufficient"),
            // Its end is named, so all of it would have to be paid for before.
            _ => (&["refused"], "balance_insufficient"),
        };
        expected.record(&name, answer.as_ref(), state, Some(code));
        for header in ["authorization", "x-api-key", "x-goog-api-key"] {
            let key = format!("sk-{}", self.canaries.mint(format!("key in {header}")));
            let stranger = Client::new(&self.platform.url(), &key);
            let body = self.canaries.body("unknown key", side, false).to_string();
            if header == "authorization" {
                self.send(&stranger, "unknown key", path, body, None).await;
                continue;
            }
            let request = http::Request::post(format!("{}{path}", self.platform.url())).header(header, key);
            drop(stranger.send(request.body(Full::from(body))?).await?);
        }
        let key = self.canaries.mint("key in the URL");
        let body = self.canaries.body("key in the URL", side, false).to_string();
        let request = http::Request::post(format!("{}{path}?key=sk-{key}", self.platform.url()));
        drop(self.platform.client().send(request.body(Full::from(body))?).await?);
        let basic = format!("Basic {}", self.canaries.mint("basic credentials"));
        let request = http::Request::post(format!("{}{path}", self.platform.url())).header("authorization", basic);
        drop(self.platform.client().send(request.body(Full::default())?).await?);
        Ok(())
    }

    /// Each fault of a provider was met, whole and streamed: no channel was passed over because it had just failed.
    async fn reached(&self) -> anyhow::Result<()> {
        let received = self.platform.provider().get("/practice/requests").await?.json();
        let seen: HashSet<(String, bool)> = received
            .as_array()
            .context("requests")?
            .iter()
            .filter_map(|request| {
                let body: Value = serde_json::from_str(text(request, "/body")).ok()?;
                let magic = text(request, "/body").contains(self.canaries.magic());
                magic.then(|| (text(&body, "/model").to_owned(), body["stream"] == json!(true)))
            })
            .collect();
        for (_, _, upstream, _) in SIDES {
            for stream in [false, true] {
                for (fault, _, _) in FAULTS {
                    let wanted = (format!("{upstream}:{fault}"), stream);
                    ensure!(seen.contains(&wanted), "the provider was never asked for {wanted:?}");
                }
            }
        }
        Ok(())
    }

    /// Other endpoints, other paths, other methods.
    async fn odd_paths(&mut self) -> anyhow::Result<()> {
        let client = self.platform.client();
        for (name, path) in [("elsewhere", "/v1/no-such-path"), ("outside", "/some/where")] {
            let path = format!("{path}/{}", self.canaries.mint(format!("{name}: path")));
            let body = self.canaries.body(name, "chat", false).to_string();
            self.send(&client, name, &path, body, None).await;
        }
        let prompt =
            json!({"model": "chat", "prompt": self.canaries.mint("prompt"), "suffix": self.canaries.mint("suffix")});
        let answer = self.send(&client, "completion", "/v1/completions", prompt.to_string(), None).await;
        ensure!(answer.is_some_and(|answer| answer.status.is_success()), "a completion is answered");
        let input = json!({"model": "embed", "input": [self.canaries.mint("input")]});
        let answer = self.send(&client, "embedding", "/v1/embeddings", input.to_string(), None).await;
        ensure!(answer.is_some_and(|answer| answer.status.is_success()), "an embedding is answered");
        let model = self.canaries.mint("model in the path");
        drop(client.get(&format!("/v1/models/{model}?{}=1", self.canaries.mint("query of a GET"))).await?);
        drop(client.get(&format!("/v1/models?{}=1", self.canaries.mint("query of a list"))).await?);
        let method = Method::from_bytes(self.canaries.mint("method").as_bytes())?;
        for (method, path) in [(method, "/v1/chat/completions"), (Method::PUT, "/v1/messages"), (Method::OPTIONS, "/")]
        {
            let body = self.canaries.body("method", "chat", false).to_string();
            drop(client.send(client.request(method, path).body(Full::from(body))?).await?);
        }
        Ok(())
    }

    /// What is no HTTP, or only half of it.
    async fn raw(&mut self) -> anyhow::Result<()> {
        let client = self.platform.client();
        let key = self.platform.key().to_owned();
        let mut mint = |name: &str| self.canaries.mint(format!("raw: {name}"));
        let head =
            format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\n", mint("host"));
        let second = Duration::from_secs(1);
        let requests = [
            format!("GET /{} HTTP/9.9\r\n\r\n", mint("version")),
            format!("{}\r\n{}\r\n\r\n", mint("no request"), mint("no header")),
            format!("{head}bad header {}\r\n\r\n", mint("bad header")),
            format!("{head}x: {}\r\n\r\n", mint("300 KB header").repeat(10_000)),
            format!("{head}content-length: {}\r\n\r\n", mint("length")),
            format!("{head}transfer-encoding: {}\r\n\r\n", mint("coding")),
            format!("{head}transfer-encoding: chunked\r\n\r\n{}\r\n", mint("chunk size")),
            format!(
                "{head}transfer-encoding: chunked\r\n\r\n2;{}\r\n{{}}\r\n0\r\n{}: {}\r\n\r\n",
                mint("extension"),
                mint("trailer"),
                mint("trailer value")
            ),
            format!("{head}expect: {}\r\ncontent-length: 2\r\n\r\n{{}}", mint("expect")),
            format!("{head}upgrade: {}\r\nconnection: upgrade\r\n\r\n", mint("upgrade")),
            format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{}", mint("no frame")),
            format!("\u{16}\u{3}\u{1}\u{2}\u{0}{}", mint("TLS on a plain port")),
        ];
        let mut open = JoinSet::new();
        for request in requests {
            let client = client.clone();
            open.spawn(async move { client.raw(request.as_bytes(), second).await });
        }
        open.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        // A body that stops half way: the client waits until the gateway does not, or leaves.
        for (name, patience) in [("stalled", Duration::from_secs(4)), ("left", Duration::from_millis(100))] {
            let body = self.canaries.body(name, "chat", false).to_string();
            let length = body.len() + 100;
            let request = format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
            let answer = client.raw(request.as_bytes(), patience).await?;
            let timed_out = String::from_utf8_lossy(&answer).contains("408");
            ensure!(timed_out == (name == "stalled"), "{name}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(())
    }
}
