//! The canary gate: the real program is driven through every outcome with canaries in every field a client controls;
//! then everything it may have written is scanned. Nothing may be found. A deliberate leak at each sink must be.

use crate::{both_engines, text};
use anyhow::{Context as _, ensure};
use http::Method;
use http_body_util::Full;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tacit_storage::Engine;
use tacit_storage::testing::cluster;
use tacit_testkit::{Canaries, Client, Options, Platform, processes};

/// Faults of the provider, as its models are asked for them.
const FAULTS: [&str; 14] = [
    "status-400",
    "status-422",
    "status-401",
    "status-429",
    "status-500",
    "status-503",
    "close",
    "hang",
    "cut",
    "reset",
    "malformed-json",
    "malformed-stream",
    "error-event",
    "echo-headers",
];

struct Gate {
    platform: Platform,
    canaries: Canaries,
    sent: u32,
}

fn options() -> Options {
    Options::default()
        .set("gateway.first_byte_timeout_seconds", "1")
        .set("gateway.idle_timeout_seconds", "1")
        .set("gateway.keep_alive_seconds", "1")
        .set("gateway.max_body_bytes", "1048576")
}

impl Gate {
    async fn new(engine: Engine, options: Options) -> anyhow::Result<Self> {
        let platform = Platform::start(engine, options).await?;
        Ok(Self { platform, canaries: Canaries::default(), sent: 0 })
    }

    /// One call with canaries all over; `change` may spoil the body.
    async fn call(&mut self, name: &str, path: &str, model: &str, stream: bool, change: impl Fn(&mut String)) {
        let mut body = self.canaries.body(name, model, stream).to_string();
        change(&mut body);
        let client = self.platform.client();
        self.send(&client, name, path, body, None).await;
    }

    /// Sends a body with canaries in URL and headers; leaves after so many bytes if asked to.
    async fn send(&mut self, client: &Client, name: &str, path: &str, body: String, leave: Option<usize>) {
        let query = format!("{}={}", self.canaries.mint(format!("{name}: query")), self.canaries.mint("query value"));
        let mut request = client.request(Method::POST, &format!("{path}?{query}"));
        for (header, value) in self.canaries.headers(name) {
            request = request.header(header, value);
        }
        let request = request.body(Full::from(body)).unwrap();
        self.sent += 1;
        let work = async {
            match leave {
                Some(bytes) => drop(client.abandon(request, bytes).await),
                // Without an answer the scenario still counts: what matters is what was kept.
                None => drop(client.send(request).await),
            }
        };
        tokio::time::timeout(Duration::from_secs(30), work).await.expect("no answer in half a minute");
    }

    /// Every outcome that a client or a provider can bring about.
    async fn drive(&mut self) -> anyhow::Result<()> {
        for (path, provider, upstream, model) in [
            ("/v1/chat/completions", "practice-openai", "practice-chat", "chat"),
            ("/v1/messages", "practice-anthropic", "practice-claude", "claude"),
        ] {
            for fault in FAULTS {
                let name = format!("{model}-{fault}");
                self.platform.add_model(&name, provider, &format!("{upstream}:{fault}")).await?;
            }
            // Two channels of one model: the first fails, the second answers.
            let failing = format!("{model}-failover");
            self.platform.add_model(&failing, provider, upstream).await?;
            let first = format!("{upstream}:status-500");
            self.platform.add_channel(&format!("{failing}-first"), &failing, provider, &first, 5).await?;
            let slow = format!("{model}-slow");
            self.platform.add_model(&slow, provider, &format!("{upstream}:tokens-200+pace-20")).await?;
            self.platform.knows(&slow).await?;

            for stream in [false, true] {
                self.call(&format!("{model} answered {stream}"), path, model, stream, |_| {}).await;
                self.call(&format!("{model} failover {stream}"), path, &failing, stream, |_| {}).await;
                for fault in FAULTS {
                    let name = format!("{model}-{fault}");
                    self.call(&format!("{name} {stream}"), path, &name, stream, |_| {}).await;
                }
            }
            let client = self.platform.client();
            let body = self.canaries.body("abort", &slow, true).to_string();
            self.send(&client, "abort", path, body, Some(1_500)).await;
            let unknown = self.canaries.mint("model");
            self.call("unknown model", path, &unknown, false, |_| {}).await;
            self.call("cut JSON", path, model, false, |body| body.truncate(body.len() - 9)).await;
            self.call("broken JSON", path, model, false, |body| body.insert(body.len() / 2, '\u{7}')).await;
            self.call("nothing but text", path, model, false, |body| body.retain(|c| c.is_alphanumeric())).await;
            self.call("too large", path, model, false, |body| *body = body.repeat(1_200_000 / body.len())).await;
            let key = format!("sk-{}", self.canaries.mint("key"));
            let stranger = Client::new(&self.platform.url(), &key);
            let body = self.canaries.body("unknown key", model, false).to_string();
            self.send(&stranger, "unknown key", path, body, None).await;
            self.call("wrong types", path, model, false, |body| {
                let mut value: Value = serde_json::from_str(body).unwrap_or_default();
                let texts = value["messages"].to_string();
                value["messages"] = json!(texts);
                value["max_tokens"] = json!([texts]);
                value["stream"] = json!(texts);
                *body = value.to_string();
            })
            .await;
        }
        let account = self.platform.cli(&["account", "add", "poor", "--group", "standard"]).await?;
        let key = self.platform.cli(&["key", "create", text(&account, "/id")]).await?;
        let poor = Client::new(&self.platform.url(), text(&key, "/secret"));
        let body = self.canaries.body("refused admission", "chat", true).to_string();
        self.send(&poor, "refused admission", "/v1/chat/completions", body, None).await;
        let client = self.platform.client();
        for (name, path) in [("elsewhere", "/v1/no-such-path"), ("outside", "/some/where")] {
            let path = format!("{path}/{}", self.canaries.mint(format!("{name}: path")));
            let body = self.canaries.body(name, "chat", false).to_string();
            self.send(&client, name, &path, body, None).await;
        }
        let prompt =
            json!({"model": "chat", "prompt": self.canaries.mint("prompt"), "suffix": self.canaries.mint("suffix")});
        self.send(&client, "completion", "/v1/completions", prompt.to_string(), None).await;
        let input = json!({"model": "embed", "input": [self.canaries.mint("input")]});
        self.send(&client, "embedding", "/v1/embeddings", input.to_string(), None).await;
        let model = self.canaries.mint("model in the path");
        drop(client.get(&format!("/v1/models/{model}?{}=1", self.canaries.mint("query of a GET"))).await?);
        Ok(())
    }

    /// The gateway is aborted in the middle of a stream.
    async fn abort(&mut self) -> anyhow::Result<()> {
        let gateway = self.platform.pid("gateway")?;
        let client = self.platform.client();
        let body = self.canaries.body("SIGABRT", "chat-slow", true).to_string();
        let request = client.request(Method::POST, "/v1/chat/completions").body(Full::from(body))?;
        let answer = client.open(request).await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        processes::signal(gateway, Signal::SIGABRT)?;
        processes::restarted(self.platform.supervisor(), "gateway", Some(gateway)).await?;
        self.platform.ready().await
    }

    /// Scans everything; gives the places where a canary was found, with what it was planted in.
    async fn scan(&self) -> anyhow::Result<Vec<String>> {
        let list = tempfile::NamedTempFile::new()?;
        // The key and the provider's credential are nobody's to keep either.
        let secrets = format!("{}\n{}\n", self.platform.key(), self.platform.credential());
        fs::write(list.path(), format!("{}{secrets}", self.canaries.file()))?;
        let root = self.platform.root();
        let mut also: Vec<PathBuf> = ["tmp", "work", "log"].iter().map(|name| root.join(name)).collect();
        let dump = tempfile::NamedTempFile::new()?;
        if let Some(url) = self.platform.postgres_url() {
            // Long values are compressed in the server's files, so that the rows are read as text too.
            let done = std::process::Command::new("pg_dump").arg("--file").arg(dump.path()).arg(url).output();
            let done = done.context("pg_dump is missing; it comes with the PostgreSQL client")?;
            ensure!(done.status.success(), "pg_dump: {}", String::from_utf8_lossy(&done.stderr));
            also.push(dump.path().to_owned());
            if cluster::directory().join("data").is_dir() {
                also.push(cluster::directory());
            }
        }
        let list = list.path().display().to_string();
        let mut arguments = vec!["prove", "no-bodies", "--canary-file", &list];
        let also: Vec<String> = also.iter().map(|path| path.display().to_string()).collect();
        for path in &also {
            arguments.extend(["--also", path]);
        }
        let (clean, report, said) = self.platform.cli_whatever(&arguments).await?;
        ensure!(report["bytes"].as_u64() > Some(10_000), "nothing was scanned: {report} {said}");
        ensure!(report["unreadable"] == json!([]), "{report}");
        let findings = report["findings"].as_array().context("findings")?;
        ensure!(clean == findings.is_empty(), "{report} {said}");
        let line = |name: &str| name.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
        let shown = findings.iter().map(|f| {
            format!(
                "{} ({}): {}",
                text(f, "/place"),
                text(f, "/encoding"),
                self.canaries.name(line(text(f, "/canary")))
            )
        });
        Ok(shown.collect())
    }
}

both_engines! {
    async fn no_body_is_kept_whatever_happens(engine) {
        let started = Instant::now();
        let mut gate = Gate::new(engine, options()).await?;
        gate.drive().await?;
        gate.abort().await?;
        println!("{} calls driven in {:.1?}", gate.sent, started.elapsed());
        // Whatever is meant to be written is written when the last call has its record.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let scanning = Instant::now();
        let found = gate.scan().await?;
        println!("scanned in {:.1?}", scanning.elapsed());
        assert!(found.is_empty(), "bodies were kept:\n{}", found.join("\n"));
        // The calls really took place, and each has a record.
        let calls = gate.platform.calls().await?;
        let statuses: std::collections::BTreeSet<&str> = calls.iter().map(|call| text(call, "/status")).collect();
        for wanted in ["completed", "failed", "refused", "interrupted", "client_gone", "lost"] {
            assert!(statuses.contains(wanted), "no call ended as {wanted}: {statuses:?} of {}", calls.len());
        }
        // And the metrics, which no file holds.
        for address in gate.platform.admin_addresses() {
            let metrics = Client::new(&format!("http://{address}"), "").get("/metrics").await?;
            assert!(metrics.status.is_success());
            assert!(!gate.canaries.file().lines().any(|canary| metrics.text().contains(&canary[..10])));
        }
        gate.platform.stop().await?;
        Ok(())
    }
}

both_engines! {
    /// A name that the program writes to its database as it is: the scanner must find it there.
    async fn a_leak_into_the_database_is_found(engine) {
        let mut gate = Gate::new(engine, Options::default()).await?;
        assert_eq!(gate.scan().await?, Vec::<String>::new());
        let canary = gate.canaries.mint("group name");
        gate.platform.cli(&["group", "add", &canary]).await?;
        let found = gate.scan().await?;
        assert!(found.iter().any(|place| place.contains("group name")), "{found:?}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leak_into_log_temporary_file_or_core_is_found() {
    let mut gate = Gate::new(Engine::Sqlite, Options::default()).await.unwrap();
    assert_eq!(gate.scan().await.unwrap(), Vec::<String>::new());
    for place in ["tmp/upload", "work/core.4711", "data/spool.gz"] {
        let canary = gate.canaries.mint(place);
        fs::write(gate.platform.root().join(place), format!("some bytes {canary} and more")).unwrap();
        let found = gate.scan().await.unwrap();
        assert!(found.iter().any(|f| f.ends_with(place)), "{place}: {found:?}");
    }
    let canary = gate.canaries.mint("log line");
    let log = fs::File::options().append(true).open(gate.platform.root().join("log")).unwrap();
    std::io::Write::write_all(&mut &log, format!("{{\"detail\":\"{canary}\"}}\n").as_bytes()).unwrap();
    let found = gate.scan().await.unwrap();
    assert!(found.iter().any(|f| f.ends_with("log line")), "{found:?}");
}

/// Sends a call that asks the gateway itself for a fault; gives the status, if there was an answer.
async fn fault(gate: &mut Gate, fault: &str, path: &str, model: &str, stream: bool) -> Option<u16> {
    let client = gate.platform.client();
    let body = gate.canaries.body(&format!("{fault} {model} {stream}"), model, stream).to_string();
    let request = client.request(Method::POST, path).header("x-tacit-fault", fault).body(Full::from(body)).unwrap();
    client.send(request).await.ok().map(|answer| answer.status.as_u16())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_and_an_abort_show_nothing_of_a_body() {
    let options = Options { faulty: true, ..Options::default() };
    let mut gate = Gate::new(Engine::Sqlite, options).await.unwrap();
    for (path, model) in [("/v1/chat/completions", "chat"), ("/v1/messages", "claude")] {
        for stream in [false, true] {
            let gateway = gate.platform.pid("gateway").unwrap();
            assert_eq!(fault(&mut gate, "panic", path, model, stream).await, Some(500));
            assert_eq!(gate.platform.pid("gateway").unwrap(), gateway, "a panic ends its call and no other");
            assert_eq!(fault(&mut gate, "abort", path, model, stream).await, None);
            processes::restarted(gate.platform.supervisor(), "gateway", Some(gateway)).await.unwrap();
            gate.platform.ready().await.unwrap();
        }
    }
    assert!(gate.platform.log().contains("panic"), "a panic is told of: {}", gate.platform.log());
    assert_eq!(gate.scan().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_in_a_log_field_of_the_gateway_is_not_written() {
    let options = Options { faulty: true, ..Options::default() };
    let mut gate = Gate::new(Engine::Sqlite, options).await.unwrap();
    assert_eq!(fault(&mut gate, "leak-detail", "/v1/chat/completions", "chat", false).await, Some(200));
    assert!(gate.platform.log().contains("fault.leak"), "the event itself is written");
    assert_eq!(gate.scan().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leak_of_the_gateway_into_its_log_is_found() {
    for kind in ["leak-log", "leak-stderr"] {
        let options = Options { faulty: true, ..Options::default() };
        let mut gate = Gate::new(Engine::Sqlite, options).await.unwrap();
        assert_eq!(fault(&mut gate, kind, "/v1/chat/completions", "chat", false).await, Some(200));
        let found = gate.scan().await.unwrap();
        assert!(found.iter().any(|f| f.contains("/log ") && f.contains(kind)), "{kind}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leak_of_the_gateway_into_a_file_fails_in_the_sandbox_and_is_found_without() {
    for (sandbox, leaks) in [("on", false), ("off", true)] {
        let options = Options { faulty: true, ..Options::default() }.set("gateway.sandbox", sandbox);
        let mut gate = Gate::new(Engine::Sqlite, options).await.unwrap();
        assert_eq!(fault(&mut gate, "leak-file", "/v1/chat/completions", "chat", false).await, Some(200));
        let file = gate.platform.root().join("tmp/tacit-fault-leak");
        assert_eq!(file.exists(), leaks, "sandbox {sandbox}");
        let found = gate.scan().await.unwrap();
        assert_eq!(found.iter().any(|f| f.contains("tacit-fault-leak")), leaks, "sandbox {sandbox}: {found:?}");
    }
}
