//! Models and their prices on the wire, for the admin socket and the console.

use super::{Moment, Status};
use serde::{Deserialize, Serialize};
use tacit_catalog::models::ModelSpec;
use tacit_catalog::prices::PriceVersion;
use tacit_kernel::ids::{ModelId, PriceId};
use tacit_kernel::rating;
use utoipa::ToSchema;

/// A model to create.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelPatch {
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<String>,
    /// Context length in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// Longest answer in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// In use or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// A model.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RegisteredModel)]
pub struct Model {
    /// Its id.
    #[schema(value_type = String)]
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

impl NewModel {
    /// Its name, and what the catalogue is told of it.
    pub(crate) fn spec(self) -> (String, ModelSpec) {
        let spec = ModelSpec {
            owned_by: self.owned_by,
            context_tokens: self.context_tokens,
            max_output_tokens: self.max_output_tokens,
            enabled: true,
        };
        (self.name, spec)
    }
}

impl ModelPatch {
    /// What the catalogue is told, of what it was told before.
    pub(crate) fn on(self, old: ModelSpec) -> ModelSpec {
        ModelSpec {
            owned_by: self.owned_by.unwrap_or(old.owned_by),
            context_tokens: self.context_tokens.or(old.context_tokens),
            max_output_tokens: self.max_output_tokens.or(old.max_output_tokens),
            enabled: self.status.map_or(old.enabled, Status::enabled),
        }
    }
}

/// A version of a price.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = PriceVersion)]
pub struct Price {
    /// Its id.
    #[schema(value_type = String)]
    pub id: PriceId,
    /// The model's name.
    pub model: String,
    /// Counts up from 1.
    pub version: i64,
    /// The price.
    #[schema(value_type = PriceParts)]
    pub price: rating::Price,
    /// From when it holds.
    pub effective_at: Moment,
}

/// A version of the price of that model.
pub(crate) fn shown(model: &str, version: PriceVersion) -> Price {
    Price {
        id: version.id,
        model: model.to_owned(),
        version: version.version,
        price: version.price,
        effective_at: version.effective_at.into(),
    }
}

/// How [`rating::Price`] is written. Amounts are decimal numbers in the settlement currency, as text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form of another type")]
pub(crate) struct PriceParts {
    /// For every call.
    per_call: String,
    /// Rates by context length; the last tier that begins below the number of input tokens holds.
    tiers: Vec<PriceTier>,
}

/// Rates per million tokens. One that is absent is that of the class it belongs to: see docs/billing.md.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form of another type")]
pub(crate) struct PriceTier {
    /// Holds for calls with more input tokens than this; the first tier has 0 and also covers none.
    above_input_tokens: u64,
    /// Fresh text input.
    input: String,
    /// Visible output.
    output: String,
    /// Input read from the provider's prompt cache.
    #[schema(required = false, nullable = false)]
    cache_read: Option<String>,
    /// Input written to the cache for five minutes.
    #[schema(required = false, nullable = false)]
    cache_write_5m: Option<String>,
    /// Input written to the cache for an hour.
    #[schema(required = false, nullable = false)]
    cache_write_1h: Option<String>,
    /// Audio input.
    #[schema(required = false, nullable = false)]
    audio_input: Option<String>,
    /// Image input.
    #[schema(required = false, nullable = false)]
    image_input: Option<String>,
    /// Reasoning output.
    #[schema(required = false, nullable = false)]
    reasoning: Option<String>,
    /// Audio output.
    #[schema(required = false, nullable = false)]
    audio_output: Option<String>,
}
