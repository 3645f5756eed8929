//! Some of what is held about a person goes because they want that, and the account stays: what no law keeps, at once; of the rest
//! they are told which law does, and until when.

use crate::retention::Retention;
use tacit_kernel::datamap::Law;
use tacit_kernel::datamap::retention::CALL_RECORD;
use tacit_kernel::ids::{AccountId, CallId};
use tacit_kernel::{ErrorKind, Fault, Timestamp};
use tacit_ledger::Ledger;
use tacit_storage::{Db, ReadTx, Retryable, Sql, StorageError, WriteTx};
use uuid::Uuid;

const DAY: i64 = 86_400_000_000;

const DELETE_MESSAGES: Sql = Sql::new("DELETE FROM messages WHERE account_id = $1 AND state <> 'waiting'");
const DELETE_DEVICES: Sql = Sql::new("DELETE FROM known_devices WHERE account_id = $1");
const DELETE_SESSIONS: Sql = Sql::new("DELETE FROM console_sessions WHERE account_id = $1 AND expires_at <= $2");

pub(crate) const STATEMENTS: &[&Sql] = &[&DELETE_MESSAGES, &DELETE_DEVICES, &DELETE_SESSIONS];

tacit_kernel::words! {
    /// A part of what is held.
    Part {
        /// Records of calls, as far as they are older than a law demands.
        CallRecords = "call_records",
        /// Sign-ins that are over, and devices that are known; whoever signs in next is told of a new one.
        SignIns = "sign_ins",
        /// That messages were sent.
        Messages = "messages",
    }
}

/// What became of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Rows that went.
    pub deleted: u64,
    /// Rows that stay.
    pub kept: u64,
    /// The law that keeps them.
    pub law: Option<Law>,
    /// From when on none of what is there now is kept by it.
    pub until: Option<Timestamp>,
}

/// Why nothing is deleted.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// Nothing of the account may be deleted for a time.
    #[error("nothing of the account may be deleted now: a legal obligation demands that it is kept as it is")]
    Held,
    /// Storage.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StorageError> for PartsError {
    fn from(error: StorageError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<PartsError> for Fault {
    fn from(error: PartsError) -> Self {
        match error {
            PartsError::Held => Self::new(ErrorKind::Conflict, "privacy.held", error.to_string()),
            PartsError::Fault(fault) => fault,
        }
    }
}

impl Retryable for PartsError {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.is_retryable())
    }
}

/// What deletes parts. Cloning is cheap.
#[derive(Clone)]
pub struct Parts {
    db: Db,
    ledger: Ledger,
    retention: Retention,
}

impl Parts {
    /// What deletes parts from that database.
    #[must_use]
    pub const fn new(db: Db, ledger: Ledger, retention: Retention) -> Self {
        Self { db, ledger, retention }
    }

    /// Deletes a part of what is held about somebody, as far as no law keeps it. In steps: whoever is cut off asks again.
    ///
    /// # Errors
    /// [`PartsError::Held`]; storage.
    pub async fn delete(&self, account: AccountId, part: Part) -> Result<Deleted, PartsError> {
        let now = self.retention.clock.now();
        let mut done = Deleted::default();
        let mut after = Some(CallId(Uuid::nil()));
        while let Some(from) = after.take() {
            let step = async |tx: &mut WriteTx<'_>| {
                // At each step: it may have been put on meanwhile.
                if self.retention.is_held_in_tx(tx, account).await? {
                    return Err(PartsError::Held);
                }
                let id = || account.into();
                Ok(match part {
                    Part::Messages => (tx.execute(&DELETE_MESSAGES, &[id()]).await?, None),
                    Part::SignIns => {
                        let devices = tx.execute(&DELETE_DEVICES, &[id()]).await?;
                        (devices + tx.execute(&DELETE_SESSIONS, &[id(), now.into()]).await?, None)
                    }
                    Part::CallRecords => {
                        let before = now.plus_micros(-i64::from(CALL_RECORD.min) * DAY);
                        let gone = self.ledger.own_calls_forget_in_tx(tx, account, (from, before)).await;
                        let gone = gone.map_err(Fault::from)?;
                        (gone.rows, gone.next)
                    }
                })
            };
            let step = &step;
            let (rows, next) = self.db.write("parts.delete", |tx| Box::pin(step(tx))).await?;
            (done.deleted, after) = (done.deleted + rows, next);
        }
        if part == Part::CallRecords {
            let left = async |tx: &mut ReadTx<'_>| self.ledger.own_calls_in_tx(tx, account).await.map_err(Fault::from);
            let left = &left;
            let (kept, newest) = self.db.read("parts.left", |tx| Box::pin(left(tx))).await?;
            let until = newest.map(|newest| newest.plus_micros(i64::from(CALL_RECORD.min) * DAY));
            done = Deleted { kept, law: CALL_RECORD.law.filter(|_| kept > 0), until, ..done };
        }
        Ok(done)
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("parts")
    }
}
