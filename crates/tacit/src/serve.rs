//! `tacit serve`: a small supervisor over one control plane and one gateway (and, in the profile development, the
//! practice provider), each a process of its own, each restarted alone.
//!
//! The children get the resolved configuration through a pipe: the gateway without a word about databases and keys, and
//! with a bare environment, for it needs no secret of ours. They are in process groups of their own, so that a signal
//! from the terminal reaches the supervisor only, which stops the gateway first: calls are drained while the control
//! plane still settles them.

use crate::cli::Global;
use crate::config::source::{DatabaseUrl, MasterSource};
use crate::config::{Config, Profile};
use crate::{control, development, log, setup};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::Instant;

/// A child that lived that long has started well.
const SETTLED: Duration = Duration::from_secs(2);
/// After that long, earlier failures are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// The shortest and the longest wait before a restart.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A child that never once started well is given up after so many tries.
const TRIES: u32 = 3;
/// What stopping may take beyond draining.
const STOPPING: Duration = Duration::from_secs(15);
/// The running program itself, also when its file was replaced by an upgrade or removed since: the children must be of
/// the version of their supervisor, whose configuration they are handed.
const SELF: &str = "/proc/self/exe";
/// Variables that a gateway may see: none of ours.
const HARMLESS: &[&str] = &["PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR"];

/// What the supervisor wants of its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Run,
    Stop,
    Kill,
}

pub(crate) fn run(global: &Global) -> anyhow::Result<()> {
    let config = global.resolve()?.config;
    log::start(config.log, "serve");
    control::private_data_dir(&config.data_dir)?;
    if config.profile == Profile::Development {
        setup::master_key(&config)?;
    } else if let Some(path) = config.keyring.master_key.file() {
        anyhow::ensure!(path.exists(), "there is no master key at {}: run `tacit setup` first", path.display());
    }
    crate::cli::block_on(supervise(config))
}

async fn supervise(config: Config) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let whole = serde_json::to_vec(&config)?;
    let gateway_only = serde_json::to_vec(&without_secrets(&config))?;

    let (back, back_wish) = watch::channel(Wish::Run);
    let (front, front_wish) = watch::channel(Wish::Run);
    let patience = config.gateway.drain() + STOPPING;
    let tasks = tokio::task::LocalSet::new();
    let served = tasks.run_until(async {
        let mut control = tokio::task::spawn_local(keep("control", whole.clone(), STOPPING, back_wish.clone()));
        let mut gateway = tokio::task::spawn_local(keep("gateway", gateway_only, patience, front_wish));
        let development = config.profile == Profile::Development;
        let mut practice = tokio::task::spawn_local({
            let (whole, wish) = (whole.clone(), back_wish);
            async move {
                if development { keep("practice", whole, STOPPING, wish).await } else { std::future::pending().await }
            }
        });
        if development {
            let config = config.clone();
            tokio::task::spawn_local(async move {
                match development::prepare(&config).await {
                    Ok(text) => drop(crate::output::write(&text)),
                    Err(e) => crate::output::error(false, &format!("the demo account could not be made: {e:#}")),
                }
            });
        }
        let failed = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            ended = &mut control => Some(ended),
            ended = &mut gateway => Some(ended),
            ended = &mut practice => Some(ended),
        };
        tracing::info!(event = "serve.stopping");
        let orderly = async {
            front.send_replace(Wish::Stop);
            wait(&mut gateway).await;
            back.send_replace(Wish::Stop);
            wait(&mut control).await;
            if development {
                wait(&mut practice).await;
            }
        };
        tokio::select! {
            () = orderly => {}
            _ = async { tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} } } => {
                tracing::warn!(event = "serve.forced");
                front.send_replace(Wish::Kill);
                back.send_replace(Wish::Kill);
                wait(&mut gateway).await;
                wait(&mut control).await;
                if development {
                    wait(&mut practice).await;
                }
            }
        }
        match failed {
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(anyhow::anyhow!("the supervisor failed")),
            _ => Ok(()),
        }
    });
    served.await
}

async fn wait(task: &mut tokio::task::JoinHandle<anyhow::Result<()>>) {
    if !task.is_finished() {
        drop(task.await);
    }
}

/// The configuration as a gateway needs it: it must not even know where secrets are.
fn without_secrets(config: &Config) -> Config {
    let mut config = config.clone();
    config.database.url = DatabaseUrl::Plain("sqlite:none".into());
    config.keyring.url = DatabaseUrl::Plain("sqlite:none".into());
    config.keyring.master_key = MasterSource::Env("NONE".into());
    config.keyring.next_master_key = None;
    config.keyring.pkcs11.pin = None;
    config
}

/// Keeps one child running until it is wished otherwise.
///
/// # Errors
/// If the child never starts well.
async fn keep(
    name: &'static str,
    config: Vec<u8>,
    patience: Duration,
    mut wish: watch::Receiver<Wish>,
) -> anyhow::Result<()> {
    let (mut failures, mut once_well) = (0_u32, false);
    while *wish.borrow() == Wish::Run {
        let started = Instant::now();
        match start(name, &config).await {
            Ok(mut child) => {
                let count = child.id().unwrap_or(0);
                tracing::info!(event = "child.started", component = name, count, attempt = failures);
                let status = tokio::select! {
                    status = child.wait() => Some(status?),
                    _ = wish.wait_for(|w| *w != Wish::Run) => None,
                };
                let Some(status) = status else { return stop(name, child, patience, wish).await };
                let lived = started.elapsed();
                once_well |= lived >= SETTLED || status.signal().is_some();
                failures = if lived >= FORGOTTEN { 1 } else { failures + 1 };
                tracing::warn!(event = "child.ended", component = name, status = ended_as(status), attempt = failures);
            }
            // Out of processes or memory, most likely; what runs goes on meanwhile.
            Err(error) => {
                failures += 1;
                let detail = error.kind().to_string();
                tracing::error!(event = "child.not_started", component = name, detail, attempt = failures);
            }
        }
        if !once_well && failures >= TRIES {
            anyhow::bail!("tacit {name} failed {TRIES} times at its start: see the message above");
        }
        let pause = BACK_OFF.0.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(BACK_OFF.1);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = wish.wait_for(|w| *w != Wish::Run) => {}
        }
    }
    Ok(())
}

fn ended_as(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit-{code}"),
        (None, Some(signal)) => format!("signal-{signal}"),
        _ => "unknown".to_owned(),
    }
}

async fn start(name: &'static str, config: &[u8]) -> std::io::Result<Child> {
    let mut command = Command::new(SELF);
    command
        .arg0("tacit")
        .arg(name)
        .arg("--config-from-stdin")
        .stdin(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if name == "gateway" {
        command.env_clear().envs(std::env::vars_os().filter(|(k, _)| HARMLESS.iter().any(|h| k == h)));
    }
    let mut child = command.spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A child that dies before it has read this is seen by `wait`.
        drop(pipe.write_all(config).await);
    }
    Ok(child)
}

async fn stop(
    name: &'static str,
    mut child: Child,
    patience: Duration,
    mut wish: watch::Receiver<Wish>,
) -> anyhow::Result<()> {
    if *wish.borrow() == Wish::Stop {
        if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
            // It may have ended in the meantime.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        tokio::select! {
            status = child.wait() => {
                tracing::info!(event = "child.stopped", component = name, status = ended_as(status?));
                return Ok(());
            }
            () = tokio::time::sleep(patience) => tracing::warn!(event = "child.too_slow", component = name),
            _ = wish.wait_for(|w| *w == Wish::Kill) => {}
        }
    }
    child.kill().await?;
    Ok(())
}

/// Called by a child: it ends when its supervisor is gone, however that ended.
pub(crate) fn follow_supervisor() -> anyhow::Result<()> {
    // It was started through a path that ends in `exe`, which `ps` and `top` would show.
    nix::sys::prctl::set_name(c"tacit")?;
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
    Ok(())
}
