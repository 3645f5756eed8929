//! All that the platform knows of who receives data, in one: whoever serves it is given this.

use crate::disclosures::Disclosures;
use crate::recipients::{Kind, Recipients};
use crate::told::Told;
use crate::transfers::{Bounds, Transfers};
use std::collections::BTreeSet;
use std::sync::Arc;
use tacit_catalog::Catalog;
use tacit_kernel::Clock;
use tacit_ledger::Ledger;
use tacit_operations::posting::Posting;
use tacit_storage::Db;
use tacit_storage::keyring::KeyStore;

/// What it is made of.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Providers and channels.
    pub catalog: Catalog,
    /// Call records.
    pub ledger: Ledger,
    /// Keys of the platform and of its subjects.
    pub keys: Arc<KeyStore>,
    /// What sends word.
    pub posting: Arc<Posting>,
}

/// What is known of who receives data. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Receivers {
    /// Who they are.
    pub recipients: Recipients,
    /// To whom what went.
    pub transfers: Transfers,
    /// Who is told of erasures.
    pub told: Told,
    /// What was given to authorities.
    pub disclosures: Disclosures,
}

/// What the operator has said of it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What data is sent to, beside model providers.
    pub configured: BTreeSet<Kind>,
    /// Where the platform is at home: ISO 3166-1.
    pub home: Option<String>,
    /// From how many people abroad on something is asked for.
    pub bounds: Bounds,
}

impl Receivers {
    /// What is known in that database.
    #[must_use]
    pub fn new(parts: &Parts, settings: Settings) -> Self {
        let (db, clock) = (parts.db.clone(), Arc::clone(&parts.clock));
        let recipients = Recipients::new((db.clone(), Arc::clone(&clock)), parts.catalog.clone(), settings.configured);
        let stock = (parts.ledger.clone(), parts.catalog.clone());
        let abroad = (settings.home.as_deref(), settings.bounds);
        let transfers = Transfers::new((db.clone(), Arc::clone(&clock)), stock, recipients.clone(), abroad);
        let sealed = (db, Arc::clone(&parts.keys), clock);
        let told = Told::new(sealed.clone(), recipients.clone(), Arc::clone(&parts.posting));
        Self { recipients, transfers, told, disclosures: Disclosures::new(sealed) }
    }
}
