//! What the platform does with personal data, told by the data map: the map itself, the clauses of two published policies
//! with what keeps them, the record of processing, and the policy that is published.
//!
//! The map is gathered by the program, since its parts stand beside what they describe ([`Map::new`]).

pub mod backup;
mod clauses;
pub mod copy;
pub mod erasure;
mod fideslang;
pub mod incidents;
mod map;
mod policy;
mod record;
pub mod requests;
pub mod retention;
mod texts;

pub use clauses::{Clause, Profile, ProfileError, Proofs};
pub use fideslang::dataset;
pub use map::{Erasing, Map, Row};
pub use policy::{Page, Policy, PolicyError, Recipient, STYLE};
pub use record::{Controller, Processing, Record};
pub use texts::{Language, Texts, TextsError};
