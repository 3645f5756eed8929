//! Connections to model providers: pooled, HTTP/1.1 or HTTP/2 as TLS negotiates it, to addresses that were checked.

use crate::config::Timeouts;
use crate::resolver::Resolver;
use bytes::Bytes;
use http::Uri;
use http_body::{Body, Frame, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tacit_protocol::Chunks;
use tokio::net::TcpStream;
use tower::Service;

/// Idle connections kept to one provider, and for how long.
const IDLE_CONNECTIONS: usize = 1024;
const IDLE_FOR: Duration = Duration::from_secs(60);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// TCP and TLS within one limit of time.
#[derive(Clone)]
pub(crate) struct Connector {
    inner: HttpsConnector<HttpConnector<Resolver>>,
    limit: Duration,
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let connecting = self.inner.call(target);
        let limit = self.limit;
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}

/// A client for providers on the internet, and one for channels whose operator allows private addresses.
pub(crate) struct Providers {
    public: Client<Connector, Outgoing>,
    private: Client<Connector, Outgoing>,
}

impl Providers {
    pub(crate) fn new(timeouts: &Timeouts) -> io::Result<Self> {
        Ok(Self { public: client(false, timeouts.connect)?, private: client(true, timeouts.connect)? })
    }

    pub(crate) fn client(&self, allow_private: bool) -> &Client<Connector, Outgoing> {
        if allow_private { &self.private } else { &self.public }
    }
}

fn client(allow_private: bool, limit: Duration) -> io::Result<Client<Connector, Outgoing>> {
    let mut http = HttpConnector::new_with_resolver(Resolver::new(allow_private));
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(Duration::from_secs(60)));
    let inner = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())
        .map_err(io::Error::other)?
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_FOR)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .build(Connector { inner, limit }))
}

/// A request body on its way to a provider, as the chunks that arrived.
pub(crate) struct Outgoing(pub(crate) Chunks);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.remaining() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.0.remaining()).unwrap_or(u64::MAX))
    }
}
