//! Serving people: the messages that the platform sends them, by e-mail and SMS ([`messages`]), and what other providers
//! say of who they are ([`providers`]).

pub mod datamap;
pub mod messages;
pub mod providers;

use tacit_storage::Sql;

/// Every statement of this crate, so that a test can prepare each on both engines.
pub const STATEMENTS: &[&[&Sql]] = &[messages::STATEMENTS];
