//! The SQL of second factors.

use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::{Bulk, ReadTx, Sql, StorageError, WriteTx};

const GET: Sql = Sql::new("SELECT secret_sealed, confirmed_at FROM second_factors WHERE account_id = $1");
/// One that is confirmed is not touched.
const BEGIN: Sql = Sql::new(
    "INSERT INTO second_factors (account_id, secret_sealed, confirmed_at, last_step, created_at) \
     VALUES ($1, $2, NULL, 0, $3) ON CONFLICT (account_id) DO UPDATE SET secret_sealed = excluded.secret_sealed, \
     last_step = 0, created_at = excluded.created_at WHERE second_factors.confirmed_at IS NULL",
);
const CONFIRM: Sql = Sql::new("UPDATE second_factors SET confirmed_at = $2, last_step = $3 WHERE account_id = $1");
const TAKE_STEP: Sql = Sql::new("UPDATE second_factors SET last_step = $2 WHERE account_id = $1 AND last_step < $2");
const REMOVE: Sql = Sql::new("DELETE FROM second_factors WHERE account_id = $1");
const RECOVERY_CLEAR: Sql = Sql::new("DELETE FROM recovery_codes WHERE account_id = $1");
const RECOVERY_TAKE: Sql = Sql::new("DELETE FROM recovery_codes WHERE account_id = $1 AND code_hash = $2");
const RECOVERY_LEFT: Sql = Sql::new("SELECT COUNT(*) AS n FROM recovery_codes WHERE account_id = $1");

static RECOVERY_INSERT: Bulk = Bulk::new("INSERT INTO recovery_codes (account_id, code_hash) VALUES", 2, "");

/// Every statement of second factors.
pub(crate) const STATEMENTS: &[&Sql] =
    &[&GET, &BEGIN, &CONFIRM, &TAKE_STEP, &REMOVE, &RECOVERY_CLEAR, &RECOVERY_TAKE, &RECOVERY_LEFT];
/// Those over many rows.
#[cfg(test)]
pub(crate) static BULKS: &[&Bulk] = &[&RECOVERY_INSERT];

/// A row, its secret still sealed.
pub(super) struct FactorRow {
    pub(super) secret_sealed: Vec<u8>,
    pub(super) confirmed_at: Option<Timestamp>,
}

pub(super) async fn get(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Option<FactorRow>, StorageError> {
    let Some(row) = tx.one(&GET, &[account.into()]).await? else { return Ok(None) };
    Ok(Some(FactorRow { secret_sealed: row.get("secret_sealed")?, confirmed_at: row.get("confirmed_at")? }))
}

/// False if there is a confirmed one.
pub(super) async fn begin(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    sealed: &[u8],
    now: Timestamp,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&BEGIN, &[account.into(), sealed.into(), now.into()]).await? == 1)
}

pub(super) async fn confirm(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    step: i64,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(&CONFIRM, &[account.into(), now.into(), step.into()]).await.map(drop)
}

/// False if that step or a later one was taken.
pub(super) async fn take_step(tx: &mut WriteTx<'_>, account: AccountId, step: i64) -> Result<bool, StorageError> {
    Ok(tx.execute(&TAKE_STEP, &[account.into(), step.into()]).await? == 1)
}

pub(super) async fn remove(tx: &mut WriteTx<'_>, account: AccountId) -> Result<bool, StorageError> {
    tx.execute(&RECOVERY_CLEAR, &[account.into()]).await?;
    Ok(tx.execute(&REMOVE, &[account.into()]).await? == 1)
}

pub(super) async fn recovery_put(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    hashes: &[[u8; 32]],
) -> Result<(), StorageError> {
    tx.execute(&RECOVERY_CLEAR, &[account.into()]).await?;
    let values: Vec<_> = hashes.iter().flat_map(|hash| [account.into(), hash.into()]).collect();
    tx.bulk(&RECOVERY_INSERT, &values).await.map(drop)
}

pub(super) async fn recovery_take(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    hash: &[u8; 32],
) -> Result<bool, StorageError> {
    Ok(tx.execute(&RECOVERY_TAKE, &[account.into(), hash.into()]).await? == 1)
}

pub(super) async fn recovery_left(tx: &mut ReadTx<'_>, account: AccountId) -> Result<u64, StorageError> {
    let row = tx.one(&RECOVERY_LEFT, &[account.into()]).await?;
    let left: i64 = row.map_or(Ok(0), |row| row.get("n"))?;
    Ok(u64::try_from(left).unwrap_or(0))
}
