//! The SQL of groups.

use super::Group;
use tacit_kernel::ids::{AccountId, GroupId};
use tacit_storage::{ReadTx, Row, Sql, StorageError, Value, WriteTx};

const BY_NAME: Sql =
    Sql::new("SELECT id, name, multiplier_ppm, created_at, updated_at FROM user_groups WHERE name = $1");
const BY_ID: Sql = Sql::new("SELECT id, name, multiplier_ppm, created_at, updated_at FROM user_groups WHERE id = $1");
const LIST: Sql = Sql::new("SELECT id, name, multiplier_ppm, created_at, updated_at FROM user_groups ORDER BY name");
const INSERT: Sql =
    Sql::new("INSERT INTO user_groups (id, name, multiplier_ppm, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)");
const UPDATE: Sql = Sql::new("UPDATE user_groups SET multiplier_ppm = $2, updated_at = $3 WHERE id = $1");
const ACCOUNTS: Sql = Sql::new("SELECT id FROM accounts WHERE group_id = $1");
const COUNT: Sql = Sql::new("SELECT COUNT(*) AS n FROM accounts WHERE group_id = $1");
const DELETE: Sql = Sql::new("DELETE FROM user_groups WHERE id = $1");

/// Every statement of groups.
pub(crate) const STATEMENTS: &[&Sql] = &[&BY_NAME, &BY_ID, &LIST, &INSERT, &UPDATE, &ACCOUNTS, &COUNT, &DELETE];

fn group(row: &Row) -> Result<Group, StorageError> {
    Ok(Group {
        id: row.get("id")?,
        name: row.get("name")?,
        multiplier: row.get("multiplier_ppm")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) async fn group_by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<Group>, StorageError> {
    tx.one(&BY_NAME, &[Value::from(name)]).await?.as_ref().map(group).transpose()
}

pub(super) async fn group_by_id(tx: &mut ReadTx<'_>, id: GroupId) -> Result<Option<Group>, StorageError> {
    tx.one(&BY_ID, &[Value::from(id)]).await?.as_ref().map(group).transpose()
}

pub(super) async fn group_list(tx: &mut ReadTx<'_>) -> Result<Vec<Group>, StorageError> {
    tx.all(&LIST, &[]).await?.iter().map(group).collect()
}

pub(super) async fn group_insert(tx: &mut WriteTx<'_>, g: &Group) -> Result<(), StorageError> {
    let values = [g.id.into(), g.name.clone().into(), g.multiplier.into(), g.created_at.into()];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn group_update(tx: &mut WriteTx<'_>, g: &Group) -> Result<(), StorageError> {
    tx.execute(&UPDATE, &[g.id.into(), g.multiplier.into(), g.updated_at.into()]).await.map(drop)
}

/// The accounts of a group.
pub(super) async fn group_accounts(tx: &mut ReadTx<'_>, id: GroupId) -> Result<Vec<AccountId>, StorageError> {
    tx.all(&ACCOUNTS, &[id.into()]).await?.iter().map(|row| row.get("id")).collect()
}

/// How many accounts a group has.
pub(super) async fn group_size(tx: &mut ReadTx<'_>, id: GroupId) -> Result<u64, StorageError> {
    tx.one(&COUNT, &[id.into()]).await?.map_or(Ok(0), |row| row.get("n"))
}

pub(super) async fn group_delete(tx: &mut WriteTx<'_>, id: GroupId) -> Result<u64, StorageError> {
    tx.execute(&DELETE, &[id.into()]).await
}
