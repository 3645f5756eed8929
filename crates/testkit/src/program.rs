//! The program as a file: where it is, and how its processes are started.

use anyhow::{Context as _, ensure};
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The program that this test run built, beside the test's own binary.
pub(crate) fn built(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|dir| dir.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built: run `make build` first"))
}

/// A command of the program on the platform of that directory, with nothing of our own environment that would change
/// its configuration.
pub(crate) fn command(binary: &Path, dir: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("TACIT_")) {
        command.env_remove(name);
    }
    command.arg("--config").arg(dir.join("tacit.toml")).env("TMPDIR", dir.join("tmp")).current_dir(dir.join("cwd"));
    command
}

/// `tacit setup`.
pub(crate) fn setup(binary: &Path, dir: &Path) -> anyhow::Result<()> {
    let output = command(binary, dir).arg("setup").stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "tacit setup failed: {said}");
    Ok(())
}

/// Starts `serve`, `control` or `gateway` with these settings more; all write to one log.
pub(crate) fn spawn(binary: &Path, dir: &Path, role: &str, settings: &[(String, String)]) -> anyhow::Result<Child> {
    let log = File::options().create(true).append(true).open(dir.join("log"))?;
    // A core would be written if the program did not forbid it by itself: the tests must be able to see one.
    let limits = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE)?;
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, limits.1, limits.1)?;
    let mut command = command(binary, dir);
    command.arg(role);
    for (key, value) in settings {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn().context("the program does not start")
}

/// Addresses that nobody uses now.
pub(crate) fn free_addresses<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    let listeners: Vec<TcpListener> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let addresses: Vec<SocketAddr> = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
    addresses.try_into().map_err(|_| anyhow::anyhow!("not enough free ports"))
}
