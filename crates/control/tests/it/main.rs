//! The control plane over a Unix socket, driven by a gateway that is not one, on both databases.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failing test panics")]

mod audit;
mod budgets;
mod journal;
mod keyring;
mod links;
mod money;
mod planes;
mod recording;
mod set_aside;
mod verification;
mod world;
