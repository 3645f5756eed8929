//! A PostgreSQL server of its own for the benchmark, as durable as it is by default: on a socket in a temporary directory,
//! gone with the run. What its processes use counts as Tacit's.

use anyhow::{Context, Result, bail};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SOCKET: &str = ".s.PGSQL.5432";

/// A running server; ends when dropped.
pub(crate) struct Server {
    process: Child,
    folder: TempDir,
}

impl Server {
    /// Makes a database cluster and serves it.
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let user = server_user()?;
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let as_server = |program: &str| -> Result<Command> {
            let mut command = Command::new(find(program)?);
            command.stdin(Stdio::null()).stdout(Stdio::null()).current_dir("/");
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            Ok(command)
        };
        let data = folder.path().join("data");
        let made = as_server("initdb")?
            .arg("-D")
            .arg(&data)
            .args(["--auth=trust", "--username=tacit", "--encoding=UTF8", "--locale=C"])
            .status()?;
        if !made.success() {
            bail!("initdb failed ({made})");
        }
        let log = std::fs::File::create(folder.path().join("log"))?;
        let process = as_server("postgres")?
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-k"])
            .arg(folder.path())
            .stderr(log)
            .spawn()?;
        let server = Self { process, folder };
        let patience = Instant::now() + Duration::from_secs(60);
        while UnixStream::connect(server.folder.path().join(SOCKET)).is_err() {
            if Instant::now() > patience {
                let log = std::fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
                bail!("postgres did not start:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The URL of its one, empty database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://tacit@localhost/postgres?host={}", self.folder.path().display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT: connections are ended, not waited for.
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

/// User and group of the server where this is root, whom PostgreSQL refuses.
fn server_user() -> Result<Option<(u32, u32)>> {
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let ids = |line: &str| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    users.lines().find_map(ids).map(Some).context("root needs a user `postgres` to run the server as")
}

/// A program of the server: in PATH, else of the newest version where Debian keeps them.
fn find(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path))
        })
        .collect();
    versions.sort_unstable();
    places.extend(versions.into_iter().rev().map(|(_, path)| path.join("bin")));
    places.iter().map(|place| place.join(program)).find(|p: &PathBuf| Path::is_file(p)).with_context(|| {
        format!("{program} was not found: install PostgreSQL's server, or measure with `--engine sqlite` only")
    })
}
