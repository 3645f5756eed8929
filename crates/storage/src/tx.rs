//! Transactions: what a closure given to [`Db::read`](crate::Db::read) or [`Db::write`](crate::Db::write) works with,
//! and the loop that tries it again.

use crate::db::{Db, Engine, POSTGRES_CONNECTIONS, Pools};
use crate::error::{Retryable, StorageError, StorageErrorKind};
use crate::row::{Inner, Row};
use crate::sql::{Bulk, Sql, SqlText};
use crate::value::{Value, postgres_arguments, sqlite_arguments};
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Either, Executor, Postgres, SqlSafeStr, SqlStr, Sqlite, Transaction};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// How often a transaction that others were in the way of is begun, at most.
const ATTEMPTS: u32 = 10;
/// From this attempt on a transaction has the database for itself, as far as this process goes: under SERIALIZABLE many
/// writers of one row would else fail each other again and again.
const ALONE: u32 = 3;

enum Conn {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// A read transaction: one unmoving view of the database. The lifetime is that of what the closure borrows.
pub struct ReadTx<'c> {
    conn: Conn,
    borrows: PhantomData<&'c ()>,
}

/// A write transaction. It also reads.
pub struct WriteTx<'c>(ReadTx<'c>);

impl<'c> Deref for WriteTx<'c> {
    type Target = ReadTx<'c>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for WriteTx<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl ReadTx<'_> {
    /// Every row of the result.
    ///
    /// # Errors
    /// Any [`StorageError`]; `Other` if the number of parameters is not the statement's.
    pub async fn all(&mut self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        check_arity(sql, params)?;
        self.fetch(sql.text().into_sql_str(), params).await
    }

    /// The row of a result that has at most one.
    ///
    /// # Errors
    /// As [`ReadTx::all`]; `Other` if there is more than one row.
    pub async fn one(&mut self, sql: &Sql, params: &[Value]) -> Result<Option<Row>, StorageError> {
        let mut rows = self.all(sql, params).await?;
        let row = rows.pop();
        if rows.is_empty() { Ok(row) } else { Err(StorageError::new(StorageErrorKind::Other, "more than one row")) }
    }

    /// Every row of the result of a built statement.
    ///
    /// # Errors
    /// Any [`StorageError`].
    pub async fn query(&mut self, sql: SqlText) -> Result<Vec<Row>, StorageError> {
        self.fetch(AssertSqlSafe(sql.text).into_sql_str(), &sql.values).await
    }

    pub(crate) async fn fetch(&mut self, sql: SqlStr, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        match &mut self.conn {
            Conn::Sqlite(tx) => {
                let mut rows = Vec::new();
                let query = sqlx::query_with(sql, sqlite_arguments(params)?);
                one_statement(tx, query, |row| rows.push(Row(Inner::Sqlite(row)))).await?;
                Ok(rows)
            }
            Conn::Postgres(tx) => {
                let rows = sqlx::query_with(sql, postgres_arguments(params)?).fetch_all(&mut **tx).await?;
                Ok(rows.into_iter().map(|r| Row(Inner::Postgres(r))).collect())
            }
        }
    }

    /// Prepares a statement without running it.
    pub(crate) async fn prepare(&mut self, sql: SqlStr) -> Result<(), StorageError> {
        match &mut self.conn {
            Conn::Sqlite(tx) => drop(tx.prepare(sql).await?),
            Conn::Postgres(tx) => drop(tx.prepare(sql).await?),
        }
        Ok(())
    }

    async fn run(&mut self, sql: SqlStr, params: &[Value]) -> Result<u64, StorageError> {
        Ok(match &mut self.conn {
            Conn::Sqlite(tx) => one_statement(tx, sqlx::query_with(sql, sqlite_arguments(params)?), drop).await?,
            Conn::Postgres(tx) => {
                sqlx::query_with(sql, postgres_arguments(params)?).execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    pub(crate) const fn engine(&self) -> Engine {
        match self.conn {
            Conn::Sqlite(_) => Engine::Sqlite,
            Conn::Postgres(_) => Engine::Postgres,
        }
    }

    async fn commit(self) -> Result<(), StorageError> {
        match self.conn {
            Conn::Sqlite(tx) => tx.commit().await?,
            Conn::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

impl WriteTx<'_> {
    /// Runs a statement; how many rows it wrote.
    ///
    /// # Errors
    /// Any [`StorageError`]; `Other` if the number of parameters is not the statement's.
    pub async fn execute(&mut self, sql: &Sql, params: &[Value]) -> Result<u64, StorageError> {
        check_arity(sql, params)?;
        self.0.run(sql.text().into_sql_str(), params).await
    }

    /// Writes many rows, given as one flat list of values; how many rows were written. No rows: nothing is done.
    ///
    /// # Errors
    /// Any [`StorageError`]; `Other` if the values are not whole rows.
    pub async fn bulk(&mut self, bulk: &'static Bulk, values: &[Value]) -> Result<u64, StorageError> {
        let mut written = 0;
        for (text, group) in whole_rows(self.engine(), bulk, values)? {
            written += self.0.run(AssertSqlSafe(text).into_sql_str(), group).await?;
        }
        Ok(written)
    }

    /// The same for a statement whose tail ends with `RETURNING …`.
    ///
    /// # Errors
    /// As [`WriteTx::bulk`].
    pub async fn bulk_returning(&mut self, bulk: &'static Bulk, values: &[Value]) -> Result<Vec<Row>, StorageError> {
        let mut rows = Vec::new();
        for (text, group) in whole_rows(self.engine(), bulk, values)? {
            rows.append(&mut self.0.fetch(AssertSqlSafe(text).into_sql_str(), group).await?);
        }
        Ok(rows)
    }

    /// Runs a script of several statements without parameters; for migrations.
    pub(crate) async fn script(&mut self, text: String) -> Result<(), StorageError> {
        let script = sqlx::raw_sql(AssertSqlSafe(text));
        match &mut self.0.conn {
            Conn::Sqlite(tx) => script.execute(&mut **tx).await.map(|_| ())?,
            Conn::Postgres(tx) => script.execute(&mut **tx).await.map(|_| ())?,
        }
        Ok(())
    }
}

/// Runs one statement on SQLite up to its outcome; how many rows it wrote. What sqlx offers also waits to hear that no
/// other statement follows in the text: another wake-up of this task for each statement.
async fn one_statement(
    tx: &mut Transaction<'static, Sqlite>,
    query: Query<'_, Sqlite, SqliteArguments>,
    mut row: impl FnMut(SqliteRow),
) -> Result<u64, StorageError> {
    let mut steps = (&mut **tx).fetch_many(query);
    while let Some(step) = steps.try_next().await? {
        match step {
            Either::Left(done) => return Ok(done.rows_affected()),
            Either::Right(read) => row(read),
        }
    }
    Err(StorageError::new(StorageErrorKind::Other, "a statement without an outcome"))
}

type Groups<'v> = Vec<(std::sync::Arc<str>, &'v [Value])>;

fn whole_rows<'v>(engine: Engine, bulk: &'static Bulk, values: &'v [Value]) -> Result<Groups<'v>, StorageError> {
    bulk.groups(engine, values).ok_or_else(|| {
        let detail = format!("{} values are not rows of {}", values.len(), bulk.columns());
        StorageError::new(StorageErrorKind::Other, detail)
    })
}

/// sqlx binds missing parameters as NULL on SQLite, in silence.
fn check_arity(sql: &Sql, params: &[Value]) -> Result<(), StorageError> {
    if sql.arity() == params.len() {
        return Ok(());
    }
    let detail = format!("{} parameters for a statement of {}", params.len(), sql.arity());
    Err(StorageError::new(StorageErrorKind::Other, detail))
}

pub(crate) async fn read<'c, T, E>(
    db: &'c Db,
    name: &'static str,
    mut work: impl for<'a> FnMut(&'a mut ReadTx<'c>) -> BoxFuture<'a, Result<T, E>>,
) -> Result<T, E>
where
    E: From<StorageError>,
{
    let mut tx = begin(db, name, false).await?;
    let done = work(&mut tx).await?;
    tx.commit().await?;
    Ok(done)
}

pub(crate) async fn write<'c, T, E>(
    db: &'c Db,
    name: &'static str,
    mut work: impl for<'a> FnMut(&'a mut WriteTx<'c>) -> BoxFuture<'a, Result<T, E>>,
) -> Result<T, E>
where
    E: From<StorageError> + Retryable,
{
    let mut attempt = 1;
    loop {
        // Each is a guard held until this attempt is over.
        let _together = if attempt < ALONE { Some(db.writers.read().await) } else { None };
        let _alone = if attempt < ALONE { None } else { Some(db.writers.write().await) };
        let error = match begin(db, name, true).await {
            Err(error) => E::from(error),
            Ok(tx) => {
                let mut tx = WriteTx(tx);
                match work(&mut tx).await {
                    // Dropping the transaction rolls it back.
                    Err(error) => error,
                    Ok(done) => match tx.0.commit().await {
                        Ok(()) => return Ok(done),
                        Err(error) => E::from(error),
                    },
                }
            }
        };
        if attempt >= ATTEMPTS || !error.is_retryable() {
            return Err(error);
        }
        drop((_together, _alone));
        tracing::debug!(event = "storage.retry", detail = name, attempt);
        tokio::time::sleep(back_off(attempt)).await;
        attempt += 1;
    }
}

/// 1 ms, doubled each time up to 128 ms, and by chance between half and the whole of it.
fn back_off(attempt: u32) -> Duration {
    let micros = 1000_u64 << (attempt - 1).min(7);
    Duration::from_micros(rand::random_range(micros / 2..=micros))
}

async fn begin<'c>(db: &'c Db, name: &'static str, write: bool) -> Result<ReadTx<'c>, StorageError> {
    let mut stale = 0;
    loop {
        let begun = match (&db.pools, write) {
            (Pools::Sqlite { writer, .. }, true) => writer.begin_with("BEGIN IMMEDIATE").await.map(Conn::Sqlite),
            (Pools::Sqlite { readers, .. }, false) => readers.begin_with("BEGIN DEFERRED").await.map(Conn::Sqlite),
            (Pools::Postgres(pool), true) => {
                pool.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE").await.map(Conn::Postgres)
            }
            (Pools::Postgres(pool), false) => {
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map(Conn::Postgres)
            }
        };
        let error = match begun {
            Ok(conn) => return Ok(ReadTx { conn, borrows: PhantomData }),
            Err(error) => error,
        };
        let by_connection = matches!(error, sqlx::Error::Io(_) | sqlx::Error::Database(_));
        let error = StorageError::from(error);
        // A pooled connection that died while it was idle, as all do when the server is restarted: nothing was done on
        // it yet, and the pool drops it.
        if by_connection && error.kind == StorageErrorKind::Unavailable && stale <= POSTGRES_CONNECTIONS {
            stale += 1;
            continue;
        }
        tracing::debug!(event = "storage.begin_failed", component = name, detail = %error.detail);
        return Err(error);
    }
}
