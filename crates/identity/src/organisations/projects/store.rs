//! The SQL of projects.

use crate::organisations::store::budget_text;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, ProjectId};
use tacit_kernel::limits::Budget;
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, WriteTx};

const INSERT: Sql = Sql::new(
    "INSERT INTO organisation_projects (id, organisation_id, name_sealed, status, budget, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $6)",
);
const GET: Sql = Sql::new(
    "SELECT id, organisation_id, name_sealed, status, budget, created_at, updated_at FROM organisation_projects \
     WHERE organisation_id = $1 AND id = $2",
);
const LIST: Sql = Sql::new(
    "SELECT id, organisation_id, name_sealed, status, budget, created_at, updated_at FROM organisation_projects \
     WHERE organisation_id = $1 AND id > $2 ORDER BY id LIMIT $3",
);
const COUNT: Sql = Sql::new("SELECT COUNT(*) AS n FROM organisation_projects WHERE organisation_id = $1");
const UPDATE: Sql = Sql::new(
    "UPDATE organisation_projects SET name_sealed = $2, status = $3, budget = $4, updated_at = $5 WHERE id = $1",
);

/// Every statement of projects.
pub(crate) const STATEMENTS: &[&Sql] = &[&INSERT, &GET, &LIST, &COUNT, &UPDATE];

/// A row, its name still sealed.
pub(in crate::organisations) struct ProjectRow {
    pub(super) id: ProjectId,
    pub(super) organisation: AccountId,
    pub(super) name_sealed: Vec<u8>,
    pub(in crate::organisations) active: bool,
    pub(super) budget: Budget,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// The word of the status column.
const fn word(active: bool) -> &'static str {
    if active { "active" } else { "archived" }
}

fn project(row: &Row) -> Result<ProjectRow, StorageError> {
    Ok(ProjectRow {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        name_sealed: row.get("name_sealed")?,
        active: row.get::<String>("status")? == word(true),
        budget: row.json("budget")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, row: &ProjectRow) -> Result<(), StorageError> {
    let values = [
        row.id.into(),
        row.organisation.into(),
        row.name_sealed.clone().into(),
        word(row.active).into(),
        budget_text(&row.budget)?.into(),
        row.created_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn update(tx: &mut WriteTx<'_>, row: &ProjectRow) -> Result<(), StorageError> {
    let values = [
        row.id.into(),
        row.name_sealed.clone().into(),
        word(row.active).into(),
        budget_text(&row.budget)?.into(),
        row.updated_at.into(),
    ];
    tx.execute(&UPDATE, &values).await.map(drop)
}

pub(in crate::organisations) async fn get(
    tx: &mut ReadTx<'_>,
    organisation: AccountId,
    id: ProjectId,
) -> Result<Option<ProjectRow>, StorageError> {
    tx.one(&GET, &[organisation.into(), id.into()]).await?.as_ref().map(project).transpose()
}

/// One more than the page holds.
pub(super) async fn list(
    tx: &mut ReadTx<'_>,
    organisation: AccountId,
    page: Page,
) -> Result<Vec<ProjectRow>, StorageError> {
    let values = [organisation.into(), page.after.unwrap_or_default().into(), page.fetch().into()];
    tx.all(&LIST, &values).await?.iter().map(project).collect()
}

pub(super) async fn count(tx: &mut ReadTx<'_>, organisation: AccountId) -> Result<u64, StorageError> {
    tx.one(&COUNT, &[organisation.into()]).await?.map_or(Ok(0), |row| row.get("n"))
}
