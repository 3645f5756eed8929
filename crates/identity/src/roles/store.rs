//! The SQL of roles.

use super::CustomRole;
use crate::access::Permissions;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, Row, Sql, StorageError, WriteTx};

const LIST: Sql = Sql::new("SELECT name, permissions, created_at, updated_at FROM staff_roles ORDER BY name");
const PUT: Sql = Sql::new(
    "INSERT INTO staff_roles (name, permissions, created_at, updated_at) VALUES ($1, $2, $3, $3) \
     ON CONFLICT (name) DO UPDATE SET permissions = excluded.permissions, updated_at = excluded.updated_at",
);
const DELETE: Sql = Sql::new("DELETE FROM staff_roles WHERE name = $1");
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT a.role AS role, s.permissions AS permissions FROM account_roles a \
     LEFT JOIN staff_roles s ON s.name = a.role WHERE a.account_id = $1 ORDER BY a.role",
);
const STAFF: Sql = Sql::new(
    "SELECT account_id, role, granted_at FROM account_roles WHERE (account_id, role) > ($1, $2) \
     ORDER BY account_id, role LIMIT $3",
);
const WHO_HAS: Sql = Sql::new("SELECT account_id FROM account_roles WHERE role = $1 ORDER BY account_id");
const ENABLED: Sql = Sql::new(
    "SELECT COUNT(*) AS n FROM account_roles r JOIN accounts a ON a.id = r.account_id \
     WHERE r.role = $1 AND a.status = 'active'",
);
const GRANT: Sql = Sql::new(
    "INSERT INTO account_roles (account_id, role, granted_at) VALUES ($1, $2, $3) \
     ON CONFLICT (account_id, role) DO NOTHING",
);
const REVOKE: Sql = Sql::new("DELETE FROM account_roles WHERE account_id = $1 AND role = $2");

/// Every statement of roles.
pub(crate) const STATEMENTS: &[&Sql] =
    &[&LIST, &PUT, &DELETE, &OF_ACCOUNT, &STAFF, &WHO_HAS, &ENABLED, &GRANT, &REVOKE];

fn role(row: &Row) -> Result<CustomRole, StorageError> {
    Ok(CustomRole {
        name: row.get("name")?,
        permissions: row.json("permissions")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) async fn list(tx: &mut ReadTx<'_>) -> Result<Vec<CustomRole>, StorageError> {
    tx.all(&LIST, &[]).await?.iter().map(role).collect()
}

pub(super) async fn put(
    tx: &mut WriteTx<'_>,
    name: &str,
    permissions: Permissions,
    now: Timestamp,
) -> Result<(), StorageError> {
    let text =
        serde_json::to_string(&permissions).map_err(|_| StorageError::inconsistent("staff_roles", "permissions"))?;
    tx.execute(&PUT, &[name.into(), text.into(), now.into()]).await.map(drop)
}

pub(super) async fn delete(tx: &mut WriteTx<'_>, name: &str) -> Result<bool, StorageError> {
    Ok(tx.execute(&DELETE, &[name.into()]).await? == 1)
}

/// The roles of an account; with what it allows if it is one of the operator's own.
pub(super) async fn of_account(
    tx: &mut ReadTx<'_>,
    account: AccountId,
) -> Result<Vec<(String, Option<Permissions>)>, StorageError> {
    let named = |row: &Row| {
        let custom = row.get::<Option<String>>("permissions")?.is_some();
        Ok((row.get("role")?, if custom { Some(row.json("permissions")?) } else { None }))
    };
    tx.all(&OF_ACCOUNT, &[account.into()]).await?.iter().map(named).collect()
}

pub(super) async fn staff(
    tx: &mut ReadTx<'_>,
    after: Option<&(AccountId, String)>,
    limit: u32,
) -> Result<Vec<(AccountId, String, Timestamp)>, StorageError> {
    let (account, role) = after.map_or((uuid::Uuid::nil(), ""), |(account, role)| (account.0, role.as_str()));
    let rows = tx.all(&STAFF, &[account.into(), role.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((row.get("account_id")?, row.get("role")?, row.get("granted_at")?))).collect()
}

pub(super) async fn who_has(tx: &mut ReadTx<'_>, role: &str) -> Result<Vec<AccountId>, StorageError> {
    tx.all(&WHO_HAS, &[role.into()]).await?.iter().map(|row| row.get("account_id")).collect()
}

/// How many enabled accounts have a role.
pub(super) async fn enabled(tx: &mut ReadTx<'_>, role: &str) -> Result<u64, StorageError> {
    tx.one(&ENABLED, &[role.into()]).await?.map_or(Ok(0), |row| row.get("n"))
}

pub(super) async fn grant(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    role: &str,
    now: Timestamp,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&GRANT, &[account.into(), role.into(), now.into()]).await? == 1)
}

pub(super) async fn revoke(tx: &mut WriteTx<'_>, account: AccountId, role: &str) -> Result<bool, StorageError> {
    Ok(tx.execute(&REVOKE, &[account.into(), role.into()]).await? == 1)
}
