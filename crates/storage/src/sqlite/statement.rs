//! Statements on a SQLite connection: prepared once, their parameters bound from where they are.

use super::Transaction;
use super::rows::{SqliteRow, each, read};
use crate::error::{StorageError, StorageErrorKind};
use crate::value::Value;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Rows};

/// A value as SQLite takes it; a UUID is its 16 bytes.
struct Bound<'v>(&'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::I64(n) => ValueRef::Integer(*n),
            Value::Text(s) => ValueRef::Text(s.as_bytes()),
            Value::Word(s) => ValueRef::Text(s.as_bytes()),
            Value::Bytes(b) => ValueRef::Blob(b),
            Value::Uuid(u) => ValueRef::Blob(u.as_bytes()),
        }))
    }
}

impl Transaction<'_> {
    /// Runs a statement; how many rows it wrote.
    pub(crate) fn run(&self, sql: &str, params: &[Value]) -> Result<u64, StorageError> {
        let connection = self.connection()?;
        let mut statement = self.prepared(sql)?;
        let mut rows = bound(&mut statement, params)?;
        while rows.next()?.is_some() {}
        Ok(connection.changes())
    }

    /// Runs a statement of one row for each of these; how many rows it wrote together. A statement of many rows would
    /// copy every value once more on its way, and keep the pages that it changes until it is over, as it might fail at
    /// its last row.
    pub(crate) fn run_each(&self, sql: &str, rows: std::slice::ChunksExact<'_, Value>) -> Result<u64, StorageError> {
        let connection = self.connection()?;
        let mut statement = self.prepared(sql)?;
        let mut written = 0;
        for row in rows {
            let mut results = bound(&mut statement, row)?;
            while results.next()?.is_some() {}
            drop(results);
            written += connection.changes();
        }
        Ok(written)
    }

    /// Runs a statement; the rows of its result.
    pub(crate) fn fetch(&self, sql: &str, params: &[Value]) -> Result<Vec<SqliteRow>, StorageError> {
        let mut statement = self.prepared(sql)?;
        read(bound(&mut statement, params)?)
    }

    /// Gives each row of a result as it comes.
    pub(crate) fn each<E: From<StorageError>>(
        &self,
        sql: &str,
        take: impl FnMut(SqliteRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self.prepared(sql)?;
        each(bound(&mut statement, &[])?, take)
    }

    /// Prepares a statement without running it.
    #[cfg(feature = "testing")]
    pub(crate) fn prepare(&self, sql: &str) -> Result<(), StorageError> {
        self.prepared(sql).map(drop)
    }

    /// Runs several statements without parameters.
    pub(crate) fn script(&self, text: &str) -> Result<(), StorageError> {
        Ok(self.connection()?.execute_batch(text)?)
    }

    fn prepared(&self, sql: &str) -> Result<CachedStatement<'_>, StorageError> {
        Ok(self.connection()?.prepare_cached(sql)?)
    }
}

/// SQLite would take a missing parameter for NULL, in silence.
///
/// To SQLite `$2` is a name: parameters are counted as they first appear. So each is asked which number it has; `?` has
/// none and stands where it is counted. A statement has the one kind or the other, so that the many of a
/// [`Bulk`](crate::Bulk) need not be asked.
fn bound<'s>(statement: &'s mut CachedStatement<'_>, params: &[Value]) -> Result<Rows<'s>, StorageError> {
    let wrong = || {
        let detail = format!("{} parameters do not fit the statement", params.len());
        StorageError::new(StorageErrorKind::Other, detail)
    };
    if statement.parameter_count() != params.len() {
        return Err(wrong());
    }
    if statement.parameter_name(1).is_none() {
        for (place, value) in (1..).zip(params) {
            statement.raw_bind_parameter(place, Bound(value))?;
        }
        return Ok(statement.raw_query());
    }
    for place in 1..=params.len() {
        let name = statement.parameter_name(place).and_then(|name| name.strip_prefix('$'));
        let number: usize = name.and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
        let value = number.checked_sub(1).and_then(|i| params.get(i)).ok_or_else(wrong)?;
        statement.raw_bind_parameter(place, Bound(value))?;
    }
    Ok(statement.raw_query())
}
