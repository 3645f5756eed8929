//! Backups: a database as it is at one moment, compressed and encrypted to keys of the operator, in a file (docs/backups.md).
//!
//! Data and keyring lie on shelves of their own, with their own keys and their own time: together they would outlive every
//! erasure. Each is written down in the audit log before it is made or restored.

mod envelope;
mod restore;
mod shelf;

pub use envelope::{Identities, Recipients};
pub use restore::{Restored, restore_data, restore_keyring};
pub use shelf::{Shelf, Stored};
pub use tacit_storage::backup::{Header, Kind, Summary, Told};

use crate::retention::Retention;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tacit_kernel::audit::{Action, ObjectKind, Phase};
use tacit_kernel::{Clock, ErrorKind, Fault, Personal, Timestamp};
use tacit_storage::audit::{Actor, Audit, NewEntry, Object};
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, backup};

/// Who asks for a backup or a restore, and why.
#[derive(Clone, Debug)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// Why; kept sealed.
    pub reason: Option<Personal<String>>,
}

impl By {
    /// What the audit log says before it is done.
    fn entry(&self, action: Action, kind: Kind) -> NewEntry {
        let object = Object::one(ObjectKind::Backup, kind.as_str());
        NewEntry { reason: self.reason.clone(), ..NewEntry::begun(self.actor.clone(), action, object, None) }
    }
}

/// A backup that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// Of which database.
    pub kind: Kind,
    /// Its file.
    pub file: PathBuf,
    /// When it was begun.
    pub made_at: Timestamp,
    /// When it goes.
    pub until: Timestamp,
    /// Tables.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Makes backups. Cloning is cheap.
#[derive(Clone)]
pub struct Backups {
    db: Db,
    keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
    audit: Audit,
    retention: Retention,
    program: &'static str,
}

impl std::fmt::Debug for Backups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("backups")
    }
}

impl Backups {
    /// Backups of that database and keyring, on the shelves of that retention; `program` is the version.
    #[must_use]
    pub fn new(
        (db, keys, clock): (Db, Arc<KeyStore>, Arc<dyn Clock>),
        audit: Audit,
        retention: Retention,
        program: &'static str,
    ) -> Self {
        Self { db, keys, clock, audit, retention, program }
    }

    /// Makes a backup while others write, and takes away those whose time is over. Cut off it leaves nothing that looks like
    /// one.
    ///
    /// # Errors
    /// `backup.no_shelf` if there is no directory for it; `backup.unwritable`; storage, keyring.
    pub async fn make(&self, kind: Kind, by: By, told: Told<'_>) -> Result<Made, Fault> {
        let shelf = self.retention.shelf(kind).ok_or_else(|| no_shelf(kind))?;
        let entry = by.entry(Action::BackupMake, kind);
        let begun = self.audit.record(&entry).await?;
        let made = self.write(shelf, told).await;
        let outcome = match &made {
            Ok(made) => NewEntry { affected: Some(made.rows), ..entry.outcome(begun, Phase::Done) },
            Err(fault) => NewEntry { code: Some(fault.code), ..entry.outcome(begun, Phase::Refused) },
        };
        self.audit.record(&outcome).await?;
        self.retention.prune(kind).await?;
        made
    }

    async fn write(&self, shelf: &Shelf, told: Told<'_>) -> Result<Made, Fault> {
        let kind = shelf.kind();
        // Before the copy: it may know of more erasures than it says, never of fewer.
        let head = self.keys.erasures_head().await?;
        let made_at = self.clock.now();
        let mut file = shelf.begin(made_at)?;
        let db = match kind {
            Kind::Data => &self.db,
            Kind::Keyring => self.keys.database(),
        };
        let (about, known) = ((self.program, made_at), (self.keys.fingerprint(), head));
        let (_, summary) = backup::dump(db, kind, about, known, &mut file, told).await?;
        let (file, bytes) = file.finish()?;
        let until = shelf.until(made_at);
        Ok(Made { kind, file, made_at, until, tables: summary.tables, rows: summary.rows, bytes })
    }

    /// When the newest backup was made; `None` if there is none, or no shelf.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn newest(&self, kind: Kind) -> Result<Option<Timestamp>, Fault> {
        Ok(self.list(kind)?.last().map(|stored| stored.made_at))
    }

    /// The backups that there are of that kind, oldest first.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn list(&self, kind: Kind) -> Result<Vec<Stored>, Fault> {
        self.retention.shelf(kind).map_or(Ok(Vec::new()), Shelf::list)
    }

    /// Whether there is a directory for backups of that kind.
    #[must_use]
    pub fn has_shelf(&self, kind: Kind) -> bool {
        self.retention.shelf(kind).is_some()
    }
}

fn no_shelf(kind: Kind) -> Fault {
    let (directory, recipients) = match kind {
        Kind::Data => ("backup.directory", "backup.recipients"),
        Kind::Keyring => ("backup.keyring_directory", "backup.keyring_recipients"),
    };
    Fault::new(
        ErrorKind::Invalid,
        "backup.no_shelf",
        format!(
            "nobody said where to put it and to which key: set {directory} and {recipients} (`tacit backup key` makes one)"
        ),
    )
}

/// What a whole backup says about itself.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Of which database.
    pub kind: Kind,
    /// When it was begun.
    pub made_at: Timestamp,
    /// Version of the program that made it.
    pub program: String,
    /// `sqlite` or `postgres`.
    pub engine: String,
    /// Migrations that the database had.
    pub schema: u64,
    /// Erasures that its keyring knew of.
    pub erasures: u64,
    /// Tables.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
}

/// Reads a backup to its end, without a database: every record is there and as it was written.
///
/// # Errors
/// `backup.identity` if none of the identities opens it; `backup.damaged`, `backup.foreign`, `backup.newer`.
pub fn verify(file: &Path, identities: &Identities, told: Told<'_>) -> Result<Verified, Fault> {
    let reader = envelope::open(file, identities)?;
    let (kind, header) = (reader.kind(), reader.header().clone());
    let summary = reader.verify(told)?;
    Ok(Verified {
        kind,
        made_at: header.made_at,
        program: header.program,
        engine: header.engine,
        schema: header.schema,
        erasures: header.erasures.count,
        tables: summary.tables,
        rows: summary.rows,
    })
}

#[cfg(test)]
mod tests;
