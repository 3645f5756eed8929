//! A database of either engine.

use crate::error::{Retryable, StorageError, StorageErrorKind};
use crate::migrations;
use crate::tx::{self, ReadTx, WriteTx};
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgPool, SqlitePool};
use std::fmt;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Timestamp;
use tokio::sync::RwLock;

/// Statements kept prepared on each connection. Every constant statement and every group size of every [`crate::Bulk`]
/// fits.
const PREPARED: usize = 512;
const SQLITE_READERS: u32 = 4;
pub(crate) const POSTGRES_CONNECTIONS: u32 = 16;

/// Which database program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, a file.
    Sqlite,
    /// PostgreSQL, a server.
    Postgres,
}

#[derive(Clone)]
pub(crate) enum Pools {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(PgPool),
}

/// An open database. Cloning is cheap.
#[derive(Clone)]
pub struct Db {
    pub(crate) pools: Pools,
    /// Shared by write transactions; held alone by one that others were in the way of.
    pub(crate) writers: Arc<RwLock<()>>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.engine())
    }
}

impl Db {
    /// Opens `sqlite:/path/to/file` (made with mode 0600 if it is not there; its directory must be) or
    /// `postgres://user@host/database`.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be opened or reached, `Other` if the URL has another form. The URL, which may hold a
    /// password, is not in the error.
    pub async fn open(url: &str) -> Result<Self, StorageError> {
        let pools = match url.split_once(':') {
            Some(("sqlite", path)) => open_sqlite(Path::new(path.strip_prefix("//").unwrap_or(path))).await?,
            Some(("postgres" | "postgresql", _)) => open_postgres(url).await?,
            _ => return Err(bad_url()),
        };
        Ok(Self { pools, writers: Arc::default() })
    }

    /// Which engine it is.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// Brings the main schema up to date.
    ///
    /// # Errors
    /// `Schema` if the database is newer than this program or was changed by hand; the detail tells what to do.
    pub async fn migrate(&self, now: Timestamp) -> Result<(), StorageError> {
        migrations::run(self, &migrations::MAIN, now).await
    }

    /// Brings the keyring's schema up to date.
    ///
    /// # Errors
    /// As [`Db::migrate`].
    pub async fn migrate_keyring(&self, now: Timestamp) -> Result<(), StorageError> {
        migrations::run(self, &migrations::KEYRING, now).await
    }

    /// Runs a read transaction. `name` is for the log; it is a constant such as `account.list`.
    ///
    /// # Errors
    /// What the closure returns, or a [`StorageError`].
    pub async fn read<'c, T, E>(
        &'c self,
        name: &'static str,
        work: impl for<'a> FnMut(&'a mut ReadTx<'c>) -> BoxFuture<'a, Result<T, E>>,
    ) -> Result<T, E>
    where
        E: From<StorageError>,
    {
        tx::read(self, name, work).await
    }

    /// Runs a write transaction: commits if the closure returns `Ok`, rolls back if it returns `Err`, and begins anew if
    /// another transaction was in the way. A write does not begin another one inside: it would wait for itself.
    ///
    /// # Errors
    /// What the closure returns, or a [`StorageError`].
    pub async fn write<'c, T, E>(
        &'c self,
        name: &'static str,
        work: impl for<'a> FnMut(&'a mut WriteTx<'c>) -> BoxFuture<'a, Result<T, E>>,
    ) -> Result<T, E>
    where
        E: From<StorageError> + Retryable,
    {
        tx::write(self, name, work).await
    }

    /// Closes all connections, after the transactions that run.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                // The last one to close folds the write-ahead log into the file and removes it.
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

fn bad_url() -> StorageError {
    let detail = "the database URL is neither sqlite:/path/to/file nor postgres://user@host/database";
    StorageError::new(StorageErrorKind::Other, detail)
}

async fn open_sqlite(path: &Path) -> Result<Pools, StorageError> {
    if path.as_os_str().is_empty() {
        return Err(bad_url());
    }
    own_file(path).map_err(|e| {
        let detail = format!(
            "the database file {} cannot be opened ({}): its directory must exist and belong to this user",
            path.display(),
            e.kind()
        );
        StorageError::new(StorageErrorKind::Unavailable, detail)
    })?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .statement_cache_capacity(PREPARED)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    // FULL: a commit is on the disk when it returns. secure_delete: what is deleted is overwritten.
    let writing = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // Pages of a busy log are copied into the file every 16 MB, not every 4: most are written again and again.
        .pragma("wal_autocheckpoint", "4000")
        .pragma("secure_delete", "ON");
    // The one writer stays open, so that readers always find the write-ahead log.
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(Duration::from_secs(30))
        .test_before_acquire(false)
        .connect_with(writing)
        .await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(Duration::from_secs(30))
        .test_before_acquire(false)
        .connect_lazy_with(options.read_only(true));
    Ok(Pools::Sqlite { writer, readers })
}

/// Makes the file, or takes the rights of others from it. SQLite gives its side files the same mode.
fn own_file(path: &Path) -> std::io::Result<()> {
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

async fn open_postgres(url: &str) -> Result<Pools, StorageError> {
    let options: PgConnectOptions = url.parse().map_err(|_| bad_url())?;
    let options = options.application_name("tacit").statement_cache_capacity(PREPARED).disable_statement_logging();
    // One connection by hand: the pool would try for long and then not say what is wrong.
    let first = options.connect().await.map_err(|e| {
        let error = StorageError::from(e);
        StorageError { detail: format!("the PostgreSQL server does not let us in: {}", error.detail), ..error }
    })?;
    first.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .connect_lazy_with(options);
    Ok(Pools::Postgres(pool))
}
