//! Serving people. So far: the messages that the platform sends them, by e-mail and SMS ([`messages`]).

pub mod datamap;
pub mod messages;

use tacit_storage::Sql;

/// Every statement of this crate, so that a test can prepare each on both engines.
pub const STATEMENTS: &[&[&Sql]] = &[messages::STATEMENTS];
