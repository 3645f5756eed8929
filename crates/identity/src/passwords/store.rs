//! The SQL of passwords.

use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, Sql, StorageError, WriteTx};

const PUT: Sql = Sql::new(
    "INSERT INTO account_passwords (account_id, digest_sealed, changed_at) VALUES ($1, $2, $3) \
     ON CONFLICT (account_id) DO UPDATE SET digest_sealed = excluded.digest_sealed, changed_at = excluded.changed_at",
);
const GET: Sql = Sql::new("SELECT digest_sealed FROM account_passwords WHERE account_id = $1");

const REMOVE: Sql = Sql::new("DELETE FROM account_passwords WHERE account_id = $1");

/// Every statement of passwords.
pub(crate) const STATEMENTS: &[&Sql] = &[&PUT, &GET, &REMOVE];

pub(super) async fn put(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    sealed: Vec<u8>,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(&PUT, &[account.into(), sealed.into(), now.into()]).await.map(drop)
}

pub(super) async fn get(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Option<Vec<u8>>, StorageError> {
    tx.one(&GET, &[account.into()]).await?.map(|row| row.get("digest_sealed")).transpose()
}

pub(super) async fn remove(tx: &mut WriteTx<'_>, account: AccountId) -> Result<(), StorageError> {
    tx.execute(&REMOVE, &[account.into()]).await.map(drop)
}
