//! What a channel is.

use crate::CatalogError;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tacit_kernel::ids::{ChannelId, CredentialId, ModelId, ProviderId};
use tacit_kernel::{Ppm, Timestamp, names};

/// The largest multiplier: a thousandfold. Anything above is a slip of the decimal point.
pub const MULTIPLIER_MAX: Ppm = Ppm(1_000_000_000);
/// The largest weight.
pub const WEIGHT_MAX: u32 = 1_000_000;
/// Most models of one channel.
pub const MODELS_MAX: usize = 4096;
/// The longest secret, in bytes.
pub const SECRET_MAX: usize = 4096;

/// What an operator says of a channel; its credentials are put one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSpec {
    /// Id or name of the provider it leads to.
    pub provider: String,
    /// Higher is tried first.
    #[serde(default)]
    pub priority: i32,
    /// Share among channels of the same priority.
    #[serde(default = "weight_by_default")]
    pub weight: u32,
    /// Applied to every charge of a call that it serves.
    #[serde(default = "multiplier_by_default")]
    pub multiplier: Ppm,
    /// Most calls at the same time in one gateway; left out, no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// The models it serves, by registered name, with the name that the provider uses.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
    /// Whether it may be used.
    #[serde(default = "crate::enabled_by_default")]
    pub enabled: bool,
}

/// A share like any other.
#[must_use]
pub const fn weight_by_default() -> u32 {
    1
}

/// Leaves the price as it is.
#[must_use]
pub const fn multiplier_by_default() -> Ppm {
    Ppm::ONE
}

impl ChannelSpec {
    /// Whether a channel may be so; whether its provider and models exist is not looked at.
    ///
    /// # Errors
    /// [`CatalogError::ChannelInvalid`].
    pub fn check(&self, name: &str) -> Result<(), CatalogError> {
        let invalid = |message| Err(CatalogError::ChannelInvalid { message });
        if !names::is_token(name) || name.parse::<ChannelId>().is_ok() {
            return invalid("its name must be 1 to 128 letters, digits or any of . _ : / @ + -");
        }
        if self.weight > WEIGHT_MAX {
            return invalid("weight must lie between 0 and 1000000");
        }
        if !(0..=MULTIPLIER_MAX.0).contains(&self.multiplier.0) {
            return invalid("multiplier must lie between 0 and 1000");
        }
        if self.max_concurrency == Some(0) {
            return invalid("max_concurrency must be at least 1; leave it out for no limit");
        }
        if self.models.len() > MODELS_MAX {
            return invalid("more than 4096 models");
        }
        if !self.models.iter().all(|(model, upstream)| names::is_token(model) && names::is_token(upstream)) {
            return invalid("names of models must be 1 to 128 letters, digits or any of . _ : / @ + -");
        }
        Ok(())
    }
}

/// A channel: one way to a provider, with its own credentials, share and multiplier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Unique name, a token.
    pub name: String,
    /// The provider it leads to.
    pub provider: ProviderId,
    /// That provider's name.
    pub provider_name: String,
    /// Higher is tried first.
    pub priority: i32,
    /// Share among channels of the same priority.
    pub weight: u32,
    /// Applied to every charge of a call that it serves.
    pub multiplier: Ppm,
    /// Most calls at the same time in one gateway.
    pub max_concurrency: Option<u32>,
    /// The models it serves, by registered name.
    pub models: BTreeMap<String, ServedModel>,
    /// Its credentials by name, without their secrets.
    pub credentials: BTreeMap<String, Credential>,
    /// Whether it may be used.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A model as a channel serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServedModel {
    /// The registered model.
    pub model: ModelId,
    /// What the provider calls it.
    pub upstream: String,
}

/// A provider credential of a channel, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Whether it may be used.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Keyed digest of the secret: equal if and only if the secret is.
    #[serde(skip)]
    pub digest: [u8; 32],
}

impl Channel {
    /// What an operator would say to have it so; to change one thing and put it back.
    #[must_use]
    pub fn spec(&self) -> ChannelSpec {
        ChannelSpec {
            provider: self.provider_name.clone(),
            priority: self.priority,
            weight: self.weight,
            multiplier: self.multiplier,
            max_concurrency: self.max_concurrency,
            models: self.models.iter().map(|(name, m)| (name.clone(), m.upstream.clone())).collect(),
            enabled: self.enabled,
        }
    }
}

/// Whether a credential may be called so and be this secret: it is sent as a header.
///
/// # Errors
/// [`CatalogError::CredentialInvalid`].
pub fn credential_check(name: &str, secret: &SecretString) -> Result<(), CatalogError> {
    if !names::is_token(name) {
        return Err(CatalogError::CredentialInvalid {
            message: "its name must be 1 to 128 letters, digits or any of . _ : / @ + -",
        });
    }
    let bytes = secret.expose_secret().as_bytes();
    if bytes.is_empty() || bytes.len() > SECRET_MAX || !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(CatalogError::CredentialInvalid {
            message: "its secret must be 1 to 4096 visible ASCII characters without spaces",
        });
    }
    Ok(())
}
