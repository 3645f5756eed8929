//! `tacit audit verify`: an exported log, checked with nothing but its key. Everything is computed anew: each opened entry
//! must give its commitment, each commitment its leaf, the leaves all tiles and the signed root.

use super::layout::{CHECKPOINT, ENTRIES, Line, Tiles, opened_path, tile};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tacit_storage::audit::checkpoint::Checkpoint;
use tacit_storage::audit::committed;
use tacit_storage::audit::tree::{Growing, TILE_WIDTH};
use tacit_vault::NoteVerifier;
use tacit_vault::merkle::{TreeHash, leaf_hash};

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether all of it is as it was signed.
    pub(super) intact: bool,
    /// Which log.
    pub(super) origin: String,
    /// How many entries its checkpoint is of.
    pub(super) entries: u64,
    /// How many were checked.
    pub(super) checked: u64,
    /// How many of those are said to be erased: their place is proved, and not what they were.
    pub(super) erased: u64,
    /// The size since which it was only continued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) continues: Option<u64>,
    /// The first thing that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<Problem>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wrong {
    /// The checkpoint is not signed by the key, or was changed.
    Forged,
    /// Something is not there.
    Missing,
    /// An entry is not what was committed to, or a hash not what it is of.
    Changed,
    /// An entry stands where another one belongs.
    Reordered,
    /// The log is shorter than it was.
    Truncated,
    /// The log is another one than that of the earlier checkpoint.
    Rewritten,
}

/// The first thing that is wrong.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    /// What.
    pub(super) wrong: Wrong,
    /// The first entry it concerns, if that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entry: Option<u64>,
    /// In words.
    pub(super) detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(entry) = self.entry {
            write!(f, "entry {entry}: ")?;
        }
        f.write_str(&self.detail)
    }
}

/// Why a check ends.
enum End {
    Found(Problem),
    /// The files cannot be read.
    Failed(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

fn found<T>(wrong: Wrong, entry: impl Into<Option<u64>>, detail: impl Into<String>) -> Result<T, End> {
    Err(End::Found(Problem { wrong, entry: entry.into(), detail: detail.into() }))
}

/// Checks the export in a directory, and against an earlier checkpoint if one is given.
///
/// # Errors
/// If the files cannot be read. What is wrong with the log is in the report.
pub(super) fn verify(dir: &Path, key: &NoteVerifier, since: Option<&str>) -> io::Result<Report> {
    let mut report = Report {
        intact: false,
        origin: key.name().to_owned(),
        entries: 0,
        checked: 0,
        erased: 0,
        continues: None,
        problem: None,
    };
    match check(dir, key, since, &mut report) {
        Ok(()) => report.intact = true,
        Err(End::Found(problem)) => report.problem = Some(problem),
        Err(End::Failed(error)) => return Err(error),
    }
    Ok(report)
}

fn check(dir: &Path, key: &NoteVerifier, since: Option<&str>, report: &mut Report) -> Result<(), End> {
    let since = match since {
        None => None,
        Some(note) => match Checkpoint::open(note, key) {
            Ok(old) => Some(old),
            Err(why) => return found(Wrong::Forged, None, format!("the earlier checkpoint: {why}")),
        },
    };
    let Some(note) = read(&dir.join(CHECKPOINT))? else {
        return found(Wrong::Missing, None, "there is no checkpoint");
    };
    let opened = Checkpoint::open(&String::from_utf8_lossy(&note), key);
    let signed = match opened {
        Ok(signed) => signed,
        Err(why) => return found(Wrong::Forged, None, format!("the checkpoint: {why}")),
    };
    report.entries = signed.size;
    if let Some(old) = since.as_ref().filter(|old| old.size > signed.size) {
        let detail = format!("the log had {} entries and has {} now", old.size, signed.size);
        return found(Wrong::Truncated, signed.size, detail);
    }
    let mut log = Log { dir, tiles: Tiles::default(), growing: Growing::default(), since: since.as_ref() };
    log.compare_since()?;
    for number in 0..signed.size.div_ceil(TILE_WIDTH) {
        log.bundle(number, TILE_WIDTH.min(signed.size - number * TILE_WIDTH), report)?;
    }
    for (level, number, hashes) in log.tiles.partial() {
        compare_tile(dir, level, number, hashes)?;
    }
    if log.growing.root() != signed.root {
        return found(Wrong::Changed, None, "the entries do not give the root that was signed");
    }
    report.continues = since.map(|old| old.size);
    Ok(())
}

/// A file, if it is there.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The hashes of a tile against those that follow from what is below it. Of the lowest the leaves themselves tell better.
fn compare_tile(dir: &Path, level: usize, number: u64, hashes: &[TreeHash]) -> Result<(), End> {
    let width = u64::try_from(hashes.len()).unwrap_or_default();
    let path = tile(dir, &level.to_string(), number, width);
    let leaves = u32::try_from(level).ok().and_then(|level| 256_u64.checked_pow(level)).unwrap_or(u64::MAX);
    let first = (number * TILE_WIDTH).saturating_mul(leaves);
    let Some(bytes) = read(&path)? else {
        return found(Wrong::Missing, first, format!("{} is missing", path.display()));
    };
    let stored = bytes.chunks(32).chain(std::iter::repeat(&[][..]));
    let wrong = stored.zip(hashes).position(|(stored, hash)| stored != hash);
    if let Some(place) = wrong.and_then(|place| u64::try_from(place).ok()) {
        let entry = first.saturating_add(place.saturating_mul(leaves));
        return found(Wrong::Changed, entry, format!("{} does not fit the entries from here on", path.display()));
    }
    if bytes.len() != hashes.len() * 32 {
        return found(Wrong::Changed, first, format!("{} has more hashes than entries", path.display()));
    }
    Ok(())
}

/// What is opened of an entry; of its content only what tells its place.
#[derive(Deserialize)]
struct Numbered {
    seq: u64,
}

struct Log<'d> {
    dir: &'d Path,
    tiles: Tiles,
    growing: Growing,
    since: Option<&'d Checkpoint>,
}

impl Log<'_> {
    /// Compares with the earlier checkpoint, when it is its turn.
    fn compare_since(&self) -> Result<(), End> {
        let Some(old) = self.since.filter(|old| old.size == self.growing.size()) else { return Ok(()) };
        if old.root == self.growing.root() {
            return Ok(());
        }
        let detail = format!("the first {} entries are not those of the earlier checkpoint", old.size);
        found(Wrong::Rewritten, None, detail)
    }

    /// Checks a bundle and what belongs to it.
    fn bundle(&mut self, number: u64, width: u64, report: &mut Report) -> Result<(), End> {
        let first = number * TILE_WIDTH;
        let commitments = self.commitments(number, width)?;
        let leaves: Vec<TreeHash> = commitments.iter().map(|c| leaf_hash(c)).collect();
        self.compare_leaves(number, first, &leaves, width)?;
        self.opened(number, first, &commitments, width, report)?;
        for leaf in leaves {
            let dir = self.dir;
            // Level 0 was compared, with better words.
            self.tiles.push(
                leaf,
                |level, number, hashes| {
                    if level == 0 { Ok(()) } else { compare_tile(dir, level, number, hashes) }
                },
            )?;
            self.growing.push(leaf);
            report.checked += 1;
            self.compare_since()?;
        }
        Ok(())
    }

    /// The commitments of a bundle: all that should be there, or the first that is not.
    fn commitments(&self, number: u64, width: u64) -> Result<Vec<[u8; 32]>, End> {
        let (path, bytes) = self.partial_or_whole(ENTRIES, number, width)?;
        let (mut rest, mut commitments) = (bytes.as_slice(), Vec::new());
        for seq in (number * TILE_WIDTH..).take(usize::try_from(width).unwrap_or(usize::MAX)) {
            let Some((record, behind)) = rest.split_at_checked(34) else {
                return found(Wrong::Missing, seq, format!("{} ends before it", path.display()));
            };
            match record.split_first_chunk::<2>() {
                Some(([0, 32], commitment)) => commitments.extend(<[u8; 32]>::try_from(commitment)),
                _ => return found(Wrong::Changed, seq, format!("{} holds no commitment here", path.display())),
            }
            rest = behind;
        }
        Ok(commitments)
    }

    /// The tile of that width, or the whole one that took its place.
    fn partial_or_whole(&self, level: &str, number: u64, width: u64) -> Result<(PathBuf, Vec<u8>), End> {
        let paths = [width, TILE_WIDTH].map(|width| tile(self.dir, level, number, width));
        for path in paths {
            if let Some(bytes) = read(&path)? {
                return Ok((path, bytes));
            }
        }
        let path = tile(self.dir, level, number, width);
        found(Wrong::Missing, number * TILE_WIDTH, format!("{} is missing", path.display()))
    }

    fn compare_leaves(&self, number: u64, first: u64, leaves: &[TreeHash], width: u64) -> Result<(), End> {
        let (path, bytes) = self.partial_or_whole("0", number, width)?;
        let stored: Vec<&[u8]> = bytes.chunks(32).collect();
        for ((seq, leaf), place) in (first..).zip(leaves).zip(0..) {
            match stored.get(place) {
                Some(hash) if *hash == leaf => {}
                None => return found(Wrong::Missing, seq, format!("{} ends before its hash", path.display())),
                Some(_) if stored.contains(&leaf.as_slice()) => {
                    return found(Wrong::Reordered, seq, "its commitment belongs to another entry");
                }
                Some(_) => return found(Wrong::Changed, seq, format!("its commitment and {} differ", path.display())),
            }
        }
        Ok(())
    }

    /// Each opened entry must be the one whose turn it is, and give its commitment.
    fn opened(
        &self,
        number: u64,
        first: u64,
        commitments: &[[u8; 32]],
        width: u64,
        report: &mut Report,
    ) -> Result<(), End> {
        let path = opened_path(self.dir, number);
        let Some(bytes) = read(&path)? else {
            return found(Wrong::Missing, first, format!("{} is missing", path.display()));
        };
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<Option<Line>> = text.lines().map(|line| serde_json::from_str(line).ok()).collect();
        for ((seq, commitment), place) in (first..).zip(commitments).zip(0..) {
            let line = match lines.get(place) {
                None => return found(Wrong::Missing, seq, format!("{} ends before it", path.display())),
                Some(None) => return found(Wrong::Changed, seq, format!("its line in {} is none", path.display())),
                Some(Some(line)) => line,
            };
            if line.seq != seq {
                let elsewhere = lines.iter().flatten().any(|other| other.seq == seq);
                let (wrong, what) = if elsewhere {
                    (Wrong::Reordered, "stands in its place")
                } else {
                    (Wrong::Missing, "follows instead")
                };
                return found(wrong, seq, format!("entry {} {what}", line.seq));
            }
            if line.erased && line.salt.is_none() && line.content.is_none() {
                report.erased += 1;
                continue;
            }
            if !gives(line, commitment) {
                return found(Wrong::Changed, seq, "it is not what was committed to");
            }
            let content = line.content.as_deref().unwrap_or_default();
            if serde_json::from_str::<Numbered>(content).map(|content| content.seq).ok() != Some(seq) {
                return found(Wrong::Reordered, seq, "it was written as another entry");
            }
        }
        if u64::try_from(lines.len()).ok() != Some(width) {
            return found(
                Wrong::Changed,
                first + width,
                format!("{} has more entries than were signed", path.display()),
            );
        }
        Ok(())
    }
}

fn gives(line: &Line, commitment: &[u8; 32]) -> bool {
    let (Some(salt), Some(content)) = (&line.salt, &line.content) else { return false };
    let salt: Option<[u8; 32]> = BASE64.decode(salt.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    salt.is_some_and(|salt| committed(&salt, content.as_bytes()) == *commitment)
}
