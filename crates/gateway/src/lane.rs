//! A lane: one thread that serves its share of the connections alone, from the socket of a client to that of a provider.
//! What a call touches on its way, connections to providers and those who wait for the record of a call among it, is the
//! lane's own, so that no other thread is woken for a call but to tell the control plane of it.

use crate::forward::Forward;
use crate::gateway::Gateway;
use crate::http2::PREFACE;
use crate::outbox::Waiting;
use crate::unread::Patient;
use crate::upstream::Upstream;
use crate::{http1, http2};
use bytes::{Bytes, BytesMut};
use http::Version;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use socket2::SockRef;
use std::future::poll_fn;
use std::io::{self, Cursor};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often connections to providers that have been idle for long are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// What one lane has for itself, and the gateway it is a part of.
pub(crate) struct Lane {
    gateway: Arc<Gateway>,
    pub(crate) upstream: Upstream,
    /// The way to the console, if there is one.
    pub(crate) forward: Option<Forward>,
    pub(crate) waiting: Arc<Waiting>,
    date: Mutex<(i64, Bytes)>,
}

impl Deref for Lane {
    type Target = Gateway;
    fn deref(&self) -> &Gateway {
        &self.gateway
    }
}

/// A connection that was accepted, and its places among those of the gateway and of its lane.
pub(crate) struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    _places: (OwnedSemaphorePermit, Arc<()>),
}

/// The way into a lane.
pub(crate) struct Door {
    send: UnboundedSender<Accepted>,
    /// A reference for each connection, and this one.
    connections: Arc<()>,
    /// Whether all was finished at the end.
    pub(crate) done: oneshot::Receiver<bool>,
}

impl Door {
    /// How many connections the lane has.
    pub(crate) fn connections(&self) -> usize {
        Arc::strong_count(&self.connections) - 1
    }

    /// Gives a connection to the lane.
    ///
    /// # Errors
    /// The lane has ended.
    pub(crate) fn enter(&self, stream: TcpStream, peer: SocketAddr, of_all: OwnedSemaphorePermit) -> io::Result<()> {
        let places = (of_all, Arc::clone(&self.connections));
        self.send.send(Accepted { stream, peer, _places: places }).map_err(|_| io::Error::other("a lane has ended"))
    }
}

/// A lane that does not run yet.
struct Closed {
    lane: Arc<Lane>,
    accepted: UnboundedReceiver<Accepted>,
    tls: Option<TlsAcceptor>,
    done: oneshot::Sender<bool>,
}

fn made(gateway: &Arc<Gateway>, tls: Option<TlsAcceptor>) -> io::Result<(Closed, Door)> {
    let (send, accepted) = mpsc::unbounded_channel();
    let (finished, done) = oneshot::channel();
    let lane = Arc::new(Lane::new(Arc::clone(gateway))?);
    Ok((Closed { lane, accepted, tls, done: finished }, Door { send, connections: Arc::default(), done }))
}

/// Opens a lane within the runtime of the caller.
///
/// # Errors
/// As [`Lane::new`].
pub(crate) fn here(gateway: &Arc<Gateway>, tls: Option<TlsAcceptor>) -> io::Result<Door> {
    let (Closed { lane, accepted, tls, done }, door) = made(gateway, tls)?;
    tokio::spawn(async move { done.send(lane.run(accepted, tls).await) });
    Ok(door)
}

/// Opens a lane on a thread of its own.
///
/// # Errors
/// The thread or its runtime cannot be made.
pub(crate) fn on_a_thread(gateway: &Arc<Gateway>, tls: Option<TlsAcceptor>) -> io::Result<Door> {
    let (Closed { lane, accepted, tls, done }, door) = made(gateway, tls)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("lane".to_owned()).spawn(move || {
        let finished = runtime.block_on(lane.run(accepted, tls));
        runtime.shutdown_timeout(Duration::from_secs(1));
        let _ = done.send(finished);
    })?;
    Ok(door)
}

/// Counts a connection for as long as it is open, whatever becomes of it.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Lane {
    /// # Errors
    /// The certificate authorities of the web cannot be used.
    pub(crate) fn new(gateway: Arc<Gateway>) -> io::Result<Self> {
        let upstream = Upstream::new(gateway.config.timeouts.connect)?;
        let waiting = gateway.outbox.waiting();
        let forward = gateway.config.console.clone();
        let forward = forward.map(|endpoint| Forward::new(endpoint, Arc::clone(&gateway.forwards)));
        Ok(Self { gateway, upstream, forward, waiting, date: Mutex::new((i64::MIN, Bytes::new())) })
    }

    /// The date of now, as HTTP writes it (RFC 9110, 5.6.7).
    pub(crate) fn date(&self) -> Bytes {
        let seconds = self.clock.now().0.div_euclid(1_000_000);
        let mut date = self.date.lock();
        if date.0 != seconds {
            let now = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            *date = (seconds, httpdate::fmt_http_date(now).into());
        }
        date.1.clone()
    }

    /// Serves what is accepted until nothing comes any more; then lets what is open finish, for `drain` at most. Whether
    /// it did.
    pub(crate) async fn run(
        self: Arc<Self>,
        mut accepted: UnboundedReceiver<Accepted>,
        tls: Option<TlsAcceptor>,
    ) -> bool {
        let (draining, connections) = (CancellationToken::new(), TaskTracker::new());
        let accepting = async {
            while let Some(one) = accepted.recv().await {
                let (lane, tls, draining) = (Arc::clone(&self), tls.clone(), draining.clone());
                connections.spawn(async move {
                    let _counted = Counted::new(&lane.metrics.connections);
                    let Accepted { stream, peer, _places } = one;
                    if let Ok(stream) = lane.prepared(stream) {
                        lane.connection(stream, peer.ip(), tls, draining).await;
                    }
                });
            }
        };
        tokio::select! {
            () = accepting => {}
            () = self.housekeeping() => {}
        }
        draining.cancel();
        connections.close();
        tokio::select! {
            done = tokio::time::timeout(self.config.timeouts.drain, connections.wait()) => done.is_ok(),
            () = self.housekeeping() => true,
        }
    }

    /// Never ends.
    async fn housekeeping(&self) {
        let sweeping = async {
            let mut every = tokio::time::interval(SWEEP);
            loop {
                every.tick().await;
                self.upstream.sweep();
            }
        };
        tokio::join!(sweeping, self.waiting.follow());
    }

    fn prepared(&self, stream: TcpStream) -> io::Result<Patient<tokio::net::TcpStream>> {
        let timeouts = &self.config.timeouts;
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let _ = stream.set_nodelay(true);
        // For what the kernel has taken over; see `unread` for the rest.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(timeouts.unread));
        Ok(Patient::new(stream, timeouts.unread, self.metrics.unread.clone()))
    }

    async fn connection(
        self: Arc<Self>,
        stream: Patient<tokio::net::TcpStream>,
        peer: IpAddr,
        tls: Option<TlsAcceptor>,
        draining: CancellationToken,
    ) {
        let Some(tls) = tls else { return self.speak(stream, peer, draining).await };
        // A handshake that fails is a port scanner or an impatient client; there is nothing to say about it.
        if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
            // In a box: a connection in clear need not be as large.
            Box::pin(self.speak(stream, peer, draining)).await;
        }
    }

    /// In the version of HTTP that the client begins with, whatever it said it would.
    async fn speak<S>(self: Arc<Self>, mut io: S, peer: IpAddr, draining: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut arrived = BytesMut::new();
        let begun = tokio::select! {
            begun = tokio::time::timeout(self.config.timeouts.head, begins(&mut io, &mut arrived)) => begun,
            () = draining.cancelled() => return,
        };
        match begun {
            Ok(Ok(Version::HTTP_2)) => {
                let (read, write) = tokio::io::split(io);
                let io = tokio::io::join(Cursor::new(arrived).chain(read), write);
                // In a box: a connection of HTTP/1.1 need not be as large.
                Box::pin(http2::serve(self, io, peer, draining)).await;
            }
            Ok(Ok(_)) => http1::serve(self, io, arrived, peer, draining).await,
            // It ended, or nothing came.
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

/// Reads until it is known which version of HTTP the client begins with.
async fn begins<S: AsyncRead + Unpin>(io: &mut S, arrived: &mut BytesMut) -> io::Result<Version> {
    loop {
        let (seen, expected) = (arrived.get(..PREFACE.len()).unwrap_or(arrived), PREFACE.get(..arrived.len()));
        if seen != expected.unwrap_or(PREFACE) {
            return Ok(Version::HTTP_11);
        }
        if seen.len() == PREFACE.len() {
            return Ok(Version::HTTP_2);
        }
        if poll_fn(|cx| http1::poll_arrive(io, cx, arrived)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
