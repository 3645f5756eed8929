//! The SQL of asking an agency.

use tacit_kernel::Timestamp;
use tacit_kernel::ids::VerificationId;
use tacit_storage::{ReadTx, Sql, StorageError, WriteTx};
use uuid::Uuid;

const INSERT: Sql = Sql::new(
    "INSERT INTO verification_checks (case_id, attempts, not_before, created_at) VALUES ($1, 0, $2, $2) \
     ON CONFLICT (case_id) DO UPDATE SET attempts = 0, not_before = excluded.not_before, lease = NULL, \
     leased_until = NULL, created_at = excluded.created_at",
);
/// Asked before anything is written: that nothing is due is the usual case.
const DUE: Sql = Sql::new(
    "SELECT COUNT(*) AS n FROM verification_checks WHERE not_before <= $1 \
     AND (leased_until IS NULL OR leased_until <= $1)",
);
const LEASE: Sql = Sql::new(
    "UPDATE verification_checks SET lease = $1, leased_until = $2, attempts = attempts + 1 WHERE case_id IN \
     (SELECT case_id FROM verification_checks WHERE not_before <= $3 AND (leased_until IS NULL OR leased_until <= $3) \
     ORDER BY not_before, case_id LIMIT $4) RETURNING case_id, attempts",
);
const LEASED: Sql = Sql::new("SELECT case_id FROM verification_checks WHERE case_id = $1 AND lease = $2");
const LATER: Sql =
    Sql::new("UPDATE verification_checks SET not_before = $2, lease = NULL, leased_until = NULL WHERE case_id = $1");
const UNASKED: Sql = Sql::new(
    "UPDATE verification_checks SET attempts = attempts - 1, not_before = $2, lease = NULL, leased_until = NULL \
     WHERE case_id = $1",
);
const DELETE: Sql = Sql::new("DELETE FROM verification_checks WHERE case_id = $1");

/// Every statement of asking an agency.
pub(crate) const STATEMENTS: &[&Sql] = &[&INSERT, &DUE, &LEASE, &LEASED, &LATER, &UNASKED, &DELETE];

pub(super) async fn insert(tx: &mut WriteTx<'_>, case: VerificationId, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(&INSERT, &[case.into(), now.into()]).await.map(drop)
}

pub(super) async fn due(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<bool, StorageError> {
    let row = tx.one(&DUE, &[now.into()]).await?;
    Ok(row.map_or(Ok(0), |row| row.get::<u64>("n"))? > 0)
}

/// The cases and how often each was asked about, this time included.
pub(super) async fn lease(
    tx: &mut WriteTx<'_>,
    lease: Uuid,
    (now, until): (Timestamp, Timestamp),
    most: u32,
) -> Result<Vec<(VerificationId, u32)>, StorageError> {
    let rows = tx.all(&LEASE, &[lease.into(), until.into(), now.into(), most.into()]).await?;
    rows.iter().map(|row| Ok((row.get("case_id")?, row.get("attempts")?))).collect()
}

pub(super) async fn is_leased(tx: &mut ReadTx<'_>, case: VerificationId, lease: Uuid) -> Result<bool, StorageError> {
    Ok(tx.one(&LEASED, &[case.into(), lease.into()]).await?.is_some())
}

pub(super) async fn later(
    tx: &mut WriteTx<'_>,
    case: VerificationId,
    not_before: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(&LATER, &[case.into(), not_before.into()]).await.map(drop)
}

/// As [`later`], and as if it had not been taken.
pub(super) async fn unasked(
    tx: &mut WriteTx<'_>,
    case: VerificationId,
    not_before: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(&UNASKED, &[case.into(), not_before.into()]).await.map(drop)
}

pub(super) async fn delete(tx: &mut WriteTx<'_>, case: VerificationId) -> Result<(), StorageError> {
    tx.execute(&DELETE, &[case.into()]).await.map(drop)
}
