//! What can go wrong in the ledger.

use tacit_kernel::{ErrorKind, Fault};
use tacit_storage::{Retryable, StorageError, StorageErrorKind};

/// A failure of a ledger operation. None of them leaves anything half done.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The amount is zero, negative where it must not be, or larger than [`crate::wallets::LARGEST`].
    #[error("the amount must not be zero, nor negative for a top-up or a grant, nor above {}", crate::wallets::LARGEST)]
    Amount,
    /// The idempotency key is empty or longer than 200 bytes.
    #[error("the idempotency key must have 1 to 200 bytes")]
    KeyForm,
    /// The idempotency key belongs to a transaction of other content.
    #[error("this idempotency key was used for another transaction")]
    KeyReused,
    /// The wallet does not hold that much.
    #[error("the wallet does not cover this")]
    Insufficient,
    /// No such session.
    #[error("no such gateway session")]
    SessionUnknown,
    /// The session has ended; the gateway must open a new one.
    #[error("this gateway session has ended")]
    SessionEnded,
    /// The session still has open calls.
    #[error("this gateway session has open calls")]
    CallsOpen,
    /// Events of the session lie in the journal still; they are settled before it can end.
    #[error("this gateway session has events that are not settled yet")]
    Unsettled,
    /// A lease request with a number below the last one answered.
    #[error("an older lease request than the last one answered")]
    RequestOld,
    /// A lease request with a negative amount.
    #[error("the amounts of a lease request must not be negative")]
    RequestForm,
    /// No event that was set aside waits under that id.
    #[error("no such event waits: it was settled or dropped already, or never was")]
    AsideUnknown,
    /// A stored value that cannot be.
    #[error("the database holds an impossible value in {table}.{column}")]
    Inconsistent {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// Another control plane was faster; the transaction is tried again.
    #[error("a concurrent change of the same rows")]
    Raced,
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl LedgerError {
    /// Stable code, part of the interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Amount => "ledger.amount",
            Self::KeyForm => "ledger.key_form",
            Self::KeyReused => "ledger.key_reused",
            Self::Insufficient => "wallet.insufficient",
            Self::SessionUnknown => "session.unknown",
            Self::SessionEnded => "session.ended",
            Self::CallsOpen => "session.calls_open",
            Self::Unsettled => "session.unsettled",
            Self::RequestOld => "lease.request_old",
            Self::RequestForm => "lease.request_form",
            Self::AsideUnknown => "event.unknown",
            Self::Inconsistent { .. } => "ledger.inconsistent",
            Self::Raced => "ledger.raced",
            Self::Storage(_) => "storage",
        }
    }

    /// Whether what was to be written is refused for what it says: then it is refused again, however often it is tried.
    /// The code of the refusal.
    #[must_use]
    pub const fn of_data(&self) -> Option<&'static str> {
        let Self::Storage(error) = self else { return None };
        match error.kind {
            StorageErrorKind::Check => Some("storage.check"),
            StorageErrorKind::Unique => Some("storage.exists"),
            StorageErrorKind::ForeignKey => Some("storage.reference"),
            _ => None,
        }
    }

    const fn kind(&self) -> ErrorKind {
        match self {
            Self::Amount | Self::KeyForm | Self::RequestForm => ErrorKind::Invalid,
            Self::Insufficient => ErrorKind::InsufficientFunds,
            Self::SessionUnknown | Self::AsideUnknown => ErrorKind::NotFound,
            Self::KeyReused | Self::SessionEnded | Self::CallsOpen | Self::RequestOld => ErrorKind::Conflict,
            Self::Raced | Self::Unsettled => ErrorKind::Unavailable,
            Self::Inconsistent { .. } | Self::Storage(_) => ErrorKind::Internal,
        }
    }
}

impl Retryable for LedgerError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Raced => true,
            Self::Storage(error) => error.is_retryable(),
            _ => false,
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Storage(error) => error.into(),
            LedgerError::Inconsistent { .. } => Self::internal(error.code(), error),
            other => Self::new(other.kind(), other.code(), other.to_string()),
        }
    }
}

/// Why a transaction was given up.
pub(crate) enum Halt {
    /// A session, or what the journal holds of it, is not as it was remembered. To try the same again is of no use.
    Stale,
    /// Some of the calls are recorded already.
    Known,
    Failed(LedgerError),
}

impl From<StorageError> for Halt {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Failed(error)
    }
}

impl From<Halt> for LedgerError {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Failed(error) => error,
            Halt::Stale | Halt::Known => Self::Raced,
        }
    }
}

impl Retryable for Halt {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_retryable())
    }
}
