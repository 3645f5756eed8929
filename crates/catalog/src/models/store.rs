//! The SQL of models.

use super::Model;
use tacit_kernel::ids::ModelId;
use tacit_storage::{ReadTx, Row, Sql, StorageError, Value, WriteTx};

const BY_ID: Sql = Sql::new(
    "SELECT id, name, owned_by, context_tokens, max_output_tokens, status, created_at, updated_at FROM models WHERE id = $1",
);
const BY_NAME: Sql = Sql::new(
    "SELECT id, name, owned_by, context_tokens, max_output_tokens, status, created_at, updated_at FROM models \
     WHERE name = $1",
);
const LIST: Sql = Sql::new(
    "SELECT id, name, owned_by, context_tokens, max_output_tokens, status, created_at, updated_at FROM models ORDER BY name",
);
const INSERT: Sql = Sql::new(
    "INSERT INTO models (id, name, owned_by, context_tokens, max_output_tokens, status, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
);
const UPDATE: Sql = Sql::new(
    "UPDATE models SET owned_by = $2, context_tokens = $3, max_output_tokens = $4, status = $5, updated_at = $6 \
     WHERE id = $1",
);
const PRICED: Sql = Sql::new("SELECT COUNT(*) AS n FROM prices WHERE model_id = $1");
const DELETE: Sql = Sql::new("DELETE FROM models WHERE id = $1");

/// Every statement of models.
pub(crate) const STATEMENTS: &[&Sql] = &[&BY_ID, &BY_NAME, &LIST, &INSERT, &UPDATE, &PRICED, &DELETE];

fn tokens(row: &Row, column: &'static str) -> Result<Option<u64>, StorageError> {
    row.get::<Option<i64>>(column)?
        .map(|n| u64::try_from(n).map_err(|_| StorageError::inconsistent("models", column)))
        .transpose()
}

fn model(row: &Row) -> Result<Model, StorageError> {
    Ok(Model {
        id: row.get("id")?,
        name: row.get("name")?,
        owned_by: row.get("owned_by")?,
        context_tokens: tokens(row, "context_tokens")?,
        max_output_tokens: tokens(row, "max_output_tokens")?,
        enabled: row.get::<String>("status")? == "active",
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// Bounded by [`super::TOKENS_MAX`], so the conversion always succeeds.
fn value(tokens: Option<u64>) -> Value {
    tokens.and_then(|n| i64::try_from(n).ok()).into()
}

pub(crate) async fn model_by_id(tx: &mut ReadTx<'_>, id: ModelId) -> Result<Option<Model>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(model).transpose()
}

pub(crate) async fn model_by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<Model>, StorageError> {
    tx.one(&BY_NAME, &[name.to_owned().into()]).await?.as_ref().map(model).transpose()
}

pub(crate) async fn model_list(tx: &mut ReadTx<'_>) -> Result<Vec<Model>, StorageError> {
    tx.all(&LIST, &[]).await?.iter().map(model).collect()
}

pub(super) async fn model_insert(tx: &mut WriteTx<'_>, m: &Model) -> Result<(), StorageError> {
    let values = [
        m.id.into(),
        m.name.clone().into(),
        m.owned_by.clone().into(),
        value(m.context_tokens),
        value(m.max_output_tokens),
        crate::status_word(m.enabled).into(),
        m.created_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn model_update(tx: &mut WriteTx<'_>, m: &Model) -> Result<(), StorageError> {
    let values = [
        m.id.into(),
        m.owned_by.clone().into(),
        value(m.context_tokens),
        value(m.max_output_tokens),
        crate::status_word(m.enabled).into(),
        m.updated_at.into(),
    ];
    tx.execute(&UPDATE, &values).await.map(drop)
}

/// Whether it has or had a price.
pub(super) async fn model_is_priced(tx: &mut ReadTx<'_>, id: ModelId) -> Result<bool, StorageError> {
    Ok(tx.one(&PRICED, &[id.into()]).await?.map_or(Ok(0), |row| row.get::<i64>("n"))? > 0)
}

pub(super) async fn model_delete(tx: &mut WriteTx<'_>, id: ModelId) -> Result<u64, StorageError> {
    tx.execute(&DELETE, &[id.into()]).await
}
