//! A keyring that was restored from a copy learns who was erased since, before anybody can open it.

use super::erasures::drop_keys;
use super::log::Tombstone;
use super::{ErasuresHead, KeyStore, Masters, Step, store};
use crate::db::Db;
use crate::tx::WriteTx;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use tacit_kernel::{Clock, ErrorKind, Fault};
use uuid::Uuid;

/// Subjects looked at, and tombstones written, in a transaction.
const STEP: i64 = 500;

/// What a restored keyring learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Erasures that it did not know of.
    pub erasures: u64,
    /// Keys that went because of them.
    pub keys: u64,
}

impl KeyStore {
    /// Opens a keyring that [`load`](crate::backup::load) has filled and that nobody else can open yet, deletes the keys of
    /// everybody whom the log says to be erased since, and turns the epoch, so that what is left opens none of them.
    ///
    /// # Errors
    /// `keyring.erasure_log` if the log is missing, damaged, that of another keyring, or does not continue what the copy knew;
    /// `keyring.master_key`; storage faults. Whatever the error, the keyring stays closed.
    pub async fn restored(
        db: Db,
        masters: impl Into<Masters>,
        clock: Arc<dyn Clock>,
        log: &Path,
    ) -> Result<(Arc<Self>, Replayed), Fault> {
        let keys = Self::unlocked(db, masters.into(), clock).await?;
        let mut since = keys.read_log(log)?;
        let head = keys.erasures_head().await?;
        let known = usize::try_from(head.count).unwrap_or(usize::MAX);
        let chain = known.checked_sub(1).map(|last| since.get(last).map(|tombstone| tombstone.chain));
        if chain.is_some_and(|chain| chain != Some(head.chain)) {
            return Err(Fault::new(
                ErrorKind::Invalid,
                "keyring.erasure_log",
                format!(
                    "the erasure log {} does not continue the backup, which knew of {known} erasures: give the newest log",
                    log.display()
                ),
            ));
        }
        let since = since.split_off(known.min(since.len()));
        let dropped = keys.drop_erased(&since).await?;
        for step in since.chunks(usize::try_from(STEP).unwrap_or(1)) {
            keys.db.write("keyring.replay", |tx| Box::pin(bury(tx, step))).await?;
        }
        keys.rotate_begin().await?;
        while keys.turn_step().await? != Step::Nothing {}
        let erasures = u64::try_from(since.len()).unwrap_or(u64::MAX);
        Ok((keys, Replayed { erasures, keys: dropped }))
    }

    /// Deletes the keys of all subjects on these tombstones; they name nobody, so every subject there is is compared.
    async fn drop_erased(&self, tombstones: &[Tombstone]) -> Result<u64, Fault> {
        let tombs: HashSet<&[u8; 32]> = tombstones.iter().map(|tombstone| &tombstone.tomb).collect();
        let (mut after, mut dropped) = (Uuid::nil(), 0_u64);
        loop {
            let subjects = self.db.read("keyring.subjects", |tx| Box::pin(store::subjects(tx, after, STEP))).await?;
            let Some(last) = subjects.last() else { return Ok(dropped) };
            after = *last;
            let erased: Vec<Uuid> =
                subjects.into_iter().filter(|subject| tombs.contains(&self.tomb(*subject))).collect();
            let erased = &erased;
            if !erased.is_empty() {
                let gone = self.db.write("keyring.replay", |tx| Box::pin(drop_keys(tx, erased))).await?;
                dropped = dropped.saturating_add(u64::try_from(gone.len()).unwrap_or(u64::MAX));
            }
        }
    }
}

/// Writes tombstones as the log has them.
async fn bury(tx: &mut WriteTx<'_>, tombstones: &[Tombstone]) -> Result<(), Fault> {
    for Tombstone { seq, tomb, epoch, at, chain } in tombstones {
        store::erasure_add(tx, *seq, tomb, *epoch, chain, *at).await?;
    }
    Ok(())
}

impl ErasuresHead {
    /// Refuses a keyring that lacks erasures which a copy of the data knew of.
    ///
    /// # Errors
    /// `keyring.older`; storage faults.
    pub async fn known_by(&self, keys: &KeyStore) -> Result<(), Fault> {
        if keys.knows(self).await? { Ok(()) } else { Err(super::belonging::older(self)) }
    }
}
