//! The SQL of API keys.

use super::{Belongs, BudgetOf, KeyAuthority, KeyBudget, KeyEnd, KeyFacts, Retired};
use crate::organisations::{OrganisationPermission, OrganisationRole};
use tacit_kernel::Timestamp;
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{AccountId, KeyId, ProjectId};
use tacit_kernel::limits::{Budget, Limits};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, Value, WriteTx};

const BY_ID: Sql = Sql::new(
    "SELECT id, account_id, member_id, project_id, name_sealed, hash, hint, source, status, disabled_by, ended, \
     limits, limits_by, created_at, updated_at, name_lookup, retired_at \
     FROM api_keys WHERE id = $1",
);
const LIST: Sql = Sql::new(
    "SELECT id, account_id, member_id, project_id, name_sealed, hash, hint, source, status, disabled_by, ended, \
     limits, limits_by, created_at, updated_at, name_lookup, retired_at \
     FROM api_keys WHERE id > $1 AND (retired_at IS NULL OR $3 = 1) ORDER BY id LIMIT $2",
);
const LIST_OF_ACCOUNT: Sql = Sql::new(
    "SELECT id, account_id, member_id, project_id, name_sealed, hash, hint, source, status, disabled_by, ended, \
     limits, limits_by, created_at, updated_at, name_lookup, retired_at \
     FROM api_keys WHERE account_id = $1 AND id > $2 AND (retired_at IS NULL OR $4 = 1) ORDER BY id LIMIT $3",
);
const LIST_OF_MEMBER: Sql = Sql::new(
    "SELECT id, account_id, member_id, project_id, name_sealed, hash, hint, source, status, disabled_by, ended, \
     limits, limits_by, created_at, updated_at, name_lookup, retired_at \
     FROM api_keys WHERE account_id = $1 AND member_id = $2 AND id > $3 AND (retired_at IS NULL OR $5 = 1) ORDER BY id LIMIT $4",
);
const LIST_OF_PROJECT: Sql = Sql::new(
    "SELECT id, account_id, member_id, project_id, name_sealed, hash, hint, source, status, disabled_by, ended, \
     limits, limits_by, created_at, updated_at, name_lookup, retired_at \
     FROM api_keys WHERE account_id = $1 AND project_id = $2 AND id > $3 AND (retired_at IS NULL OR $5 = 1) ORDER BY id LIMIT $4",
);
/// Of those that are not found by their name yet.
const NAMES: Sql = Sql::new(
    "SELECT id, name_sealed FROM api_keys WHERE account_id = $1 AND name_lookup IS NULL AND retired_at IS NULL ORDER BY id",
);
const BY_NAME: Sql = Sql::new("SELECT id FROM api_keys WHERE account_id = $1 AND name_lookup = $2");
const UNFOUND: Sql = Sql::new(
    "SELECT id, account_id, member_id, project_id, name_sealed, hash, hint, source, status, disabled_by, ended, \
     limits, limits_by, created_at, updated_at, name_lookup, retired_at \
     FROM api_keys WHERE name_lookup IS NULL AND retired_at IS NULL AND id > $1 ORDER BY id LIMIT $2",
);
const NAME_RENEW: Sql = Sql::new("UPDATE api_keys SET name_lookup = $2 WHERE id = $1 AND name_lookup IS NULL");
const INSERT: Sql = Sql::new(
    "INSERT INTO api_keys (id, account_id, name_sealed, hash, hint, source, status, limits, created_at, updated_at, \
     member_id, project_id, limits_by, name_lookup) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13)",
);
const UPDATE: Sql = Sql::new(
    "UPDATE api_keys SET name_sealed = $2, status = $3, limits = $4, updated_at = $5, disabled_by = $6, ended = $7, \
     limits_by = $8, name_lookup = $9, retired_at = $10 WHERE id = $1",
);
const GRANT: Sql = Sql::new(
    "SELECT k.id AS key_id, k.account_id AS account_id, a.group_id AS group_id, g.multiplier_ppm AS multiplier_ppm, \
     k.status AS key_status, a.status AS account_status, k.limits AS key_limits, a.limits AS account_limits, \
     k.source AS source, k.member_id AS member_id, k.project_id AS project_id, m.role AS member_role, \
     m.budget AS member_budget, s.status AS member_status, p.status AS project_status, p.budget AS project_budget, \
     (SELECT c.allowed FROM choices c WHERE c.account_id = k.account_id AND c.matter = 'use' \
     ORDER BY c.number DESC LIMIT 1) AS account_use, \
     (SELECT c.allowed FROM choices c WHERE c.account_id = k.member_id AND c.matter = 'use' \
     ORDER BY c.number DESC LIMIT 1) AS member_use \
     FROM api_keys k JOIN accounts a ON a.id = k.account_id JOIN user_groups g ON g.id = a.group_id \
     LEFT JOIN organisation_members m ON m.organisation_id = k.account_id AND m.account_id = k.member_id \
     LEFT JOIN accounts s ON s.id = k.member_id LEFT JOIN organisation_projects p ON p.id = k.project_id \
     WHERE k.hash = $1",
);

const ACTIVE: Sql = Sql::new("SELECT COUNT(*) AS n FROM api_keys WHERE account_id = $1 AND status = 'active'");

const ALL: Sql = Sql::new("SELECT COUNT(*) AS n FROM api_keys WHERE account_id = $1 AND retired_at IS NULL");

/// Every statement of keys.
pub(crate) const STATEMENTS: &[&Sql] = &[
    &BY_ID,
    &LIST,
    &LIST_OF_ACCOUNT,
    &LIST_OF_MEMBER,
    &LIST_OF_PROJECT,
    &NAMES,
    &BY_NAME,
    &UNFOUND,
    &NAME_RENEW,
    &INSERT,
    &UPDATE,
    &GRANT,
    &ACTIVE,
    &ALL,
];

impl Retired {
    fn flag(self) -> Value {
        i64::from(self == Self::Too).into()
    }
}

/// A row, its name still sealed.
pub(super) struct KeyRow {
    pub(super) id: KeyId,
    pub(super) account: AccountId,
    pub(super) belongs: Belongs,
    pub(super) name_sealed: Vec<u8>,
    pub(super) hash: [u8; 32],
    pub(super) hint: String,
    pub(super) source: CallSource,
    pub(super) enabled: bool,
    pub(super) disabled_by: KeyAuthority,
    pub(super) ended: Option<KeyEnd>,
    pub(super) limits: Limits,
    pub(super) limits_by: KeyAuthority,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// What it is found by; nothing if it is not yet, or was put away.
    pub(super) name_lookup: Option<[u8; 32]>,
    pub(super) retired_at: Option<Timestamp>,
}

fn key(row: &Row) -> Result<KeyRow, StorageError> {
    let hash = row.get::<Vec<u8>>("hash")?;
    let lookup: Option<Vec<u8>> = row.get("name_lookup")?;
    let inconsistent = |_| StorageError::inconsistent("api_keys", "name_lookup");
    Ok(KeyRow {
        id: row.get("id")?,
        account: row.get("account_id")?,
        belongs: Belongs { member: row.get("member_id")?, project: row.get("project_id")? },
        name_sealed: row.get("name_sealed")?,
        hash: hash.try_into().map_err(|_| StorageError::inconsistent("api_keys", "hash"))?,
        hint: row.get("hint")?,
        source: row.word("source", CallSource::parse)?,
        enabled: row.get::<String>("status")? == "active",
        disabled_by: authority(row, "disabled_by")?,
        ended: row.get::<Option<String>>("ended")?.as_deref().and_then(KeyEnd::parse),
        limits: row.json("limits")?,
        limits_by: authority(row, "limits_by")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        name_lookup: lookup.map(TryInto::try_into).transpose().map_err(inconsistent)?,
        retired_at: row.get("retired_at")?,
    })
}

fn authority(row: &Row, column: &'static str) -> Result<KeyAuthority, StorageError> {
    let word: Option<String> = row.get(column)?;
    KeyAuthority::of_word(word.as_deref()).ok_or(StorageError::inconsistent("api_keys", column))
}

pub(super) async fn key_by_id(tx: &mut ReadTx<'_>, id: KeyId) -> Result<Option<KeyRow>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(key).transpose()
}

/// One more than the page holds, so that the caller sees whether there is a next page.
pub(super) async fn key_list(
    tx: &mut ReadTx<'_>,
    account: Option<AccountId>,
    (retired, page): (Retired, Page),
) -> Result<Vec<KeyRow>, StorageError> {
    let (after, limit) = (Value::from(page.after.unwrap_or_default()), Value::from(page.fetch()));
    let rows = match account {
        Some(account) => tx.all(&LIST_OF_ACCOUNT, &[account.into(), after, limit, retired.flag()]).await?,
        None => tx.all(&LIST, &[after, limit, retired.flag()]).await?,
    };
    rows.iter().map(key).collect()
}

/// One more than the page holds, of one member of an organisation.
pub(super) async fn key_list_of_member(
    tx: &mut ReadTx<'_>,
    (account, member): (AccountId, AccountId),
    (retired, page): (Retired, Page),
) -> Result<Vec<KeyRow>, StorageError> {
    let after = page.after.unwrap_or_default();
    let values = [account.into(), member.into(), after.into(), page.fetch().into(), retired.flag()];
    tx.all(&LIST_OF_MEMBER, &values).await?.iter().map(key).collect()
}

/// One more than the page holds, of one project of an organisation.
pub(super) async fn key_list_of_project(
    tx: &mut ReadTx<'_>,
    (account, project): (AccountId, ProjectId),
    (retired, page): (Retired, Page),
) -> Result<Vec<KeyRow>, StorageError> {
    let after = page.after.unwrap_or_default();
    let values = [account.into(), project.into(), after.into(), page.fetch().into(), retired.flag()];
    tx.all(&LIST_OF_PROJECT, &values).await?.iter().map(key).collect()
}

/// The key of an account that is found by that.
pub(super) async fn key_by_name(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    lookup: &[u8; 32],
) -> Result<Option<KeyId>, StorageError> {
    tx.one(&BY_NAME, &[account.into(), lookup.into()]).await?.map(|row| row.get("id")).transpose()
}

/// Keys that are not found by their name yet.
pub(super) async fn of_unfound_names(
    tx: &mut ReadTx<'_>,
    after: KeyId,
    limit: u32,
) -> Result<Vec<KeyRow>, StorageError> {
    tx.all(&UNFOUND, &[after.into(), limit.into()]).await?.iter().map(key).collect()
}

pub(super) async fn key_name_renew(tx: &mut WriteTx<'_>, id: KeyId, lookup: &[u8; 32]) -> Result<(), StorageError> {
    tx.execute(&NAME_RENEW, &[id.into(), lookup.into()]).await.map(drop)
}

/// The sealed names of the keys of an account that are not found by them yet.
pub(super) async fn key_names(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Vec<(KeyId, Vec<u8>)>, StorageError> {
    let rows = tx.all(&NAMES, &[account.into()]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("name_sealed")?))).collect()
}

/// How many keys of an account are in use.
pub(crate) async fn count_active(tx: &mut ReadTx<'_>, account: AccountId) -> Result<u64, StorageError> {
    tx.one(&ACTIVE, &[account.into()]).await?.map_or(Ok(0), |row| row.get("n"))
}

/// How many keys an account has, in use or not, but for those that were put away.
pub(super) async fn count(tx: &mut ReadTx<'_>, account: AccountId) -> Result<u64, StorageError> {
    tx.one(&ALL, &[account.into()]).await?.map_or(Ok(0), |row| row.get("n"))
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
        k.belongs.member.into(),
        k.belongs.project.into(),
        k.limits_by.word().into(),
        k.name_lookup.map(Vec::from).into(),
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
        k.disabled_by.word().into(),
        k.ended.map(KeyEnd::as_str).into(),
        k.limits_by.word().into(),
        k.name_lookup.map(Vec::from).into(),
        k.retired_at.into(),
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
        key_enabled: row.get::<String>("key_status")? == "active" && key_serves(&row)?,
        account_enabled: row.get::<String>("account_status")? == "active",
        restricted: key_restricted(&row)?,
        key_limits: row.json("key_limits")?,
        account_limits: row.json("account_limits")?,
        source: row.word("source", CallSource::parse)?,
        budgets: key_budgets(&row)?,
    }))
}

/// Whether whoever it or its money is of wants their data kept and not used.
fn key_restricted(row: &Row) -> Result<bool, StorageError> {
    let of = [row.get::<Option<i64>>("account_use")?, row.get::<Option<i64>>("member_use")?];
    Ok(of.into_iter().flatten().any(|allowed| allowed == 0))
}

/// Whether its member may have keys and can sign in, and its project is in use. Where either changes the keys are disabled; a
/// key that is not serves nothing all the same.
fn key_serves(row: &Row) -> Result<bool, StorageError> {
    let role: Option<String> = row.get("member_role")?;
    let may = |role: OrganisationRole| role.has(OrganisationPermission::KeysOwn);
    let of_member = match row.get::<Option<AccountId>>("member_id")? {
        None => true,
        Some(_) => {
            let active = row.get::<Option<String>>("member_status")?.as_deref() == Some("active");
            active && role.as_deref().and_then(OrganisationRole::parse).is_some_and(may)
        }
    };
    let of_project = match row.get::<Option<ProjectId>>("project_id")? {
        None => true,
        Some(_) => row.get::<Option<String>>("project_status")?.as_deref() == Some("active"),
    };
    Ok(of_member && of_project)
}

/// The budgets that are set.
fn key_budgets(row: &Row) -> Result<Vec<KeyBudget>, StorageError> {
    let mut budgets = Vec::new();
    let member = row.get::<Option<AccountId>>("member_id")?.map(BudgetOf::Member);
    let project = row.get::<Option<ProjectId>>("project_id")?.map(BudgetOf::Project);
    for (of, column) in [(member, "member_budget"), (project, "project_budget")] {
        let Some((of, text)) = of.zip(row.get::<Option<String>>(column)?) else { continue };
        let budget: Budget = serde_json::from_str(&text).map_err(|_| StorageError::inconsistent("result", column))?;
        if budget.is_set() {
            budgets.push(KeyBudget { of, budget });
        }
    }
    Ok(budgets)
}
