//! What lies in the journal and is in nobody's hands: what was journaled before this control plane started, or by one
//! that is gone, and what could not be settled when it was its turn. It is read in pages, so that little of it is in
//! memory at once, and settled in the order of each session.

use super::Stage;
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
/// Another control plane settles what it has journaled within milliseconds. What is older than this, in microseconds, it
/// does not settle any more; should it after all, or should the clocks differ by more, that does no harm.
const LEFT_BEHIND: i64 = 2_000_000;

/// Batches that cannot be read. They stay where they are, for a program that can.
#[derive(Default)]
pub(super) struct Unreadable(HashSet<(SessionId, u64)>);

impl Stage<'_> {
    /// Looks through the journal: at first for all that is there, later for what was left behind.
    pub(super) async fn look(&mut self) {
        self.retry().await;
        let first = self.start.is_some();
        let before = if first { Timestamp(i64::MAX) } else { self.shared.clock.now().plus_micros(-LEFT_BEHIND) };
        match self.look_for(before, first).await {
            Ok(()) => self.start = None,
            Err(error) => status::log(&error.into()),
        }
    }

    async fn look_for(&mut self, before: Timestamp, first: bool) -> Result<(), LedgerError> {
        let mut after = None;
        loop {
            let page = self.shared.ledger.journal_unsettled(before, after, NUMBERS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(*last);
            let unsettled = &self.shared.unsettled;
            let left = |batch: &&(SessionId, u64)| {
                !unsettled.holds(**batch) && !self.unreadable.0.contains(*batch) && !unsettled.is_deferred(batch.0)
            };
            let sessions: BTreeSet<SessionId> = page.iter().filter(left).map(|(session, _)| *session).collect();
            for session in sessions {
                match self.adopt(session).await {
                    Ok(()) => tracing::info!(event = "journal.adopted", session.id = %session),
                    // It may be of a gateway that counts on it.
                    Err(error) if first => self.defer(session, &error),
                    // It is found again.
                    Err(_) => {}
                }
            }
            if self.shared.stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// Tries to settle the sessions that it has failed for.
    pub(super) async fn retry(&mut self) {
        for session in self.shared.unsettled.deferred() {
            // It failed before and was logged then.
            drop(self.adopt(session).await);
        }
    }

    /// A session is not settled: what it has reported and reports lies in the journal until it can be.
    pub(super) fn defer(&self, session: SessionId, error: &Status) {
        if self.shared.unsettled.defer(session) {
            let detail = error.message();
            tracing::error!(event = "settlement.deferred", session.id = %session, detail, "it is tried again");
        }
    }

    /// Settles all that lies in the journal of a session.
    pub(super) async fn adopt(&mut self, session: SessionId) -> Result<(), Status> {
        let mut after = 0;
        loop {
            let rows = self.shared.ledger.journal_rows(session, after, PAGE).await.map_err(status::of_ledger)?;
            let Some(last) = rows.last() else { break };
            after = last.batch;
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
