//! `/api/v1/models`: what can be called and what it costs, for everybody.

use super::{Access, Console, ETag, IfMatch, Routes};
use crate::forms::Moment;
use crate::forms::models::PriceParts;
use crate::problem::Refusal;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use std::collections::HashMap;
use tacit_catalog::prices::{PriceVersion, price_in_force};
use tacit_kernel::ids::ModelId;
use tacit_kernel::rating;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A model that can be called.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Model {
    /// Its name, as clients write it.
    name: String,
    /// Who made it.
    owned_by: String,
    /// Context length in tokens, if known.
    context_tokens: Option<u64>,
    /// Longest answer in tokens, if known.
    max_output_tokens: Option<u64>,
    /// What it costs now, before the multiplier of the account's group.
    price: Price,
}

/// A version of a price.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Price {
    /// Counts up from 1 for each model.
    version: i64,
    /// From when it holds.
    effective_at: Moment,
    /// Its parts.
    #[serde(flatten)]
    #[schema(value_type = PriceParts)]
    parts: rating::Price,
}

/// What can be called.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Models {
    /// Settlement currency of the prices (ISO 4217).
    currency: String,
    /// Each model that is in use and has a price.
    items: Vec<Model>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Public, routes!(models_list))
}

/// The models that can be called, with their prices.
#[utoipa::path(get, path = "/api/v1/models", tag = "catalogue", params(
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "All models.", body = Models, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn models_list(State(console): State<Console>, versions: IfMatch) -> Result<Response, Refusal> {
    let mut prices: HashMap<ModelId, Vec<PriceVersion>> = HashMap::new();
    for version in console.catalog.price_versions().await? {
        prices.entry(version.model).or_default().push(version);
    }
    let now = console.clock.now();
    let shown = |model: tacit_catalog::models::Model| {
        let version = price_in_force(prices.get(&model.id)?, now)?;
        Some(Model {
            name: model.name,
            owned_by: model.owned_by,
            context_tokens: model.context_tokens,
            max_output_tokens: model.max_output_tokens,
            price: Price {
                version: version.version,
                effective_at: version.effective_at.into(),
                parts: version.price.clone(),
            },
        })
    };
    let items = console.catalog.model_list().await?.into_iter().filter(|model| model.enabled).filter_map(shown);
    let models = Models { currency: console.platform.currency.clone(), items: items.collect() };
    Ok(versions.shown(ETag::of(&console, &models)?, Json(models)))
}
