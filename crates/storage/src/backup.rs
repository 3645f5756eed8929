//! A copy of a database as a stream of records, and a database made of such a stream again: the same for both engines, so
//! that a copy of the one can be loaded into the other.
//!
//! [`dump`] reads every table in one read transaction, row after row, while others write. [`Reader`] checks a stream
//! without a database. [`load`] fills an empty database and then reads all of it once more: what lies in it is what was
//! copied. Until [`open_restored`] that database refuses to be opened.
//!
//! What becomes of the stream (compressed, encrypted, in which file) is for whoever gives the `Write`.

mod catalog;
mod dump;
mod format;
mod load;

pub use dump::dump;
pub use format::{Reader, Table};
pub use load::{bring_up_to_date, load, open_restored};

use crate::db::Db;
use crate::keyring::ErasuresHead;
use crate::migrations::{self, KEYRING, MAIN, Migrations};
use serde::{Deserialize, Serialize};
use std::io;
use std::ops::ControlFlow;
use tacit_kernel::{ErrorKind, Fault, Timestamp};

tacit_kernel::words! {
    /// Which database it is a copy of.
    Kind {
        /// The data.
        Data = "data",
        /// The keyring.
        Keyring = "keyring",
    }
}

impl Kind {
    pub(crate) const fn migrations(self) -> &'static Migrations {
        match self {
            Self::Data => &MAIN,
            Self::Keyring => &KEYRING,
        }
    }
}

/// What a copy says about itself, before its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `data` or `keyring`.
    pub kind: String,
    /// How many migrations the database had.
    pub schema: u64,
    /// Of the scripts of these migrations: another build may have others.
    pub schema_hash: [u8; 32],
    /// When it was begun.
    pub made_at: Timestamp,
    /// Version of the program.
    pub program: String,
    /// `sqlite` or `postgres`.
    pub engine: String,
    /// Which keyring it is a copy of, or which seals the data.
    pub keyring: [u8; 32],
    /// Up to which erasure that keyring knew of them.
    pub erasures: ErasuresHead,
}

/// What a whole copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Summary {
    /// Tables.
    pub tables: u64,
    /// Rows of all tables.
    pub rows: u64,
}

/// Told at every table and every thousand rows: the table, and how many rows of it are done. It may say that it is enough.
pub type Told<'t> = &'t mut (dyn FnMut(&str, u64) -> ControlFlow<()> + Send);

/// Rows between two words of progress.
const TELL: u64 = 1000;

/// Tells, and fails if whoever is told does not want more.
fn tell(told: &mut (dyn FnMut(&str, u64) -> ControlFlow<()> + Send), table: &str, rows: u64) -> Result<(), Fault> {
    match told(table, rows) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            Err(Fault::new(ErrorKind::Unavailable, "backup.stopped", "it was stopped before its end"))
        }
    }
}

/// Whether a database has no table of that kind.
///
/// # Errors
/// Storage faults.
pub async fn is_empty(db: &Db, kind: Kind) -> Result<bool, Fault> {
    let tables = db.read("backup.tables", |tx| Box::pin(catalog::tables(tx, kind))).await?;
    Ok(tables.is_empty())
}

/// Refuses a database that has not the schema of this program, which opening it would change.
///
/// # Errors
/// `storage.schema`, whose detail says what to do; storage faults.
pub async fn check_current(db: &Db, kind: Kind) -> Result<(), Fault> {
    Ok(db.read("backup.current", |tx| Box::pin(migrations::current(tx, kind.migrations()))).await.map(drop)?)
}

/// Something is wrong with the copy itself.
fn damaged(what: &str) -> Fault {
    Fault::new(
        ErrorKind::Invalid,
        "backup.damaged",
        format!("the backup is damaged or not whole ({what}): use another one"),
    )
}

fn unreadable(error: &io::Error) -> Fault {
    // What decrypts and decompresses says what is wrong, and quotes nothing of what it reads.
    damaged(&error.to_string())
}

fn unwritable(error: &io::Error) -> Fault {
    Fault::new(ErrorKind::Unavailable, "backup.unwritable", format!("the backup cannot be written: {error}"))
}
