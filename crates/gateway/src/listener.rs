//! Sockets and TLS: bound and read before the sandbox closes, served after.

use crate::config::TlsFiles;
use crate::gateway::Gateway;
use crate::lane::Door;
use crate::unread::Delivery;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{Domain, Protocol, Socket, Type};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// Descriptors that are not those of calls, and those of each lane.
const APART: u64 = 64;
const OF_A_LANE: u64 = 8;

/// Lets the process have as many descriptors as the system allows it, and tells how many connections of clients that is
/// enough for: a call needs one for its client and one for its provider. More connections wait in the backlog.
pub(crate) fn connections(wanted: usize, lanes: usize) -> usize {
    use nix::sys::resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(RLIMIT_NOFILE) else { return wanted };
    let allowed = if setrlimit(RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft };
    let lanes = u64::try_from(lanes).unwrap_or(u64::MAX);
    let apart = APART.saturating_add(OF_A_LANE.saturating_mul(lanes));
    let enough_for = usize::try_from(allowed.saturating_sub(apart) / 2).unwrap_or(usize::MAX).max(1);
    if enough_for < wanted {
        tracing::info!(event = "connections.fewer", count = enough_for, "the limit of open files allows no more");
    }
    wanted.min(enough_for)
}

/// Binds an address.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Why the certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds something else.
    #[error("{path}: {detail}")]
    File {
        /// Which.
        path: String,
        /// Why.
        detail: String,
    },
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("the certificate cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// Reads certificate and key.
pub(crate) fn tls(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let file = |path: &std::path::Path, detail: &dyn std::fmt::Display| TlsError::File {
        path: path.display().to_string(),
        detail: detail.to_string(),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|e| file(&files.certificate, &e))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| file(&files.key, &e))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts connections until `stop` is ready, and gives each to the lane that has fewest.
///
/// # Errors
/// A lane has ended before its time.
pub(crate) async fn accept(
    listener: TcpListener,
    doors: &[Door],
    most: usize,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::pin!(stop);
    let room = Arc::new(Semaphore::new(most));
    loop {
        let accepting = async {
            let of_all = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            let (stream, peer) = listener.accept().await?;
            // From here on it belongs to the runtime of its lane, and to this one no more.
            Ok::<_, io::Error>((stream.into_std()?, peer, of_all))
        };
        let accepted = tokio::select! {
            accepted = accepting => accepted,
            () = &mut stop => return Ok(()),
        };
        let (stream, peer, of_all) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: some will be closed in a moment.
                tracing::warn!(event = "accept.failed", detail = %error.kind(), "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let Some(door) = doors.iter().min_by_key(|door| door.connections()) else { continue };
        door.enter(stream, peer, of_all)?;
    }
}

/// The peer's sockets of the second, private listener: health and metrics.
pub(crate) async fn serve_admin(gateway: Arc<Gateway>, listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        tokio::spawn(admin_connection(Arc::clone(&gateway), stream));
    }
}

async fn admin_connection(gateway: Arc<Gateway>, stream: TcpStream) {
    let head = gateway.config.timeouts.head;
    let service = service_fn(move |request: http::Request<Incoming>| {
        let response = crate::admin::answer(&gateway, request.method(), request.uri().path());
        let response = response.map(Delivery::new);
        async move { Ok::<_, Infallible>(response) }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
