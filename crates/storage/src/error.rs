//! What can go wrong with a database, without a value of any row: PostgreSQL's details quote rows, so they are
//! dropped here.

use rusqlite::ffi;
use sqlx::error::{DatabaseError, ErrorKind as SqlKind};
use std::ffi::c_int;
use std::fmt;
use tacit_kernel::{ErrorKind, Fault};

/// The kind of a storage failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageErrorKind {
    /// Another transaction was in the way; trying again helps, and [`crate::Db::write`] has done so.
    Busy,
    /// A value that must be unique exists already.
    Unique,
    /// A row that is referred to does not exist, or one that is referred to would vanish.
    ForeignKey,
    /// A value breaks a rule of its table or does not fit its column.
    Check,
    /// The database cannot be reached or cannot write.
    Unavailable,
    /// A stored value is not what its column promises.
    Inconsistent {
        /// Table, or `result` if only the statement's result is known.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// The schema is not the one this program needs; the detail tells what to do.
    Schema,
    /// Anything else: a fault of the program.
    Other,
}

/// A failure of the database. Its detail holds no value of any row.
#[derive(Clone, PartialEq, Eq)]
pub struct StorageError {
    /// See [`StorageErrorKind`].
    pub kind: StorageErrorKind,
    /// For the operator: the engine's code and the objects concerned.
    pub detail: String,
}

/// Whether a failed transaction may be tried again.
pub trait Retryable {
    /// `true` if another transaction was in the way.
    fn is_retryable(&self) -> bool;
}

impl StorageError {
    /// A stored value that is not what its column promises.
    #[must_use]
    pub fn inconsistent(table: &'static str, column: &'static str) -> Self {
        let detail = format!("{table}.{column} holds a value that is not allowed there");
        Self { kind: StorageErrorKind::Inconsistent { table, column }, detail }
    }

    pub(crate) fn new(kind: StorageErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

impl Retryable for StorageError {
    fn is_retryable(&self) -> bool {
        self.kind == StorageErrorKind::Busy
    }
}

impl Retryable for Fault {
    fn is_retryable(&self) -> bool {
        self.code == BUSY
    }
}

const BUSY: &str = "storage.busy";

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        use StorageErrorKind as K;
        let (kind, code, message) = match error.kind {
            K::Busy => (ErrorKind::Unavailable, BUSY, "the database is busy, try again"),
            K::Unavailable => (ErrorKind::Unavailable, "storage.unavailable", "the database cannot be reached now"),
            K::Unique => (ErrorKind::Conflict, "storage.exists", "such a thing exists already"),
            K::ForeignKey => (ErrorKind::Conflict, "storage.reference", "something refers to this, or it is not there"),
            K::Check => return Self::internal("storage.check", error.detail),
            K::Inconsistent { .. } => return Self::internal("storage.inconsistent", error.detail),
            K::Schema => return Self::internal("storage.schema", error.detail),
            K::Other => return Self::internal("storage.failed", error.detail),
        };
        Self::new(kind, code, message).with_detail(error.detail)
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        use StorageErrorKind as K;
        match &error {
            sqlx::Error::Database(e) => from_postgres(e.as_ref()),
            sqlx::Error::Io(e) => Self::new(K::Unavailable, format!("connection: {}", e.kind())),
            sqlx::Error::PoolTimedOut => Self::new(K::Unavailable, "no free connection in time"),
            sqlx::Error::PoolClosed => Self::new(K::Unavailable, "the database is closed"),
            sqlx::Error::Tls(_) => Self::new(K::Unavailable, "TLS to the database failed"),
            sqlx::Error::BeginFailed => Self::new(K::Unavailable, "BEGIN failed"),
            sqlx::Error::ColumnNotFound(_) => Self::new(K::Other, "the result has no such column"),
            // The remaining ones may quote values; their name is enough to find the place.
            sqlx::Error::Protocol(_) => Self::new(K::Other, "the driver reports a protocol error"),
            _ => Self::new(K::Other, "the driver reports an error"),
        }
    }
}

fn from_postgres(error: &dyn DatabaseError) -> StorageError {
    use StorageErrorKind as K;
    let code = error.code().unwrap_or_default().into_owned();
    let kind = match error.kind() {
        SqlKind::UniqueViolation => K::Unique,
        SqlKind::ForeignKeyViolation => K::ForeignKey,
        SqlKind::CheckViolation | SqlKind::NotNullViolation => K::Check,
        _ => postgres_kind(&code),
    };
    let mut detail = format!("code {code}");
    if let Some(pg) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        for (what, name) in [("constraint", pg.constraint()), ("table", pg.table()), ("column", pg.column())] {
            if let Some(name) = name {
                detail.push_str(&format!(", {what} {name}"));
            }
        }
        // Class 42 (syntax, unknown names) speaks of the statement only.
        if code.starts_with("42") {
            detail.push_str(&format!(": {}", pg.message()));
        }
    }
    StorageError { kind, detail }
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        // SQLite's messages name tables and columns, never values.
        let (code, message) = match &error {
            E::SqliteFailure(e, message) => (e.extended_code, message.as_deref()),
            E::SqlInputError { error, msg, .. } => (error.extended_code, Some(msg.as_str())),
            E::MultipleStatement => return Self::new(StorageErrorKind::Other, "more than one statement"),
            // The remaining ones may quote values; their name is enough to find the place.
            _ => return Self::new(StorageErrorKind::Other, "the driver reports an error"),
        };
        Self::new(sqlite_kind(code), format!("code {code}: {}", message.unwrap_or("no message")))
    }
}

/// <https://sqlite.org/rescode.html>: the low byte is the primary code.
fn sqlite_kind(code: c_int) -> StorageErrorKind {
    use StorageErrorKind as K;
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => K::Unique,
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => K::ForeignKey,
        ffi::SQLITE_CONSTRAINT_CHECK | ffi::SQLITE_CONSTRAINT_NOTNULL => K::Check,
        _ => match code & 0xff {
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => K::Busy,
            ffi::SQLITE_PERM
            | ffi::SQLITE_READONLY
            | ffi::SQLITE_IOERR
            | ffi::SQLITE_CORRUPT
            | ffi::SQLITE_FULL
            | ffi::SQLITE_CANTOPEN
            | ffi::SQLITE_NOTADB => K::Unavailable,
            // Of another type than its column, or too large.
            ffi::SQLITE_CONSTRAINT | ffi::SQLITE_MISMATCH | ffi::SQLITE_TOOBIG => K::Check,
            _ => K::Other,
        },
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn postgres_kind(code: &str) -> StorageErrorKind {
    match code {
        "40001" | "40P01" | "55P03" => StorageErrorKind::Busy,
        "25006" => StorageErrorKind::Unavailable,
        _ => match code.get(..2) {
            Some("08" | "53" | "57" | "58" | "28") => StorageErrorKind::Unavailable,
            // Out of the range of its type, or not of it.
            Some("22") => StorageErrorKind::Check,
            _ => StorageErrorKind::Other,
        },
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database: {}", self.detail)
    }
}

impl fmt::Debug for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.detail)
    }
}

impl std::error::Error for StorageError {}
