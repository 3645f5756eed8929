//! Transactions: what a closure given to [`Db::read`](crate::Db::read) or [`Db::write`](crate::Db::write) works with,
//! and the loop that tries it again.

use crate::db::{Db, Engine, Pools};
use crate::error::{Retryable, StorageError, StorageErrorKind};
use crate::row::{Inner, Row};
use crate::sql::{Bulk, Sql, SqlText};
use crate::sqlite;
use crate::value::{Value, postgres_arguments};
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use sqlx::{AssertSqlSafe, PgPool, Postgres, SqlSafeStr, SqlStr};
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use tacit_kernel::Fault;

/// How often a transaction that others were in the way of is begun, at most.
const ATTEMPTS: u32 = 10;
/// From this attempt on a transaction has the database for itself, as far as this process goes: under SERIALIZABLE many
/// writers of one row would else fail each other again and again.
const ALONE: u32 = 3;

/// Rows of one statement of [`WriteTx::insert`]: PostgreSQL takes 65,535 parameters, and no table of ours has 200 columns.
const INSERTED: usize = 256;

enum Conn<'c> {
    Sqlite(sqlite::Transaction<'c>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// A read transaction: one unmoving view of the database. The lifetime is that of the database and of what the closure
/// borrows.
pub struct ReadTx<'c>(Conn<'c>);

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
        Ok(match &mut self.0 {
            Conn::Sqlite(tx) => tx.fetch(sql.as_str(), params)?.into_iter().map(|r| Row(Inner::Sqlite(r))).collect(),
            Conn::Postgres(tx) => {
                let rows = sqlx::query_with(sql, postgres_arguments(params)?).fetch_all(&mut **tx).await?;
                rows.into_iter().map(|r| Row(Inner::Postgres(r))).collect()
            }
        })
    }

    /// Gives every row of the result as it comes: only one is in memory. What takes it may take its time.
    pub(crate) async fn each(
        &mut self,
        sql: String,
        take: &mut (dyn FnMut(Row) -> Result<(), Fault> + Send),
    ) -> Result<(), Fault> {
        match &mut self.0 {
            Conn::Sqlite(tx) => tx.each(&sql, |row| take(Row(Inner::Sqlite(row)))),
            Conn::Postgres(tx) => {
                let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut **tx);
                while let Some(row) = rows.try_next().await.map_err(StorageError::from)? {
                    take(Row(Inner::Postgres(row)))?;
                }
                Ok(())
            }
        }
    }

    /// Prepares a statement without running it.
    #[cfg(feature = "testing")]
    pub(crate) async fn prepare(&mut self, sql: SqlStr) -> Result<(), StorageError> {
        use sqlx::Executor as _;
        match &mut self.0 {
            Conn::Sqlite(tx) => tx.prepare(sql.as_str())?,
            Conn::Postgres(tx) => drop(tx.prepare(sql).await?),
        }
        Ok(())
    }

    async fn run(&mut self, sql: SqlStr, params: &[Value]) -> Result<u64, StorageError> {
        Ok(match &mut self.0 {
            Conn::Sqlite(tx) => tx.run(sql.as_str(), params)?,
            Conn::Postgres(tx) => {
                sqlx::query_with(sql, postgres_arguments(params)?).execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    pub(crate) const fn engine(&self) -> Engine {
        match self.0 {
            Conn::Sqlite(_) => Engine::Sqlite,
            Conn::Postgres(_) => Engine::Postgres,
        }
    }

    async fn commit(self) -> Result<(), StorageError> {
        match self.0 {
            Conn::Sqlite(tx) => tx.commit(),
            Conn::Postgres(tx) => Ok(tx.commit().await?),
        }
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

    /// Runs a statement whose text was put together; how many rows it wrote.
    ///
    /// # Errors
    /// Any [`StorageError`].
    pub async fn change(&mut self, sql: SqlText) -> Result<u64, StorageError> {
        self.0.run(AssertSqlSafe(sql.text).into_sql_str(), &sql.values).await
    }

    /// Writes many rows, given as one flat list of values; how many rows were written. No rows: nothing is done.
    ///
    /// # Errors
    /// Any [`StorageError`]; `Other` if the values are not whole rows.
    pub async fn bulk(&mut self, bulk: &'static Bulk, values: &[Value]) -> Result<u64, StorageError> {
        if let Conn::Sqlite(tx) = &self.0.0 {
            let (text, rows) = bulk.each(values).ok_or_else(|| not_rows(bulk, values))?;
            return tx.run_each(&text, rows);
        }
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

    /// Writes rows with a statement that is made for the occasion: `head` goes up to `VALUES`.
    pub(crate) async fn insert(&mut self, head: &str, columns: usize, values: &[Value]) -> Result<(), StorageError> {
        if let Conn::Sqlite(tx) = &self.0.0 {
            let text = format!("{head} ({})", vec!["?"; columns].join(", "));
            return tx.run_each(&text, values.chunks_exact(columns.max(1))).map(drop);
        }
        for rows in values.chunks(columns.max(1) * INSERTED) {
            let mut text = head.to_owned();
            for row in 0..rows.len() / columns.max(1) {
                let places: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
                text.push_str(&format!("{}({})", if row == 0 { " " } else { ", " }, places.join(", ")));
            }
            self.0.run(AssertSqlSafe(text).into_sql_str(), rows).await?;
        }
        Ok(())
    }

    /// Runs a script of several statements without parameters; for migrations.
    pub(crate) async fn script(&mut self, text: String) -> Result<(), StorageError> {
        match &mut self.0.0 {
            Conn::Sqlite(tx) => tx.script(&text),
            Conn::Postgres(tx) => Ok(sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut **tx).await.map(drop)?),
        }
    }
}

type Groups<'v> = Vec<(std::sync::Arc<str>, &'v [Value])>;

fn whole_rows<'v>(engine: Engine, bulk: &'static Bulk, values: &'v [Value]) -> Result<Groups<'v>, StorageError> {
    bulk.groups(engine, values).ok_or_else(|| not_rows(bulk, values))
}

fn not_rows(bulk: &Bulk, values: &[Value]) -> StorageError {
    let detail = format!("{} values are not rows of {}", values.len(), bulk.columns());
    StorageError::new(StorageErrorKind::Other, detail)
}

/// Told before the engine is asked, and in the same words for both.
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
    let place = place(db, name, false).await?;
    // In a box: a future of this size would else be a part of every future that waits for it, and be moved with it.
    let transaction = Box::pin(async {
        let mut tx = begin(place, name, false).await?;
        let done = work(&mut tx).await?;
        tx.commit().await?;
        Ok(done)
    });
    on(db, transaction).await
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
        let tried = match place(db, name, true).await {
            Err(error) => Err(E::from(error)),
            Ok(place) => {
                let transaction = Box::pin(async {
                    let mut tx = WriteTx(begin(place, name, true).await?);
                    // Dropping the transaction rolls it back.
                    let done = work(&mut tx).await?;
                    tx.0.commit().await?;
                    Ok(done)
                });
                on(db, transaction).await
            }
        };
        let error = match tried {
            Ok(done) => return Ok(done),
            Err(error) => error,
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

/// Where a transaction can begin.
enum Place<'c> {
    Sqlite(sqlite::Turn<'c>),
    Postgres(&'c PgPool),
}

/// Waits until a transaction can begin. On SQLite all the waiting is here.
async fn place<'c>(db: &'c Db, name: &'static str, write: bool) -> Result<Place<'c>, StorageError> {
    match &db.pools {
        Pools::Sqlite(file) => file.turn(write).await.map(Place::Sqlite).inspect_err(|e| not_begun(name, e)),
        Pools::Postgres(pool) => Ok(Place::Postgres(pool)),
    }
}

/// Does a whole transaction, on SQLite at one go.
async fn on<T>(db: &Db, transaction: impl Future<Output = T> + Unpin) -> T {
    match db.engine() {
        Engine::Sqlite => sqlite::aside(transaction).await,
        Engine::Postgres => transaction.await,
    }
}

async fn begin<'c>(place: Place<'c>, name: &'static str, write: bool) -> Result<ReadTx<'c>, StorageError> {
    let begun = match place {
        Place::Sqlite(turn) => turn.begin().map(Conn::Sqlite),
        Place::Postgres(pool) => begin_postgres(pool, write).await.map(Conn::Postgres),
    };
    begun.map(ReadTx).inspect_err(|e| not_begun(name, e))
}

fn not_begun(name: &'static str, error: &StorageError) {
    tracing::debug!(event = "storage.begin_failed", component = name, detail = %error.detail);
}

async fn begin_postgres(pool: &PgPool, write: bool) -> Result<sqlx::Transaction<'static, Postgres>, StorageError> {
    let statement = if write {
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"
    } else {
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    };
    let mut stale = 0;
    loop {
        let error = match pool.begin_with(statement).await {
            Ok(begun) => return Ok(begun),
            Err(error) => error,
        };
        let by_connection = matches!(error, sqlx::Error::Io(_) | sqlx::Error::Database(_));
        let error = StorageError::from(error);
        // A pooled connection that died while it was idle, as all do when the server is restarted: nothing was done on
        // it yet, and the pool drops it.
        if !by_connection || error.kind != StorageErrorKind::Unavailable || stale > pool.options().get_max_connections()
        {
            return Err(error);
        }
        stale += 1;
    }
}
