//! The SQL of passkeys.

use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, PasskeyId};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, WriteTx};

const INSERT: Sql = Sql::new(
    "INSERT INTO passkeys (id, account_id, credential_lookup, credential_sealed, name_sealed, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $6)",
);
const BY_CREDENTIAL: Sql = Sql::new(
    "SELECT id, account_id, credential_sealed, name_sealed, created_at, used_at, updated_at FROM passkeys \
     WHERE credential_lookup = $1",
);
const BY_ID: Sql = Sql::new(
    "SELECT id, account_id, credential_sealed, name_sealed, created_at, used_at, updated_at FROM passkeys \
     WHERE account_id = $1 AND id = $2",
);
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT id, account_id, credential_sealed, name_sealed, created_at, used_at, updated_at FROM passkeys \
     WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3",
);
const COUNT: Sql = Sql::new("SELECT COUNT(*) AS n FROM passkeys WHERE account_id = $1");
const USED: Sql = Sql::new("UPDATE passkeys SET credential_sealed = $2, used_at = $3 WHERE id = $1");
const NAME: Sql = Sql::new("UPDATE passkeys SET name_sealed = $2, updated_at = $3 WHERE id = $1");
const DELETE: Sql = Sql::new("DELETE FROM passkeys WHERE account_id = $1 AND id = $2");

const DELETE_SINCE: Sql = Sql::new("DELETE FROM passkeys WHERE account_id = $1 AND created_at >= $2");

/// Every statement of passkeys.
pub(crate) const STATEMENTS: &[&Sql] =
    &[&INSERT, &BY_CREDENTIAL, &BY_ID, &OF_ACCOUNT, &COUNT, &USED, &NAME, &DELETE, &DELETE_SINCE];

/// A row, what is sealed still sealed.
pub(super) struct PasskeyRow {
    pub(super) id: PasskeyId,
    pub(super) account: AccountId,
    pub(super) credential_sealed: Vec<u8>,
    pub(super) name_sealed: Vec<u8>,
    pub(super) created_at: Timestamp,
    pub(super) used_at: Option<Timestamp>,
    pub(super) updated_at: Timestamp,
}

fn passkey(row: &Row) -> Result<PasskeyRow, StorageError> {
    Ok(PasskeyRow {
        id: row.get("id")?,
        account: row.get("account_id")?,
        credential_sealed: row.get("credential_sealed")?,
        name_sealed: row.get("name_sealed")?,
        created_at: row.get("created_at")?,
        used_at: row.get("used_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, row: &PasskeyRow, lookup: &[u8; 32]) -> Result<(), StorageError> {
    let values = [
        row.id.into(),
        row.account.into(),
        lookup.into(),
        row.credential_sealed.clone().into(),
        row.name_sealed.clone().into(),
        row.created_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn by_credential(tx: &mut ReadTx<'_>, lookup: &[u8; 32]) -> Result<Option<PasskeyRow>, StorageError> {
    tx.one(&BY_CREDENTIAL, &[lookup.into()]).await?.as_ref().map(passkey).transpose()
}

pub(super) async fn by_id(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    id: PasskeyId,
) -> Result<Option<PasskeyRow>, StorageError> {
    tx.one(&BY_ID, &[account.into(), id.into()]).await?.as_ref().map(passkey).transpose()
}

/// One more than the page holds.
pub(super) async fn of_account(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    page: Page,
) -> Result<Vec<PasskeyRow>, StorageError> {
    let after = page.after.unwrap_or_default();
    tx.all(&OF_ACCOUNT, &[account.into(), after.into(), page.fetch().into()]).await?.iter().map(passkey).collect()
}

pub(super) async fn count(tx: &mut ReadTx<'_>, account: AccountId) -> Result<u64, StorageError> {
    let row = tx.one(&COUNT, &[account.into()]).await?;
    let n: i64 = row.map_or(Ok(0), |row| row.get("n"))?;
    Ok(u64::try_from(n).unwrap_or(0))
}

pub(super) async fn used(
    tx: &mut WriteTx<'_>,
    id: PasskeyId,
    sealed: Vec<u8>,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(&USED, &[id.into(), sealed.into(), now.into()]).await.map(drop)
}

pub(super) async fn name(
    tx: &mut WriteTx<'_>,
    id: PasskeyId,
    sealed: Vec<u8>,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(&NAME, &[id.into(), sealed.into(), now.into()]).await.map(drop)
}

/// False if the account has no such passkey.
/// Removes what an account registered since then. How many.
pub(crate) async fn remove_since(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    since: Timestamp,
) -> Result<u64, StorageError> {
    tx.execute(&DELETE_SINCE, &[account.into(), since.into()]).await
}

pub(super) async fn delete(tx: &mut WriteTx<'_>, account: AccountId, id: PasskeyId) -> Result<bool, StorageError> {
    Ok(tx.execute(&DELETE, &[account.into(), id.into()]).await? == 1)
}
