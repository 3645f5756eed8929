//! The platform as one declarative file: groups, providers, models with prices, channels, accounts with their limits
//! and keys.
//!
//! [`PlatformFile`] is the file. [`diff()`] compares two states and is pure; [`PlatformFiles`] reads the present state,
//! compares, and carries a plan out in one write transaction, so a file is applied whole or not at all. Applied twice,
//! a file changes nothing the second time.
//!
//! What the file names is brought to exactly what it says; a field left out takes its default, but a price,
//! credentials or keys left out stay as they are. What it does not name is left alone, unless `prune` is asked: then,
//! in each section that the file has, it is disabled. Balances are not in the file. Secrets are only referred to
//! ([`SecretRef`]): the command line resolves them on the operator's side. A plan shows no secret, only that one would
//! be set or replaced, and speaks of accounts and keys that the file does not name by their ids.

mod diff;
mod form;
mod service;
mod state;
#[cfg(test)]
mod tests;

pub use diff::{Action, Change, Field, FieldChange, Item, ItemName, Kind, Plan, State, Wanted, diff};
pub use form::{
    AccountFile, BadFile, ChannelFile, GroupFile, KeyFile, ModelFile, NextPriceFile, PlatformFile, PriceFile,
    SecretRef, SecretUse,
};
pub use service::{Applied, ApplyRequest, NewKey, PlatformFiles, Secrets};
