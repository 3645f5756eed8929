//! The SQL of accounts.

use super::AccountFilter;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, GroupId};
use tacit_kernel::limits::Limits;
use tacit_kernel::words;
use tacit_storage::{Page, ReadTx, Row, Sql, SqlText, StorageError, Value, WriteTx};

const BY_ID: Sql = Sql::new(
    "SELECT id, group_id, name_sealed, name_lookup, name_form, status, limits, created_at, updated_at FROM accounts WHERE id = $1",
);
const BY_LOOKUP: Sql = Sql::new(
    "SELECT id, group_id, name_sealed, name_lookup, name_form, status, limits, created_at, updated_at FROM accounts \
     WHERE name_lookup = $1",
);
const LIST: &str = "SELECT id, group_id, name_sealed, name_lookup, name_form, status, limits, created_at, updated_at FROM accounts \
     WHERE 1 = 1";
const INSERT: Sql = Sql::new(
    "INSERT INTO accounts (id, group_id, name_sealed, name_lookup, name_form, status, limits, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
);
const UPDATE: Sql = Sql::new(
    "UPDATE accounts SET group_id = $2, name_sealed = $3, name_lookup = $4, name_form = $5, status = $6, limits = $7, \
     updated_at = $8 WHERE id = $1",
);
const OF_EXACT_NAMES: Sql = Sql::new(
    "SELECT id, group_id, name_sealed, name_lookup, name_form, status, limits, created_at, updated_at FROM accounts \
     WHERE name_form = 'exact' AND id > $1 ORDER BY id LIMIT $2",
);
const NAME_RENEW: Sql =
    Sql::new("UPDATE accounts SET name_form = $2, name_lookup = $3 WHERE id = $1 AND name_form = 'exact'");

/// Every statement of accounts.
pub(crate) const STATEMENTS: &[&Sql] = &[&BY_ID, &BY_LOOKUP, &INSERT, &UPDATE, &OF_EXACT_NAMES, &NAME_RENEW];

words! {
    /// What of its name an account is found by.
    NameForm {
        /// The name as it is written: by the program before, or not yet renewed.
        Exact = "exact",
        /// The form that stands for all names that are the same.
        Folded = "folded",
        /// The name as it is written, for another account has one that is the same.
        Kept = "kept",
    }
}

/// A row, its name still sealed.
pub(super) struct AccountRow {
    pub(super) id: AccountId,
    pub(super) group: GroupId,
    pub(super) name_sealed: Vec<u8>,
    pub(super) name_lookup: Vec<u8>,
    pub(super) name_form: NameForm,
    pub(super) enabled: bool,
    pub(super) limits: Limits,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

fn account(row: &Row) -> Result<AccountRow, StorageError> {
    Ok(AccountRow {
        id: row.get("id")?,
        group: row.get("group_id")?,
        name_sealed: row.get("name_sealed")?,
        name_lookup: row.get("name_lookup")?,
        name_form: row.word("name_form", NameForm::parse)?,
        enabled: row.get::<String>("status")? == "active",
        limits: row.json("limits")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) async fn account_by_id(tx: &mut ReadTx<'_>, id: AccountId) -> Result<Option<AccountRow>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(account).transpose()
}

pub(super) async fn account_by_lookup(tx: &mut ReadTx<'_>, lookup: &[u8]) -> Result<Option<AccountRow>, StorageError> {
    tx.one(&BY_LOOKUP, &[lookup.to_vec().into()]).await?.as_ref().map(account).transpose()
}

/// One more than the page holds, so that the caller sees whether there is a next page.
pub(super) async fn account_list(
    tx: &mut ReadTx<'_>,
    filter: &AccountFilter,
    page: Page,
) -> Result<Vec<AccountRow>, StorageError> {
    let text = SqlText::new(LIST)
        .bind(" AND id > ", page.after.unwrap_or_default())
        .bind_some(" AND group_id = ", filter.group)
        .bind_some(" AND status = ", filter.enabled.map(crate::status_word))
        .bind(" ORDER BY id LIMIT ", page.fetch());
    tx.query(text).await?.iter().map(account).collect()
}

pub(super) async fn account_insert(tx: &mut WriteTx<'_>, a: &AccountRow, limits: String) -> Result<(), StorageError> {
    let values = [
        a.id.into(),
        a.group.into(),
        a.name_sealed.clone().into(),
        a.name_lookup.clone().into(),
        Value::Word(a.name_form.as_str()),
        crate::status_word(a.enabled).into(),
        limits.into(),
        a.created_at.into(),
        a.updated_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn account_update(tx: &mut WriteTx<'_>, a: &AccountRow, limits: String) -> Result<(), StorageError> {
    let values = [
        a.id.into(),
        a.group.into(),
        a.name_sealed.clone().into(),
        a.name_lookup.clone().into(),
        Value::Word(a.name_form.as_str()),
        crate::status_word(a.enabled).into(),
        limits.into(),
        a.updated_at.into(),
    ];
    tx.execute(&UPDATE, &values).await.map(drop)
}

/// Accounts that are found by their names as they are written.
pub(super) async fn of_exact_names(
    tx: &mut ReadTx<'_>,
    after: AccountId,
    limit: u32,
) -> Result<Vec<AccountRow>, StorageError> {
    tx.all(&OF_EXACT_NAMES, &[after.into(), limit.into()]).await?.iter().map(account).collect()
}

pub(super) async fn name_renew(
    tx: &mut WriteTx<'_>,
    id: AccountId,
    form: NameForm,
    lookup: Vec<u8>,
) -> Result<(), StorageError> {
    tx.execute(&NAME_RENEW, &[id.into(), Value::Word(form.as_str()), lookup.into()]).await.map(drop)
}
