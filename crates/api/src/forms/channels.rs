//! Channels on the wire, for the admin socket and the console. Credentials are written and never shown.

use super::{Moment, Secret, Status};
use serde::{Deserialize, Serialize};
use tacit_catalog::channels::ChannelSpec;
use tacit_kernel::ids::{ChannelId, CredentialId};
use tacit_kernel::{ErrorKind, Fault, Ppm};
use utoipa::ToSchema;

/// A model that a channel serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelModel {
    /// Its name here.
    pub model: String,
    /// What the provider calls it.
    pub upstream_model: String,
}

/// A credential to keep.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    /// Name within the channel.
    pub name: String,
    /// The secret; it is sealed at rest and never shown again.
    #[schema(value_type = String, max_length = 16384)]
    pub secret: Secret,
}

/// A channel to create.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
    #[schema(value_type = String)]
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
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelPatch {
    /// Higher is tried first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Share among channels of the same priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Applied to every charge from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub multiplier: Option<Ppm>,
    /// Calls at the same time at most; 0 lifts the limit.
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Credential {
    /// Its id.
    #[schema(value_type = String)]
    pub id: CredentialId,
    /// Its name within the channel.
    pub name: String,
    /// In use or not.
    pub status: Status,
}

/// A channel.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Its id.
    #[schema(value_type = String)]
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
    #[schema(value_type = String)]
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

impl NewChannel {
    /// Its name, what the catalogue is told of it, and its credentials.
    pub(crate) fn spec(self) -> (String, ChannelSpec, Vec<NewCredential>) {
        let spec = ChannelSpec {
            provider: self.provider,
            priority: self.priority,
            weight: self.weight,
            multiplier: self.multiplier,
            max_concurrency: self.max_concurrency,
            models: self.models.into_iter().map(|m| (m.model, m.upstream_model)).collect(),
            enabled: true,
        };
        (self.name, spec, self.credentials)
    }
}

impl ChannelPatch {
    /// What the catalogue is told, of what it was told before.
    ///
    /// # Errors
    /// If a model that is to be removed is not served.
    pub(crate) fn on(&self, mut spec: ChannelSpec) -> Result<ChannelSpec, Fault> {
        spec.priority = self.priority.unwrap_or(spec.priority);
        spec.weight = self.weight.unwrap_or(spec.weight);
        spec.multiplier = self.multiplier.unwrap_or(spec.multiplier);
        spec.max_concurrency = self.max_concurrency.map_or(spec.max_concurrency, |n| (n > 0).then_some(n));
        spec.enabled = self.status.map_or(spec.enabled, Status::enabled);
        for model in &self.remove_models {
            let message = "there is no such model in this channel";
            let missing = || Fault::new(ErrorKind::NotFound, "channel.model_not_found", message);
            spec.models.remove(model).ok_or_else(missing)?;
        }
        spec.models.extend(self.add_models.iter().map(|m| (m.model.clone(), m.upstream_model.clone())));
        Ok(spec)
    }
}
