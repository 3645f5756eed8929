//! The SQL of linked identities.

use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, LinkedIdentityId};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, WriteTx};

const INSERT: Sql = Sql::new(
    "INSERT INTO linked_identities (id, account_id, provider, subject_lookup, subject_sealed, shown_sealed, linked_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
);
const BY_SUBJECT: Sql = Sql::new(
    "SELECT id, account_id, provider, subject_sealed, shown_sealed, linked_at, used_at FROM linked_identities \
     WHERE subject_lookup = $1",
);
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT id, account_id, provider, subject_sealed, shown_sealed, linked_at, used_at FROM linked_identities \
     WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3",
);
const COUNT: Sql = Sql::new("SELECT COUNT(*) AS n FROM linked_identities WHERE account_id = $1");
const USED: Sql = Sql::new("UPDATE linked_identities SET used_at = $2 WHERE id = $1");
const DELETE: Sql = Sql::new("DELETE FROM linked_identities WHERE account_id = $1 AND id = $2");

const DELETE_SINCE: Sql = Sql::new("DELETE FROM linked_identities WHERE account_id = $1 AND linked_at >= $2");

/// Every statement of linked identities.
pub(crate) const STATEMENTS: &[&Sql] = &[&INSERT, &BY_SUBJECT, &OF_ACCOUNT, &COUNT, &USED, &DELETE, &DELETE_SINCE];

/// A row, what is personal still sealed.
pub(super) struct IdentityRow {
    pub(super) id: LinkedIdentityId,
    pub(super) account: AccountId,
    pub(super) provider: String,
    pub(super) subject_sealed: Vec<u8>,
    pub(super) shown_sealed: Vec<u8>,
    pub(super) linked_at: Timestamp,
    pub(super) used_at: Option<Timestamp>,
}

fn identity(row: &Row) -> Result<IdentityRow, StorageError> {
    Ok(IdentityRow {
        id: row.get("id")?,
        account: row.get("account_id")?,
        provider: row.get("provider")?,
        subject_sealed: row.get("subject_sealed")?,
        shown_sealed: row.get("shown_sealed")?,
        linked_at: row.get("linked_at")?,
        used_at: row.get("used_at")?,
    })
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, row: &IdentityRow, lookup: &[u8; 32]) -> Result<(), StorageError> {
    let values = [
        row.id.into(),
        row.account.into(),
        row.provider.as_str().into(),
        lookup.into(),
        row.subject_sealed.clone().into(),
        row.shown_sealed.clone().into(),
        row.linked_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn by_subject(tx: &mut ReadTx<'_>, lookup: &[u8; 32]) -> Result<Option<IdentityRow>, StorageError> {
    tx.one(&BY_SUBJECT, &[lookup.into()]).await?.as_ref().map(identity).transpose()
}

/// One more than the page holds.
pub(super) async fn of_account(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    page: Page,
) -> Result<Vec<IdentityRow>, StorageError> {
    let after = page.after.unwrap_or_default();
    tx.all(&OF_ACCOUNT, &[account.into(), after.into(), page.fetch().into()]).await?.iter().map(identity).collect()
}

pub(super) async fn count(tx: &mut ReadTx<'_>, account: AccountId) -> Result<u64, StorageError> {
    let row = tx.one(&COUNT, &[account.into()]).await?;
    let n: i64 = row.map_or(Ok(0), |row| row.get("n"))?;
    Ok(u64::try_from(n).unwrap_or(0))
}

pub(super) async fn used(tx: &mut WriteTx<'_>, id: LinkedIdentityId, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(&USED, &[id.into(), now.into()]).await.map(drop)
}

/// False if the account has no such identity.
/// Unlinks what an account was linked with since then. How many.
pub(crate) async fn unlink_since(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    since: Timestamp,
) -> Result<u64, StorageError> {
    tx.execute(&DELETE_SINCE, &[account.into(), since.into()]).await
}

pub(super) async fn delete(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    id: LinkedIdentityId,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&DELETE, &[account.into(), id.into()]).await? == 1)
}
