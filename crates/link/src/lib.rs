//! What a gateway and its control plane say to each other, and how they connect: gRPC over a Unix socket, or over TCP
//! with mutual TLS.
//!
//! No message has a field that could hold a request or response body; a test walks the descriptor. Every string and
//! every list has a bound ([`Checked`]), and what a number or a row of bytes means is decided in one place
//! ([`convert`]).

mod bounds;
mod client;
pub mod convert;
mod endpoint;
mod record;
mod server;

pub use bounds::{Checked, MAX_EVENTS, MAX_SEALED, Mend, Refused};
pub use client::{Client, Connection, connect};
pub use endpoint::{BadEndpoint, Endpoint, LinkError, Tls};
pub use server::{Listener, serve};

/// The messages, generated from `proto/link.proto`.
pub mod wire {
    #![expect(
        missing_docs,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated; the schema carries the comments"
    )]
    tonic::include_proto!("tacit.link.v1");

    macro_rules! opaque {
        ($($name:ident)*) => {$(
            impl std::fmt::Debug for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(concat!(stringify!($name), " { .. }"))
                }
            }
        )*};
    }
    opaque!(Credential KeyGrant Welcome);
}

/// The most that one message may weigh on the wire, in bytes. A catalogue of some ten thousand models fits.
const MAX_MESSAGE: usize = 32 * 1024 * 1024;
