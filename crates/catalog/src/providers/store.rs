//! The SQL of providers.

use super::Provider;
use tacit_kernel::ids::{ProviderId, RecipientId};
use tacit_kernel::{Auth, Dialect, Timestamp};
use tacit_storage::{ReadTx, Row, Sql, StorageError, WriteTx};

const BY_ID: Sql = Sql::new(
    "SELECT id, name, dialect, base_url, auth, allow_private, status, recipient_id, created_at, \
     updated_at FROM providers WHERE id = $1",
);
const BY_NAME: Sql = Sql::new(
    "SELECT id, name, dialect, base_url, auth, allow_private, status, recipient_id, created_at, \
     updated_at FROM providers \
     WHERE name = $1",
);
const LIST: Sql = Sql::new(
    "SELECT id, name, dialect, base_url, auth, allow_private, status, recipient_id, created_at, \
     updated_at FROM providers ORDER BY name",
);
const INSERT: Sql = Sql::new(
    "INSERT INTO providers (id, name, dialect, base_url, auth, allow_private, status, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
);
const UPDATE: Sql = Sql::new(
    "UPDATE providers SET dialect = $2, base_url = $3, auth = $4, allow_private = $5, status = $6, updated_at = $7 \
     WHERE id = $1",
);
const TIE: Sql = Sql::new("UPDATE providers SET recipient_id = $2, updated_at = $3 WHERE id = $1");
const DELETE: Sql = Sql::new("DELETE FROM providers WHERE id = $1");

/// Every statement of providers.
pub(crate) const STATEMENTS: &[&Sql] = &[&BY_ID, &BY_NAME, &LIST, &INSERT, &UPDATE, &TIE, &DELETE];

fn provider(row: &Row) -> Result<Provider, StorageError> {
    Ok(Provider {
        id: row.get("id")?,
        name: row.get("name")?,
        dialect: row.word("dialect", Dialect::parse)?,
        base_url: row.get("base_url")?,
        auth: row.word("auth", Auth::parse)?,
        allow_private: row.get("allow_private")?,
        enabled: row.get::<String>("status")? == "active",
        recipient: row.get("recipient_id")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

pub(crate) async fn provider_by_id(tx: &mut ReadTx<'_>, id: ProviderId) -> Result<Option<Provider>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(provider).transpose()
}

pub(crate) async fn provider_by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<Provider>, StorageError> {
    tx.one(&BY_NAME, &[name.to_owned().into()]).await?.as_ref().map(provider).transpose()
}

pub(crate) async fn provider_list(tx: &mut ReadTx<'_>) -> Result<Vec<Provider>, StorageError> {
    tx.all(&LIST, &[]).await?.iter().map(provider).collect()
}

pub(super) async fn provider_insert(tx: &mut WriteTx<'_>, p: &Provider) -> Result<(), StorageError> {
    let values = [
        p.id.into(),
        p.name.clone().into(),
        p.dialect.as_str().into(),
        p.base_url.clone().into(),
        p.auth.as_str().into(),
        p.allow_private.into(),
        crate::status_word(p.enabled).into(),
        p.created_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn provider_update(tx: &mut WriteTx<'_>, p: &Provider) -> Result<(), StorageError> {
    let values = [
        p.id.into(),
        p.dialect.as_str().into(),
        p.base_url.clone().into(),
        p.auth.as_str().into(),
        p.allow_private.into(),
        crate::status_word(p.enabled).into(),
        p.updated_at.into(),
    ];
    tx.execute(&UPDATE, &values).await.map(drop)
}

pub(super) async fn provider_tie(
    tx: &mut WriteTx<'_>,
    id: ProviderId,
    recipient: Option<RecipientId>,
    now: Timestamp,
) -> Result<u64, StorageError> {
    tx.execute(&TIE, &[id.into(), recipient.into(), now.into()]).await
}

pub(super) async fn provider_delete(tx: &mut WriteTx<'_>, id: ProviderId) -> Result<u64, StorageError> {
    tx.execute(&DELETE, &[id.into()]).await
}
