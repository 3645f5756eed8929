//! Providers on the wire, for the admin socket and the console.

use super::{Moment, Status};
use serde::{Deserialize, Serialize};
use tacit_catalog::providers::ProviderSpec;
use tacit_kernel::ids::{ProviderId, RecipientId};
use tacit_kernel::{Auth, Dialect};
use utoipa::ToSchema;

/// A provider to create.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProvider {
    /// Unique name.
    pub name: String,
    /// What it speaks.
    #[schema(value_type = String)]
    pub dialect: Dialect,
    /// Up to, not including, `/v1`.
    pub base_url: String,
    /// By default what the dialect's inventor uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub auth: Option<Auth>,
    /// Whether its host may lie in a private address range.
    #[serde(default)]
    pub allow_private: bool,
}

/// What to change; what is not given stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderPatch {
    /// Another address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Another way to send credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub auth: Option<Auth>,
    /// Whether its host may lie in a private address range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_private: Option<bool>,
    /// In use or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// A provider.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Provider {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ProviderId,
    /// Its name.
    pub name: String,
    /// What it speaks.
    #[schema(value_type = String)]
    pub dialect: Dialect,
    /// Where it is.
    pub base_url: String,
    /// How it wants its credential.
    #[schema(value_type = String)]
    pub auth: Auth,
    /// Whether its host may lie in a private address range.
    pub allow_private: bool,
    /// In use or not.
    pub status: Status,
    /// Its entry in the register of recipients.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub recipient: Option<RecipientId>,
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
            recipient: p.recipient,
            created_at: p.created_at.into(),
            updated_at: p.updated_at.into(),
        }
    }
}

impl NewProvider {
    /// Its name, and what the catalogue is told of it.
    pub(crate) fn spec(self) -> (String, ProviderSpec) {
        let spec = ProviderSpec {
            dialect: self.dialect,
            base_url: self.base_url,
            auth: self.auth,
            allow_private: self.allow_private,
            enabled: true,
        };
        (self.name, spec)
    }
}

impl ProviderPatch {
    /// What the catalogue is told, of what it was told before.
    pub(crate) fn on(self, old: ProviderSpec) -> ProviderSpec {
        ProviderSpec {
            dialect: old.dialect,
            base_url: self.base_url.unwrap_or(old.base_url),
            auth: self.auth.or(old.auth),
            allow_private: self.allow_private.unwrap_or(old.allow_private),
            enabled: self.status.map_or(old.enabled, Status::enabled),
        }
    }
}
