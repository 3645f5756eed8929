//! The SQL of contacts.

use super::ContactKind;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, Row, Sql, SqlText, StorageError, WriteTx};

// `ON CONFLICT` names the key, so that only the look-up can be violated.
const PUT: Sql = Sql::new(
    "INSERT INTO account_contacts (account_id, kind, value_sealed, value_lookup, verified_at) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account_id, kind) DO UPDATE SET value_sealed = excluded.value_sealed, \
     value_lookup = excluded.value_lookup, verified_at = excluded.verified_at",
);
const OF_ACCOUNT: Sql =
    Sql::new("SELECT kind, value_sealed, verified_at FROM account_contacts WHERE account_id = $1 ORDER BY kind");
const OWNER: Sql = Sql::new("SELECT account_id FROM account_contacts WHERE value_lookup = $1");

const DELETE: Sql = Sql::new("DELETE FROM account_contacts WHERE account_id = $1 AND kind = $2");

/// Every statement of contacts.
pub(crate) const STATEMENTS: &[&Sql] = &[&PUT, &OF_ACCOUNT, &OWNER, &DELETE];

/// A row, its value still sealed.
pub(super) struct ContactRow {
    pub(super) kind: ContactKind,
    pub(super) value_sealed: Vec<u8>,
    pub(super) verified_at: Timestamp,
}

pub(super) async fn put(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    kind: ContactKind,
    sealed: Vec<u8>,
    lookup: &[u8; 32],
    now: Timestamp,
) -> Result<(), StorageError> {
    let values = [account.into(), kind.word().into(), sealed.into(), lookup.into(), now.into()];
    tx.execute(&PUT, &values).await.map(drop)
}

pub(super) async fn of_account(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Vec<ContactRow>, StorageError> {
    tx.all(&OF_ACCOUNT, &[account.into()]).await?.iter().map(contact).collect()
}

/// Those of each of these accounts, in the order of accounts and kinds.
pub(super) async fn of_each(
    tx: &mut ReadTx<'_>,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, ContactRow)>, StorageError> {
    let text = SqlText::new("SELECT account_id, kind, value_sealed, verified_at FROM account_contacts WHERE 1 = 1")
        .list(" AND account_id IN ", accounts.iter().copied())
        .push(" ORDER BY account_id, kind");
    tx.query(text).await?.iter().map(|row| Ok((row.get("account_id")?, contact(row)?))).collect()
}

fn contact(row: &Row) -> Result<ContactRow, StorageError> {
    let kind = ContactKind::from_word(&row.get::<String>("kind")?);
    Ok(ContactRow {
        kind: kind.ok_or_else(|| StorageError::inconsistent("account_contacts", "kind"))?,
        value_sealed: row.get("value_sealed")?,
        verified_at: row.get("verified_at")?,
    })
}

pub(super) async fn owner(tx: &mut ReadTx<'_>, lookup: &[u8; 32]) -> Result<Option<AccountId>, StorageError> {
    tx.one(&OWNER, &[lookup.into()]).await?.map(|row| row.get("account_id")).transpose()
}

/// Whether there was one.
pub(super) async fn delete(tx: &mut WriteTx<'_>, account: AccountId, kind: ContactKind) -> Result<bool, StorageError> {
    Ok(tx.execute(&DELETE, &[account.into(), kind.word().into()]).await? == 1)
}
