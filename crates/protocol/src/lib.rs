//! The wire dialects as pure functions, and [`Body`], the container of what a person sent or got.
//!
//! Nothing here does I/O, waits, keeps money or knows storage. A call runs through this crate like so:
//!
//! 1. The gateway reads the request chunk by chunk into a [`Body`] and shows each chunk to an
//!    [`envelope::EnvelopeScanner`]; [`envelope::Envelope`] then says what was asked for (model, stream, limits).
//! 2. [`envelope::Envelope::edits`] and [`Body::for_provider`] give the chunks to send: the caller's own bytes with the
//!    model's name and the wish for usage spliced in; nothing is parsed into a tree or written again.
//! 3. A streamed answer goes through [`meter::StreamMeter`], any other through [`usage::UsageScanner`].
//! 4. [`errors`], [`models`] and [`headers`] shape everything that we say ourselves.
//!
//! Errors of this crate hold positions and fixed words, never bytes of a body. Types that hold such bytes have no
//! `Debug`, `Display`, `Serialize` or `Clone`; compile-fail tests hold that.

pub mod body;
pub mod envelope;
pub mod errors;
pub mod estimate;
pub mod headers;
pub mod meter;
pub mod models;
mod object;
mod scan;
pub mod splice;
pub mod sse;
pub mod usage;
mod walk;

pub use body::{Body, Chunks};
pub use envelope::{Envelope, EnvelopeError, EnvelopeScanner};
pub use meter::{MeterOutput, StreamMeter};
