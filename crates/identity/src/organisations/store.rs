//! The SQL of organisations and their members.

use super::access::OrganisationRole;
use super::model::Standing;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Budget;
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, WriteTx};

const INSERT: Sql =
    Sql::new("INSERT INTO organisations (account_id, name_sealed, created_at, updated_at) VALUES ($1, $2, $3, $3)");
const BY_ID: Sql = Sql::new(
    "SELECT o.account_id AS account_id, o.name_sealed AS name_sealed, a.status AS status, o.created_at AS created_at, \
     o.updated_at AS updated_at FROM organisations o JOIN accounts a ON a.id = o.account_id WHERE o.account_id = $1",
);
const RENAME: Sql = Sql::new("UPDATE organisations SET name_sealed = $2, updated_at = $3 WHERE account_id = $1");
const TOUCH: Sql = Sql::new("UPDATE organisations SET updated_at = $2 WHERE account_id = $1");
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT o.account_id AS account_id, o.name_sealed AS name_sealed, a.status AS status, o.created_at AS created_at, \
     o.updated_at AS updated_at, m.role AS role FROM organisation_members m \
     JOIN organisations o ON o.account_id = m.organisation_id JOIN accounts a ON a.id = o.account_id \
     WHERE m.account_id = $1 AND m.organisation_id > $2 ORDER BY m.organisation_id LIMIT $3",
);
const OWNED: Sql = Sql::new("SELECT COUNT(*) AS n FROM organisation_members WHERE account_id = $1 AND role = 'owner'");
const STANDING: Sql = Sql::new(
    "SELECT m.role AS role, a.status AS status FROM organisation_members m \
     JOIN accounts a ON a.id = m.organisation_id WHERE m.organisation_id = $1 AND m.account_id = $2",
);
const MEMBER: Sql = Sql::new(
    "SELECT account_id, role, budget, joined_at, updated_at FROM organisation_members \
     WHERE organisation_id = $1 AND account_id = $2",
);
const MEMBERS: Sql = Sql::new(
    "SELECT account_id, role, budget, joined_at, updated_at FROM organisation_members \
     WHERE organisation_id = $1 AND account_id > $2 ORDER BY account_id LIMIT $3",
);
const MEMBER_COUNT: Sql = Sql::new("SELECT COUNT(*) AS n FROM organisation_members WHERE organisation_id = $1");
const MEMBER_INSERT: Sql = Sql::new(
    "INSERT INTO organisation_members (organisation_id, account_id, role, budget, joined_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $5)",
);
const MEMBER_UPDATE: Sql = Sql::new(
    "UPDATE organisation_members SET role = $3, budget = $4, updated_at = $5 \
     WHERE organisation_id = $1 AND account_id = $2",
);
const MEMBER_DELETE: Sql = Sql::new("DELETE FROM organisation_members WHERE organisation_id = $1 AND account_id = $2");
const OF_MEMBER: Sql =
    Sql::new("SELECT organisation_id FROM organisation_members WHERE account_id = $1 ORDER BY organisation_id");

/// Every statement of organisations and members.
pub(crate) const STATEMENTS: &[&Sql] = &[
    &INSERT,
    &BY_ID,
    &RENAME,
    &TOUCH,
    &OF_ACCOUNT,
    &OWNED,
    &STANDING,
    &MEMBER,
    &MEMBERS,
    &MEMBER_COUNT,
    &MEMBER_INSERT,
    &MEMBER_UPDATE,
    &MEMBER_DELETE,
    &OF_MEMBER,
];

/// A row, its name still sealed.
pub(super) struct OrganisationRow {
    pub(super) id: AccountId,
    pub(super) name_sealed: Vec<u8>,
    pub(super) open: bool,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

fn organisation(row: &Row) -> Result<OrganisationRow, StorageError> {
    Ok(OrganisationRow {
        id: row.get("account_id")?,
        name_sealed: row.get("name_sealed")?,
        open: row.get::<String>("status")? == "active",
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// A row of a member.
#[derive(Clone, Copy)]
pub(super) struct MemberRow {
    pub(super) account: AccountId,
    pub(super) role: OrganisationRole,
    pub(super) budget: Budget,
    pub(super) joined_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

fn member(row: &Row) -> Result<MemberRow, StorageError> {
    Ok(MemberRow {
        account: row.get("account_id")?,
        role: row.word("role", OrganisationRole::parse)?,
        budget: row.json("budget")?,
        joined_at: row.get("joined_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// A budget in the form of its column.
pub(super) fn budget_text(budget: &Budget) -> Result<String, StorageError> {
    serde_json::to_string(budget).map_err(|_| StorageError::inconsistent("organisation_members", "budget"))
}

fn count(row: Option<Row>) -> Result<u64, StorageError> {
    row.map_or(Ok(0), |row| row.get("n"))
}

pub(super) async fn insert(
    tx: &mut WriteTx<'_>,
    id: AccountId,
    name_sealed: Vec<u8>,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(&INSERT, &[id.into(), name_sealed.into(), now.into()]).await.map(drop)
}

pub(super) async fn by_id(tx: &mut ReadTx<'_>, id: AccountId) -> Result<Option<OrganisationRow>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(organisation).transpose()
}

pub(super) async fn rename(
    tx: &mut WriteTx<'_>,
    id: AccountId,
    name_sealed: Vec<u8>,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(&RENAME, &[id.into(), name_sealed.into(), now.into()]).await.map(drop)
}

pub(super) async fn touch(tx: &mut WriteTx<'_>, id: AccountId, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(&TOUCH, &[id.into(), now.into()]).await.map(drop)
}

/// One more than the page holds.
pub(super) async fn of_account(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    page: Page,
) -> Result<Vec<(OrganisationRow, OrganisationRole)>, StorageError> {
    let values = [account.into(), page.after.unwrap_or_default().into(), page.fetch().into()];
    let rows = tx.all(&OF_ACCOUNT, &values).await?;
    rows.iter().map(|row| Ok((organisation(row)?, row.word("role", OrganisationRole::parse)?))).collect()
}

pub(crate) async fn owned(tx: &mut ReadTx<'_>, account: AccountId) -> Result<u64, StorageError> {
    count(tx.one(&OWNED, &[account.into()]).await?)
}

pub(crate) async fn standing(
    tx: &mut ReadTx<'_>,
    organisation: AccountId,
    account: AccountId,
) -> Result<Option<Standing>, StorageError> {
    let Some(row) = tx.one(&STANDING, &[organisation.into(), account.into()]).await? else { return Ok(None) };
    let role = row.word("role", OrganisationRole::parse)?;
    Ok(Some(Standing { role, open: row.get::<String>("status")? == "active" }))
}

pub(super) async fn member_get(
    tx: &mut ReadTx<'_>,
    organisation: AccountId,
    account: AccountId,
) -> Result<Option<MemberRow>, StorageError> {
    tx.one(&MEMBER, &[organisation.into(), account.into()]).await?.as_ref().map(member).transpose()
}

/// One more than the page holds.
pub(super) async fn members(
    tx: &mut ReadTx<'_>,
    organisation: AccountId,
    page: Page,
) -> Result<Vec<MemberRow>, StorageError> {
    let values = [organisation.into(), page.after.unwrap_or_default().into(), page.fetch().into()];
    tx.all(&MEMBERS, &values).await?.iter().map(member).collect()
}

pub(super) async fn member_count(tx: &mut ReadTx<'_>, organisation: AccountId) -> Result<u64, StorageError> {
    count(tx.one(&MEMBER_COUNT, &[organisation.into()]).await?)
}

pub(super) async fn member_insert(
    tx: &mut WriteTx<'_>,
    organisation: AccountId,
    account: AccountId,
    role: OrganisationRole,
    now: Timestamp,
) -> Result<(), StorageError> {
    let budget = budget_text(&Budget::default())?;
    let values = [organisation.into(), account.into(), role.as_str().into(), budget.into(), now.into()];
    tx.execute(&MEMBER_INSERT, &values).await.map(drop)
}

pub(super) async fn member_update(
    tx: &mut WriteTx<'_>,
    organisation: AccountId,
    row: &MemberRow,
) -> Result<(), StorageError> {
    let values = [
        organisation.into(),
        row.account.into(),
        row.role.as_str().into(),
        budget_text(&row.budget)?.into(),
        row.updated_at.into(),
    ];
    tx.execute(&MEMBER_UPDATE, &values).await.map(drop)
}

pub(super) async fn member_delete(
    tx: &mut WriteTx<'_>,
    organisation: AccountId,
    account: AccountId,
) -> Result<(), StorageError> {
    tx.execute(&MEMBER_DELETE, &[organisation.into(), account.into()]).await.map(drop)
}

/// All organisations of which somebody is a member.
pub(super) async fn of_member(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Vec<AccountId>, StorageError> {
    tx.all(&OF_MEMBER, &[account.into()]).await?.iter().map(|row| row.get("organisation_id")).collect()
}
