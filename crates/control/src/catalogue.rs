//! The catalogue as it goes over the link, names of models by their id, and prices.

use crate::status;
use parking_lot::RwLock;
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::sync::Arc;
use tacit_catalog::snapshot::{SnapshotChannel, SnapshotModel};
use tacit_catalog::{Catalog, CatalogError, CatalogSnapshot, PriceVersion};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{ModelId, PriceId};
use tacit_kernel::rating::Price;
use tacit_link::{Refused, convert, wire};

/// A catalogue that gateways were sent.
pub(crate) struct Sent {
    pub(crate) message: wire::Catalog,
    /// When an announced price takes effect, so that the one after it must be told.
    pub(crate) stale_at: Option<Timestamp>,
}

impl Sent {
    /// What gateways are told of that snapshot. `version` is the number of the change it holds.
    pub(crate) fn new(snapshot: &CatalogSnapshot, version: i64) -> Self {
        let models = snapshot.models.iter().filter_map(|m| listed(model(m))).collect();
        let channels = snapshot.channels.iter().map(channel).collect();
        let stale_at = snapshot.models.iter().filter_map(|m| m.next_price.as_ref()).map(|p| p.effective_at).min();
        let version = u64::try_from(version).unwrap_or(0);
        Self { message: wire::Catalog { version, models, channels }, stale_at }
    }
}

/// A model whose price cannot be written is left out, and said so; the others must not suffer.
fn listed(model: Result<wire::Model, Refused>) -> Option<wire::Model> {
    model.inspect_err(|_| tracing::error!(event = "catalog.price_unwritable", "a model is left out")).ok()
}

fn model(of: &SnapshotModel) -> Result<wire::Model, Refused> {
    let routes = of.routes.iter().map(|(channel, upstream)| wire::Route {
        channel: convert::id_bytes(*channel),
        upstream_model: upstream.clone(),
    });
    Ok(wire::Model {
        id: convert::id_bytes(of.model.id),
        name: of.model.name.clone(),
        owned_by: of.model.owned_by.clone(),
        created: of.model.created_at.0,
        max_output_tokens: of.model.max_output_tokens.unwrap_or(0),
        context_tokens: of.model.context_tokens.unwrap_or(0),
        price: convert::id_bytes(of.price.id),
        price_json: convert::price_json(&of.price.price)?,
        price_version: version(&of.price),
        routes: routes.collect(),
        next_price: of.next_price.as_ref().map(next_price).transpose()?,
    })
}

fn version(price: &PriceVersion) -> u64 {
    u64::try_from(price.version).unwrap_or(0)
}

fn next_price(of: &PriceVersion) -> Result<wire::Price, Refused> {
    Ok(wire::Price {
        id: convert::id_bytes(of.id),
        json: convert::price_json(&of.price)?,
        version: version(of),
        effective_at: of.effective_at.0,
    })
}

fn channel(of: &SnapshotChannel) -> wire::Channel {
    let (channel, provider) = (&of.channel, &of.provider);
    let credentials = of.credentials.iter().map(|(id, secret)| wire::Credential {
        id: convert::id_bytes(*id),
        secret: secret.expose_secret().as_bytes().to_vec(),
    });
    wire::Channel {
        id: convert::id_bytes(channel.id),
        provider: convert::id_bytes(provider.id),
        provider_name: provider.name.clone(),
        dialect: provider.dialect.number(),
        base_url: provider.base_url.clone(),
        auth: provider.auth.number(),
        allow_private: provider.allow_private,
        priority: channel.priority,
        weight: channel.weight,
        multiplier_ppm: channel.multiplier.0,
        max_concurrency: channel.max_concurrency.unwrap_or(0),
        credentials: credentials.collect(),
    }
}

/// Names of models and prices, as settlement needs them: read once, since neither a version's price nor the name
/// that an id was registered under ever changes.
pub(crate) struct Prices {
    catalog: Catalog,
    names: RwLock<HashMap<ModelId, String>>,
    prices: RwLock<HashMap<PriceId, Arc<Price>>>,
}

impl Prices {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { catalog, names: RwLock::default(), prices: RwLock::default() }
    }

    /// The name under which a model is registered.
    pub(crate) async fn name(&self, model: ModelId) -> Result<Option<String>, CatalogError> {
        let known = self.names.read().get(&model).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let found = self.catalog.model_by_ref(&model.to_string()).await?.map(|m| m.name);
        if let Some(name) = &found {
            self.names.write().insert(model, name.clone());
        }
        Ok(found)
    }

    /// These prices, as far as they exist.
    pub(crate) async fn of(&self, ids: Vec<PriceId>) -> Result<HashMap<PriceId, Arc<Price>>, CatalogError> {
        let mut found = HashMap::new();
        for id in ids {
            if found.contains_key(&id) {
                continue;
            }
            let known = self.prices.read().get(&id).cloned();
            let price = match known {
                Some(price) => price,
                None => match self.catalog.price_by_id(id).await? {
                    Some(price) => Arc::clone(self.prices.write().entry(id).or_insert(Arc::new(price))),
                    None => continue,
                },
            };
            found.insert(id, price);
        }
        Ok(found)
    }
}

/// The catalogue at that moment, or `None` if it cannot be read; that is logged.
pub(crate) async fn snapshot(catalog: &Catalog, now: Timestamp, version: i64) -> Option<Sent> {
    match catalog.snapshot(now).await {
        Ok(snapshot) => Some(Sent::new(&snapshot, version)),
        Err(error) => {
            status::log(&error.into());
            None
        }
    }
}
