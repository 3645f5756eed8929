//! The SQL of management keys.

use crate::access::{Permissions, Scopes};
use crate::status_word;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, ManagementKeyId};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, WriteTx};

const INSERT: Sql = Sql::new(
    "INSERT INTO management_keys (id, account_id, name_sealed, hash, hint, scopes, permissions, status, expires_at, \
     created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
);
const BY_HASH: Sql = Sql::new(
    "SELECT k.id AS id, k.account_id AS account_id, k.name_sealed AS name_sealed, k.hint AS hint, \
     k.scopes AS scopes, k.permissions AS permissions, k.status AS status, k.expires_at AS expires_at, k.created_at AS created_at, \
     k.updated_at AS updated_at FROM management_keys k JOIN accounts a ON a.id = k.account_id \
     WHERE k.hash = $1 AND a.status = 'active'",
);
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT id, account_id, name_sealed, hint, scopes, permissions, status, expires_at, created_at, updated_at \
     FROM management_keys WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3",
);
const BY_ID: Sql = Sql::new(
    "SELECT id, account_id, name_sealed, hint, scopes, permissions, status, expires_at, created_at, updated_at \
     FROM management_keys WHERE account_id = $1 AND id = $2",
);
const COUNT: Sql = Sql::new("SELECT COUNT(*) AS n FROM management_keys WHERE account_id = $1 AND status = 'active'");
const UPDATE: Sql = Sql::new(
    "UPDATE management_keys SET name_sealed = $3, scopes = $4, permissions = $5, expires_at = $6, updated_at = $7 \
     WHERE account_id = $1 AND id = $2",
);
const REVOKE: Sql =
    Sql::new("UPDATE management_keys SET status = 'disabled', updated_at = $3 WHERE account_id = $1 AND id = $2");
const REVOKE_ALL: Sql = Sql::new(
    "UPDATE management_keys SET status = 'disabled', updated_at = $2 WHERE account_id = $1 AND status = 'active'",
);
const FORGET: Sql = Sql::new(
    "DELETE FROM management_keys WHERE id IN \
     (SELECT id FROM management_keys WHERE status = 'disabled' AND updated_at < $1 LIMIT $2)",
);

/// Every statement of management keys.
pub(crate) const STATEMENTS: &[&Sql] =
    &[&INSERT, &BY_HASH, &OF_ACCOUNT, &BY_ID, &COUNT, &UPDATE, &REVOKE, &REVOKE_ALL, &FORGET];

/// A row, its name still sealed.
pub(super) struct ManagementKeyRow {
    pub(super) id: ManagementKeyId,
    pub(super) account: AccountId,
    pub(super) name_sealed: Vec<u8>,
    pub(super) hint: String,
    pub(super) scopes: Scopes,
    pub(super) permissions: Permissions,
    pub(super) enabled: bool,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

fn key(row: &Row) -> Result<ManagementKeyRow, StorageError> {
    Ok(ManagementKeyRow {
        id: row.get("id")?,
        account: row.get("account_id")?,
        name_sealed: row.get("name_sealed")?,
        hint: row.get("hint")?,
        scopes: row.json("scopes")?,
        permissions: row.json("permissions")?,
        enabled: row.get::<String>("status")? == "active",
        expires_at: row.get("expires_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// What it may do, as it is written.
fn words(row: &ManagementKeyRow) -> Result<(String, String), StorageError> {
    let scopes = serde_json::to_string(&row.scopes);
    let permissions = serde_json::to_string(&row.permissions);
    Ok((
        scopes.map_err(|_| StorageError::inconsistent("management_keys", "scopes"))?,
        permissions.map_err(|_| StorageError::inconsistent("management_keys", "permissions"))?,
    ))
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, row: &ManagementKeyRow, hash: &[u8; 32]) -> Result<(), StorageError> {
    let (scopes, permissions) = words(row)?;
    let values = [
        row.id.into(),
        row.account.into(),
        row.name_sealed.clone().into(),
        hash.into(),
        row.hint.clone().into(),
        scopes.into(),
        permissions.into(),
        status_word(row.enabled).into(),
        row.expires_at.into(),
        row.created_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn by_hash(tx: &mut ReadTx<'_>, hash: &[u8; 32]) -> Result<Option<ManagementKeyRow>, StorageError> {
    tx.one(&BY_HASH, &[hash.into()]).await?.as_ref().map(key).transpose()
}

/// One more than the page holds.
pub(super) async fn of_account(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    page: Page,
) -> Result<Vec<ManagementKeyRow>, StorageError> {
    let values = [account.into(), page.after.unwrap_or_default().into(), page.fetch().into()];
    tx.all(&OF_ACCOUNT, &values).await?.iter().map(key).collect()
}

pub(super) async fn by_id(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    id: ManagementKeyId,
) -> Result<Option<ManagementKeyRow>, StorageError> {
    tx.one(&BY_ID, &[account.into(), id.into()]).await?.as_ref().map(key).transpose()
}

pub(super) async fn count(tx: &mut ReadTx<'_>, account: AccountId) -> Result<u64, StorageError> {
    let row = tx.one(&COUNT, &[account.into()]).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.get("n"))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

pub(super) async fn update(tx: &mut WriteTx<'_>, row: &ManagementKeyRow) -> Result<(), StorageError> {
    let (scopes, permissions) = words(row)?;
    let values = [
        row.account.into(),
        row.id.into(),
        row.name_sealed.clone().into(),
        scopes.into(),
        permissions.into(),
        row.expires_at.into(),
        row.updated_at.into(),
    ];
    tx.execute(&UPDATE, &values).await.map(drop)
}

pub(super) async fn revoke(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    id: ManagementKeyId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&REVOKE, &[account.into(), id.into(), now.into()]).await? == 1)
}

/// Ends all that an account has in use. How many.
pub(crate) async fn revoke_all(tx: &mut WriteTx<'_>, account: AccountId, now: Timestamp) -> Result<u64, StorageError> {
    tx.execute(&REVOKE_ALL, &[account.into(), now.into()]).await
}

pub(super) async fn forget(tx: &mut WriteTx<'_>, before: Timestamp, limit: u32) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[before.into(), limit.into()]).await
}
