//! That deleted bytes are gone from the files of a database, not only from its tables.

use crate::db::{Db, Pools};
use crate::error::{StorageError, StorageErrorKind};
use crate::sqlite::aside;
use sqlx::{AssertSqlSafe, PgConnection};
use std::time::Duration;

/// How often a log is tried to be folded in that a reader holds up, and the pause between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

impl Db {
    /// Makes what was deleted or overwritten in these tables go from the files.
    ///
    /// SQLite overwrites what it deletes (`secure_delete`); here the write-ahead log, which has the older pages, is folded
    /// into the file and cut to nothing. PostgreSQL frees the space of dead rows of the `large` tables, which later rows
    /// then take (VACUUM), and writes the `small` ones anew as a whole (VACUUM FULL, which keeps others out meanwhile);
    /// its own log and rows that an open transaction can still see go when it lets go of them.
    ///
    /// # Errors
    /// `Busy` if readers held it up for a second; storage faults. The tables are names of the program.
    pub async fn sweep(&self, small: &[&'static str], large: &[&'static str]) -> Result<(), StorageError> {
        match &self.pools {
            Pools::Sqlite(file) => {
                for _ in 0..TRIES {
                    let turn = file.turn(true).await?;
                    if aside(async { turn.fold() }).await? {
                        return Ok(());
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(StorageError::new(StorageErrorKind::Busy, "readers held up the write-ahead log"))
            }
            Pools::Postgres(pool) => {
                // Who reads a table for long, as a backup does, is not to hold up whoever comes after.
                let mut connection = pool.acquire().await?;
                sqlx::raw_sql("SET lock_timeout = '1s'").execute(&mut *connection).await?;
                let swept = vacuum(&mut connection, (small, large)).await;
                sqlx::raw_sql("RESET lock_timeout").execute(&mut *connection).await?;
                swept
            }
        }
    }
}

async fn vacuum(
    connection: &mut PgConnection,
    (small, large): (&[&'static str], &[&'static str]),
) -> Result<(), StorageError> {
    // To cut a table's empty end off would hold up others for seconds.
    let how = [("VACUUM (FULL)", small), ("VACUUM (TRUNCATE FALSE)", large)];
    for (how, tables) in how {
        for table in tables {
            let done = sqlx::raw_sql(AssertSqlSafe(format!("{how} {table}"))).execute(&mut *connection).await;
            done.map_err(|error| match error.as_database_error().and_then(|error| error.code()).as_deref() {
                // lock_not_available
                Some("55P03") => StorageError::new(StorageErrorKind::Busy, "a reader held up the sweep"),
                _ => error.into(),
            })?;
        }
    }
    Ok(())
}
