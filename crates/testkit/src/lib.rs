//! What the end-to-end tests are made with: the real program, started with a data directory of its own, with the
//! practice provider behind it and SQLite or PostgreSQL below it; driven by its own command line; killed and started
//! again. Never shipped.

pub mod canaries;
pub mod client;
pub mod hpack;
pub mod platform;
pub mod processes;
mod program;
pub mod recorder;

pub use canaries::Canaries;
pub use client::{Answer, Client};
pub use platform::{Options, Platform};
