//! The SQL of counted tries.

use super::Tally;
use tacit_kernel::Timestamp;
use tacit_storage::{ReadTx, Sql, StorageError, WriteTx};

const GET: Sql = Sql::new("SELECT failures, last_at, blocked_until FROM guesses WHERE subject = $1");
const PUT: Sql = Sql::new(
    "INSERT INTO guesses (subject, failures, last_at, blocked_until) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at, \
     blocked_until = excluded.blocked_until",
);
const CLEAR: Sql = Sql::new("DELETE FROM guesses WHERE subject = $1");
const TAKE_BACK: Sql =
    Sql::new("UPDATE guesses SET failures = failures - 1, blocked_until = last_at WHERE subject = $1 AND failures > 0");
const FORGET: Sql = Sql::new(
    "DELETE FROM guesses WHERE subject IN (SELECT subject FROM guesses WHERE last_at < $1 ORDER BY last_at LIMIT $2)",
);

/// Every statement of counted tries.
pub(crate) const STATEMENTS: &[&Sql] = &[&GET, &PUT, &CLEAR, &TAKE_BACK, &FORGET];

pub(super) async fn tally(tx: &mut ReadTx<'_>, subject: &[u8; 32]) -> Result<Tally, StorageError> {
    let Some(row) = tx.one(&GET, &[subject.into()]).await? else { return Ok(Tally::default()) };
    Ok(Tally { failures: row.get("failures")?, last_at: row.get("last_at")?, blocked_until: row.get("blocked_until")? })
}

pub(super) async fn put(tx: &mut WriteTx<'_>, subject: &[u8; 32], tally: Tally) -> Result<(), StorageError> {
    let Tally { failures, last_at, blocked_until } = tally;
    tx.execute(&PUT, &[subject.into(), failures.into(), last_at.into(), blocked_until.into()]).await.map(drop)
}

pub(super) async fn clear(tx: &mut WriteTx<'_>, subject: &[u8; 32]) -> Result<(), StorageError> {
    tx.execute(&CLEAR, &[subject.into()]).await.map(drop)
}

pub(super) async fn take_back(tx: &mut WriteTx<'_>, subject: &[u8; 32]) -> Result<(), StorageError> {
    tx.execute(&TAKE_BACK, &[subject.into()]).await.map(drop)
}

pub(super) async fn forget(tx: &mut WriteTx<'_>, before: Timestamp, limit: u32) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[before.into(), limit.into()]).await
}
