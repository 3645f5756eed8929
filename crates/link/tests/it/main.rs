//! The schema, held against an explicit list, and the link over real sockets.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod schema;
mod sockets;
