//! The SQL of API keys.

use super::KeyFacts;
use tacit_kernel::Timestamp;
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{AccountId, KeyId};
use tacit_kernel::limits::Limits;
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, Value, WriteTx};

const BY_ID: Sql = Sql::new(
    "SELECT id, account_id, name_sealed, hash, hint, source, status, limits, created_at, updated_at FROM api_keys \
     WHERE id = $1",
);
const LIST: Sql = Sql::new(
    "SELECT id, account_id, name_sealed, hash, hint, source, status, limits, created_at, updated_at FROM api_keys \
     WHERE id > $1 ORDER BY id LIMIT $2",
);
const LIST_OF_ACCOUNT: Sql = Sql::new(
    "SELECT id, account_id, name_sealed, hash, hint, source, status, limits, created_at, updated_at FROM api_keys \
     WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3",
);
const NAMES: Sql = Sql::new("SELECT id, name_sealed FROM api_keys WHERE account_id = $1 ORDER BY id");
const INSERT: Sql = Sql::new(
    "INSERT INTO api_keys (id, account_id, name_sealed, hash, hint, source, status, limits, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
);
const UPDATE: Sql =
    Sql::new("UPDATE api_keys SET name_sealed = $2, status = $3, limits = $4, updated_at = $5 WHERE id = $1");
const GRANT: Sql = Sql::new(
    "SELECT k.id AS key_id, k.account_id AS account_id, a.group_id AS group_id, g.multiplier_ppm AS multiplier_ppm, \
     k.status AS key_status, a.status AS account_status, k.limits AS key_limits, a.limits AS account_limits, \
     k.source AS source \
     FROM api_keys k JOIN accounts a ON a.id = k.account_id JOIN user_groups g ON g.id = a.group_id WHERE k.hash = $1",
);

const ACTIVE: Sql = Sql::new("SELECT COUNT(*) AS n FROM api_keys WHERE account_id = $1 AND status = 'active'");

/// Every statement of keys.
pub(crate) const STATEMENTS: &[&Sql] = &[&BY_ID, &LIST, &LIST_OF_ACCOUNT, &NAMES, &INSERT, &UPDATE, &GRANT, &ACTIVE];

/// A row, its name still sealed.
pub(super) struct KeyRow {
    pub(super) id: KeyId,
    pub(super) account: AccountId,
    pub(super) name_sealed: Vec<u8>,
    pub(super) hash: [u8; 32],
    pub(super) hint: String,
    pub(super) source: CallSource,
    pub(super) enabled: bool,
    pub(super) limits: Limits,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

fn key(row: &Row) -> Result<KeyRow, StorageError> {
    let hash = row.get::<Vec<u8>>("hash")?;
    Ok(KeyRow {
        id: row.get("id")?,
        account: row.get("account_id")?,
        name_sealed: row.get("name_sealed")?,
        hash: hash.try_into().map_err(|_| StorageError::inconsistent("api_keys", "hash"))?,
        hint: row.get("hint")?,
        source: row.word("source", CallSource::parse)?,
        enabled: row.get::<String>("status")? == "active",
        limits: row.json("limits")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) async fn key_by_id(tx: &mut ReadTx<'_>, id: KeyId) -> Result<Option<KeyRow>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(key).transpose()
}

/// One more than the page holds, so that the caller sees whether there is a next page.
pub(super) async fn key_list(
    tx: &mut ReadTx<'_>,
    account: Option<AccountId>,
    page: Page,
) -> Result<Vec<KeyRow>, StorageError> {
    let (after, limit) = (Value::from(page.after.unwrap_or_default()), Value::from(page.fetch()));
    let rows = match account {
        Some(account) => tx.all(&LIST_OF_ACCOUNT, &[account.into(), after, limit]).await?,
        None => tx.all(&LIST, &[after, limit]).await?,
    };
    rows.iter().map(key).collect()
}

/// The sealed names of all keys of an account.
pub(super) async fn key_names(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Vec<(KeyId, Vec<u8>)>, StorageError> {
    let rows = tx.all(&NAMES, &[account.into()]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("name_sealed")?))).collect()
}

/// How many keys of an account are in use.
pub(crate) async fn count_active(tx: &mut ReadTx<'_>, account: AccountId) -> Result<u64, StorageError> {
    tx.one(&ACTIVE, &[account.into()]).await?.map_or(Ok(0), |row| row.get("n"))
}

pub(super) async fn key_insert(tx: &mut WriteTx<'_>, k: &KeyRow, limits: String) -> Result<(), StorageError> {
    let values = [
        k.id.into(),
        k.account.into(),
        k.name_sealed.clone().into(),
        k.hash.to_vec().into(),
        k.hint.clone().into(),
        k.source.as_str().into(),
        crate::status_word(k.enabled).into(),
        limits.into(),
        k.created_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn key_update(tx: &mut WriteTx<'_>, k: &KeyRow, limits: String) -> Result<(), StorageError> {
    let values = [
        k.id.into(),
        k.name_sealed.clone().into(),
        crate::status_word(k.enabled).into(),
        limits.into(),
        k.updated_at.into(),
    ];
    tx.execute(&UPDATE, &values).await.map(drop)
}

/// Key, account and group of a keyed hash, in one statement.
pub(super) async fn key_grant(tx: &mut ReadTx<'_>, hash: [u8; 32]) -> Result<Option<KeyFacts>, StorageError> {
    let Some(row) = tx.one(&GRANT, &[hash.to_vec().into()]).await? else { return Ok(None) };
    Ok(Some(KeyFacts {
        key: row.get("key_id")?,
        account: row.get("account_id")?,
        group: row.get("group_id")?,
        group_multiplier: row.get("multiplier_ppm")?,
        key_enabled: row.get::<String>("key_status")? == "active",
        account_enabled: row.get::<String>("account_status")? == "active",
        key_limits: row.json("key_limits")?,
        account_limits: row.json("account_limits")?,
        source: row.word("source", CallSource::parse)?,
    }))
}
