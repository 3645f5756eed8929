//! Sockets and TLS: bound and read before the sandbox closes, served after.

use crate::config::TlsFiles;
use crate::gateway::Gateway;
use crate::serve;
use crate::unread::{Delivery, Patient, Streams};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
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
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What is written of an answer before the client has to take some of it, for each call. In HTTP/1.1 it is also the longest
/// head of a request.
const AHEAD: usize = 64 * 1024;
/// Descriptors that are not those of calls.
const APART: u64 = 64;

/// Lets the process have as many descriptors as the system allows it, and tells how many connections of clients that is
/// enough for: a call needs one for its client and one for its provider. More connections wait in the backlog.
pub(crate) fn connections(wanted: usize) -> usize {
    use nix::sys::resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(RLIMIT_NOFILE) else { return wanted };
    let allowed = if setrlimit(RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft };
    let enough_for = usize::try_from(allowed.saturating_sub(APART) / 2).unwrap_or(usize::MAX).max(1);
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

/// Serves connections until `stop` is ready, then lets open calls finish for `drain`.
pub(crate) async fn serve(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stop: impl Future<Output = ()>,
    drain: Duration,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let timeouts = gateway.config.timeouts;
    let let_go = gateway.metrics.unread.clone();
    let mut http = auto::Builder::new(Streams { patience: timeouts.unread, let_go: let_go.clone() });
    http.http1().timer(TokioTimer::new()).header_read_timeout(timeouts.head).max_buf_size(AHEAD).half_close(false);
    http.http2()
        .timer(TokioTimer::new())
        .adaptive_window(true)
        .keep_alive_interval(Duration::from_secs(30))
        .max_send_buf_size(AHEAD)
        .max_concurrent_streams(1024);
    let http = Arc::new(http);
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    let room = Arc::new(Semaphore::new(gateway.config.max_connections));
    loop {
        let accepting = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, place)
        };
        let ((stream, peer), place) = tokio::select! {
            (accepted, place) = accepting => match accepted.map(|accepted| (accepted, place)) {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely: some will be closed in a moment.
                    tracing::warn!(event = "accept.failed", detail = %error.kind(), "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let _ = stream.set_nodelay(true);
        // For what the kernel has taken over; see `unread` for the rest.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(timeouts.unread));
        let stream = Patient::new(stream, timeouts.unread, let_go.clone());
        let watcher = graceful.watcher();
        let (gateway, http, tls) = (Arc::clone(&gateway), Arc::clone(&http), tls.clone());
        tokio::spawn(async move {
            gateway.metrics.connections.inc();
            let counted = Arc::clone(&gateway);
            match tls {
                None => connection(gateway, &http, stream, peer, watcher).await,
                Some(tls) => {
                    // A handshake that fails is a port scanner or an impatient client; there is nothing to say about it.
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                        connection(gateway, &http, stream, peer, watcher).await;
                    }
                }
            }
            counted.metrics.connections.dec();
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(event = "drain.ended", "calls were still open when the time to finish them was over");
    }
    Ok(())
}

async fn connection<S>(
    gateway: Arc<Gateway>,
    http: &auto::Builder<Streams>,
    stream: S,
    peer: SocketAddr,
    watcher: hyper_util::server::graceful::Watcher,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: http::Request<Incoming>| {
        let gateway = Arc::clone(&gateway);
        let version = request.version();
        async move {
            let response = serve::serve(gateway, peer.ip(), request).await;
            Ok::<_, Infallible>(response.map(|reply| Delivery::new(reply, version)))
        }
    });
    let connection = http.serve_connection(TokioIo::new(stream), service).into_owned();
    // How a connection ends is the client's affair; calls in it have ended by themselves.
    let _ = watcher.watch(connection).await;
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
        let response = response.map(|reply| Delivery::new(reply, request.version()));
        async move { Ok::<_, Infallible>(response) }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
