//! The SQL of prices. There is no statement that changes or deletes a version.

use super::PriceVersion;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{ModelId, PriceId};
use tacit_storage::{ReadTx, Row, Sql, StorageError, WriteTx};

const BY_ID: Sql = Sql::new("SELECT id, model_id, version, price, effective_at, created_at FROM prices WHERE id = $1");
const OF_MODEL: Sql = Sql::new(
    "SELECT id, model_id, version, price, effective_at, created_at FROM prices WHERE model_id = $1 ORDER BY version",
);
const ALL: Sql =
    Sql::new("SELECT id, model_id, version, price, effective_at, created_at FROM prices ORDER BY model_id, version");
const INSERT: Sql = Sql::new(
    "INSERT INTO prices (id, model_id, version, price, effective_at, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
);

/// Every statement of prices.
pub(crate) const STATEMENTS: &[&Sql] = &[&BY_ID, &OF_MODEL, &ALL, &INSERT];

fn price(row: &Row) -> Result<PriceVersion, StorageError> {
    Ok(PriceVersion {
        id: row.get("id")?,
        model: row.get("model_id")?,
        version: row.get("version")?,
        price: row.json("price")?,
        effective_at: row.get::<Timestamp>("effective_at")?,
        created_at: row.get("created_at")?,
    })
}

pub(super) async fn price_by_id(tx: &mut ReadTx<'_>, id: PriceId) -> Result<Option<PriceVersion>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(price).transpose()
}

/// Every version of a model's price, oldest first.
pub(super) async fn price_list(tx: &mut ReadTx<'_>, model: ModelId) -> Result<Vec<PriceVersion>, StorageError> {
    tx.all(&OF_MODEL, &[model.into()]).await?.iter().map(price).collect()
}

/// Every version of every price, by model and version.
pub(crate) async fn price_all(tx: &mut ReadTx<'_>) -> Result<Vec<PriceVersion>, StorageError> {
    tx.all(&ALL, &[]).await?.iter().map(price).collect()
}

pub(super) async fn price_insert(tx: &mut WriteTx<'_>, p: &PriceVersion, text: String) -> Result<(), StorageError> {
    let values =
        [p.id.into(), p.model.into(), p.version.into(), text.into(), p.effective_at.into(), p.created_at.into()];
    tx.execute(&INSERT, &values).await.map(drop)
}
