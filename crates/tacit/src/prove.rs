//! `tacit prove no-bodies`: looks for canaries, texts that only a client ever sent, in everything this machine keeps:
//! data directory, databases and their journals, logs, temporary files, cores, and the memory of processes.
//!
//! A canary is looked for in many forms ([`encoding`]), whole and in halves, also inside gzip and zstd streams. The
//! scan reads every byte of every target in bounded memory. A target that cannot be read is never counted as clean.
//!
//! Not searched: compressed streams inside compressed streams, PostgreSQL's own compression of long values (dump the
//! database and scan the dump as well), and what another machine keeps.

mod canary;
mod drive;
mod encoding;
mod report;
mod scan;
mod targets;

pub(crate) use canary::{Canary, Minter};
pub(crate) use report::Report;
pub(crate) use scan::Scanner;

use crate::cli::{Global, block_on};
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What can be proved.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ProveCommand {
    /// Look for texts that only a client ever sent in everything this machine keeps; fails if one is found, or if
    /// something could not be read.
    NoBodies(NoBodies),
}

/// `tacit prove …`.
///
/// # Errors
/// If a canary was found, something could not be read, or the scan could not be made at all.
pub(crate) fn run(global: &Global, command: &ProveCommand) -> anyhow::Result<()> {
    let ProveCommand::NoBodies(args) = command;
    let config = global.resolve()?.config;
    let report = block_on(args.run(Some(config.data_dir), config.gateway.tls_cert.as_deref()))?;
    global.output().either(&report, &report.to_string())?;
    Ok(report.verdict()?)
}

/// What `tacit prove no-bodies` is told.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct NoBodies {
    /// A text to look for, at least 16 bytes long; may be given more than once
    #[arg(long, value_name = "TEXT")]
    canary: Vec<String>,
    /// A file with one such text a line, for those that shall not be seen in the list of processes
    #[arg(long, value_name = "FILE")]
    canary_file: Option<PathBuf>,
    /// A file or directory to scan besides the data directory; may be given more than once
    #[arg(long, value_name = "PATH")]
    also: Vec<PathBuf>,
    /// A process whose memory and deleted files are scanned too (needs the right to trace it). The control plane's
    /// must be clean; a gateway's may hold parts of bodies until it uses the memory again (see SECURITY.md)
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,
    /// First send calls with fresh canaries through the platform at this address
    #[arg(long, value_name = "URL", requires = "key")]
    drive: Option<String>,
    /// The API key for --drive
    #[arg(long, env = "TACIT_PROVE_KEY", hide_env_values = true)]
    key: Option<String>,
    /// A model for --drive; may be given more than once, and the platform's list is taken if absent. For each dialect the
    /// first that answers is used: each is asked for one token
    #[arg(long)]
    model: Vec<String>,
    /// How long to wait between --drive and the scan, in seconds, so that everything meant to be written is written
    #[arg(long, default_value_t = 3, value_name = "SECONDS")]
    settle: u64,
}

impl NoBodies {
    /// Drives the platform if asked to, then scans `data_dir` and whatever else was named. `certificate` is the gateway's
    /// own, if it has one.
    ///
    /// # Errors
    /// If there is nothing to look for, a canary is too short, or the platform could not be driven.
    pub(crate) async fn run(&self, data_dir: Option<PathBuf>, certificate: Option<&Path>) -> anyhow::Result<Report> {
        let mut canaries = Vec::new();
        for (at, text) in self.canary.iter().enumerate() {
            canaries.push(Canary::new(format!("--canary {}", at + 1), text.clone())?);
        }
        if let Some(path) = &self.canary_file {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            for (at, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
                canaries.push(Canary::new(format!("line {} of the file", at + 1), line.trim().to_owned())?);
            }
        }
        let mut driven = Vec::new();
        if let (Some(url), Some(key)) = (&self.drive, &self.key) {
            let mut minter = Minter::new();
            driven = drive::drive(crate::https::client(certificate)?, url, key, &self.model, &mut minter).await?;
            canaries.extend(minter.minted());
            tokio::time::sleep(Duration::from_secs(self.settle)).await;
        }
        let scanner = Scanner::new(&canaries)?;
        let roots: Vec<PathBuf> = data_dir.into_iter().chain(self.also.iter().cloned()).collect();
        anyhow::ensure!(
            !roots.is_empty() || !self.pid.is_empty(),
            "nothing to scan: name a data directory (--data-dir), --also PATH or --pid PID"
        );
        let pids = self.pid.clone();
        let mut report = tokio::task::spawn_blocking(move || no_bodies(&scanner, &roots, &pids)).await?;
        report.driven = driven;
        Ok(report)
    }
}

/// Scans files, directories and processes.
pub(crate) fn no_bodies(scanner: &Scanner, roots: &[PathBuf], pids: &[u32]) -> Report {
    let started = Instant::now();
    let mut report = Report::new(scanner.canaries());
    for root in roots {
        targets::path(scanner, root, &mut report);
    }
    for pid in pids {
        targets::process(scanner, *pid, &mut report);
    }
    report.finish(started.elapsed());
    report
}
