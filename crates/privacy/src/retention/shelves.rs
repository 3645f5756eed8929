//! Backups whose time is over are taken away: files of the machine that this process runs on, so that no other process can.

use super::{Class, EVERY, Retention, Run, store};
use crate::backup::{Kind, Shelf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tacit_kernel::{Fault, Timestamp};
use tacit_storage::WriteTx;

/// The shelves of this process, and when each was last gone over.
#[derive(Clone, Default)]
pub(super) struct Shelves(Arc<[(Shelf, AtomicI64)]>);

impl Shelves {
    pub(super) fn new(shelves: Vec<Shelf>) -> Self {
        Self(shelves.into_iter().map(|shelf| (shelf, AtomicI64::new(i64::MIN))).collect())
    }

    fn of(&self, kind: Kind) -> Option<&(Shelf, AtomicI64)> {
        self.0.iter().find(|(shelf, _)| shelf.kind() == kind)
    }
}

impl Retention {
    /// The shelf of that kind, if there is one.
    pub(crate) fn shelf(&self, kind: Kind) -> Option<&Shelf> {
        self.shelves.of(kind).map(|(shelf, _)| shelf)
    }

    /// How many files are due.
    pub(super) fn backups_due(&self, class: Class, before: Timestamp) -> Result<u64, Fault> {
        let Some(shelf) = class.backups().and_then(|kind| self.shelf(kind)) else { return Ok(0) };
        Ok(u64::try_from(shelf.due(before)?.len()).unwrap_or(u64::MAX))
    }

    /// False if that was done within the hour.
    pub(super) async fn prune_hourly(&self, kind: Kind) -> Result<bool, Fault> {
        let Some((_, last)) = self.shelves.of(kind) else { return Ok(false) };
        let (now, before) = (self.now().0, last.load(Ordering::Acquire));
        if now.saturating_sub(before) < EVERY {
            return Ok(false);
        }
        let pruned = self.prune(kind).await;
        // What failed is tried again in an hour, and stands in the book once an hour.
        last.store(now, Ordering::Release);
        pruned.map(|_| true)
    }

    /// Takes away the backups of that kind whose time is over: a run like every other, in the book and in the audit log, which
    /// is written before the first file goes. How many went.
    ///
    /// # Errors
    /// If a file cannot be removed, which the next run tries again; storage, keyring.
    pub async fn prune(&self, kind: Kind) -> Result<u64, Fault> {
        let Some(shelf) = self.shelf(kind) else { return Ok(0) };
        let class = match kind {
            Kind::Data => Class::Backups,
            Kind::Keyring => Class::KeyringBackups,
        };
        let cutoff = self.cutoff(class);
        let due = shelf.due(cutoff)?;
        let deleted = u64::try_from(due.len()).unwrap_or(u64::MAX);
        let run = Run { deleted, ..Run::begin(class, cutoff, self.now()) };
        let record = async |tx: &mut WriteTx<'_>| {
            store::begin(tx, &run).await?;
            self.finish(tx, run.clone()).await
        };
        let record = &record;
        self.db.write("retention.backups", |tx| Box::pin(record(tx))).await?;
        shelf.take_away(&due)
    }
}
