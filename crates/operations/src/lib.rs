//! Serving people: the messages that the platform sends them, by e-mail and SMS ([`messages`]); what other providers say of
//! who they are ([`providers`]), the agency that is asked whether a name and a number belong together ([`agency`]); and word to recipients
//! of data ([`posting`]).

pub mod agency;
pub mod datamap;
pub mod messages;
pub mod posting;
pub mod providers;

use tacit_storage::Sql;

/// Every statement of this crate, so that a test can prepare each on both engines.
pub const STATEMENTS: &[&[&Sql]] = &[messages::STATEMENTS];
