//! Processes as `/proc` shows them.

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::{Duration, Instant};

/// The process `role` (`gateway`, `control`, `practice`) below that supervisor, if it runs.
#[must_use]
pub fn child(supervisor: u32, role: &str) -> Option<u32> {
    children(supervisor).into_iter().find(|pid| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split(|b| *b == 0).any(|word| word == role.as_bytes())
    })
}

/// Every running process whose parent is that one.
#[must_use]
pub fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| status(*pid, "PPid").as_deref() == Some(&parent.to_string()))
        .filter(|pid| !status(*pid, "State").is_some_and(|s| s.starts_with(['Z', 'X'])))
        .collect()
}

/// A field of `/proc/PID/status`.
#[must_use]
pub fn status(pid: u32, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// Sends a signal; a process that is gone already is no error.
///
/// # Errors
/// If it may not be sent.
pub fn signal(pid: u32, signal: Signal) -> anyhow::Result<()> {
    match kill(Pid::from_raw(i32::try_from(pid)?), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot signal process {pid}")),
    }
}

/// Waits until that child runs under a pid other than `old`.
///
/// # Errors
/// If that takes longer than half a minute.
pub async fn restarted(supervisor: u32, role: &str, old: Option<u32>) -> anyhow::Result<u32> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match child(supervisor, role) {
            Some(pid) if Some(pid) != old => return Ok(pid),
            _ if Instant::now() > deadline => anyhow::bail!("{role} was not started within 30 s"),
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
