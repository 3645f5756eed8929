//! The SQL of ceremonies.

use super::Purpose;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::{Sql, StorageError, WriteTx};

const INSERT: Sql = Sql::new(
    "INSERT INTO sign_in_ceremonies (handle_hash, purpose, browser_hash, account_id, content_sealed, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6)",
);
const TAKE: Sql = Sql::new(
    "DELETE FROM sign_in_ceremonies WHERE handle_hash = $1 AND purpose = $2 \
     RETURNING browser_hash, account_id, content_sealed, expires_at",
);
const FORGET: Sql = Sql::new(
    "DELETE FROM sign_in_ceremonies WHERE handle_hash IN \
     (SELECT handle_hash FROM sign_in_ceremonies WHERE expires_at <= $1 LIMIT $2)",
);

/// Every statement of ceremonies.
pub(crate) const STATEMENTS: &[&Sql] = &[&INSERT, &TAKE, &FORGET];

/// A row but for its handle and purpose.
pub(super) struct CeremonyRow {
    pub(super) browser_hash: Option<[u8; 32]>,
    pub(super) account: Option<AccountId>,
    pub(super) content_sealed: Vec<u8>,
    pub(super) expires_at: Timestamp,
}

pub(super) async fn insert(
    tx: &mut WriteTx<'_>,
    handle: &[u8; 32],
    purpose: Purpose,
    row: &CeremonyRow,
) -> Result<(), StorageError> {
    let values = [
        handle.into(),
        purpose.as_str().into(),
        row.browser_hash.map(|hash| hash.to_vec()).into(),
        row.account.into(),
        row.content_sealed.clone().into(),
        row.expires_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

/// It is gone then.
pub(super) async fn take(
    tx: &mut WriteTx<'_>,
    handle: &[u8; 32],
    purpose: Purpose,
) -> Result<Option<CeremonyRow>, StorageError> {
    let Some(row) = tx.one(&TAKE, &[handle.into(), purpose.as_str().into()]).await? else { return Ok(None) };
    let browser: Option<Vec<u8>> = row.get("browser_hash")?;
    let inconsistent = |_| StorageError::inconsistent("sign_in_ceremonies", "browser_hash");
    Ok(Some(CeremonyRow {
        browser_hash: browser.map(|hash| <[u8; 32]>::try_from(hash).map_err(inconsistent)).transpose()?,
        account: row.get("account_id")?,
        content_sealed: row.get("content_sealed")?,
        expires_at: row.get("expires_at")?,
    }))
}

pub(super) async fn forget(tx: &mut WriteTx<'_>, now: Timestamp, limit: u32) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[now.into(), limit.into()]).await
}
