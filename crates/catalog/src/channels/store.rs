//! The SQL of channels, their models and their credentials.

use super::{Channel, Credential, ServedModel};
use std::collections::BTreeMap;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{ChannelId, CredentialId, ModelId};
use tacit_storage::{ReadTx, Row, Sql, StorageError, Value, WriteTx};

const BY_ID: Sql = Sql::new(
    "SELECT c.id AS id, c.name AS name, c.provider_id AS provider_id, p.name AS provider_name, c.priority AS priority, \
     c.weight AS weight, c.multiplier_ppm AS multiplier_ppm, c.max_concurrency AS max_concurrency, c.status AS status, \
     c.created_at AS created_at, c.updated_at AS updated_at \
     FROM channels c JOIN providers p ON p.id = c.provider_id WHERE c.id = $1",
);
const BY_NAME: Sql = Sql::new(
    "SELECT c.id AS id, c.name AS name, c.provider_id AS provider_id, p.name AS provider_name, c.priority AS priority, \
     c.weight AS weight, c.multiplier_ppm AS multiplier_ppm, c.max_concurrency AS max_concurrency, c.status AS status, \
     c.created_at AS created_at, c.updated_at AS updated_at \
     FROM channels c JOIN providers p ON p.id = c.provider_id WHERE c.name = $1",
);
const LIST: Sql = Sql::new(
    "SELECT c.id AS id, c.name AS name, c.provider_id AS provider_id, p.name AS provider_name, c.priority AS priority, \
     c.weight AS weight, c.multiplier_ppm AS multiplier_ppm, c.max_concurrency AS max_concurrency, c.status AS status, \
     c.created_at AS created_at, c.updated_at AS updated_at \
     FROM channels c JOIN providers p ON p.id = c.provider_id ORDER BY c.name",
);
const INSERT: Sql = Sql::new(
    "INSERT INTO channels \
     (id, name, provider_id, priority, weight, multiplier_ppm, max_concurrency, status, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
);
const UPDATE: Sql = Sql::new(
    "UPDATE channels SET provider_id = $2, priority = $3, weight = $4, multiplier_ppm = $5, max_concurrency = $6, \
     status = $7, updated_at = $8 WHERE id = $1",
);
const DELETE: Sql = Sql::new("DELETE FROM channels WHERE id = $1");

const MODELS: Sql = Sql::new(
    "SELECT cm.channel_id AS channel_id, cm.model_id AS model_id, m.name AS name, cm.upstream_model AS upstream_model \
     FROM channel_models cm JOIN models m ON m.id = cm.model_id WHERE cm.channel_id = $1",
);
const MODELS_ALL: Sql = Sql::new(
    "SELECT cm.channel_id AS channel_id, cm.model_id AS model_id, m.name AS name, cm.upstream_model AS upstream_model \
     FROM channel_models cm JOIN models m ON m.id = cm.model_id",
);
const MODELS_CLEAR: Sql = Sql::new("DELETE FROM channel_models WHERE channel_id = $1");
const MODEL_INSERT: Sql =
    Sql::new("INSERT INTO channel_models (channel_id, model_id, upstream_model) VALUES ($1, $2, $3)");

const CREDENTIALS: Sql = Sql::new(
    "SELECT id, channel_id, name, secret_digest, status, created_at, updated_at FROM channel_credentials \
     WHERE channel_id = $1",
);
const CREDENTIALS_ALL: Sql =
    Sql::new("SELECT id, channel_id, name, secret_digest, status, created_at, updated_at FROM channel_credentials");
const CREDENTIAL_INSERT: Sql = Sql::new(
    "INSERT INTO channel_credentials \
     (id, channel_id, name, secret_sealed, secret_digest, status, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
);
const CREDENTIAL_REPLACE: Sql = Sql::new(
    "UPDATE channel_credentials SET secret_sealed = $2, secret_digest = $3, status = $4, updated_at = $5 WHERE id = $1",
);
const CREDENTIAL_STATUS: Sql = Sql::new("UPDATE channel_credentials SET status = $2, updated_at = $3 WHERE id = $1");
const CREDENTIAL_SEALED: Sql = Sql::new("SELECT secret_sealed FROM channel_credentials WHERE id = $1");
const CREDENTIAL_DELETE: Sql = Sql::new("DELETE FROM channel_credentials WHERE id = $1");

/// Every statement of channels.
pub(crate) const STATEMENTS: &[&Sql] = &[
    &BY_ID,
    &BY_NAME,
    &LIST,
    &INSERT,
    &UPDATE,
    &DELETE,
    &MODELS,
    &MODELS_ALL,
    &MODELS_CLEAR,
    &MODEL_INSERT,
    &CREDENTIALS,
    &CREDENTIALS_ALL,
    &CREDENTIAL_INSERT,
    &CREDENTIAL_REPLACE,
    &CREDENTIAL_STATUS,
    &CREDENTIAL_SEALED,
    &CREDENTIAL_DELETE,
];

fn number<T: TryFrom<i64>>(row: &Row, column: &'static str) -> Result<T, StorageError> {
    T::try_from(row.get::<i64>(column)?).map_err(|_| StorageError::inconsistent("channels", column))
}

fn channel(row: &Row) -> Result<Channel, StorageError> {
    let max_concurrency = row
        .get::<Option<i64>>("max_concurrency")?
        .map(|n| u32::try_from(n).map_err(|_| StorageError::inconsistent("channels", "max_concurrency")))
        .transpose()?;
    Ok(Channel {
        id: row.get("id")?,
        name: row.get("name")?,
        provider: row.get("provider_id")?,
        provider_name: row.get("provider_name")?,
        priority: number(row, "priority")?,
        weight: number(row, "weight")?,
        multiplier: row.get("multiplier_ppm")?,
        max_concurrency,
        models: BTreeMap::new(),
        credentials: BTreeMap::new(),
        enabled: row.get::<String>("status")? == "active",
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn credential(row: &Row) -> Result<Credential, StorageError> {
    let digest = row.get::<Vec<u8>>("secret_digest")?;
    Ok(Credential {
        id: row.get("id")?,
        enabled: row.get::<String>("status")? == "active",
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        digest: digest.try_into().map_err(|_| StorageError::inconsistent("channel_credentials", "secret_digest"))?,
    })
}

/// Puts models and credentials, given as rows, into their channels.
fn filled(mut channels: Vec<Channel>, models: &[Row], credentials: &[Row]) -> Result<Vec<Channel>, StorageError> {
    let places: BTreeMap<ChannelId, usize> = channels.iter().enumerate().map(|(i, c)| (c.id, i)).collect();
    for row in models {
        let place = places.get(&row.get("channel_id")?).copied();
        if let Some(channel) = place.and_then(|i| channels.get_mut(i)) {
            let served = ServedModel { model: row.get("model_id")?, upstream: row.get("upstream_model")? };
            channel.models.insert(row.get("name")?, served);
        }
    }
    for row in credentials {
        let place = places.get(&row.get("channel_id")?).copied();
        if let Some(channel) = place.and_then(|i| channels.get_mut(i)) {
            channel.credentials.insert(row.get("name")?, credential(row)?);
        }
    }
    Ok(channels)
}

async fn one(tx: &mut ReadTx<'_>, sql: &Sql, value: Value) -> Result<Option<Channel>, StorageError> {
    let Some(row) = tx.one(sql, &[value]).await? else { return Ok(None) };
    let found = channel(&row)?;
    let models = tx.all(&MODELS, &[found.id.into()]).await?;
    let credentials = tx.all(&CREDENTIALS, &[found.id.into()]).await?;
    Ok(filled(vec![found], &models, &credentials)?.pop())
}

pub(super) async fn channel_by_id(tx: &mut ReadTx<'_>, id: ChannelId) -> Result<Option<Channel>, StorageError> {
    one(tx, &BY_ID, id.into()).await
}

pub(super) async fn channel_by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<Channel>, StorageError> {
    one(tx, &BY_NAME, name.to_owned().into()).await
}

pub(crate) async fn channel_list(tx: &mut ReadTx<'_>) -> Result<Vec<Channel>, StorageError> {
    let rows = tx.all(&LIST, &[]).await?;
    let channels = rows.iter().map(channel).collect::<Result<_, _>>()?;
    let models = tx.all(&MODELS_ALL, &[]).await?;
    let credentials = tx.all(&CREDENTIALS_ALL, &[]).await?;
    filled(channels, &models, &credentials)
}

pub(super) async fn channel_insert(tx: &mut WriteTx<'_>, c: &Channel) -> Result<(), StorageError> {
    let values = [
        c.id.into(),
        c.name.clone().into(),
        c.provider.into(),
        i64::from(c.priority).into(),
        i64::from(c.weight).into(),
        c.multiplier.into(),
        c.max_concurrency.map(i64::from).into(),
        crate::status_word(c.enabled).into(),
        c.created_at.into(),
        c.updated_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn channel_update(tx: &mut WriteTx<'_>, c: &Channel) -> Result<(), StorageError> {
    let values = [
        c.id.into(),
        c.provider.into(),
        i64::from(c.priority).into(),
        i64::from(c.weight).into(),
        c.multiplier.into(),
        c.max_concurrency.map(i64::from).into(),
        crate::status_word(c.enabled).into(),
        c.updated_at.into(),
    ];
    tx.execute(&UPDATE, &values).await.map(drop)
}

pub(super) async fn channel_delete(tx: &mut WriteTx<'_>, id: ChannelId) -> Result<u64, StorageError> {
    tx.execute(&DELETE, &[id.into()]).await
}

/// Replaces the models that a channel serves.
pub(super) async fn channel_models_replace(
    tx: &mut WriteTx<'_>,
    id: ChannelId,
    models: &[(ModelId, String)],
) -> Result<(), StorageError> {
    tx.execute(&MODELS_CLEAR, &[id.into()]).await?;
    for (model, upstream) in models {
        tx.execute(&MODEL_INSERT, &[id.into(), (*model).into(), upstream.clone().into()]).await?;
    }
    Ok(())
}

pub(super) async fn credential_insert(
    tx: &mut WriteTx<'_>,
    channel: ChannelId,
    name: &str,
    c: &Credential,
    sealed: Vec<u8>,
) -> Result<(), StorageError> {
    let values = [
        c.id.into(),
        channel.into(),
        name.to_owned().into(),
        sealed.into(),
        c.digest.to_vec().into(),
        crate::status_word(c.enabled).into(),
        c.created_at.into(),
        c.updated_at.into(),
    ];
    tx.execute(&CREDENTIAL_INSERT, &values).await.map(drop)
}

pub(super) async fn credential_replace(
    tx: &mut WriteTx<'_>,
    c: &Credential,
    sealed: Vec<u8>,
) -> Result<(), StorageError> {
    let values = [
        c.id.into(),
        sealed.into(),
        c.digest.to_vec().into(),
        crate::status_word(c.enabled).into(),
        c.updated_at.into(),
    ];
    tx.execute(&CREDENTIAL_REPLACE, &values).await.map(drop)
}

pub(super) async fn credential_status(
    tx: &mut WriteTx<'_>,
    id: CredentialId,
    enabled: bool,
    now: Timestamp,
) -> Result<(), StorageError> {
    let values = [id.into(), crate::status_word(enabled).into(), now.into()];
    tx.execute(&CREDENTIAL_STATUS, &values).await.map(drop)
}

pub(super) async fn credential_sealed(tx: &mut ReadTx<'_>, id: CredentialId) -> Result<Option<Vec<u8>>, StorageError> {
    tx.one(&CREDENTIAL_SEALED, &[id.into()]).await?.map(|row| row.get("secret_sealed")).transpose()
}

pub(super) async fn credential_delete(tx: &mut WriteTx<'_>, id: CredentialId) -> Result<(), StorageError> {
    tx.execute(&CREDENTIAL_DELETE, &[id.into()]).await.map(drop)
}
