//! Answers that are kept for a while under an idempotency key, so that a request sent twice does its work once. The row
//! is written in the transaction that does the work.

use crate::error::{StorageError, StorageErrorKind};
use crate::sql::Sql;
use crate::tx::{ReadTx, WriteTx};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use uuid::Uuid;

/// A kept answer.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Primary key.
    pub id: Uuid,
    /// Whose request it was.
    pub account: AccountId,
    /// Keyed hash of caller, operation and idempotency key.
    pub key_hash: [u8; 32],
    /// Keyed hash of the request.
    pub request_hash: [u8; 32],
    /// The answer, sealed with the account's key.
    pub answer_sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

const FIND: Sql = Sql::new(
    "SELECT id, account_id, request_hash, answer_sealed, created_at FROM idempotency_keys \
     WHERE key_hash = $1 AND created_at >= $2",
);
const INSERT: Sql = Sql::new(
    "INSERT INTO idempotency_keys (id, account_id, key_hash, request_hash, answer_sealed, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6)",
);
const SWEEP: Sql = Sql::new("DELETE FROM idempotency_keys WHERE created_at < $1");

/// The statements of this module.
pub const STATEMENTS: &[&Sql] = &[&FIND, &INSERT, &SWEEP];

/// What was kept under that hash, at that moment or later.
///
/// # Errors
/// Any [`StorageError`].
pub async fn find(tx: &mut ReadTx<'_>, key_hash: [u8; 32], since: Timestamp) -> Result<Option<Kept>, StorageError> {
    let Some(row) = tx.one(&FIND, &[key_hash.to_vec().into(), since.into()]).await? else { return Ok(None) };
    let request_hash: Vec<u8> = row.get("request_hash")?;
    Ok(Some(Kept {
        id: row.get("id")?,
        account: row.get("account_id")?,
        key_hash,
        request_hash: request_hash
            .try_into()
            .map_err(|_| StorageError::inconsistent("idempotency_keys", "request_hash"))?,
        answer_sealed: row.get("answer_sealed")?,
        created_at: row.get("created_at")?,
    }))
}

/// Keeps an answer.
///
/// # Errors
/// Any [`StorageError`]; `Busy` if another transaction keeps one under the same hash: begun anew, this one finds it.
pub async fn keep(tx: &mut WriteTx<'_>, kept: &Kept) -> Result<(), StorageError> {
    let values = [
        kept.id.into(),
        kept.account.into(),
        kept.key_hash.to_vec().into(),
        kept.request_hash.to_vec().into(),
        kept.answer_sealed.clone().into(),
        kept.created_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop).map_err(|e| match e.kind {
        StorageErrorKind::Unique => StorageError { kind: StorageErrorKind::Busy, ..e },
        _ => e,
    })
}

/// Forgets what is older; how many that were.
///
/// # Errors
/// Any [`StorageError`].
pub async fn sweep(tx: &mut WriteTx<'_>, before: Timestamp) -> Result<u64, StorageError> {
    tx.execute(&SWEEP, &[before.into()]).await
}
