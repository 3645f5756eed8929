//! The control plane's side of the link.

use crate::wire::control_plane_server::{ControlPlane, ControlPlaneServer};
use crate::{Endpoint, LinkError, MAX_MESSAGE, Tls};
use std::fs::Permissions;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Server, server::TcpIncoming};

const HANDSHAKE: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(10);
const STREAM_WINDOW: u32 = 1024 * 1024;
/// Key look-ups and leases of one gateway that are under way at once; more wait.
const REQUESTS_PER_CONNECTION: u32 = 1024;

/// A bound socket of the link.
#[derive(Debug)]
pub enum Listener {
    /// A socket file that only its owner may open.
    Unix(UnixListener),
    /// A TCP port; served with mutual TLS only.
    Tcp(TcpListener),
}

impl Listener {
    /// Binds the endpoint. A socket file left behind by a process that is gone is replaced.
    ///
    /// # Errors
    /// [`LinkError::InUse`] if somebody answers there; [`LinkError::Listen`] otherwise.
    pub async fn bind(endpoint: &Endpoint) -> Result<Self, LinkError> {
        let fail = |e| LinkError::Listen(endpoint.clone(), e);
        match endpoint {
            Endpoint::Unix(path) => {
                if UnixStream::connect(path).await.is_ok() {
                    return Err(LinkError::InUse(endpoint.clone()));
                }
                bind_private(path).map(Self::Unix).map_err(fail)
            }
            Endpoint::Tcp { host, port } => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                TcpListener::bind((host, *port)).await.map(Self::Tcp).map_err(fail)
            }
        }
    }

    /// The TCP address, if it is one; tells the port when port 0 was asked for.
    ///
    /// # Errors
    /// As the operating system reports.
    pub fn tcp_address(&self) -> io::Result<Option<std::net::SocketAddr>> {
        match self {
            Self::Unix(_) => Ok(None),
            Self::Tcp(listener) => listener.local_addr().map(Some),
        }
    }
}

/// Binds beside the final name, closes the file to others, then moves it there: nobody can connect in between, and a
/// file left behind is replaced in one step.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match std::fs::remove_file(&beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(&beside)?;
    std::fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
    std::fs::rename(&beside, path)?;
    Ok(listener)
}

/// Serves the link until `shutdown` resolves and every request has ended. The service must end its streams itself
/// when it is told to stop.
///
/// # Errors
/// [`LinkError`] for TCP without certificates, certificates without TCP, or certificates that cannot be used.
pub async fn serve<S: ControlPlane>(
    listener: Listener,
    tls: Option<&Tls>,
    service: S,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), LinkError> {
    let service =
        ControlPlaneServer::new(service).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
    let server = Server::builder()
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PING))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(4 * STREAM_WINDOW)
        .max_concurrent_streams(REQUESTS_PER_CONNECTION);
    match (listener, tls) {
        (Listener::Unix(_), Some(_)) => Err(LinkError::TlsUnused),
        (Listener::Tcp(_), None) => Err(LinkError::TlsRequired),
        (Listener::Unix(listener), None) => {
            let incoming = UnixListenerStream::new(listener);
            Ok({ server }.add_service(service).serve_with_incoming_shutdown(incoming, shutdown).await?)
        }
        (Listener::Tcp(listener), Some(tls)) => {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(Some(PING));
            let mut server = server.tls_config(tls.server().timeout(HANDSHAKE))?;
            Ok(server.add_service(service).serve_with_incoming_shutdown(incoming, shutdown).await?)
        }
    }
}
