//! Serving people: the messages that the platform sends them, by e-mail and SMS ([`messages`]); what other providers say of
//! who they are ([`providers`]), and the agency that is asked whether a name and a number belong together ([`agency`]).

pub mod agency;
pub mod datamap;
pub mod messages;
pub mod providers;

use tacit_storage::Sql;

/// Every statement of this crate, so that a test can prepare each on both engines.
pub const STATEMENTS: &[&[&Sql]] = &[messages::STATEMENTS];
