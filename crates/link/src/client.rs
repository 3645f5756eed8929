//! The gateway's side of the link.

use crate::{Endpoint, LinkError, MAX_MESSAGE, Tls, wire::control_plane_client::ControlPlaneClient};
use std::time::Duration;
use tonic::transport::{Channel, Endpoint as Target};

/// The client of the link. Cheap to clone; all clones share one connection, which is made at the first call and again
/// whenever it was lost.
pub type Client = ControlPlaneClient<Channel>;

/// For a connection to be made, TLS included.
const CONNECT: Duration = Duration::from_secs(3);
/// For an answer to begin. A single request may ask for less with `tonic::Request::set_timeout`; streams live on.
const ANSWER: Duration = Duration::from_secs(15);
/// A peer that is gone without a word is noticed after this and [`PONG`].
const PING: Duration = Duration::from_secs(5);
const PONG: Duration = Duration::from_secs(5);
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;

/// A client for that endpoint. Nothing is opened yet: the first call connects, and no file is read then, so this works
/// within the gateway's sandbox. Must be called within a tokio runtime.
///
/// # Errors
/// [`LinkError`] for TCP without certificates, certificates without TCP, or certificates that cannot be used.
pub fn connect(endpoint: &Endpoint, tls: Option<&Tls>) -> Result<Client, LinkError> {
    let target = match (endpoint, tls) {
        // tonic takes everything behind `unix:` as the path, byte for byte.
        (Endpoint::Unix(path), None) => Target::from_shared(format!("unix:{}", path.display()))?,
        (Endpoint::Unix(_), Some(_)) => return Err(LinkError::TlsUnused),
        (Endpoint::Tcp { .. }, None) => return Err(LinkError::TlsRequired),
        (Endpoint::Tcp { host, port }, Some(tls)) => {
            Target::from_shared(format!("https://{host}:{port}"))?.tls_config(tls.client().timeout(CONNECT))?
        }
    };
    let channel = target
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .tcp_keepalive(Some(PING))
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect_lazy();
    Ok(ControlPlaneClient::new(channel).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE))
}
