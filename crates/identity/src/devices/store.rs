//! The SQL of known devices.

use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, Sql, StorageError, WriteTx};

const SEEN: Sql = Sql::new("UPDATE known_devices SET seen_at = $3 WHERE account_id = $1 AND device_hash = $2");
const KNOWN: Sql = Sql::new("SELECT seen_at FROM known_devices WHERE account_id = $1 AND device_hash = $2");
const INSERT: Sql = Sql::new("INSERT INTO known_devices (account_id, device_hash, seen_at) VALUES ($1, $2, $3)");
const FORGET_OLDEST: Sql = Sql::new(
    "DELETE FROM known_devices WHERE account_id = $1 AND device_hash NOT IN \
     (SELECT device_hash FROM known_devices WHERE account_id = $1 ORDER BY seen_at DESC, device_hash LIMIT $2)",
);
const FORGET: Sql = Sql::new(
    "DELETE FROM known_devices WHERE (account_id, device_hash) IN \
     (SELECT account_id, device_hash FROM known_devices WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)",
);

/// Every statement of known devices.
pub(crate) const STATEMENTS: &[&Sql] = &[&SEEN, &KNOWN, &INSERT, &FORGET_OLDEST, &FORGET];

/// Whether it is one that is known.
pub(super) async fn known(tx: &mut ReadTx<'_>, account: AccountId, hash: &[u8; 32]) -> Result<bool, StorageError> {
    Ok(tx.one(&KNOWN, &[account.into(), hash.into()]).await?.is_some())
}

/// False if it is none that is known.
pub(super) async fn seen(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&SEEN, &[account.into(), hash.into(), now.into()]).await? == 1)
}

pub(super) async fn insert(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(&INSERT, &[account.into(), hash.into(), now.into()]).await.map(drop)
}

pub(super) async fn forget_oldest(tx: &mut WriteTx<'_>, account: AccountId, most: u32) -> Result<(), StorageError> {
    tx.execute(&FORGET_OLDEST, &[account.into(), most.into()]).await.map(drop)
}

pub(super) async fn forget(tx: &mut WriteTx<'_>, before: Timestamp, limit: u32) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[before.into(), limit.into()]).await
}
