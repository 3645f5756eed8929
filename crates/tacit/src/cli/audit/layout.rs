//! How an exported log lies in a directory: as C2SP tlog-tiles (<https://c2sp.org/tlog-tiles>) says, and beside it
//! `opened/<N>.jsonl`, the opened entries of a bundle, a line each.

use serde::{Deserialize, Serialize};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use tacit_storage::audit::tree::{TILE_WIDTH, number_path, tile_path};
use tacit_vault::merkle::{TreeHash, node_hash};

/// The directory of the bundles of entries below `tile`.
pub(super) const ENTRIES: &str = "entries";
/// The file of the signed checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// A line of an opened bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// Number of the entry.
    pub(super) seq: u64,
    /// The salt, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) salt: Option<String>,
    /// The canonical bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<String>,
    /// Whether neither is known any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) erased: bool,
}

impl Line {
    pub(super) const fn erased(seq: u64) -> Self {
        Self { seq, salt: None, content: None, erased: true }
    }
}

pub(super) fn opened_path(dir: &Path, number: u64) -> PathBuf {
    dir.join("opened").join(format!("{}.jsonl", number_path(number)))
}

pub(super) fn tile(dir: &Path, level: &str, number: u64, width: u64) -> PathBuf {
    dir.join(tile_path(level, number, width))
}

/// Writes a file so that it is there as a whole or not at all.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().ok_or_else(|| Error::new(ErrorKind::InvalidInput, "a file without a directory"))?;
    std::fs::create_dir_all(parent)?;
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, bytes)?;
    std::fs::rename(&unfinished, path)
}

/// A bundle of entries: each a length of two bytes, the larger first, and a commitment.
pub(super) fn bundle(commitments: &[[u8; 32]]) -> Vec<u8> {
    commitments.iter().flat_map(|c| [0, 32].into_iter().chain(*c)).collect()
}

/// Tiles in the making, all levels of them.
#[derive(Default)]
pub(super) struct Tiles {
    levels: Vec<(u64, Vec<TreeHash>)>,
}

impl Tiles {
    /// Adds the hash of a leaf; `whole` is given level, number and hashes of each tile that becomes whole.
    pub(super) fn push<E>(
        &mut self,
        leaf: TreeHash,
        mut whole: impl FnMut(usize, u64, &[TreeHash]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (mut level, mut hash) = (0, leaf);
        loop {
            if self.levels.len() == level {
                self.levels.push((0, Vec::new()));
            }
            let Some((number, row)) = self.levels.get_mut(level) else { return Ok(()) };
            row.push(hash);
            if u64::try_from(row.len()).unwrap_or(u64::MAX) < TILE_WIDTH {
                return Ok(());
            }
            whole(level, *number, row)?;
            let mut above = std::mem::take(row);
            *number += 1;
            while above.len() > 1 {
                above = above.chunks_exact(2).filter_map(|pair| Some(node_hash(pair.first()?, pair.last()?))).collect();
            }
            let Some(top) = above.first() else { return Ok(()) };
            hash = *top;
            level += 1;
        }
    }

    /// Level, number and hashes of each tile that is not whole.
    pub(super) fn partial(&self) -> impl Iterator<Item = (usize, u64, &[TreeHash])> {
        let rows = self.levels.iter().enumerate().map(|(level, (number, row))| (level, *number, row.as_slice()));
        rows.filter(|(_, _, row)| !row.is_empty())
    }
}
