//! A database of either engine.

use crate::error::{Retryable, StorageError, StorageErrorKind};
use crate::migrations;
use crate::sqlite;
use crate::tx::{self, ReadTx, WriteTx};
use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Timestamp;
use tokio::sync::RwLock;

/// Statements kept prepared on each connection. Every constant statement and every group size of every [`crate::Bulk`]
/// fits.
pub(crate) const PREPARED: usize = 512;

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
    Sqlite(Arc<sqlite::File>),
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
        Self::open_with(url, Self::CONNECTIONS).await
    }

    /// Connections to PostgreSQL at most, where nobody says how many.
    pub const CONNECTIONS: u32 = 16;

    /// The same, with at most that many connections to PostgreSQL. SQLite has one writer and a few readers, always.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn open_with(url: &str, connections: u32) -> Result<Self, StorageError> {
        let pools = match url.split_once(':') {
            Some(("sqlite", path)) => match path.strip_prefix("//").unwrap_or(path) {
                "" => return Err(bad_url()),
                path => Pools::Sqlite(Arc::new(sqlite::File::open(Path::new(path)).await?)),
            },
            Some(("postgres" | "postgresql", _)) => open_postgres(url, connections).await?,
            _ => return Err(bad_url()),
        };
        Ok(Self { pools, writers: Arc::default() })
    }

    /// Which engine it is.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.pools {
            Pools::Sqlite(_) => Engine::Sqlite,
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
            Pools::Sqlite(file) => file.close().await,
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

fn bad_url() -> StorageError {
    let detail = "the database URL is neither sqlite:/path/to/file nor postgres://user@host/database";
    StorageError::new(StorageErrorKind::Other, detail)
}

async fn open_postgres(url: &str, connections: u32) -> Result<Pools, StorageError> {
    let options: PgConnectOptions = url.parse().map_err(|_| bad_url())?;
    let options = options.application_name("tacit").statement_cache_capacity(PREPARED).disable_statement_logging();
    // One connection by hand: the pool would try for long and then not say what is wrong.
    let first = options.connect().await.map_err(|e| {
        let error = StorageError::from(e);
        StorageError { detail: format!("the PostgreSQL server does not let us in: {}", error.detail), ..error }
    })?;
    first.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .connect_lazy_with(options);
    Ok(Pools::Postgres(pool))
}
