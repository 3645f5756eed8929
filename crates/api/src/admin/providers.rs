//! `/v1/providers`: who answers model calls.

use super::forms::{Moment, Status};
use super::input::Input;
use super::problem::Refusal;
use super::{Admin, Answer, not_found, taken};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tacit_catalog::providers::ProviderSpec;
use tacit_kernel::Dialect;
use tacit_kernel::ids::ProviderId;

pub use tacit_kernel::Auth;

/// A provider to create.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewProvider {
    /// Unique name.
    pub name: String,
    /// What it speaks.
    pub dialect: Dialect,
    /// Up to, not including, `/v1`.
    pub base_url: String,
    /// By default what the dialect's inventor uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Whether its host may lie in a private address range.
    #[serde(default)]
    pub allow_private: bool,
}

/// What to change; what is not given stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderPatch {
    /// See [`NewProvider::base_url`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// See [`NewProvider::auth`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// See [`NewProvider::allow_private`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_private: Option<bool>,
    /// In use or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// A provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it is.
    pub base_url: String,
    /// How it wants its credential.
    pub auth: Auth,
    /// Whether its host may lie in a private address range.
    pub allow_private: bool,
    /// In use or not.
    pub status: Status,
    /// When it was made.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
}

impl From<tacit_catalog::providers::Provider> for Provider {
    fn from(p: tacit_catalog::providers::Provider) -> Self {
        Self {
            id: p.id,
            name: p.name,
            dialect: p.dialect,
            base_url: p.base_url,
            auth: p.auth,
            allow_private: p.allow_private,
            status: Status::of(p.enabled),
            created_at: p.created_at.into(),
            updated_at: p.updated_at.into(),
        }
    }
}

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
    if admin.catalog.provider_by_ref(&new.name).await?.is_some() {
        return Err(taken("provider.name_taken", "provider").into());
    }
    let spec = ProviderSpec {
        dialect: new.dialect,
        base_url: new.base_url,
        auth: new.auth,
        allow_private: new.allow_private,
        enabled: true,
    };
    Ok(Json(admin.catalog.provider_put(&new.name, &spec).await?.value.into()))
}

async fn update(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(patch): Input<ProviderPatch>,
) -> Answer<Provider> {
    let found = find(&admin, &reference).await?;
    let old = found.spec();
    let spec = ProviderSpec {
        dialect: old.dialect,
        base_url: patch.base_url.unwrap_or(old.base_url),
        auth: patch.auth.or(old.auth),
        allow_private: patch.allow_private.unwrap_or(old.allow_private),
        enabled: patch.status.map_or(old.enabled, Status::enabled),
    };
    Ok(Json(admin.catalog.provider_put(&found.name, &spec).await?.value.into()))
}
