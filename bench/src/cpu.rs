//! CPU time and memory of a process and all that descend from it, as the kernel counts them.

use std::collections::HashMap;
use std::fs;

/// Clock ticks a second; Linux reports process times in these on every architecture we run on.
const TICKS: f64 = 100.0;

struct Stat {
    parent: u32,
    /// Own and reaped children's user and system time, in ticks.
    ticks: u64,
    resident_pages: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name is in parentheses and may hold spaces.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let number = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    Some(Stat {
        parent: u32::try_from(number(1)).ok()?,
        ticks: number(11) + number(12) + number(13) + number(14),
        resident_pages: number(21),
    })
}

fn family(roots: &[u32]) -> Vec<Stat> {
    let mut all: HashMap<u32, Stat> = pids().filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let descends = |mut pid: u32| {
        for _ in 0..64 {
            if roots.contains(&pid) {
                return true;
            }
            match all.get(&pid) {
                Some(s) if s.parent > 1 => pid = s.parent,
                _ => return false,
            }
        }
        false
    };
    let members: Vec<u32> = all.keys().copied().filter(|pid| descends(*pid)).collect();
    members.into_iter().filter_map(|pid| all.remove(&pid)).collect()
}

/// Seconds of CPU so far.
pub(crate) fn seconds(roots: &[u32]) -> f64 {
    let ticks: u64 = family(roots).iter().map(|s| s.ticks).sum();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let ticks = ticks as f64;
    ticks / TICKS
}

/// Resident memory of one process in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    stat(pid).map_or(0, |s| s.resident_pages * 4096)
}

/// Processes of that name.
pub(crate) fn named(name: &str) -> Vec<u32> {
    pids().filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c.trim() == name)).collect()
}

/// The child of `parent` that has `word` among its arguments.
pub(crate) fn child_with(parent: u32, word: &str) -> Option<u32> {
    pids().find(|pid| {
        stat(*pid).is_some_and(|s| s.parent == parent)
            && fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.split(|b| *b == 0).any(|argument| argument == word.as_bytes()))
    })
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
}
