//! The platform that the demo talks to: the running one, or a throw-away one in a temporary directory.

use crate::cli::Global;
use crate::config::Config;
use crate::development;
use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tacit_api::admin::accounts::{Account, NewAccount};
use tacit_api::admin::client::{AdminClient, ClientError, escaped};
use tacit_api::admin::forms::Status;
use tacit_api::admin::groups::{Group, NewGroup};
use tacit_api::admin::keys::{CreatedKey, Key, NewKey};
use tacit_api::admin::models::Model;
use tacit_api::admin::status::PlatformStatus;
use tacit_api::admin::wallets::{Moved, Movement, NewMovement};
use tacit_kernel::Nano;
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::KeyId;
use tacit_kernel::limits::Limits;
use tokio::process::{Child, Command};

/// Where demos on a platform that is not for development are booked.
const ACCOUNT: &str = "tacit-demo";
/// What one demo may cost at most.
const CREDIT: Nano = Nano(Nano::UNIT);

pub(super) struct Platform {
    pub(super) client: AdminClient,
    pub(super) data_dir: PathBuf,
    listen: SocketAddr,
    /// The gateway's certificate, if it serves TLS.
    pub(super) certificate: Option<PathBuf>,
    own: Option<Throwaway>,
}

/// A platform of our own, and where it lives.
struct Throwaway {
    child: Child,
    dir: PathBuf,
}

/// A key for one call.
pub(super) struct Access {
    pub(super) key: SecretString,
    pub(super) model: String,
    id: KeyId,
}

impl Platform {
    pub(super) async fn find_or_start(global: &Global) -> anyhow::Result<Self> {
        let config = global.resolve()?.config;
        let client = AdminClient::new(&config.control.admin_socket);
        match client.get::<PlatformStatus>("/v1/status").await {
            Ok(_) => Ok(Self::of(&config, client, None)),
            Err(ClientError::NotRunning { .. }) => Self::start(global.json).await,
            Err(e) => Err(e.into()),
        }
    }

    fn of(config: &Config, client: AdminClient, own: Option<Throwaway>) -> Self {
        Self {
            client,
            data_dir: config.data_dir.clone(),
            listen: config.gateway.listen,
            certificate: config.gateway.tls_cert.clone(),
            own,
        }
    }

    async fn start(json: bool) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("tacit-demo-{}", tacit_kernel::ids::fresh().simple()));
        let data = dir.join("data");
        crate::control::private_data_dir(&dir)?;
        if !json {
            crate::output::remark("No platform is running here: starting a throw-away one with the practice provider.");
        }
        let listen = free_port()?;
        let practice = free_port()?;
        let log = std::fs::File::create(dir.join("log"))?;
        let config = dir.join("tacit.toml");
        std::fs::write(
            &config,
            format!(
                "profile = \"development\"\ndata_dir = {:?}\n[gateway]\nlisten = \"{listen}\"\nadmin_listen = \"off\"\n\
             [control]\nadmin_listen = \"off\"\n[practice]\nlisten = \"{practice}\"\n",
                data.display().to_string(),
            ),
        )?;
        let ours = std::env::vars_os().filter(|(k, _)| !k.to_string_lossy().starts_with("TACIT_"));
        let child = Command::new(std::env::current_exe()?)
            .args(["serve".as_ref(), "--config".as_ref(), config.as_os_str()])
            .env_clear()
            .envs(ours)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let client = AdminClient::new(data.join("admin.sock"));
        let platform = Self {
            client,
            data_dir: dir.clone(),
            listen,
            certificate: None,
            own: Some(Throwaway { child, dir: dir.clone() }),
        };
        match platform.started(&data).await {
            Ok(()) => Ok(platform),
            Err(e) => {
                let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
                drop(platform.stop().await);
                Err(e.context(format!("the throw-away platform did not come up:\n{log}")))
            }
        }
    }

    /// Waits until the platform serves and its models are declared; the demo key is written last of all.
    async fn started(&self, data: &Path) -> anyhow::Result<()> {
        development::ready(&self.client).await?;
        for _ in 0..200 {
            if data.join("demo.key").exists() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("the demo account was not made in time")
    }

    pub(super) fn url(&self) -> String {
        let mut at = self.listen;
        if at.ip().is_unspecified() {
            at.set_ip(if at.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
        }
        format!("{}://{at}", if self.certificate.is_some() { "https" } else { "http" })
    }

    /// A key for one demo, of the demo account, with some credit.
    pub(super) async fn access(&self, model: Option<&str>) -> anyhow::Result<Access> {
        let models: Vec<Model> = self.client.get("/v1/models").await?;
        let wanted = model.unwrap_or("practice-small");
        let found = models.iter().find(|m| m.name == wanted);
        let found = match model {
            None => found.or_else(|| models.iter().find(|m| m.status == Status::Active)),
            Some(_) => found,
        };
        let model = found.context("there is no such model: see `tacit model list`")?.name.clone();
        let account = self.account().await?;
        let run = tacit_kernel::ids::fresh().simple().to_string();
        let credit = NewMovement { kind: Movement::Grant, amount: CREDIT, idempotency_key: format!("demo-{run}") };
        let wallet = format!("/v1/accounts/{}/wallet", escaped(&account));
        self.client.post::<Moved>(&wallet, &credit).await?;
        let limits = Limits { spend_total: Some(CREDIT), ..Limits::default() };
        let new = NewKey { account, name: format!("demo-{run}"), source: CallSource::Demo, limits };
        let created: CreatedKey = self.client.post("/v1/keys", &new).await?;
        Ok(Access { key: created.secret.0, model, id: created.key.id })
    }

    async fn account(&self) -> anyhow::Result<String> {
        for name in [development::ACCOUNT, ACCOUNT] {
            match self.client.get::<Account>(&format!("/v1/accounts/{name}")).await {
                Ok(_) => return Ok(name.to_owned()),
                Err(e) if e.code() == Some("account.not_found") => {}
                Err(e) => return Err(e.into()),
            }
        }
        let group = NewGroup { name: ACCOUNT.into(), multiplier: tacit_kernel::Ppm::ONE };
        match self.client.post::<Group>("/v1/groups", &group).await {
            Err(e) if e.code() != Some("group.name_taken") => return Err(e.into()),
            _ => {}
        }
        let new = NewAccount { name: ACCOUNT.into(), group: ACCOUNT.into(), limits: Limits::default() };
        self.client.post::<Account>("/v1/accounts", &new).await?;
        Ok(ACCOUNT.to_owned())
    }

    /// Ends a throw-away platform and removes what it left.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let Some(mut own) = self.own else { return Ok(()) };
        if let Some(pid) = own.child.id().and_then(|id| i32::try_from(id).ok()) {
            // It may have ended in the meantime.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if tokio::time::timeout(Duration::from_secs(20), own.child.wait()).await.is_err() {
            own.child.kill().await?;
        }
        std::fs::remove_dir_all(&own.dir).with_context(|| format!("{} cannot be removed", own.dir.display()))
    }
}

impl Access {
    /// Takes the key out of use.
    pub(super) async fn end(&self, platform: &Platform) -> anyhow::Result<()> {
        let path = format!("/v1/keys/{}", self.id);
        platform.client.patch::<Key>(&path, &crate::cli::catalog::status(Status::Disabled)).await?;
        Ok(())
    }
}

/// A loopback address that is free now.
fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
