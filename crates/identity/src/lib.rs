//! Who may act: pricing groups, accounts, and API keys with their limits; how people register and sign in, and the sessions
//! they have then.
//!
//! Names of accounts and keys are personal: they are sealed with the account's subject key, and an account is found by
//! its name through a keyed hash. Of an API key only its keyed hash and a hint are kept. Every write tells the change
//! feed in its own transaction, so gateways forget what they knew.
//!
//! Each use case exists twice: by itself, and `_in_tx` for work that must be atomic with other domains.

pub mod access;
pub mod accounts;
mod by_staff;
mod ceremonies;
mod chance;
pub mod choices;
pub mod codes;
pub mod contacts;
pub mod devices;
mod error;
mod forgetting;
mod freezing;
pub mod groups;
pub mod identities;
pub mod keys;
pub mod leaks;
pub mod management_keys;
mod named;
pub mod notices;
pub mod organisations;
pub mod passkeys;
pub mod passwords;
mod recovery;
pub mod registration;
pub mod rights_desk;
pub mod roles;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
#[cfg(test)]
mod tests;
pub mod throttle;
pub mod verification;

pub use accounts::{Account, AccountChange, AccountFilter};
pub use error::IdentityError;
pub use groups::Group;
pub use keys::{ApiKey, KeyAuthority, KeyChange, KeyEnd, KeyFacts, Retired};
pub use passwords::Hashing;

use std::sync::Arc;
use tacit_kernel::limits::Limits;
use tacit_kernel::{Clock, names};
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Sql};

/// Groups, accounts and keys. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    db: Db,
    keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
    hashing: Hashing,
    verification: Arc<verification::VerificationRules>,
    notices: Option<Arc<dyn notices::Notices>>,
    texts_per_day: u32,
}

/// Text messages to one number in a day, where nothing else is set.
const TEXTS_PER_DAY: u32 = 20;

impl Identity {
    /// The service over this database and keyring, with these threads for passwords.
    #[must_use]
    pub fn new(db: Db, keys: Arc<KeyStore>, clock: Arc<dyn Clock>, hashing: Hashing) -> Self {
        Self { db, keys, clock, hashing, verification: Arc::default(), notices: None, texts_per_day: TEXTS_PER_DAY }
    }

    /// The same, with at most so many text messages to one number in a day.
    #[must_use]
    pub fn with_texts_per_day(self, most: u32) -> Self {
        Self { texts_per_day: most, ..self }
    }

    /// The same, with somebody who writes down what people are told about their account.
    #[must_use]
    pub fn with_notices(self, notices: Arc<dyn notices::Notices>) -> Self {
        Self { notices: Some(notices), ..self }
    }
}

/// Every statement of this crate, so that a test can prepare each on both engines.
pub const STATEMENTS: &[&[&Sql]] = &[
    groups::STATEMENTS,
    accounts::STATEMENTS,
    keys::STATEMENTS,
    contacts::store::STATEMENTS,
    choices::STATEMENTS,
    codes::STATEMENTS,
    throttle::STATEMENTS,
    passwords::STATEMENTS,
    sessions::STATEMENTS,
    devices::STATEMENTS,
    second_factor::STATEMENTS,
    ceremonies::STATEMENTS,
    identities::STATEMENTS,
    passkeys::STATEMENTS,
    registration::STATEMENTS,
    roles::STATEMENTS,
    management_keys::STATEMENTS,
    leaks::STATEMENTS,
    organisations::store::STATEMENTS,
    organisations::invitations::STATEMENTS,
    organisations::offers::STATEMENTS,
    organisations::projects::STATEMENTS,
    organisations::keys::STATEMENTS,
    verification::STATEMENTS,
    verification::STATEMENTS_OF_PAPERS,
    verification::STATEMENTS_OF_CHECKS,
];

/// The word a status column holds.
const fn status_word(enabled: bool) -> &'static str {
    if enabled { "active" } else { "disabled" }
}

/// Most entries in a list of models or address ranges.
const LIST_MAX: usize = 256;
/// Longest name of an account or key, in bytes.
const NAME_MAX: usize = 200;

/// Limits in the form of their column, if they make sense.
fn limits_text(limits: &Limits) -> Result<String, IdentityError> {
    limits_check(limits)?;
    serde_json::to_string(limits).map_err(|_| IdentityError::LimitsInvalid { message: "they cannot be written" })
}

/// Whether limits make sense.
///
/// # Errors
/// [`IdentityError::LimitsInvalid`].
pub fn limits_check(limits: &Limits) -> Result<(), IdentityError> {
    let invalid = |message| Err(IdentityError::LimitsInvalid { message });
    let spends = [limits.spend_per_day, limits.spend_per_month, limits.spend_total];
    if spends.into_iter().flatten().any(|s| s.0 < 0) {
        return invalid("a spend limit is negative");
    }
    if let Some(models) = &limits.models
        && (models.len() > LIST_MAX || !models.iter().all(|m| names::is_token(m)))
    {
        return invalid("models must be at most 256 names of models");
    }
    if limits.ip_ranges.as_ref().is_some_and(|r| r.len() > LIST_MAX) {
        return invalid("ip_ranges must be at most 256 ranges");
    }
    Ok(())
}

/// Whether the text may name an account or a key: some text without control characters or outer spaces.
fn is_personal_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_MAX && name.trim() == name && !name.chars().any(char::is_control)
}
