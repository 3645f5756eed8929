//! The journal: batches of call events that are durable and not settled yet. To acknowledge events is to write them here
//! as they came, which is quick; [`crate::settlement`] takes them out again in large commits, and each of them once.
//!
//! The journal has its own lock and touches nothing that money moves: who writes it waits for no settlement and no lease,
//! except for the turn of the one connection that writes on SQLite.

mod model;
pub(crate) mod store;

pub use model::{BatchState, JournalBatch, Journaled, SessionOutcome};

use crate::error::Halt;
use crate::{Ledger, LedgerError};
use model::{Plan, Position};
use std::collections::{HashMap, HashSet};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::SessionId;
use tacit_storage::{Retryable as _, WriteTx};
use tokio::sync::Mutex;

/// How often a write is planned anew when sessions are not where they were remembered.
const ROUNDS: u32 = 5;

/// Makes batches durable. One in each control plane; writes follow one another.
pub struct Journal {
    ledger: Ledger,
    /// What is remembered of sessions; it can be read again from the database.
    sessions: Mutex<HashMap<SessionId, Position>>,
}

impl Journal {
    /// A journal that remembers nothing yet.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger, sessions: Mutex::default() }
    }

    /// Makes batches durable. Batches that are durable already are passed over; a batch after a gap is not taken. Nothing
    /// at all is taken if this fails, and it can be called again with the same batches.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; [`LedgerError::Raced`] if another control plane writes the same sessions.
    pub async fn write(&self, batches: &[JournalBatch]) -> Result<Journaled, LedgerError> {
        let mut sessions = self.sessions.lock().await;
        let mut checked = HashSet::new();
        for _ in 0..ROUNDS {
            self.remember(&mut sessions, batches).await?;
            let Plan { journaled, advances } = model::plan(batches, &sessions);
            // What looks like a gap may have been written by another control plane since.
            let mut gap =
                |outcome: &&SessionOutcome| outcome.state == BatchState::Gap && checked.insert(outcome.session);
            let doubtful: Vec<SessionId> = journaled.sessions.iter().filter(&mut gap).map(|o| o.session).collect();
            if !doubtful.is_empty() {
                sessions.retain(|session, _| !doubtful.contains(session));
                continue;
            }
            if advances.is_empty() {
                return Ok(journaled);
            }
            let now = self.ledger.clock.now();
            let taken = batches.iter().zip(&journaled.written).filter(|(_, written)| **written).map(|(batch, _)| batch);
            let (rows, moves) = (&store::rows(taken, now), &store::moves(&advances));
            let write = async |tx: &mut WriteTx<'_>| store::write(tx, moves, rows).await;
            let write = &write;
            match self.ledger.db.write("journal.write", |tx| Box::pin(write(tx))).await {
                Ok(()) => {
                    for advance in advances {
                        sessions.insert(advance.session, Position { acknowledged: advance.to, ended: false });
                    }
                    return Ok(journaled);
                }
                Err(Halt::Failed(error)) if !error.is_retryable() => return Err(error),
                // Not where they were remembered, or another control plane was in the way for too long.
                Err(_) => sessions.retain(|session, _| advances.iter().all(|advance| advance.session != *session)),
            }
        }
        Err(LedgerError::Raced)
    }

    /// Reads what is not remembered of the sessions of these batches. Sessions that ended are always read again.
    async fn remember(
        &self,
        sessions: &mut HashMap<SessionId, Position>,
        batches: &[JournalBatch],
    ) -> Result<(), LedgerError> {
        for session in model::sessions_of(batches) {
            if sessions.get(&session).is_none_or(|position| position.ended) {
                let read = self.ledger.db.read("journal.remember", |tx| Box::pin(store::position(tx, session)));
                sessions.insert(session, read.await?);
            }
        }
        Ok(())
    }
}

impl Ledger {
    /// Batches of a session that are not settled, after that number, in order.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn journal_rows(
        &self,
        session: SessionId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<JournalBatch>, LedgerError> {
        self.db.read("journal.rows", |tx| Box::pin(store::rows_after(tx, session, after, limit))).await
    }

    /// Which batches of all sessions are not settled; but for those written from one moment to another, if these are
    /// given. In the order of session and number, those after the one given.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn journal_unsettled(
        &self,
        but: Option<(Timestamp, Timestamp)>,
        after: Option<(SessionId, u64)>,
        limit: u32,
    ) -> Result<Vec<(SessionId, u64)>, LedgerError> {
        self.db.read("journal.unsettled", |tx| Box::pin(store::unsettled(tx, but, after, limit))).await
    }
}
