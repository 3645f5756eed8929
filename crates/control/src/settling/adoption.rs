//! What lies in the journal and is in nobody's hands: what was journaled before this control plane started, or by one
//! that is gone, and what could not be settled when it was its turn. It is read in pages, so that little of it is in
//! memory at once, and settled in the order of each session.

use super::{Of, Stage};
use crate::panics::caught;
use crate::{events, status};
use std::collections::{BTreeSet, HashSet};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::SessionId;
use tacit_ledger::LedgerError;
use tacit_ledger::journal::JournalBatch;
use tacit_ledger::settlement::SessionBatch;
use tacit_link::{Refused, convert};
use tonic::Status;

/// Batches that are read at once.
const PAGE: u32 = 32;
/// Batches whose numbers are read at once.
const NUMBERS: u32 = 512;
/// Another control plane settles what it has journaled within milliseconds. What was written longer ago than this, in
/// microseconds, it does not settle any more; should it after all, that does no harm. What seems to come from the future
/// is left over from a clock that was set back.
const LEFT_BEHIND: i64 = 2_000_000;

/// Batches that cannot be read. They stay where they are, for a program that can.
#[derive(Default)]
pub(super) struct Unreadable(HashSet<(SessionId, u64)>);

impl Stage<'_> {
    /// Looks through the journal: at first for all that is there, later for what was left behind.
    pub(super) async fn look(&mut self) {
        for session in self.shared.unsettled.deferred(Of::All) {
            self.retry(session).await;
        }
        let first = self.start.is_some();
        let now = self.shared.clock.now();
        let recent = (now.plus_micros(-LEFT_BEHIND), now.plus_micros(LEFT_BEHIND));
        let recent = (!first).then_some(recent);
        match self.look_for(recent).await {
            Ok(()) => self.start = None,
            Err(error) => status::log(&error.into()),
        }
    }

    /// Settles what was not written in recent times, or all.
    async fn look_for(&mut self, recent: Option<(Timestamp, Timestamp)>) -> Result<(), LedgerError> {
        let mut after = None;
        loop {
            let page = self.shared.ledger.journal_unsettled(recent, after, NUMBERS).await?;
            after = page.last().copied();
            let unsettled = &self.shared.unsettled;
            let left = |batch: &&(SessionId, u64)| {
                !unsettled.holds(**batch) && !self.unreadable.0.contains(*batch) && !unsettled.is_deferred(batch.0)
            };
            let sessions: BTreeSet<SessionId> = page.iter().filter(left).map(|(session, _)| *session).collect();
            for session in sessions {
                let shared = self.shared;
                match caught(&shared.metrics, "settling", self.adopt(session)).await {
                    Some(Ok(())) => tracing::info!(event = "journal.adopted", session.id = %session),
                    Some(Err(error)) => self.defer(session, &error),
                    None => self.defer(session, &status::unavailable()),
                }
            }
            // What is deferred may be much, and is not looked through each time.
            after = after.map(|(session, batch)| {
                (session, if self.shared.unsettled.is_deferred(session) { u64::MAX } else { batch })
            });
            // What is written from now on is not waited for: there may always be more.
            if page.len() < NUMBERS as usize || self.shared.stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// Tries to settle a session that this has failed for.
    pub(super) async fn retry(&mut self, session: SessionId) {
        // It failed before and was logged then.
        drop(self.adopt(session).await);
    }

    /// A session is not settled: what it has reported and reports lies in the journal until it can be.
    pub(super) fn defer(&self, session: SessionId, error: &Status) {
        if self.shared.unsettled.defer(session) {
            let detail = error.message();
            tracing::error!(event = "settlement.deferred", session.id = %session, detail, "it is tried again");
        }
    }

    /// Settles all that lies in the journal of a session now.
    pub(super) async fn adopt(&mut self, session: SessionId) -> Result<(), Status> {
        let mut after = 0;
        loop {
            let rows = self.shared.ledger.journal_rows(session, after, PAGE).await.map_err(status::of_ledger)?;
            let full = rows.len() == PAGE as usize;
            after = rows.last().map_or(after, |row| row.batch);
            let mut batches = Vec::new();
            for row in rows {
                let key = (row.session, row.batch);
                if self.unreadable.0.contains(&key) {
                    continue;
                }
                match self.read(row).await? {
                    Ok(batch) => batches.push(batch),
                    Err(refused) => self.cannot_read(key, refused),
                }
            }
            if !batches.is_empty()
                && let Some((_, error)) = self.commit(batches).await.pop()
            {
                return Err(error);
            }
            // What is journaled from now on comes by itself.
            if !full {
                break;
            }
        }
        if self.shared.unsettled.resumed(session) {
            tracing::warn!(event = "settlement.resumed", session.id = %session, "what was deferred is settled");
        }
        Ok(())
    }

    async fn read(&self, row: JournalBatch) -> Result<Result<SessionBatch, Refused>, Status> {
        let batch = match convert::events(&row.events).and_then(events::read) {
            Ok(batch) if (batch.session, batch.batch) == (row.session, row.batch) => batch,
            Ok(_) => return Ok(Err(Refused("batch"))),
            Err(refused) => return Ok(Err(refused)),
        };
        events::named(&self.shared.prices, batch).await.map(Ok)
    }

    fn cannot_read(&mut self, (session, batch): (SessionId, u64), Refused(field): Refused) {
        self.unreadable.0.insert((session, batch));
        self.shared.metrics.journal_unreadable.inc();
        tracing::error!(event = "journal.unreadable", session.id = %session, count = batch, detail = field,
            "a batch of call events cannot be read; it stays in the journal and its session cannot end");
    }
}
