//! A running platform of its own.

use crate::client::Client;
use crate::processes;
use crate::program::{built, command, free_addresses, setup, spawn};
use crate::recorder::Recorder;
use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tacit_practice::Handle;
use tacit_storage::testing::{TestDb, empty_db};
use tacit_storage::{Db, Engine};
use tempfile::TempDir;

/// The credential with which the platform calls the practice provider.
const CREDENTIAL: &str = "practice-credential-4711";
/// How long a start may take, with the machine busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a platform shall be like.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Take the build of the program whose gateway can be told to panic, to abort and to leak.
    pub faulty: bool,
    /// Keep what gateway and control plane say to each other.
    pub record_link: bool,
    /// Settings beyond the usual ones of a test, as `--set` takes them.
    pub settings: Vec<(String, String)>,
    /// Settings of control plane and gateway, if they are to be started each alone instead of by `tacit serve`.
    pub apart: Option<[Vec<(String, String)>; 2]>,
}

impl Options {
    /// With this setting.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }
}

/// A running platform. When this is dropped, its processes are killed and its files removed.
pub struct Platform {
    dir: TempDir,
    database: Option<TestDb>,
    binary: PathBuf,
    gateway: SocketAddr,
    gateway_admin: SocketAddr,
    control_admin: SocketAddr,
    practice: SocketAddr,
    practice_handle: Handle,
    recorder: Option<Recorder>,
    /// `tacit serve`; or the control plane, where it runs alone.
    supervisor: Child,
    /// The gateway, where it runs alone.
    gateway_alone: Option<Child>,
    key: String,
}

impl Platform {
    /// Starts the real program on that engine, with models of the practice provider: `chat` and `embed` (OpenAI),
    /// `claude` (Anthropic), an account `customer` in a group of multiplier 0.8 with 100 in its wallet, and a key.
    ///
    /// # Errors
    /// What did not start, with the end of the log.
    pub async fn start(engine: Engine, options: Options) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("tacit-it-").tempdir()?;
        for name in ["data", "tmp", "cwd"] {
            fs::create_dir(dir.path().join(name))?;
        }
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(empty_db(engine).await),
        };
        let practice_options =
            tacit_practice::Options { credentials: vec![CREDENTIAL.to_owned()], admin: true, ..Default::default() };
        let (practice, practice_handle) = tacit_practice::serve(([127, 0, 0, 1], 0).into(), practice_options).await?;
        let [gateway, gateway_admin, control_admin] = free_addresses()?;
        let binary = built(if options.faulty { "tacit-faults" } else { "tacit" })?;
        let mut config = format!(
            "profile = \"production\"\ndata_dir = {:?}\ngateway.listen = \"{gateway}\"\n\
             gateway.admin_listen = \"{gateway_admin}\"\ncontrol.admin_listen = \"{control_admin}\"\n\
             log.level = \"debug\"\n\
             console.anonymous_per_minute = 1000000\nconsole.anonymous_per_second = 100000\n\
             console.account_per_minute = 1000000\n",
            dir.path().join("data"),
        );
        let recorder = if options.record_link {
            let [near, far, kept] = ["link.sock", "data/link.sock", "link"].map(|name| dir.path().join(name));
            let _ = writeln!(config, "link.connect = \"unix:{}\"", near.display());
            Some(Recorder::start(&near, far, kept)?)
        } else {
            None
        };
        if let Some(database) = &database {
            let _ = writeln!(config, "database.url = {:?}", database.url());
        }
        fs::write(dir.path().join("tacit.toml"), config)?;
        setup(&binary, dir.path())?;
        let with = |more: &[(String, String)]| [options.settings.as_slice(), more].concat();
        let (supervisor, gateway_alone) = match &options.apart {
            None => (spawn(&binary, dir.path(), "serve", &options.settings)?, None),
            Some([control, gateway]) => (
                spawn(&binary, dir.path(), "control", &with(control))?,
                Some(spawn(&binary, dir.path(), "gateway", &with(gateway))?),
            ),
        };
        let key = String::new();
        let mut platform = Self {
            dir,
            database,
            binary,
            gateway,
            gateway_admin,
            control_admin,
            practice,
            practice_handle,
            recorder,
            supervisor,
            gateway_alone,
            key,
        };
        platform.ready().await?;
        platform.seed().await?;
        Ok(platform)
    }

    /// `http://…` of the public port.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.gateway)
    }

    /// The API key of `customer`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A client with that key.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.url(), &self.key)
    }

    /// A client of the practice provider's admin endpoint.
    #[must_use]
    pub fn provider(&self) -> Client {
        Client::new(&self.provider_url(), CREDENTIAL)
    }

    /// `http://…` of the practice provider.
    #[must_use]
    pub fn provider_url(&self) -> String {
        format!("http://{}", self.practice)
    }

    /// The program.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// What the practice provider counted.
    #[must_use]
    pub fn provider_handle(&self) -> &Handle {
        &self.practice_handle
    }

    /// The credential that must never be seen outside the header to the provider.
    #[must_use]
    pub fn credential(&self) -> &str {
        CREDENTIAL
    }

    /// Everything the platform may have written: data directory, temporary directory, working directory, logs.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The database, if it is PostgreSQL.
    #[must_use]
    pub fn postgres_url(&self) -> Option<&str> {
        self.database.as_ref().map(TestDb::url)
    }

    /// Where the recordings of the link are, if they are asked for.
    #[must_use]
    pub fn link_recordings(&self) -> Option<&Path> {
        self.recorder.as_ref().map(Recorder::kept)
    }

    /// A connection of our own to the main database; the platform need not run.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub async fn database(&self) -> anyhow::Result<Db> {
        let url = match &self.database {
            Some(database) => database.url().to_owned(),
            None => format!("sqlite:{}", self.dir.path().join("data/tacit.db").display()),
        };
        Ok(Db::open(&url).await?)
    }

    /// Addresses of `/healthz`, `/readyz`, `/metrics` of gateway and control plane.
    #[must_use]
    pub fn admin_addresses(&self) -> [SocketAddr; 2] {
        [self.gateway_admin, self.control_admin]
    }

    /// The log so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Pid of the supervisor.
    #[must_use]
    pub fn supervisor(&self) -> u32 {
        self.supervisor.id()
    }

    /// Pid of `gateway` or `control`.
    ///
    /// # Errors
    /// If it does not run.
    pub fn pid(&self, role: &str) -> anyhow::Result<u32> {
        if let Some(gateway) = &self.gateway_alone {
            return Ok(if role == "gateway" { gateway.id() } else { self.supervisor.id() });
        }
        processes::child(self.supervisor.id(), role).with_context(|| format!("no process {role} runs"))
    }

    /// Runs a command of the program and gives its JSON.
    ///
    /// # Errors
    /// If it fails, with what it said.
    pub async fn cli(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let (success, value, said) = self.cli_whatever(arguments).await?;
        ensure!(success, "tacit {} failed: {said}{value}", arguments.join(" "));
        Ok(value)
    }

    /// Runs a command of the program: whether it succeeded, its JSON, and what it said to people.
    ///
    /// # Errors
    /// If it cannot be started or prints no JSON.
    pub async fn cli_whatever(&self, arguments: &[&str]) -> anyhow::Result<(bool, Value, String)> {
        let output = tokio::process::Command::from(command(&self.binary, self.dir.path()))
            .args(arguments)
            .arg("--json")
            .env("PRACTICE_CREDENTIAL", CREDENTIAL)
            .stdin(Stdio::null())
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let printed = String::from_utf8_lossy(&output.stdout);
        let value = match printed.trim() {
            "" => Value::Null,
            text => serde_json::from_str(text).with_context(|| format!("tacit {}: {printed}", arguments.join(" ")))?,
        };
        Ok((output.status.success(), value, said))
    }

    /// Makes what a platform file says, beside what there is.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn apply(&self, file: &str) -> anyhow::Result<Value> {
        let path = self.dir.path().join("platform.toml");
        fs::write(&path, file)?;
        self.cli(&["apply", &path.display().to_string()]).await
    }

    /// Registers a model under `name` that the practice provider is asked for as `upstream`, on a new channel.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn add_model(&self, name: &str, provider: &str, upstream: &str) -> anyhow::Result<()> {
        self.cli(&["model", "add", name, "--owned-by", "practice", "--max-output-tokens", "8192"]).await?;
        self.price(name).await?;
        self.add_channel(&format!("{name}-main"), name, provider, upstream, 0).await
    }

    /// Registers one more channel of a model.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add_channel(
        &self,
        channel: &str,
        model: &str,
        provider: &str,
        upstream: &str,
        priority: i32,
    ) -> anyhow::Result<()> {
        let model = format!("{model}={upstream}");
        let priority = format!("--priority={priority}");
        let arguments = ["--provider", provider, "--model", &model, "--secret-env", "PRACTICE_CREDENTIAL", &priority];
        self.cli(&[&["channel", "add", channel], arguments.as_slice()].concat()).await?;
        Ok(())
    }

    /// Waits until the gateway lists that model.
    ///
    /// # Errors
    /// If that takes too long.
    pub async fn knows(&self, model: &str) -> anyhow::Result<()> {
        let client = self.client();
        let path = format!("/v1/models/{model}");
        self.until("the gateway lists the model", async || client.get(&path).await.is_ok_and(|a| a.status.is_success()))
            .await
    }

    /// Kills `gateway` or `control` with SIGKILL and gives its pid.
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&self, role: &str) -> anyhow::Result<u32> {
        let pid = self.pid(role)?;
        processes::signal(pid, Signal::SIGKILL)?;
        Ok(pid)
    }

    /// Waits until both processes run and answer.
    ///
    /// # Errors
    /// If that takes too long, or the supervisor ended.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        let mut ended = self.supervisor.try_wait()?;
        if let Some(gateway) = &mut self.gateway_alone {
            ended = ended.or(gateway.try_wait()?);
        }
        if let Some(status) = ended {
            anyhow::bail!("the platform ended with {status}\n{}", self.log_end());
        }
        let clients = self.admin_addresses().map(|a| Client::new(&format!("http://{a}"), ""));
        self.until("gateway and control plane are ready", async || {
            for client in &clients {
                if !client.get("/readyz").await.is_ok_and(|a| a.status.is_success()) {
                    return false;
                }
            }
            true
        })
        .await
    }

    /// Stops the platform in order and waits for its end.
    ///
    /// # Errors
    /// If it does not end, or not well.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let mut ends = Vec::new();
        for child in [self.gateway_alone.as_mut(), Some(&mut self.supervisor)].into_iter().flatten() {
            processes::signal(child.id(), Signal::SIGTERM)?;
            let deadline = Instant::now() + PATIENCE;
            loop {
                match child.try_wait()? {
                    Some(status) => break ends.push(status),
                    None => ensure!(Instant::now() < deadline, "the platform did not stop"),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        for status in ends {
            ensure!(status.success(), "the platform ended with {status}\n{}", self.log_end());
        }
        Ok(())
    }

    /// Kills a control plane that runs alone, and starts another.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn another_control(&mut self, settings: &[(String, String)]) -> anyhow::Result<()> {
        self.supervisor.kill()?;
        self.supervisor.wait()?;
        self.supervisor = spawn(&self.binary, self.dir.path(), "control", settings)?;
        Ok(())
    }

    /// Starts one more process of the program on this platform.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(&self, role: &str, settings: &[(String, String)]) -> anyhow::Result<Child> {
        spawn(&self.binary, self.dir.path(), role, settings)
    }

    /// Starts it again after [`Self::stop`].
    ///
    /// # Errors
    /// If it does not become ready.
    pub async fn start_again(&mut self, settings: &[(String, String)]) -> anyhow::Result<()> {
        self.supervisor = spawn(&self.binary, self.dir.path(), "serve", settings)?;
        self.ready().await
    }

    /// Looks again and again until it holds.
    ///
    /// # Errors
    /// If that takes longer than a minute.
    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !holds().await {
            ensure!(Instant::now() < deadline, "waited in vain: {what}\n{}", self.log_end());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(())
    }

    /// The wallet of `customer`.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn wallet(&self) -> anyhow::Result<Value> {
        self.cli(&["wallet", "show", "customer"]).await
    }

    /// Every call record, oldest first.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn calls(&self) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut arguments = vec!["calls", "list", "--limit", "500"];
            if let Some(after) = &after {
                arguments.extend(["--after", after]);
            }
            let page = self.cli(&arguments).await?;
            all.extend(page.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = Some(next.to_owned()),
                None => break,
            }
        }
        all.sort_by_key(|call| call.get("id").and_then(Value::as_str).unwrap_or_default().to_owned());
        Ok(all)
    }

    /// The record of one call with its charge, as soon as it is there.
    ///
    /// # Errors
    /// If it does not appear.
    pub async fn call(&self, id: &str) -> anyhow::Result<Value> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.cli(&["calls", "show", id]).await {
                Ok(call) => return Ok(call),
                Err(error) if Instant::now() > deadline => return Err(error.context(self.log_end())),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn seed(&mut self) -> anyhow::Result<()> {
        let base = self.provider_url();
        for (name, dialect) in [("practice-openai", "openai"), ("practice-anthropic", "anthropic")] {
            self.cli(&["provider", "add", name, "--dialect", dialect, "--base-url", &base, "--allow-private"]).await?;
        }
        self.add_model("chat", "practice-openai", "practice-chat").await?;
        self.add_model("embed", "practice-openai", "practice-embed").await?;
        self.add_model("claude", "practice-anthropic", "practice-claude").await?;
        self.cli(&["group", "add", "standard", "--multiplier", "0.8"]).await?;
        self.cli(&["account", "add", "customer", "--group", "standard"]).await?;
        self.cli(&["wallet", "topup", "customer", "100"]).await?;
        let key = self.cli(&["key", "create", "customer"]).await?;
        self.key = key.get("secret").and_then(Value::as_str).context("a new key has a secret")?.to_owned();
        self.knows("claude").await
    }

    async fn price(&self, model: &str) -> anyhow::Result<()> {
        let rates = ["--input", "3", "--output", "15", "--cache-read", "0.3"];
        let writes = ["--cache-write-5m", "3.75", "--cache-write-1h", "6"];
        self.cli(&[["price", "set", model].as_slice(), &rates, &writes].concat()).await?;
        Ok(())
    }

    /// The last lines of the log, for a message.
    #[must_use]
    pub fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        format!("the log ends:\n{}", lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n"))
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let mut children = processes::children(self.supervisor.id());
        if let Some(gateway) = &mut self.gateway_alone {
            let _ = gateway.kill();
            let _ = gateway.wait();
            children.clear();
        }
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
        for pid in children {
            let _ = processes::signal(pid, Signal::SIGKILL);
        }
    }
}
