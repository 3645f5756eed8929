//! What a scan found.

use super::canary::Canary;
use super::encoding::Encoding;
use std::fmt;
use std::time::Duration;

/// Findings listed at most; the rest is only counted.
const LISTED: usize = 1_000;

/// One place where a canary was found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Finding {
    /// The file, or the process and its memory region.
    pub(crate) place: String,
    /// Byte offset there; within a compressed stream, the offset in its content.
    pub(crate) offset: u64,
    /// `gzip` or `zstd` and where that stream starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) within: Option<String>,
    pub(crate) encoding: Encoding,
    /// Name of the canary; never its text.
    pub(crate) canary: String,
    pub(crate) part: Part,
}

/// How much of a canary was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Whole,
    Half,
    /// Only what all canaries of the run begin with.
    Beginning,
}

/// What one process wrote since it started, as its kernel counts (`/proc/PID/io`).
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Bytes of memory that were read.
    pub(crate) scanned_bytes: u64,
    /// Bytes sent to storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) write_bytes: Option<u64>,
    /// Bytes given to `write` and its like, sockets included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) written_chars: Option<u64>,
}

/// One call sent by `--drive`.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Driven {
    pub(crate) scenario: String,
    /// The HTTP status; absent if there was no answer.
    pub(crate) status: Option<u16>,
}

/// The outcome of a scan.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Report {
    /// How many canaries were looked for.
    pub(crate) canaries: usize,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Compressed streams that were opened.
    pub(crate) streams: u64,
    pub(crate) seconds: f64,
    /// How often a canary was found.
    pub(crate) found: u64,
    pub(crate) findings: Vec<Finding>,
    /// What could not be read, and why.
    pub(crate) unreadable: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) processes: Vec<Process>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) driven: Vec<Driven>,
}

impl Report {
    pub(super) fn new(canaries: &[Canary]) -> Self {
        Self { canaries: canaries.len(), ..Self::default() }
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.found += 1;
        if self.findings.len() < LISTED {
            self.findings.push(finding);
        }
    }

    pub(super) fn finish(&mut self, took: Duration) {
        self.seconds = took.as_secs_f64();
        self.findings.sort_by(|a, b| (&a.place, &a.within, a.offset).cmp(&(&b.place, &b.within, b.offset)));
    }

    /// # Errors
    /// If anything was found, or not everything could be read.
    pub(crate) fn verdict(&self) -> Result<(), NotClean> {
        match (self.found, self.unreadable.len()) {
            (0, 0) => Ok(()),
            (0, unread) => Err(NotClean::Unread(unread)),
            (found, _) => Err(NotClean::Found(found)),
        }
    }
}

/// Why a scan is no proof.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotClean {
    #[error("canaries were found {0} times")]
    Found(u64),
    #[error("no canary was found, but {0} places could not be read")]
    Unread(usize),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for call in &self.driven {
            match call.status {
                Some(status) => writeln!(f, "sent   {}: {status}", call.scenario)?,
                None => writeln!(f, "sent   {}: no answer", call.scenario)?,
            }
        }
        for finding in &self.findings {
            let within = finding.within.as_deref().map(|w| format!(" in {w}")).unwrap_or_default();
            let part = match finding.part {
                Part::Whole => "",
                Part::Half => ", half of it",
                Part::Beginning => ", its beginning",
            };
            writeln!(
                f,
                "FOUND  {}{within} at byte {}: {} as {:?}{part}",
                finding.place, finding.offset, finding.canary, finding.encoding
            )?;
        }
        for place in &self.unreadable {
            writeln!(f, "UNREAD {place}")?;
        }
        for process in &self.processes {
            writeln!(f, "memory of process {}: {} bytes", process.pid, process.scanned_bytes)?;
        }
        writeln!(
            f,
            "{} canaries, {} files, {} compressed streams, {} bytes in {:.2} s: found {} times",
            self.canaries, self.files, self.streams, self.bytes, self.seconds, self.found
        )
    }
}
