//! `tacit audit export`: the log as files. What is there already is gone on from, entries that were erased since are erased
//! there too, and the checkpoint is written last: a directory with a checkpoint is whole.

use super::layout::{CHECKPOINT, ENTRIES, Line, Tiles, bundle, opened_path, put, tile};
use crate::cli::Session;
use anyhow::{Context as _, bail, ensure};
use data_encoding::BASE64;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use tacit_api::admin::audit::{AuditKey, ExportedEntry, SignedCheckpoint};
use tacit_storage::audit::checkpoint::Checkpoint;
use tacit_storage::audit::tree::{Growing, TILE_WIDTH, level_width};
use tacit_vault::NoteVerifier;
use tacit_vault::merkle::leaf_hash;

/// What was exported.
#[derive(Serialize)]
struct Report {
    entries: u64,
    new: u64,
    erased: u64,
    dir: PathBuf,
}

pub(super) async fn run(s: &Session, dir: &Path) -> anyhow::Result<()> {
    let key: AuditKey = s.client.get("/v1/audit/key").await?;
    let key: NoteVerifier = key.vkey.parse().context("the platform's key")?;
    // The end is fixed first: to export is recorded too.
    let signed: SignedCheckpoint = s.client.get("/v1/audit/checkpoint").await?;
    let mut writer = Writer::open(dir, &key)?;
    let (known, mut erased) = (writer.growing.size(), 0);
    let mut from = 0;
    loop {
        let page: Vec<u64> = s.client.get(&format!("/v1/audit/erased?from={from}")).await?;
        let Some(last) = page.last() else { break };
        from = last + 1;
        for seq in page {
            erased += u64::from(seq < signed.size);
            writer.erase(seq)?;
        }
    }
    while writer.growing.size() < signed.size {
        let path = format!("/v1/audit/export?from={}", writer.growing.size());
        let page: Vec<ExportedEntry> = s.client.get(&path).await?;
        ensure!(!page.is_empty(), "the audit log ends before entry {}", writer.growing.size());
        for entry in page {
            if writer.growing.size() < signed.size {
                writer.push(entry)?;
            }
        }
    }
    writer.finish(&key, &signed.note)?;
    let report = Report { entries: signed.size, new: signed.size.saturating_sub(known), erased, dir: dir.to_owned() };
    s.out.one(&report)
}

/// An export in the making.
pub(super) struct Writer {
    dir: PathBuf,
    before: Option<Checkpoint>,
    growing: Growing,
    tiles: Tiles,
    /// Of the bundle that is not whole.
    commitments: Vec<[u8; 32]>,
    lines: String,
}

impl Writer {
    /// Begins an export in a directory, or goes on with one.
    pub(super) fn open(dir: &Path, key: &NoteVerifier) -> anyhow::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        // It tells of persons.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("{} cannot be made", dir.display()))?;
        let before = match fs::read_to_string(dir.join(CHECKPOINT)) {
            Ok(note) => Some(Checkpoint::open(&note, key).context("the directory holds the export of another log")?),
            Err(_) => None,
        };
        let mut writer = Self {
            dir: dir.to_owned(),
            before,
            growing: Growing::default(),
            tiles: Tiles::default(),
            commitments: Vec::new(),
            lines: String::new(),
        };
        writer.go_on()?;
        Ok(writer)
    }

    /// Reads the whole bundles that are there.
    fn go_on(&mut self) -> anyhow::Result<()> {
        for number in 0.. {
            let path = tile(&self.dir, ENTRIES, number, TILE_WIDTH);
            let Ok(bytes) = fs::read(&path) else { return Ok(()) };
            let commitments: Vec<[u8; 32]> =
                bytes.chunks(34).filter_map(|record| record.get(2..)?.try_into().ok()).collect();
            ensure!(
                bundle(&commitments) == bytes && u64::try_from(commitments.len()).ok() == Some(TILE_WIDTH),
                "{} was changed: verify the export, or begin it anew in another directory",
                path.display()
            );
            for commitment in commitments {
                self.leaf(commitment)?;
            }
        }
        Ok(())
    }

    fn leaf(&mut self, commitment: [u8; 32]) -> anyhow::Result<()> {
        let leaf = leaf_hash(&commitment);
        self.growing.push(leaf);
        let dir = &self.dir;
        self.tiles.push(leaf, |level, number, hashes| {
            put(&tile(dir, &level.to_string(), number, TILE_WIDTH), &hashes.concat())
        })?;
        Ok(())
    }

    /// Adds the next entry.
    pub(super) fn push(&mut self, entry: ExportedEntry) -> anyhow::Result<()> {
        let seq = self.growing.size();
        ensure!(entry.seq == seq, "the platform gives entry {} where {seq} comes", entry.seq);
        let commitment = BASE64.decode(entry.commitment.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        let commitment: [u8; 32] = commitment.with_context(|| format!("entry {seq} has no commitment"))?;
        let line = match (entry.salt, entry.content) {
            (Some(salt), Some(content)) => Line { seq, salt: Some(salt), content: Some(content), erased: false },
            _ => Line::erased(seq),
        };
        self.lines.push_str(&serde_json::to_string(&line)?);
        self.lines.push('\n');
        self.commitments.push(commitment);
        self.leaf(commitment)?;
        if u64::try_from(self.commitments.len()).unwrap_or_default() == TILE_WIDTH {
            self.write_bundle(seq / TILE_WIDTH, TILE_WIDTH)?;
            self.commitments.clear();
            self.lines.clear();
        }
        Ok(())
    }

    /// The bundle last: who goes on takes its opened entries to be there.
    fn write_bundle(&self, number: u64, width: u64) -> anyhow::Result<()> {
        put(&opened_path(&self.dir, number), self.lines.as_bytes())?;
        put(&tile(&self.dir, ENTRIES, number, width), &bundle(&self.commitments))?;
        Ok(())
    }

    /// Forgets an entry that is in a whole bundle; later ones come as they are now.
    pub(super) fn erase(&self, seq: u64) -> anyhow::Result<()> {
        if seq >= self.growing.size() {
            return Ok(());
        }
        let path = opened_path(&self.dir, seq / TILE_WIDTH);
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let gone = serde_json::to_string(&Line::erased(seq))?;
        let place = usize::try_from(seq % TILE_WIDTH)?;
        if text.lines().nth(place) == Some(gone.as_str()) {
            return Ok(());
        }
        let lines = text.lines().enumerate().map(|(at, line)| if at == place { gone.as_str() } else { line });
        put(&path, lines.flat_map(|line| [line, "\n"]).collect::<String>().as_bytes())?;
        Ok(())
    }

    /// Writes what is not whole, then the checkpoint, and removes what it replaces.
    pub(super) fn finish(&self, key: &NoteVerifier, note: &str) -> anyhow::Result<()> {
        let signed = Checkpoint::open(note, key).context("the platform's checkpoint")?;
        if (signed.size, signed.root) != (self.growing.size(), self.growing.root()) {
            bail!(
                "the entries do not give the root that the platform has signed: the log or this directory was changed"
            );
        }
        let width = signed.size % TILE_WIDTH;
        if width > 0 {
            self.write_bundle(signed.size / TILE_WIDTH, width)?;
        }
        for (level, number, hashes) in self.tiles.partial() {
            let width = u64::try_from(hashes.len())?;
            put(&tile(&self.dir, &level.to_string(), number, width), &hashes.concat())?;
        }
        put(&self.dir.join(CHECKPOINT), note.as_bytes())?;
        if let Some(before) = self.before.as_ref().filter(|before| before.size < signed.size) {
            self.remove_partial(before.size, signed.size);
        }
        Ok(())
    }

    /// Partial tiles of a smaller size. What cannot be removed harms nobody.
    fn remove_partial(&self, before: u64, now: u64) {
        for level in 0..8 {
            let (old, new) = (level_width(before, level), level_width(now, level));
            if old == new || old.is_multiple_of(TILE_WIDTH) {
                continue;
            }
            let names = [Some(level.to_string()), (level == 0).then(|| ENTRIES.to_owned())];
            for name in names.into_iter().flatten() {
                let path = tile(&self.dir, &name, old / TILE_WIDTH, old % TILE_WIDTH);
                drop(fs::remove_file(&path));
                // Only if it is empty.
                drop(path.parent().map(fs::remove_dir));
            }
        }
    }
}
