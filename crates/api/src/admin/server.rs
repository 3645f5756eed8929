//! The socket itself: who may connect, and how it is served.
//!
//! Authority is the machine's: the socket belongs to the user of the control plane with mode 0600, and each connection
//! is asked for its user (`SO_PEERCRED`), which must be the same or root. There are no passwords here.

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixListener;
use tower::util::MapRequest;

/// Binds the socket, mode 0600; a stale socket file of an earlier run is replaced.
///
/// # Errors
/// When another process listens there, when the path is taken by something else, or when the system refuses.
pub fn bind(path: &Path) -> std::io::Result<UnixListener> {
    use std::io::{Error, ErrorKind};
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(Error::new(ErrorKind::AlreadyExists, "the path of the admin socket is taken by another file"));
        }
        Ok(_) => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(Error::new(ErrorKind::AddrInUse, "another control plane serves this admin socket"));
            }
            std::fs::remove_file(path)?;
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Who is at the other end of a connection, as the system says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// The user id.
    pub(super) uid: u32,
}

/// Serves until `shutdown` is done, then lets open requests finish for at most five seconds.
pub async fn serve(listener: UnixListener, router: Router, shutdown: impl Future<Output = ()>) {
    let own = listener
        .local_addr()
        .ok()
        .and_then(|a| a.as_pathname().and_then(|p| std::fs::metadata(p).ok()))
        .map(|m| m.uid());
    let graceful = hyper_util::server::graceful::GracefulShutdown::new();
    tokio::pin!(shutdown);
    loop {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let peer = stream.peer_cred().map(|c| c.uid()).ok().filter(|uid| *uid == 0 || Some(*uid) == own);
        let Some(uid) = peer else {
            tracing::warn!(event = "admin.peer_refused");
            continue;
        };
        let named = MapRequest::new(router.clone(), move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer { uid });
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
