//! Channels: the ways to providers, with the models they serve. Their credentials are in [`credentials`].

pub mod credentials;
mod model;
pub(crate) mod store;

use crate::error::{named, on_clash};
use crate::models::model_by_ref;
use crate::providers::provider_by_ref;
use crate::{Catalog, CatalogError, Outcome, Put};
use std::collections::BTreeMap;
use tacit_kernel::ids::ChannelId;
use tacit_storage::changes::{self, Change};
use tacit_storage::{ReadTx, StorageError, WriteTx};

pub use model::{
    Channel, ChannelSpec, Credential, MODELS_MAX, MULTIPLIER_MAX, SECRET_MAX, ServedModel, WEIGHT_MAX,
    credential_check, multiplier_by_default, weight_by_default,
};
pub(crate) use store::STATEMENTS;

impl Catalog {
    /// Makes the channel, or changes it to be so. Its credentials stay as they are.
    ///
    /// # Errors
    /// [`CatalogError::ChannelInvalid`], `ProviderNotFound`, `ModelNotFound`, `Conflict`; storage.
    pub async fn channel_put(&self, name: &str, spec: &ChannelSpec) -> Result<Put<Channel>, CatalogError> {
        self.db.write("channel.put", |tx| Box::pin(self.channel_put_in_tx(tx, name, spec))).await
    }

    /// [`Self::channel_put`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn channel_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        name: &str,
        spec: &ChannelSpec,
    ) -> Result<Put<Channel>, CatalogError> {
        spec.check(name)?;
        let provider = provider_by_ref(tx, &spec.provider).await?.ok_or(CatalogError::ProviderNotFound)?;
        let mut models = BTreeMap::new();
        for (reference, upstream) in &spec.models {
            let model = model_by_ref(tx, reference).await?.ok_or(CatalogError::ModelNotFound)?;
            models.insert(model.name, ServedModel { model: model.id, upstream: upstream.clone() });
        }
        let now = self.clock.now();
        let found = store::channel_by_name(tx, name).await?;
        let channel = Channel {
            id: found.as_ref().map_or_else(ChannelId::fresh, |c| c.id),
            name: name.to_owned(),
            provider: provider.id,
            provider_name: provider.name,
            priority: spec.priority,
            weight: spec.weight,
            multiplier: spec.multiplier,
            max_concurrency: spec.max_concurrency,
            models,
            credentials: found.as_ref().map(|c| c.credentials.clone()).unwrap_or_default(),
            enabled: spec.enabled,
            created_at: found.as_ref().map_or(now, |c| c.created_at),
            updated_at: found.as_ref().map_or(now, |c| c.updated_at),
        };
        if found.as_ref() == Some(&channel) {
            return Ok(Put::new(channel, Outcome::Unchanged));
        }
        let channel = Channel { updated_at: now, ..channel };
        if found.is_some() {
            store::channel_update(tx, &channel).await.map_err(on_clash(CatalogError::Conflict))?;
        } else {
            store::channel_insert(tx, &channel).await.map_err(on_clash(CatalogError::Conflict))?;
        }
        if found.as_ref().is_none_or(|c| c.models != channel.models) {
            let served: Vec<_> = channel.models.values().map(|m| (m.model, m.upstream.clone())).collect();
            store::channel_models_replace(tx, channel.id, &served).await.map_err(on_clash(CatalogError::Conflict))?;
        }
        changes::append(tx, &Change::Catalog, now).await?;
        Ok(Put::new(channel, if found.is_some() { Outcome::Updated } else { Outcome::Created }))
    }

    /// Every channel, by name.
    ///
    /// # Errors
    /// Storage.
    pub async fn channel_list(&self) -> Result<Vec<Channel>, CatalogError> {
        self.db.read("channel.list", |tx| Box::pin(async move { Ok(store::channel_list(tx).await?) })).await
    }

    /// [`Self::channel_list`] as part of a larger transaction.
    ///
    /// # Errors
    /// Storage.
    pub async fn channel_list_in_tx(&self, tx: &mut ReadTx<'_>) -> Result<Vec<Channel>, CatalogError> {
        Ok(store::channel_list(tx).await?)
    }

    /// The channel named by `chan_…` or by its name.
    ///
    /// # Errors
    /// Storage.
    pub async fn channel_by_ref(&self, reference: &str) -> Result<Option<Channel>, CatalogError> {
        self.db.read("channel.by_ref", |tx| Box::pin(async move { Ok(channel_by_ref(tx, reference).await?) })).await
    }

    /// Deletes a channel that serves nothing, with its credentials: one that is disabled, or without models.
    ///
    /// # Errors
    /// [`CatalogError::ChannelNotFound`], `ChannelInUse`; storage.
    pub async fn channel_delete(&self, id: ChannelId) -> Result<(), CatalogError> {
        self.db.write("channel.delete", |tx| Box::pin(self.channel_delete_in_tx(tx, id))).await
    }

    /// [`Self::channel_delete`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn channel_delete_in_tx(&self, tx: &mut WriteTx<'_>, id: ChannelId) -> Result<(), CatalogError> {
        let found = store::channel_by_id(tx, id).await?.ok_or(CatalogError::ChannelNotFound)?;
        if found.enabled && !found.models.is_empty() {
            return Err(CatalogError::ChannelInUse { models: named(found.models.keys().map(String::as_str)) });
        }
        store::channel_delete(tx, id).await?;
        changes::append(tx, &Change::Catalog, self.clock.now()).await?;
        Ok(())
    }
}

/// The channel named by its id or its name.
async fn channel_by_ref(tx: &mut ReadTx<'_>, reference: &str) -> Result<Option<Channel>, StorageError> {
    match reference.parse::<ChannelId>() {
        Ok(id) => store::channel_by_id(tx, id).await,
        Err(_) => store::channel_by_name(tx, reference).await,
    }
}
