//! The catalogue as gateways need it: only what may be used, credentials opened. The one place where secrets leave
//! their seal; the result goes over the link, and to whoever of staff asks for one and is recorded.

mod store;

use crate::channels::credentials::aad;
use crate::channels::store::channel_list;
use crate::models::store::model_list;
use crate::prices::store::price_all;
use crate::prices::{price_after, price_in_force};
use crate::providers::store::provider_list;
use crate::{Catalog, CatalogError, Channel, Model, PriceVersion, Provider};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::str;
use tacit_kernel::ids::{ChannelId, CredentialId, ModelId, ProviderId};
use tacit_kernel::{Auth, Timestamp};
use tacit_storage::{ReadTx, StorageError};

pub(crate) use store::STATEMENTS;

/// What may be called at a moment.
#[derive(Clone, Debug, Default)]
pub struct CatalogSnapshot {
    /// Enabled models with a price in force, by name. A model that no channel serves now has no routes.
    pub models: Vec<SnapshotModel>,
    /// Enabled channels of enabled providers that have a credential or need none.
    pub channels: Vec<SnapshotChannel>,
}

/// A model, its price now and the next, and the channels that serve it.
#[derive(Clone, Debug)]
pub struct SnapshotModel {
    /// The model.
    pub model: Model,
    /// In force at the moment of the snapshot.
    pub price: PriceVersion,
    /// What follows it, if that is already known.
    pub next_price: Option<PriceVersion>,
    /// Channels of the snapshot, with the name that each one's provider uses.
    pub routes: Vec<(ChannelId, String)>,
}

/// A channel with its provider and its opened credentials.
#[derive(Clone, Debug)]
pub struct SnapshotChannel {
    /// The channel.
    pub channel: Channel,
    /// Where it leads.
    pub provider: Provider,
    /// Credentials that may be used.
    pub credentials: Vec<(CredentialId, SecretString)>,
}

impl Catalog {
    /// The catalogue as it may be used at that moment.
    ///
    /// # Errors
    /// Storage; a credential that cannot be opened is an inconsistency of its column.
    pub async fn snapshot(&self, now: Timestamp) -> Result<CatalogSnapshot, CatalogError> {
        self.db.read("catalog.snapshot", |tx| Box::pin(async move { Ok(self.snapshot_in_tx(tx, now).await?) })).await
    }

    async fn snapshot_in_tx(&self, tx: &mut ReadTx<'_>, now: Timestamp) -> Result<CatalogSnapshot, StorageError> {
        let providers: BTreeMap<ProviderId, Provider> =
            provider_list(tx).await?.into_iter().filter(|p| p.enabled).map(|p| (p.id, p)).collect();
        let mut secrets: BTreeMap<ChannelId, Vec<(CredentialId, SecretString)>> = BTreeMap::new();
        for sealed in store::credentials_active(tx).await? {
            let secret = self.credential_opened(sealed.id, &sealed.secret_sealed)?;
            secrets.entry(sealed.channel).or_default().push((sealed.id, secret));
        }
        let channels: Vec<SnapshotChannel> = channel_list(tx)
            .await?
            .into_iter()
            .filter(|c| c.enabled)
            .filter_map(|channel| {
                let provider = providers.get(&channel.provider)?.clone();
                let credentials = secrets.remove(&channel.id).unwrap_or_default();
                let usable = provider.auth == Auth::None || !credentials.is_empty();
                usable.then_some(SnapshotChannel { channel, provider, credentials })
            })
            .collect();
        let mut prices: BTreeMap<ModelId, Vec<PriceVersion>> = BTreeMap::new();
        for version in price_all(tx).await? {
            prices.entry(version.model).or_default().push(version);
        }
        let models = model_list(tx)
            .await?
            .into_iter()
            .filter(|m| m.enabled)
            .filter_map(|model| {
                let versions = prices.get(&model.id)?;
                let price = price_in_force(versions, now)?.clone();
                let next_price = price_after(versions, now).cloned();
                let routes = channels
                    .iter()
                    .filter_map(|c| Some((c.channel.id, c.channel.models.get(&model.name)?.upstream.clone())))
                    .collect();
                Some(SnapshotModel { model, price, next_price, routes })
            })
            .collect();
        Ok(CatalogSnapshot { models, channels })
    }

    pub(crate) fn credential_opened(&self, id: CredentialId, sealed: &[u8]) -> Result<SecretString, StorageError> {
        let bad = || StorageError::inconsistent("channel_credentials", "secret_sealed");
        let plain = self.keys.platform_key().open(&aad(id.0), sealed).map_err(|_| bad())?;
        str::from_utf8(&plain).map(SecretString::from).map_err(|_| bad())
    }
}
