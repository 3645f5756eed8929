//! Clients that speak HTTP/2, served by hyper; see `unread` for what it cannot notice by itself.

use crate::client::{Client, Cut};
use crate::lane::Lane;
use crate::serve;
use crate::unread::{Delivery, Streams};
use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// How every connection of HTTP/2 begins (RFC 9113, 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What is written of an answer before the client has to take some of it, for each call.
const AHEAD: usize = 64 * 1024;

/// Serves a connection until its end.
pub(crate) async fn serve<S>(lane: Arc<Lane>, io: S, peer: IpAddr, draining: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let streams = Streams { patience: lane.config.timeouts.unread, let_go: lane.metrics.unread.clone() };
    let service = service_fn(move |request: http::Request<Incoming>| {
        let lane = Arc::clone(&lane);
        async move {
            let (parts, incoming) = request.into_parts();
            let mut client = Stream(incoming);
            let response = serve::serve(&lane, peer, parts, &mut client).await;
            response.map(|response| response.map(Delivery::new)).ok_or(GoneError)
        }
    });
    let mut http = Builder::new(streams);
    http.timer(TokioTimer::new())
        .adaptive_window(true)
        .keep_alive_interval(Duration::from_secs(30))
        .max_send_buf_size(AHEAD)
        .max_concurrent_streams(1024);
    let mut connection = pin!(http.serve_connection(TokioIo::new(io), service));
    // How a connection ends is the client's affair; calls in it have ended by themselves.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Its client has gone: the stream is reset, as there is nobody to answer.
#[derive(Debug, thiserror::Error)]
#[error("the client has gone")]
struct GoneError;

/// The request of one stream. hyper drops the task of a stream that its client resets.
struct Stream(Incoming);

impl Client for Stream {
    fn announced(&self) -> u64 {
        self.0.size_hint().lower()
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                // Trailers have no meaning here.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Some(Ok(data)),
                    Err(_) => continue,
                },
                Some(Err(_)) => Some(Err(Cut::Gone)),
                None => None,
            });
        }
    }

    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
