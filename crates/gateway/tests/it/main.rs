//! A gateway in this process, driven over real sockets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what clippy.toml allows in tests, for what tests share")]

mod bounds;
mod budgets;
mod calls;
#[cfg(feature = "faults")]
mod faults;
mod forward;
mod http1;
mod limits;
mod link;
mod money;
mod plane;
mod platform;
mod streams;
mod transport;
mod unread;
