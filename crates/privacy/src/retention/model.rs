//! What runs over classes of retention are.

use serde::Serialize;
use tacit_kernel::Timestamp;
use tacit_kernel::datamap::RetentionClass;
use tacit_kernel::datamap::retention::{AUDIT, BACKUP, CALL_ADDRESS, CALL_RECORD, KEYRING_BACKUP, LEDGER};
use tacit_kernel::ids::RetentionRunId;
use tacit_storage::backup::Kind;
use uuid::Uuid;

tacit_kernel::words! {
    /// What a run goes over.
    Class {
        /// Where calls came from.
        CallAddresses = "call_addresses",
        /// Records of calls.
        CallRecords = "call_records",
        /// What tells of gateways, which goes with the records of their calls.
        GatewaySessions = "gateway_sessions",
        /// Transactions of the ledger, of which a sum stays for each balance.
        Ledger = "ledger",
        /// The contents of the audit log.
        Audit = "audit",
        /// Backups of the data.
        Backups = "backups",
        /// Backups of the keyring.
        KeyringBackups = "keyring_backups",
    }
}

impl Class {
    /// The class of the data map.
    #[must_use]
    pub const fn class(self) -> RetentionClass {
        match self {
            Self::CallAddresses => CALL_ADDRESS,
            Self::CallRecords | Self::GatewaySessions => CALL_RECORD,
            Self::Ledger => LEDGER,
            Self::Audit => AUDIT,
            Self::Backups => BACKUP,
            Self::KeyringBackups => KEYRING_BACKUP,
        }
    }

    /// Of which backups it is, if it is of files and not of rows.
    #[must_use]
    pub const fn backups(self) -> Option<Kind> {
        match self {
            Self::Backups => Some(Kind::Data),
            Self::KeyringBackups => Some(Kind::Keyring),
            _ => None,
        }
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Its id.
    pub id: RetentionRunId,
    /// What it goes over.
    pub class: Class,
    /// What is older than that goes.
    pub cutoff: Timestamp,
    /// How far it came.
    pub after: Uuid,
    /// Rows that it deleted or emptied.
    pub deleted: u64,
    /// Rows that were due and are held.
    pub held: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was through; `None`: it is not.
    pub finished_at: Option<Timestamp>,
}

impl Run {
    pub(super) fn begin(class: Class, cutoff: Timestamp, now: Timestamp) -> Self {
        let id = RetentionRunId::fresh();
        Self { id, class, cutoff, after: Uuid::nil(), deleted: 0, held: 0, started_at: now, finished_at: None }
    }
}

/// What a run would delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// What it goes over.
    pub class: Class,
    /// Days for which it is kept.
    pub days: u32,
    /// What is older than that is due.
    pub before: Timestamp,
    /// Rows that are due, those that are held with them.
    pub rows: u64,
}

/// How far behind the deletion of a class is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Debt {
    /// What it is.
    pub class: Class,
    /// How long ago the oldest row may have been due, in microseconds; `None` before the first whole run.
    pub behind_micros: Option<i64>,
}
