//! The gateway's side of the link.

use crate::record::EventsCodec;
use crate::wire::control_plane_client::ControlPlaneClient;
use crate::{Endpoint, LinkError, MAX_MESSAGE, Tls, wire};
use http::uri::PathAndQuery;
use std::sync::Arc;
use std::time::Duration;
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint as Target};
use tonic::{Request, Status, Streaming};

/// The requests of the link.
pub type Client = ControlPlaneClient<Channel>;

/// The connection of the link, made at the first request and again whenever it was lost. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    channel: Channel,
}

impl Connection {
    /// A client over this connection.
    #[must_use]
    pub fn client(&self) -> Client {
        ControlPlaneClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    /// Sends batches of call events, which the caller keeps until they are acknowledged, and takes the acknowledgements:
    /// [`Client::record`] without a copy of each batch.
    ///
    /// # Errors
    /// Whatever the connection or the control plane says.
    pub async fn record(
        &self,
        batches: impl Stream<Item = Arc<wire::Events>> + Send + 'static,
    ) -> Result<Streaming<wire::Ack>, Status> {
        let mut grpc = Grpc::new(self.channel.clone()).max_encoding_message_size(MAX_MESSAGE);
        let unready = |error: tonic::transport::Error| Status::unavailable(error.to_string());
        grpc.ready().await.map_err(unready)?;
        let path = PathAndQuery::from_static("/tacit.link.v1.ControlPlane/Record");
        grpc.streaming(Request::new(batches), path, EventsCodec).await.map(tonic::Response::into_inner)
    }
}

/// For a connection to be made, TLS included.
const CONNECT: Duration = Duration::from_secs(3);
/// For an answer to begin. A single request may ask for less with `tonic::Request::set_timeout`; streams live on.
const ANSWER: Duration = Duration::from_secs(15);
/// A peer that is gone without a word is noticed after this and [`PONG`].
const PING: Duration = Duration::from_secs(5);
const PONG: Duration = Duration::from_secs(5);
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;

/// The connection to that endpoint. Nothing is opened yet: the first request connects, and no file is read then, so this works
/// within the gateway's sandbox. Must be called within a tokio runtime.
///
/// # Errors
/// [`LinkError`] for TCP without certificates, certificates without TCP, or certificates that cannot be used.
pub fn connect(endpoint: &Endpoint, tls: Option<&Tls>) -> Result<Connection, LinkError> {
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
    Ok(Connection { channel })
}
