//! `/v1/providers`: who answers model calls.

use super::input::Input;
use super::problem::Refusal;
use super::{Admin, Answer, not_found, taken};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};

pub use super::forms::providers::{NewProvider, Provider, ProviderPatch};
pub use tacit_kernel::Auth;

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/providers", get(list).post(create))
        .route("/v1/providers/{reference}", get(show).patch(update))
}

async fn list(State(admin): State<Admin>) -> Answer<Vec<Provider>> {
    Ok(Json(admin.catalog.provider_list().await?.into_iter().map(Provider::from).collect()))
}

async fn find(admin: &Admin, reference: &str) -> Result<tacit_catalog::providers::Provider, Refusal> {
    let found = admin.catalog.provider_by_ref(reference).await?;
    Ok(found.ok_or_else(|| not_found("provider.not_found", "provider"))?)
}

async fn show(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<Provider> {
    Ok(Json(find(&admin, &reference).await?.into()))
}

async fn create(State(admin): State<Admin>, Input(new): Input<NewProvider>) -> Answer<Provider> {
    let (name, spec) = new.spec();
    if admin.catalog.provider_by_ref(&name).await?.is_some() {
        return Err(taken("provider.name_taken", "provider").into());
    }
    Ok(Json(admin.catalog.provider_put(&name, &spec).await?.value.into()))
}

async fn update(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(patch): Input<ProviderPatch>,
) -> Answer<Provider> {
    let found = find(&admin, &reference).await?;
    let spec = patch.on(found.spec());
    Ok(Json(admin.catalog.provider_put(&found.name, &spec).await?.value.into()))
}
