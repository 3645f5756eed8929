//! `/v1/channels`: the ways to a provider, with their models and credentials.

use super::forms::{Moment, Secret, Status};
use super::input::Input;
use super::problem::Refusal;
use super::{Admin, Answer, not_found, taken};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tacit_catalog::CatalogError;
use tacit_catalog::channels::ChannelSpec;
use tacit_kernel::Ppm;
use tacit_kernel::ids::{ChannelId, CredentialId};

/// A model that a channel serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelModel {
    /// Its name here.
    pub model: String,
    /// What the provider calls it.
    pub upstream_model: String,
}

/// A credential to keep.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    /// Name within the channel.
    pub name: String,
    /// The secret; it is sealed at rest and never shown again.
    pub secret: Secret,
}

/// A channel to create.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// Unique name.
    pub name: String,
    /// The provider, by name or id.
    pub provider: String,
    /// Higher is tried first.
    #[serde(default)]
    pub priority: i32,
    /// Share among channels of the same priority.
    #[serde(default = "one")]
    pub weight: u32,
    /// Applied to every charge.
    #[serde(default = "unchanged")]
    pub multiplier: Ppm,
    /// Calls at the same time at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// What it serves.
    #[serde(default)]
    pub models: Vec<ChannelModel>,
    /// Its credentials.
    #[serde(default)]
    pub credentials: Vec<NewCredential>,
}

const fn one() -> u32 {
    1
}

const fn unchanged() -> Ppm {
    Ppm::ONE
}

/// What to change; what is not given stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelPatch {
    /// See [`NewChannel::priority`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// See [`NewChannel::weight`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// See [`NewChannel::multiplier`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiplier: Option<Ppm>,
    /// See [`NewChannel::max_concurrency`]; 0 lifts the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// In use or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Models to add, or to give another upstream name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_models: Vec<ChannelModel>,
    /// Models to take away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove_models: Vec<String>,
    /// Credentials to add, or to replace by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_credentials: Vec<NewCredential>,
    /// Credentials to take away, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove_credentials: Vec<String>,
}

/// A credential as it may be shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Its name within the channel.
    pub name: String,
    /// In use or not.
    pub status: Status,
}

/// A channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Its name.
    pub name: String,
    /// The provider's name.
    pub provider: String,
    /// Higher is tried first.
    pub priority: i32,
    /// Share among channels of the same priority.
    pub weight: u32,
    /// Applied to every charge.
    pub multiplier: Ppm,
    /// Calls at the same time at most.
    pub max_concurrency: Option<u32>,
    /// In use or not.
    pub status: Status,
    /// What it serves.
    pub models: Vec<ChannelModel>,
    /// Its credentials, without their secrets.
    pub credentials: Vec<Credential>,
    /// When it was made.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
}

impl From<tacit_catalog::channels::Channel> for Channel {
    fn from(c: tacit_catalog::channels::Channel) -> Self {
        let models = c.models.into_iter().map(|(model, m)| ChannelModel { model, upstream_model: m.upstream });
        let credentials =
            c.credentials.into_iter().map(|(name, k)| Credential { id: k.id, name, status: Status::of(k.enabled) });
        Self {
            id: c.id,
            name: c.name,
            provider: c.provider_name,
            priority: c.priority,
            weight: c.weight,
            multiplier: c.multiplier,
            max_concurrency: c.max_concurrency,
            status: Status::of(c.enabled),
            models: models.collect(),
            credentials: credentials.collect(),
            created_at: c.created_at.into(),
            updated_at: c.updated_at.into(),
        }
    }
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/channels", get(list).post(create))
        .route("/v1/channels/{reference}", get(show).patch(update))
}

async fn list(State(admin): State<Admin>) -> Answer<Vec<Channel>> {
    Ok(Json(admin.catalog.channel_list().await?.into_iter().map(Channel::from).collect()))
}

/// The channel of that name or id.
pub(super) async fn find(admin: &Admin, reference: &str) -> Result<tacit_catalog::channels::Channel, Refusal> {
    let found = admin.catalog.channel_by_ref(reference).await?;
    Ok(found.ok_or_else(|| not_found("channel.not_found", "channel"))?)
}

async fn show(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<Channel> {
    Ok(Json(find(&admin, &reference).await?.into()))
}

/// A channel and its credentials come together or not at all.
async fn put(admin: &Admin, name: &str, spec: &ChannelSpec, credentials: &[NewCredential]) -> Result<(), Refusal> {
    admin
        .db
        .write("admin.channel_put", |tx| {
            Box::pin(async move {
                let channel = admin.catalog.channel_put_in_tx(tx, name, spec).await?.value;
                for new in credentials {
                    admin.catalog.credential_put_in_tx(tx, channel.id, &new.name, &new.secret.0).await?;
                }
                Ok::<_, CatalogError>(())
            })
        })
        .await?;
    Ok(())
}

async fn create(State(admin): State<Admin>, Input(new): Input<NewChannel>) -> Answer<Channel> {
    if admin.catalog.channel_by_ref(&new.name).await?.is_some() {
        return Err(taken("channel.name_taken", "channel").into());
    }
    let spec = ChannelSpec {
        provider: new.provider,
        priority: new.priority,
        weight: new.weight,
        multiplier: new.multiplier,
        max_concurrency: new.max_concurrency,
        models: new.models.into_iter().map(|m| (m.model, m.upstream_model)).collect(),
        enabled: true,
    };
    put(&admin, &new.name, &spec, &new.credentials).await?;
    Ok(Json(find(&admin, &new.name).await?.into()))
}

async fn update(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(patch): Input<ChannelPatch>,
) -> Answer<Channel> {
    let found = find(&admin, &reference).await?;
    let mut spec = found.spec();
    spec.priority = patch.priority.unwrap_or(spec.priority);
    spec.weight = patch.weight.unwrap_or(spec.weight);
    spec.multiplier = patch.multiplier.unwrap_or(spec.multiplier);
    spec.max_concurrency = patch.max_concurrency.map_or(spec.max_concurrency, |n| (n > 0).then_some(n));
    spec.enabled = patch.status.map_or(spec.enabled, Status::enabled);
    for model in &patch.remove_models {
        spec.models.remove(model).ok_or_else(|| not_found("channel.model_not_found", "model in this channel"))?;
    }
    spec.models.extend(patch.add_models.into_iter().map(|m| (m.model, m.upstream_model)));
    put(&admin, &found.name, &spec, &patch.add_credentials).await?;
    for name in &patch.remove_credentials {
        admin.catalog.credential_delete(found.id, name).await?;
    }
    Ok(Json(find(&admin, &found.name).await?.into()))
}
