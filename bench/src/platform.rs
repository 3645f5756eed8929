//! A Tacit of its own for the benchmark: temporary data directory, the real binary, one model for each provider port.

use crate::nginx::free_port;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A running platform; ends when dropped.
pub(crate) struct Platform {
    process: Child,
    binary: PathBuf,
    flags: Vec<String>,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
}

impl Platform {
    /// Starts the platform in `folder` with the model `bench-N` for the Nth provider.
    pub(crate) fn start(
        binary: &Path,
        folder: &Path,
        database: Option<&str>,
        providers: &[SocketAddr],
    ) -> Result<Self> {
        let address = free_port()?;
        let mut flags = vec![
            format!("--data-dir={}", folder.join("data").display()),
            format!("--set=gateway.listen={address}"),
            "--set=gateway.admin_listen=off".to_owned(),
            "--set=control.admin_listen=off".to_owned(),
            "--set=log.level=warn".to_owned(),
        ];
        flags.extend(database.map(|url| format!("--set=database.url={url}")));
        let run = |args: &[&str]| -> Result<serde_json::Value> {
            let out = Command::new(binary)
                .args(&flags)
                .arg("--json")
                .args(args)
                .env("BENCH_CREDENTIAL", "none-needed")
                .output()?;
            if !out.status.success() {
                let said = [String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)].concat();
                bail!("tacit {} failed: {said}", args.join(" "));
            }
            Ok(serde_json::from_slice(&out.stdout).unwrap_or_default())
        };
        run(&["setup"])?;
        let log = std::fs::File::create(folder.join("tacit.log"))?;
        let process = Command::new(binary)
            .args(&flags)
            .arg("serve")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} could not be started", binary.display()))?;
        let patience = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() || run(&["status"]).is_err() {
            if Instant::now() > patience {
                bail!("the platform did not start; see {}", folder.join("tacit.log").display());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut file = String::from("[groups.default]\n");
        for (i, provider) in providers.iter().enumerate() {
            write!(
                file,
                "[providers.bench-{i}]\ndialect = \"openai\"\nbase_url = \"http://{provider}\"\nallow_private = true\n
                 [models.bench-{i}]\nprice = {{ input = \"0.15\", output = \"0.60\" }}\n
                 [channels.bench-{i}]\nprovider = \"bench-{i}\"\nmodels = {{ bench-{i} = \"bench-{i}\" }}\n
                 credentials = {{ one = {{ env = \"BENCH_CREDENTIAL\" }} }}\n"
            )?;
        }
        file.push_str("[accounts.bench]\ngroup = \"default\"\n");
        let path = folder.join("platform.toml");
        std::fs::write(&path, file)?;
        run(&["apply", &path.display().to_string()])?;
        run(&["wallet", "grant", "bench", "1000000"])?;
        let made = run(&["key", "create", "bench"])?;
        let key = find_key(&made).context("no key in the answer of `tacit key create`")?;
        let platform = Self { process, binary: binary.to_owned(), flags: flags.clone(), address, key };
        Ok(platform)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether the ledger is clean after all that.
    pub(crate) fn verify(&self) -> Result<bool> {
        let out = Command::new(&self.binary).args(&self.flags).args(["--json", "ledger", "verify"]).output()?;
        Ok(out.status.success())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// The one string in the answer that is a key.
fn find_key(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) if text.starts_with("sk-") && text.len() > 40 => Some(text.clone()),
        serde_json::Value::Array(items) => items.iter().find_map(find_key),
        serde_json::Value::Object(members) => members.values().find_map(find_key),
        _ => None,
    }
}
