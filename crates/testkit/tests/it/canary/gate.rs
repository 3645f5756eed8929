//! One run of the gate: a platform, the canaries that were sent to it, and the search for them in all that it keeps.

use crate::text;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tacit_storage::Engine;
use tacit_storage::testing::cluster;
use tacit_testkit::{Answer, Canaries, Client, Options, Platform, hpack};

pub(super) struct Gate {
    pub(super) platform: Platform,
    pub(super) canaries: Canaries,
    pub(super) sent: u32,
}

/// A canary where none may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) place: String,
    pub(super) encoding: String,
    /// What the canary was planted in.
    pub(super) canary: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.place, self.encoding, self.canary)
    }
}

/// Findings, one a line, for a message.
pub(super) fn listed(found: &[Finding]) -> String {
    found.iter().take(50).map(|finding| format!("{finding}\n")).collect()
}

/// Sends a request. Without an answer the scenario still counts: what matters is what was kept.
pub(super) async fn delivered(client: &Client, request: Request<Full<Bytes>>, leave: Option<usize>) -> Option<Answer> {
    let work = async {
        match leave {
            Some(bytes) => {
                drop(client.abandon(request, bytes).await);
                None
            }
            None => client.send(request).await.ok(),
        }
    };
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("no answer in half a minute")
}

impl Gate {
    pub(super) async fn new(engine: Engine, options: Options) -> anyhow::Result<Self> {
        let platform = Platform::start(engine, options).await?;
        Ok(Self { platform, canaries: Canaries::default(), sent: 0 })
    }

    /// One call of the customer with canaries all over.
    pub(super) async fn call(&mut self, name: &str, path: &str, model: &str, stream: bool) -> Option<Answer> {
        let body = self.canaries.body(name, model, stream);
        self.send(&self.platform.client(), name, path, body.to_string(), None).await
    }

    /// One call of the customer whose body is spoilt first.
    pub(super) async fn spoilt(&mut self, name: &str, path: &str, model: &str, spoil: impl Fn(&mut String)) {
        let mut body = self.canaries.body(name, model, false).to_string();
        spoil(&mut body);
        self.send(&self.platform.client(), name, path, body, None).await;
    }

    /// Sends a body with canaries in URL and headers; leaves after so many bytes if asked to.
    pub(super) async fn send(
        &mut self,
        client: &Client,
        name: &str,
        path: &str,
        body: impl Into<Bytes>,
        leave: Option<usize>,
    ) -> Option<Answer> {
        let request = self.prepared(client, name, path, body);
        delivered(client, request, leave).await
    }

    /// A request with canaries in URL and headers.
    pub(super) fn prepared(
        &mut self,
        client: &Client,
        name: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        let mut query = |field: &str| self.canaries.mint(format!("{name}: {field}"));
        let (key, value, packed) = (query("query"), query("query value"), query("query in percent"));
        let packed: String = packed.bytes().map(|b| format!("%{b:02x}")).collect();
        let mut request = client.request(Method::POST, &format!("{path}?{key}={value}&q={packed}"));
        for (header, value) in self.canaries.headers(name) {
            request = request.header(header, value);
        }
        self.sent += 1;
        request.body(Full::from(body.into())).unwrap()
    }

    /// Sends a call that asks the gateway itself for a fault.
    pub(super) async fn fault(&mut self, fault: &str, path: &str, model: &str, stream: bool) -> Option<Answer> {
        let client = self.platform.client();
        let body = self.canaries.body(&format!("{fault} {model} {stream}"), model, stream).to_string();
        let request = client.request(Method::POST, path).header("x-tacit-fault", fault).body(Full::from(body)).unwrap();
        client.send(request).await.ok()
    }

    /// Everything that was meant to be written is written: no call is open, and every event is durable and settled.
    pub(super) async fn settled(&self) -> anyhow::Result<()> {
        let admins = self.platform.admin_addresses().map(|address| Client::new(&format!("http://{address}"), ""));
        let zero = async |admin: &Client, gauges: &[&str]| {
            let Ok(metrics) = admin.get("/metrics").await else { return false };
            let metrics = metrics.text();
            gauges.iter().all(|gauge| metrics.lines().any(|line| line == format!("tacit_{gauge} 0")))
        };
        let [gateway, control] = &admins;
        let told = async || zero(gateway, &["gateway_unacknowledged_events", "gateway_open_calls"]).await;
        self.platform.until("the gateway has told everything", told).await?;
        let settled = async || zero(control, &["control_unsettled_events", "control_deferred_sessions"]).await;
        self.platform.until("all is settled", settled).await
    }

    /// Scans everything: the metrics, and what [`Self::scan_files`] does.
    pub(super) async fn scan(&self) -> anyhow::Result<Vec<Finding>> {
        let metrics = self.platform.root().join("metrics");
        fs::create_dir_all(&metrics)?;
        for (address, name) in self.platform.admin_addresses().into_iter().zip(["gateway", "control"]) {
            let answer = Client::new(&format!("http://{address}"), "").get("/metrics").await?;
            ensure!(answer.status.is_success() && answer.text().contains("# HELP tacit_"), "{}", answer.text());
            fs::write(metrics.join(name), answer.body)?;
        }
        self.scan_files().await
    }

    /// Scans data directory, temporary directory, working directory, logs, the database server's files and a dump of
    /// the database, and the recorded link. The platform need not run.
    pub(super) async fn scan_files(&self) -> anyhow::Result<Vec<Finding>> {
        let root = self.platform.root();
        let places = ["tmp", "cwd", "log", "metrics"].iter().map(|name| root.join(name));
        let mut also: Vec<PathBuf> = places.filter(|path| path.exists()).collect();
        let dump = tempfile::NamedTempFile::new()?;
        if let Some(url) = self.platform.postgres_url() {
            // Long values are compressed in the server's files, so that the rows are read as text too.
            let done = std::process::Command::new("pg_dump").arg("--file").arg(dump.path()).arg(url).output();
            let done = done.context("pg_dump is missing; it comes with the PostgreSQL client")?;
            ensure!(done.status.success(), "pg_dump: {}", String::from_utf8_lossy(&done.stderr));
            also.push(dump.path().to_owned());
            if cluster::directory().join("data").is_dir() {
                // The server commits before it writes: what it still holds in memory belongs into its files first.
                let done =
                    std::process::Command::new("psql").args(["--quiet", "--command", "CHECKPOINT", url]).output();
                let done = done.context("psql is missing; it comes with the PostgreSQL client")?;
                ensure!(done.status.success(), "psql: {}", String::from_utf8_lossy(&done.stderr));
                also.push(cluster::directory());
            }
        }
        // The key and the provider's credential are nobody's to keep either.
        let (key, credential) = (self.platform.key(), self.platform.credential());
        let mut found = self.prove(&[key, credential], &also, &[]).await?.findings;
        if let Some(link) = self.platform.link_recordings() {
            // The credential travels to the gateway here, and must.
            found.extend(self.prove(&[key], &[link.to_owned()], &[]).await?.findings);
            found.extend(self.packed(link)?);
        }
        Ok(found)
    }

    /// Heads of messages on the link, which are packed.
    fn packed(&self, link: &Path) -> anyhow::Result<Vec<Finding>> {
        let needles = hpack::needles(self.canaries.magic()).context("canaries are of characters that HPACK packs")?;
        let mut found = Vec::new();
        for entry in fs::read_dir(link)? {
            let path = entry?.path();
            if hpack::holds(&fs::read(&path)?, &needles) {
                let (place, encoding) = (path.display().to_string(), "hpack".to_owned());
                found.push(Finding { place, encoding, canary: "one of them".to_owned() });
            }
        }
        Ok(found)
    }

    /// Runs `tacit prove no-bodies` for all canaries and these secrets, over the data directory, these paths and the
    /// memory of these processes.
    pub(super) async fn prove(&self, secrets: &[&str], also: &[PathBuf], pids: &[u32]) -> anyhow::Result<Proved> {
        let list = tempfile::NamedTempFile::new()?;
        fs::write(list.path(), format!("{}{}\n", self.canaries.file(), secrets.join("\n")))?;
        let mut arguments = vec!["prove".to_owned(), "no-bodies".to_owned()];
        arguments.extend(["--canary-file".to_owned(), list.path().display().to_string()]);
        arguments.extend(also.iter().flat_map(|path| ["--also".to_owned(), path.display().to_string()]));
        arguments.extend(pids.iter().flat_map(|pid| ["--pid".to_owned(), pid.to_string()]));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (clean, report, said) = self.platform.cli_whatever(&arguments).await?;
        ensure!(report["bytes"].as_u64() > Some(10_000), "nothing was scanned: {report} {said}");
        ensure!(report["unreadable"] == json!([]), "{report}");
        let findings = report["findings"].as_array().context("findings")?;
        ensure!(clean == findings.is_empty(), "{report} {said}");
        let line = |name: &str| name.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
        let findings = findings.iter().map(|f| Finding {
            place: text(f, "/place").to_owned(),
            encoding: text(f, "/encoding").to_owned(),
            canary: self.canaries.name(line(text(f, "/canary"))).to_owned(),
        });
        Ok(Proved { findings: findings.collect(), found: report["found"].clone() })
    }
}

/// What a run of `tacit prove no-bodies` said.
pub(super) struct Proved {
    pub(super) findings: Vec<Finding>,
    /// How often something was found, also what is not listed.
    pub(super) found: Value,
}
