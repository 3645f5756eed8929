//! What can be called, where and at what price: providers, channels to them with their credentials, models, and
//! versioned prices.
//!
//! Everything has a unique name and is *put* by it: made if it is new, changed if it differs, left alone if it does
//! not. Every change tells the change feed in its own transaction, so gateways are sent the catalogue anew. Secrets
//! are sealed under the platform key; beside them stands a keyed digest that only tells whether a secret changed.
//!
//! Each use case exists twice: by itself, and `_in_tx` for work that must be atomic with other domains.

pub mod channels;
mod error;
pub mod models;
pub mod prices;
pub mod providers;
pub mod snapshot;
#[cfg(test)]
mod tests;

pub use channels::{Channel, ChannelSpec, Credential};
pub use error::CatalogError;
pub use models::{Model, ModelSpec};
pub use prices::PriceVersion;
pub use providers::{Provider, ProviderSpec};
pub use snapshot::CatalogSnapshot;

use parking_lot::RwLock;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use tacit_kernel::Clock;
use tacit_kernel::ids::PriceId;
use tacit_kernel::rating::Price;
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Sql};

/// Providers, channels, models and prices. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    db: Db,
    keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
    /// Price versions never change, so what was read once stays true.
    prices: Arc<RwLock<HashMap<PriceId, Price>>>,
}

impl Catalog {
    /// The service over this database and keyring.
    #[must_use]
    pub fn new(db: Db, keys: Arc<KeyStore>, clock: Arc<dyn Clock>) -> Self {
        Self { db, keys, clock, prices: Arc::default() }
    }
}

/// Every statement of this crate, so that a test can prepare each on both engines.
pub const STATEMENTS: &[&[&Sql]] =
    &[providers::STATEMENTS, channels::STATEMENTS, models::STATEMENTS, prices::STATEMENTS, snapshot::STATEMENTS];

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was new.
    Created,
    /// It was there and differed.
    Updated,
    /// It was there already, the same.
    Unchanged,
}

/// Something as it stands after a put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Put<T> {
    /// As it stands now.
    #[serde(flatten)]
    pub value: T,
    /// What was done.
    pub outcome: Outcome,
}

impl<T> Put<T> {
    const fn new(value: T, outcome: Outcome) -> Self {
        Self { value, outcome }
    }
}

/// The word a status column holds.
const fn status_word(enabled: bool) -> &'static str {
    if enabled { "active" } else { "disabled" }
}

const fn enabled_by_default() -> bool {
    true
}
