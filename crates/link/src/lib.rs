//! What a gateway and its control plane say to each other, and how they connect: gRPC over a Unix socket, or over TCP
//! with mutual TLS.
//!
//! No message has a field that could hold a request or response body; a test walks the descriptor.

/// The messages, generated from `proto/link.proto`.
pub mod wire {
    #![expect(
        missing_docs,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated; the schema carries the comments"
    )]
    tonic::include_proto!("tacit.link.v1");
}
