//! Restoring: into an empty database, which nobody can open before all is done that must come first.

use super::envelope::{Identities, open};
use super::{By, Kind, Told};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use tacit_kernel::audit::Action;
use tacit_kernel::{Clock, ErrorKind, Fault, Timestamp};
use tacit_storage::Db;
use tacit_storage::audit::{Audit, NewEntry};
use tacit_storage::backup::{Reader, bring_up_to_date, load, open_restored};
use tacit_storage::keyring::{KeyStore, Masters};

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Which database.
    pub kind: Kind,
    /// As it was then.
    pub made_at: Timestamp,
    /// Tables.
    pub tables: u64,
    /// Rows.
    pub rows: u64,
    /// Of the data: accounts in it that were erased since, which the control plane erases before it serves. Of the keyring:
    /// erasures since.
    pub erased_since: u64,
    /// Of the keyring: keys that it lost because of them.
    pub keys_gone: u64,
    /// Whether the audit log says so: that of the data, if it is there.
    pub recorded: bool,
}

fn of_kind(file: &Path, identities: &Identities, wanted: Kind) -> Result<Reader, Fault> {
    let reader = open(file, identities)?;
    if reader.kind() == wanted {
        return Ok(reader);
    }
    let (is, other) = (reader.kind().as_str(), wanted.as_str());
    let what = format!("{} is a backup of the {is}, not of the {other}: use `tacit restore {is}`", file.display());
    Err(Fault::new(ErrorKind::Invalid, "backup.kind", what))
}

/// Restores the data into an empty database. The keyring that seals it must be there, and know of every erasure that the
/// backup knew of.
///
/// # Errors
/// What opening the file may say; `backup.kind`, `backup.not_empty`, `backup.newer`, `backup.foreign`; `keyring.other`,
/// `keyring.older`. Whatever the error, the database stays closed.
pub async fn restore_data(
    (db, keys, clock): (&Db, &Arc<KeyStore>, &Arc<dyn Clock>),
    (file, identities): (&Path, &Identities),
    by: &By,
    told: Told<'_>,
) -> Result<Restored, Fault> {
    let reader = of_kind(file, identities, Kind::Data)?;
    let header = reader.header().clone();
    if header.keyring != keys.fingerprint() {
        return Err(Fault::new(
            ErrorKind::Invalid,
            "keyring.other",
            "the data was sealed with another keyring: give that one, or restore a backup of it first",
        ));
    }
    header.erasures.known_by(keys).await?;
    let summary = load(db, reader, clock.now(), told).await?;
    bring_up_to_date(db, Kind::Data, clock.now()).await?;
    let erased_since = keys.check_against(db).await?;
    keys.remember_in(db).await?;
    let entry = NewEntry { affected: Some(summary.rows), ..by.entry(Action::BackupRestore, Kind::Data) };
    Audit::new(db.clone(), Arc::clone(keys), Arc::clone(clock)).record(&entry).await?;
    open_restored(db).await?;
    Ok(Restored {
        kind: Kind::Data,
        made_at: header.made_at,
        tables: summary.tables,
        rows: summary.rows,
        erased_since,
        keys_gone: 0,
        recorded: true,
    })
}

/// Restores the keyring into an empty database, and takes from it the keys of everybody whom the erasure log says to be
/// erased since. `data` is the database of the data, if it is there: its audit log says that it was done.
///
/// # Errors
/// What opening the file may say; `backup.kind`, `backup.not_empty`, `backup.newer`, `backup.foreign`;
/// `keyring.erasure_log` without the whole log; `keyring.master_key`. Whatever the error, the keyring stays closed.
pub async fn restore_keyring(
    (db, masters, clock): (&Db, Masters, &Arc<dyn Clock>),
    (file, identities): (&Path, &Identities),
    log: &Path,
    data: Option<&Db>,
    by: &By,
    told: Told<'_>,
) -> Result<Restored, Fault> {
    let reader = of_kind(file, identities, Kind::Keyring)?;
    let made_at = reader.header().made_at;
    let summary = load(db, reader, clock.now(), told).await?;
    bring_up_to_date(db, Kind::Keyring, clock.now()).await?;
    let (keys, replayed) = KeyStore::restored(db.clone(), masters, Arc::clone(clock), log).await?;
    if let Some(data) = data {
        // Before anything says that it was restored: what is newer than it cannot be read with it.
        keys.check_against(data).await?;
        let entry = NewEntry { affected: Some(replayed.keys), ..by.entry(Action::BackupRestore, Kind::Keyring) };
        Audit::new(data.clone(), keys, Arc::clone(clock)).record(&entry).await?;
    }
    open_restored(db).await?;
    Ok(Restored {
        kind: Kind::Keyring,
        made_at,
        tables: summary.tables,
        rows: summary.rows,
        erased_since: replayed.erasures,
        keys_gone: replayed.keys,
        recorded: data.is_some(),
    })
}
