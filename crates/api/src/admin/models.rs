//! `/v1/models`: what can be called.

use super::input::Input;
use super::problem::Refusal;
use super::{Admin, Answer, not_found, taken};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};

pub use super::forms::models::{Model, ModelPatch, NewModel};

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
    let (name, spec) = new.spec();
    if admin.catalog.model_by_ref(&name).await?.is_some() {
        return Err(taken("model.name_taken", "model").into());
    }
    Ok(Json(admin.catalog.model_put(&name, &spec).await?.value.into()))
}

async fn update(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(patch): Input<ModelPatch>,
) -> Answer<Model> {
    let found = find(&admin, &reference).await?;
    let spec = patch.on(found.spec());
    Ok(Json(admin.catalog.model_put(&found.name, &spec).await?.value.into()))
}
