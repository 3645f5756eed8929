//! A private PostgreSQL server for tests, in `tacit-test-postgres-<user id>` of the temporary directory (not under
//! `target`: a server may not run as root, and its own user must be able to get there).
//!
//! The first test process that needs it starts it, under a file lock; all others share it. It listens on a socket in
//! that directory only. Every start begins with an empty one, so nothing of an earlier run remains. It stops by itself
//! when no test has begun for a quarter of an hour, or by [`stop`].

use nix::unistd::{Uid, User, chown};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const MISSING: &str = "these tests need PostgreSQL: install the server (Debian and Ubuntu: `apt-get install postgresql`; \
    macOS: `brew install postgresql@17`), so that `initdb` and `postgres` are in PATH or under /usr/lib/postgresql, or set \
    TACIT_TEST_POSTGRES_URL to a server on which its role may create databases";

/// Ends the server when the file `used` was not touched for a quarter of an hour.
const WATCH: &str = r#"while sleep 60; do
    [ -f "$1/data/postmaster.pid" ] || exit 0
    if [ -n "$(find "$1/used" -mmin +15)" ]; then "$0" -D "$1/data" -m fast stop; exit 0; fi
done"#;

/// The URL of the server's maintenance database; starts the private server if none is named.
///
/// # Errors
/// What is missing.
pub fn server_url() -> Result<String, String> {
    match std::env::var("TACIT_TEST_POSTGRES_URL") {
        Ok(url) if !url.is_empty() => Ok(url),
        _ => started().map_err(|e| format!("{MISSING}\n({e})")),
    }
}

/// The same server, another database.
pub(super) fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(b, q)| (b, Some(q)));
    let after_scheme = base.find("://").map_or(0, |i| i + 3);
    let base = match base.get(after_scheme..).and_then(|rest| rest.find('/')) {
        Some(slash) => base.get(..after_scheme + slash).unwrap_or(base),
        None => base,
    };
    let query = query.map(|q| format!("?{q}")).unwrap_or_default();
    format!("{base}/{name}{query}")
}

/// Where the private server lives.
#[must_use]
pub fn directory() -> PathBuf {
    std::env::temp_dir().join(format!("tacit-test-postgres-{}", Uid::effective()))
}

/// Stops the private server, if it runs.
///
/// # Errors
/// Why it could not be stopped.
pub fn stop() -> Result<(), String> {
    let dir = directory();
    if !dir.join("data/postmaster.pid").exists() {
        return Ok(());
    }
    let _lock = lock(&dir)?;
    run(as_server(&find("pg_ctl")?)?.arg("-D").arg(dir.join("data")).args(["-m", "fast", "stop"]))
}

fn lock(dir: &Path) -> Result<File, String> {
    let path = dir.with_extension("lock");
    let file = File::options().create(true).append(true).open(&path).map_err(at(&path))?;
    file.lock().map_err(at(&path))?;
    Ok(file)
}

fn started() -> Result<String, String> {
    let dir = directory();
    let url = format!("postgres://tacit@localhost/postgres?host={}", dir.display());
    let _lock = lock(&dir)?;
    let used = dir.join("used");
    if UnixStream::connect(dir.join(".s.PGSQL.5432")).is_ok() {
        fs::write(&used, "").map_err(at(&used))?;
        return Ok(url);
    }
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(at(&dir))?;
    }
    fs::create_dir(&dir).map_err(at(&dir))?;
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).map_err(at(&dir))?;
    if let Some(user) = server_user()? {
        chown(&dir, Some(user.uid), Some(user.gid)).map_err(|e| format!("{}: {e}", dir.display()))?;
    }
    fs::write(&used, "").map_err(at(&used))?;
    let data = dir.join("data");
    run(as_server(&find("initdb")?)?.arg("-D").arg(&data).args([
        "--no-sync",
        "--auth=trust",
        "--username=tacit",
        "--encoding=UTF8",
        "--locale=C",
    ]))?;
    let options = format!(
        "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off -c synchronous_commit=off \
         -c full_page_writes=off -c max_connections=400 -c shared_buffers=64MB -c max_wal_size=256MB \
         -c autovacuum_naptime=5min",
        dir.display()
    );
    let pg_ctl = find("pg_ctl")?;
    let log = dir.join("log");
    run(as_server(&pg_ctl)?
        .arg("-D")
        .arg(&data)
        .arg("-l")
        .arg(&log)
        .args(["-w", "-t", "120", "-o", &options, "start"]))?;
    let mut watch = as_server(Path::new("/bin/sh"))?;
    watch.arg("-c").arg(WATCH).arg(&pg_ctl).arg(&dir).process_group(0).spawn().map_err(|e| e.to_string())?;
    Ok(url)
}

/// The user the server runs as: another one if this is root, which PostgreSQL refuses.
fn server_user() -> Result<Option<User>, String> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let named = |name| User::from_name(name).ok().flatten();
    named("postgres").or_else(|| named("nobody")).map(Some).ok_or_else(|| "root needs a user `postgres`".to_owned())
}

/// A command as that user, with nothing open that a test runner would wait for.
fn as_server(program: &Path) -> Result<Command, String> {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
    if let Some(user) = server_user()? {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    Ok(command)
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} failed ({status}); see {}", directory().join("log").display())),
        Err(e) => Err(format!("{program}: {e}")),
    }
}

/// Finds a program of the server: in PATH, else the newest under /usr/lib/postgresql.
fn find(program: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path).map(|d| d.join(program)).find(|p| p.is_file()) {
        return Ok(found);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions
        .filter_map(|v| Some((v.file_name().to_str()?.parse::<u32>().ok()?, v.path().join("bin").join(program))))
        .filter(|(_, path)| path.is_file())
        .max()
        .map(|(_, path)| path)
        .ok_or_else(|| format!("{program} was not found"))
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |e| format!("{}: {e}", path.display())
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn another_database_of_the_same_server() {
        for (url, other) in [
            ("postgres://tacit@localhost/postgres?host=/a/b", "postgres://tacit@localhost/new?host=/a/b"),
            ("postgres://u:p@db:5432/postgres", "postgres://u:p@db:5432/new"),
            ("postgres://db", "postgres://db/new"),
        ] {
            assert_eq!(with_database(url, "new"), other);
        }
    }
}
