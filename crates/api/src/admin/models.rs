//! `/v1/models`: what can be called.

use super::forms::{Moment, Status};
use super::input::Input;
use super::problem::Refusal;
use super::{Admin, Answer, not_found, taken};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tacit_catalog::models::ModelSpec;
use tacit_kernel::ids::ModelId;

/// A model to create.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewModel {
    /// Unique name, as clients write it.
    pub name: String,
    /// Who made it; shown in the list of models.
    #[serde(default = "tacit_catalog::models::owner_by_default")]
    pub owned_by: String,
    /// Context length in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// Longest answer in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
}

/// What to change; what is not given stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelPatch {
    /// See [`NewModel::owned_by`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<String>,
    /// See [`NewModel::context_tokens`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// See [`NewModel::max_output_tokens`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// In use or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// A model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Model {
    /// Its id.
    pub id: ModelId,
    /// Its name.
    pub name: String,
    /// Who made it.
    pub owned_by: String,
    /// Context length in tokens, if known.
    pub context_tokens: Option<u64>,
    /// Longest answer in tokens, if known.
    pub max_output_tokens: Option<u64>,
    /// In use or not.
    pub status: Status,
    /// When it was made.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
}

impl From<tacit_catalog::models::Model> for Model {
    fn from(m: tacit_catalog::models::Model) -> Self {
        Self {
            id: m.id,
            name: m.name,
            owned_by: m.owned_by,
            context_tokens: m.context_tokens,
            max_output_tokens: m.max_output_tokens,
            status: Status::of(m.enabled),
            created_at: m.created_at.into(),
            updated_at: m.updated_at.into(),
        }
    }
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/models", get(list).post(create)).route("/v1/models/{*reference}", get(show).patch(update))
}

async fn list(State(admin): State<Admin>) -> Answer<Vec<Model>> {
    Ok(Json(admin.catalog.model_list().await?.into_iter().map(Model::from).collect()))
}

/// The model of that name or id.
pub(super) async fn find(admin: &Admin, reference: &str) -> Result<tacit_catalog::models::Model, Refusal> {
    let found = admin.catalog.model_by_ref(reference).await?;
    Ok(found.ok_or_else(|| not_found("model.not_found", "model"))?)
}

async fn show(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<Model> {
    Ok(Json(find(&admin, &reference).await?.into()))
}

async fn create(State(admin): State<Admin>, Input(new): Input<NewModel>) -> Answer<Model> {
    if admin.catalog.model_by_ref(&new.name).await?.is_some() {
        return Err(taken("model.name_taken", "model").into());
    }
    let spec = ModelSpec {
        owned_by: new.owned_by,
        context_tokens: new.context_tokens,
        max_output_tokens: new.max_output_tokens,
        enabled: true,
    };
    Ok(Json(admin.catalog.model_put(&new.name, &spec).await?.value.into()))
}

async fn update(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(patch): Input<ModelPatch>,
) -> Answer<Model> {
    let found = find(&admin, &reference).await?;
    let old = found.spec();
    let spec = ModelSpec {
        owned_by: patch.owned_by.unwrap_or(old.owned_by),
        context_tokens: patch.context_tokens.or(old.context_tokens),
        max_output_tokens: patch.max_output_tokens.or(old.max_output_tokens),
        enabled: patch.status.map_or(old.enabled, Status::enabled),
    };
    Ok(Json(admin.catalog.model_put(&found.name, &spec).await?.value.into()))
}
