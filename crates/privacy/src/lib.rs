//! What the platform does with personal data, told by the data map: the map itself, the clauses of two published policies
//! with what keeps them, the record of processing, and the policy that is published.
//!
//! The map is gathered by the program, since its parts stand beside what they describe ([`Map::new`]).

pub mod backup;
mod clauses;
pub mod copy;
pub mod disclosures;
pub mod erasure;
mod fideslang;
pub mod incidents;
mod map;
pub mod parts;
mod policy;
pub mod receivers;
pub mod recipients;
mod record;
mod register;
pub mod requests;
pub mod retention;
mod texts;
pub mod told;
pub mod transfers;

pub use clauses::{Clause, Profile, ProfileError, Proofs};
pub use fideslang::dataset;
pub use map::{Erasing, Map, Row};
pub use policy::{Page, Policy, PolicyError, Recipient, SCRIPT, STYLE};
pub use record::{Controller, Processing, Record};
pub use register::Registered;
pub use texts::{Language, Texts, TextsError};
