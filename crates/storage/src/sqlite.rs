//! SQLite: one connection that writes and a few that read, each used by the thread that asks.
//!
//! There is no thread for the database: a statement is a call of a function. Nothing in a transaction waits, but for
//! the disk and for another program that writes the same file; [`aside`] lets other tasks run meanwhile. What does wait,
//! for the turn of a connection, waits before that, and holds no thread.

mod rows;
mod statement;

pub(crate) use rows::{Cell, FromCell, SqliteRow};

use crate::error::{StorageError, StorageErrorKind};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use std::fs;
use std::future::poll_fn;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

const READERS: u32 = 4;
/// How long a transaction waits for its turn.
const TURN: Duration = Duration::from_secs(30);

/// How long what another program locks is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// For every connection.
const EVERYWHERE: &str = "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;";
/// For the one that writes. FULL: a commit is on the disk when it returns. secure_delete: what is deleted is
/// overwritten. Pages of a busy log are copied into the file every 16 MB, not every 4: most are written again and again.
/// The log keeps its size then (no journal_size_limit), so that commits overwrite it; see `.cargo/config.toml`. 32 MB of
/// pages stay in memory: with SQLite's own 2 MB the ends of the trees that every call is written to are read again and
/// again.
const WRITING: &str = "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA secure_delete = ON; \
    PRAGMA cache_size = -32768;";

/// A database file that is open.
pub(crate) struct File {
    // Dropped first: the last connection to close folds the write-ahead log into the file, which a reader cannot.
    readers: Connections,
    writer: Connections,
}

impl File {
    /// Opens the file; makes it if it is not there.
    pub(crate) async fn open(path: &Path) -> Result<Self, StorageError> {
        aside(async {
            own(path).map_err(|e| {
                let detail = format!(
                    "the database file {} cannot be opened ({}): its directory must exist and belong to this user",
                    path.display(),
                    e.kind()
                );
                StorageError::new(StorageErrorKind::Unavailable, detail)
            })?;
            let readers = Connections::new(path, false, READERS);
            let writer = Connections::new(path, true, 1);
            // The writer stays open, so that readers always find the write-ahead log.
            writer.idle.lock().push(writer.connect()?);
            Ok(Self { readers, writer })
        })
        .await
    }

    /// Waits for a connection that nobody else uses.
    pub(crate) async fn turn(&self, write: bool) -> Result<Turn<'_>, StorageError> {
        if write { self.writer.turn().await } else { self.readers.turn().await }
    }

    /// Closes all connections, after the transactions that run.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes the file, or takes the rights of others from it. SQLite gives its side files the same mode.
fn own(path: &Path) -> std::io::Result<()> {
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Connections of one kind, made when they are needed.
struct Connections {
    path: PathBuf,
    write: bool,
    most: u32,
    /// One permit each; first come, first served.
    turns: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Connections {
    fn new(path: &Path, write: bool, most: u32) -> Self {
        let turns = Semaphore::new(usize::try_from(most).unwrap_or(1));
        Self { path: path.to_owned(), write, most, turns, idle: Mutex::default() }
    }

    fn connect(&self) -> Result<Connection, StorageError> {
        let access = if self.write { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
        // One thread at a time uses a connection, so it needs no lock of its own.
        let connection = Connection::open_with_flags(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(crate::db::PREPARED);
        connection.execute_batch(EVERYWHERE)?;
        if self.write {
            let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
            if mode != "wal" {
                let detail = "the file system of the database file does not allow a write-ahead log";
                return Err(StorageError::new(StorageErrorKind::Unavailable, detail));
            }
            connection.execute_batch(WRITING)?;
        }
        Ok(connection)
    }

    async fn turn(&self) -> Result<Turn<'_>, StorageError> {
        let unavailable = |what: &str| StorageError::new(StorageErrorKind::Unavailable, what);
        let permit = match self.turns.try_acquire() {
            Ok(permit) => permit,
            Err(_) => tokio::time::timeout(TURN, self.turns.acquire())
                .await
                .map_err(|_| unavailable("no free connection in time"))?
                .map_err(|_| unavailable("the database is closed"))?,
        };
        Ok(Turn { of: self, _permit: permit })
    }

    async fn close(&self) {
        let all = self.turns.acquire_many(self.most).await;
        self.turns.close();
        aside(async { self.idle.lock().clear() }).await;
        drop(all);
    }
}

/// The right to use a connection, while it is held.
pub(crate) struct Turn<'c> {
    of: &'c Connections,
    _permit: SemaphorePermit<'c>,
}

impl<'c> Turn<'c> {
    /// Begins a transaction.
    pub(crate) fn begin(self) -> Result<Transaction<'c>, StorageError> {
        let idle = self.of.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.of.connect()?,
        };
        let begin = if self.of.write { "BEGIN IMMEDIATE" } else { "BEGIN DEFERRED" };
        let tx = Transaction { connection: Some(connection), turn: self };
        tx.run(begin, &[])?;
        Ok(tx)
    }
}

impl Turn<'_> {
    /// Folds the write-ahead log into the file and cuts it to nothing; false if a reader is in the way.
    pub(crate) fn fold(self) -> Result<bool, StorageError> {
        let idle = self.of.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.of.connect()?,
        };
        // Whoever wants to write does not wait for readers meanwhile.
        let busy = connection
            .busy_timeout(Duration::ZERO)
            .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)));
        connection.busy_timeout(BUSY)?;
        self.of.idle.lock().push(connection);
        Ok(busy? == 0)
    }
}

/// A transaction that runs. Dropped without [`Transaction::commit`] it is rolled back.
pub(crate) struct Transaction<'c> {
    /// There until it is dropped.
    connection: Option<Connection>,
    turn: Turn<'c>,
}

impl Transaction<'_> {
    fn connection(&self) -> Result<&Connection, StorageError> {
        let gone = || StorageError::new(StorageErrorKind::Unavailable, "the connection is gone");
        self.connection.as_ref().ok_or_else(gone)
    }

    pub(crate) fn commit(self) -> Result<(), StorageError> {
        self.run("COMMIT", &[]).map(drop)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !connection.is_autocommit() {
            // Some errors end a transaction by themselves; then this is one too, and no harm.
            let _ = connection.prepare_cached("ROLLBACK").and_then(|mut rollback| rollback.execute([]));
        }
        // One that is still in a transaction is closed, which ends that, and replaced when it is needed.
        if connection.is_autocommit() {
            self.turn.of.idle.lock().push(connection);
        }
    }
}

/// Does work that keeps its thread for a while: other tasks of that thread move to another one. Without the runtime's
/// workers (a runtime of one thread, a thread of one's own) it is simply done.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    if has_workers() { tokio::task::block_in_place(work) } else { work() }
}

fn has_workers() -> bool {
    Handle::try_current().is_ok_and(|h| h.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// The same for work that calls SQLite and may wait for something else too.
pub(crate) async fn aside<T>(work: impl Future<Output = T>) -> T {
    if !has_workers() {
        return work.await;
    }
    let mut work = pin!(work);
    // Polled, not blocked on: work that does wait for something else can still be cancelled.
    poll_fn(|cx| blocking(|| work.as_mut().poll(cx))).await
}
