//! `/v1/prices`: what models cost. A price never changes; a new version follows it.

use super::forms::Moment;
use super::forms::models::shown;
use super::input::{Input, Params};
use super::{Admin, Answer, models};
use axum::extract::State;
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tacit_kernel::rating;

/// A price version to set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPrice {
    /// The model, by name or id.
    pub model: String,
    /// The price.
    pub price: rating::Price,
    /// From when it holds; now if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Moment>,
}

/// Which prices to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriceQuery {
    /// Of this model only.
    pub model: Option<String>,
}

pub use super::forms::models::Price;

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/prices", get(list).post(create))
}

async fn list(State(admin): State<Admin>, Params(query): Params<PriceQuery>) -> Answer<Vec<Price>> {
    let of = match &query.model {
        Some(reference) => vec![models::find(&admin, reference).await?],
        None => admin.catalog.model_list().await?,
    };
    let mut prices = Vec::new();
    for model in of {
        prices.extend(admin.catalog.price_list(model.id).await?.into_iter().map(|v| shown(&model.name, v)));
    }
    Ok(Json(prices))
}

async fn create(State(admin): State<Admin>, Input(new): Input<NewPrice>) -> Answer<Price> {
    let model = models::find(&admin, &new.model).await?;
    let put = admin.catalog.price_put(model.id, &new.price, new.effective_at.map(|at| at.0)).await?;
    Ok(Json(shown(&model.name, put.value)))
}
