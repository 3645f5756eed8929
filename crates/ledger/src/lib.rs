//! The ledger: money never appears or vanishes.
//!
//! - [`postings`]: double entry; every transaction sums to zero, no balance of a customer goes below zero.
//! - [`wallets`]: top-ups, grants and adjustments under an idempotency key, and what is left.
//! - [`sessions`] and [`leases`]: what gateways hold of customers' money.
//! - [`journal`]: what gateways report is durable, before anything is made of it.
//! - [`settlement`]: calls become records, charges and entries, all or nothing and once only.
//! - [`calls`], [`spend`], [`usage`] and [`shared_usage`]: what was called and what it cost.
//! - [`reached`]: which providers calls went to, for whoever counts it.
//! - [`forgetting`]: call records go when their time is over, and the books add up without them.
//! - [`shortening`]: so do transactions after their years; sums stay, and no balance changes.
//! - `settled`: whether nothing more will come of an account, and what is left of its money given up.
//! - [`aside`]: what could not be settled and waits for an operator.
//! - `currency`: fixed with the first start.
//! - [`verify`]: recomputes every balance from its entries and every charge from its call.

pub mod aside;
pub mod calls;
mod currency;
mod error;
pub mod forgetting;
pub mod journal;
pub mod leases;
pub mod postings;
pub mod reached;
pub mod sessions;
mod settled;
pub mod settlement;
pub mod shared_usage;
pub mod shortening;
pub mod spend;
#[cfg(feature = "testing")]
pub mod testing;
pub mod usage;
pub mod verify;
pub mod wallets;

#[cfg(test)]
mod tests;

pub use error::LedgerError;
pub use journal::Journal;
pub use settlement::Settler;

use std::sync::Arc;
use tacit_kernel::Clock;
use tacit_storage::{Bulk, Db, Sql};
use tokio::sync::Mutex;

/// The ledger of a platform. Cloning is cheap; clones share one queue of movements.
#[derive(Clone)]
pub struct Ledger {
    db: Db,
    clock: Arc<dyn Clock>,
    /// Movements of one process wait for each other here instead of clashing in the database.
    one: Arc<Mutex<()>>,
}

impl Ledger {
    /// The ledger in that database.
    #[must_use]
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock, one: Arc::new(Mutex::new(())) }
    }
}

/// The constant statements of this crate, so that a test can prepare each on both engines.
#[must_use]
pub fn statements() -> Vec<&'static Sql> {
    [
        currency::STATEMENTS,
        postings::store::STATEMENTS,
        sessions::STATEMENTS,
        leases::STATEMENTS,
        journal::store::STATEMENTS,
        settlement::store::STATEMENTS,
        calls::store::STATEMENTS,
        aside::STATEMENTS,
        forgetting::STATEMENTS,
        shortening::STATEMENTS,
        reached::STATEMENTS,
        settled::STATEMENTS,
        spend::STATEMENTS,
        shared_usage::STATEMENTS,
        verify::store::STATEMENTS,
    ]
    .concat()
}

/// The statements over many rows, for the same test.
#[must_use]
pub fn bulks() -> Vec<&'static Bulk> {
    [journal::store::BULKS, settlement::store::BULKS, calls::store::BULKS, aside::BULKS, reached::BULKS].concat()
}
