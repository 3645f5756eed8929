//! The SQL of codes.

use super::CodePurpose;
use tacit_kernel::Timestamp;
use tacit_storage::{Sql, StorageError, Value, WriteTx};
use uuid::Uuid;

const PUT: Sql = Sql::new(
    "INSERT INTO verification_codes (id, purpose, target, code_hash, tries, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, 0, $5, $6) ON CONFLICT (target, purpose) DO UPDATE SET id = excluded.id, \
     code_hash = excluded.code_hash, tries = 0, created_at = excluded.created_at, expires_at = excluded.expires_at",
);
const TAKE: Sql = Sql::new(
    "DELETE FROM verification_codes WHERE target = $1 AND purpose = $2 AND code_hash = $3 AND expires_at > $4 \
     AND tries < $5",
);
const IS: Sql = Sql::new(
    "SELECT id FROM verification_codes WHERE target = $1 AND purpose = $2 AND code_hash = $3 AND expires_at > $4 \
     AND tries < $5",
);
const ID: Sql = Sql::new("SELECT id FROM verification_codes WHERE target = $1 AND purpose = $2");
const TRIED: Sql = Sql::new("UPDATE verification_codes SET tries = tries + 1 WHERE target = $1 AND purpose = $2");
const FORGET: Sql = Sql::new(
    "DELETE FROM verification_codes WHERE id IN \
     (SELECT id FROM verification_codes WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
);

/// Every statement of codes.
pub(crate) const STATEMENTS: &[&Sql] = &[&PUT, &TAKE, &IS, &ID, &TRIED, &FORGET];

/// A code as somebody says it, and until when and how often it would be taken.
pub(super) struct Said<'s> {
    pub(super) purpose: CodePurpose,
    pub(super) target: &'s [u8; 32],
    pub(super) hash: [u8; 32],
    pub(super) now: Timestamp,
    pub(super) tries: i64,
}

impl Said<'_> {
    fn values(&self) -> [Value; 5] {
        [self.target.into(), self.purpose.word().into(), (&self.hash).into(), self.now.into(), self.tries.into()]
    }
}

pub(super) async fn put(
    tx: &mut WriteTx<'_>,
    id: Uuid,
    purpose: CodePurpose,
    target: &[u8; 32],
    hash: &[u8; 32],
    (now, expires_at): (Timestamp, Timestamp),
) -> Result<(), StorageError> {
    let values = [id.into(), purpose.word().into(), target.into(), hash.into(), now.into(), expires_at.into()];
    tx.execute(&PUT, &values).await.map(drop)
}

pub(super) async fn take(tx: &mut WriteTx<'_>, said: &Said<'_>) -> Result<bool, StorageError> {
    Ok(tx.execute(&TAKE, &said.values()).await? == 1)
}

pub(super) async fn is(tx: &mut WriteTx<'_>, said: &Said<'_>) -> Result<bool, StorageError> {
    Ok(tx.one(&IS, &said.values()).await?.is_some())
}

/// That of the newest one.
pub(super) async fn id(
    tx: &mut WriteTx<'_>,
    purpose: CodePurpose,
    target: &[u8; 32],
) -> Result<Option<Uuid>, StorageError> {
    tx.one(&ID, &[target.into(), purpose.word().into()]).await?.map(|row| row.get("id")).transpose()
}

pub(super) async fn tried(tx: &mut WriteTx<'_>, purpose: CodePurpose, target: &[u8; 32]) -> Result<(), StorageError> {
    tx.execute(&TRIED, &[target.into(), purpose.word().into()]).await.map(drop)
}

pub(super) async fn forget(tx: &mut WriteTx<'_>, now: Timestamp, limit: u32) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[now.into(), limit.into()]).await
}
