//! Sockets: who may connect, and how they are served. One is the admin socket, the other the console's, which the gateway
//! forwards to.
//!
//! Authority is the machine's: a socket belongs to the user of the control plane with mode 0600, and each connection
//! is asked for its user (`SO_PEERCRED`), which must be the same or root. There are no
//! passwords here. A console that listens on TCP takes whoever reaches it; what it is told of clients is then believed
//! from them, so the network must be one of ours.

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tower::util::MapRequest;

/// Binds the socket, mode 0600; a stale socket file of an earlier run is replaced.
///
/// # Errors
/// When another process listens there, when the path is taken by something else, or when the system refuses.
pub fn bind(path: &Path) -> std::io::Result<UnixListener> {
    use std::io::{Error, ErrorKind};
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(Error::new(ErrorKind::AlreadyExists, "the path of the socket is taken by another file"));
        }
        Ok(_) => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(Error::new(ErrorKind::AddrInUse, "another control plane serves this socket"));
            }
            std::fs::remove_file(path)?;
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Where it is listened.
#[derive(Debug)]
pub enum Listener {
    /// A socket file, for its owner.
    Unix(UnixListener),
    /// An address.
    Tcp(TcpListener),
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl Listener {
    /// The user that a socket file belongs to.
    fn owner(&self) -> Option<u32> {
        let Self::Unix(listener) = self else { return None };
        let address = listener.local_addr().ok()?;
        Some(std::fs::metadata(address.as_pathname()?).ok()?.uid())
    }

    /// The next connection, and who is at its other end; `None` if it is of somebody who may not connect.
    async fn accept(&self, owner: Option<u32>) -> std::io::Result<Option<(Box<dyn Duplex>, Peer)>> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred().map(|c| c.uid()).ok().filter(|uid| *uid == 0 || Some(*uid) == owner);
                Ok(uid.map(|uid| (Box::new(stream) as Box<dyn Duplex>, Peer { uid: Some(uid) })))
            }
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Some((Box::new(stream), Peer { uid: None })))
            }
        }
    }
}

/// Who is at the other end of a connection, as the system says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// The user id; over TCP nobody knows.
    pub(crate) uid: Option<u32>,
}

/// Serves until `shutdown` is done, then lets open requests finish for at most five seconds.
pub async fn serve(listener: impl Into<Listener>, router: Router, shutdown: impl Future<Output = ()>) {
    let listener = listener.into();
    let owner = listener.owner();
    let graceful = hyper_util::server::graceful::GracefulShutdown::new();
    tokio::pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept(owner) => match accepted {
                Ok(Some(accepted)) => accepted,
                Ok(None) => {
                    tracing::warn!(event = "socket.peer_refused");
                    continue;
                }
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let named = MapRequest::new(router.clone(), move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer);
            request
        });
        let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new()).http1_only();
        builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(named)).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move { drop(connection.await) });
    }
    drop(tokio::time::timeout(Duration::from_secs(5), graceful.shutdown()).await);
}
