//! The data plane: authenticates, admits, routes, relays and meters calls. Bodies exist only here, only in memory, only
//! while a call lasts; the process locks itself in so that they cannot reach a disk.
//!
//! [`run`] is the whole process: it binds, reads its certificates, closes the sandbox, opens the session with the control
//! plane, starts a thread for each `lane` and hands accepted connections to them. A call goes through `http1` or `http2`,
//! `serve` (which endpoint), `grants` (who), `admit` (whether),
//! `lease` (money), `route`, `relay` and `upstream` (to a provider), `stream` (the answer), `unread` (a client that does not
//! take it), `call` (its record) and `outbox` (to the control plane).

mod admin;
mod admit;
mod call;
mod catalog;
mod chunked;
mod client;
pub mod config;
pub mod datamap;
#[cfg(feature = "faults")]
mod faults;
mod forward;
mod framing;
mod gateway;
mod grants;
mod health;
mod http1;
mod http2;
mod lane;
mod lease;
mod limits;
mod link;
mod listener;
mod memory;
mod metrics;
mod moment;
mod outbox;
mod refusal;
mod relay;
mod reply;
mod request;
mod resolver;
mod route;
pub mod sandbox;
mod serve;
mod stream;
mod unread;
mod upstream;

use crate::catalog::Catalog;
use crate::config::{GatewayConfig, Sandbox};
use crate::gateway::Gateway;
use crate::grants::Grants;
use crate::lane::Door;
use crate::link::{Link, Watched};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use arc_swap::ArcSwap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tacit_kernel::SystemClock;
use tacit_link::wire;
use tokio::sync::{Notify, Semaphore};

pub use crate::listener::TlsError;
pub use crate::sandbox::SandboxError;

/// How often idle leases and forgotten keys are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the control plane.
const FAREWELL: Duration = Duration::from_secs(5);

/// Where lanes run.
#[derive(Clone, Copy)]
enum Threads {
    /// Each on a thread of its own.
    Own,
    /// One, in the runtime of the caller.
    Callers,
}

/// Why a gateway did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The process could not lock itself in.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The link cannot be set up.
    #[error(transparent)]
    Link(#[from] tacit_link::LinkError),
    /// The machine refused something.
    #[error("the gateway cannot go on: {0}")]
    Io(#[from] io::Error),
}

/// A gateway whose addresses are bound and whose certificates are read, but that serves nobody yet.
pub struct Bound {
    config: GatewayConfig,
    public: TcpListener,
    admin: Option<TcpListener>,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

/// The whole life of a gateway process: called on the main thread before there is any other, returns when `shutdown` is
/// ready and what was open is finished. `shutdown` is first polled within the gateway's own runtime.
///
/// # Errors
/// [`GatewayError`]; nothing was served if it comes at the start.
pub fn run(config: GatewayConfig, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), GatewayError> {
    Bound::new(config)?.run(shutdown)
}

impl Bound {
    /// Binds the addresses and reads the certificate.
    ///
    /// # Errors
    /// [`GatewayError::Bind`], [`GatewayError::Tls`].
    pub fn new(config: GatewayConfig) -> Result<Self, GatewayError> {
        let bind = |address| listener::bind(address).map_err(|source| GatewayError::Bind { address, source });
        let public = bind(config.listen)?;
        let admin = config.admin_listen.map(bind).transpose()?;
        let tls = config.tls.as_ref().map(listener::tls).transpose()?;
        Ok(Self { config, public, admin, tls })
    }

    /// The public address, with the port that was chosen if the configuration left it open.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// The private address, if there is one.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn admin_address(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Closes the sandbox, starts the threads and serves: see [`run`].
    ///
    /// # Errors
    /// [`GatewayError`].
    pub fn run(mut self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), GatewayError> {
        self.config.max_connections = listener::connections(self.config.max_connections, self.config.workers);
        sandbox::enter(self.config.sandbox)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = runtime.block_on(self.live(Threads::Own, shutdown));
        runtime.shutdown_timeout(Duration::from_secs(1));
        served
    }

    /// Serves within the caller's runtime and without a sandbox: for tests that hold a gateway in their own process.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), GatewayError> {
        self.live(Threads::Callers, shutdown).await
    }

    /// This thread keeps the link and accepts; lanes serve.
    async fn live(
        self,
        threads: Threads,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), GatewayError> {
        let Self { config, public, admin, tls } = self;
        let link = Arc::new(Link::new(tacit_link::connect(&config.link, config.link_tls.as_ref())?));
        let grants = Arc::new(Grants::new(Arc::clone(&link)));
        let outbox = Arc::new(Outbox::new(config.max_unacknowledged));
        let catalog = Arc::new(ArcSwap::from_pointee(Catalog::default()));
        let ready = Arc::new(Notify::new());
        let watched = Watched {
            link: Arc::clone(&link),
            catalog: Arc::clone(&catalog),
            ready: Arc::clone(&ready),
            grants: Arc::clone(&grants),
            outbox: Arc::clone(&outbox),
            hello: wire::Hello {
                gateway: config.name.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                sandbox: u32::from(config.sandbox == Sandbox::On),
                session: Vec::new(),
            },
        };
        let gateway = Arc::new(Gateway {
            clock: Arc::new(SystemClock),
            link,
            catalog,
            grants,
            outbox,
            metrics: Metrics::new(config.sandbox == Sandbox::On),
            bodies: Arc::new(memory::BodyMemory::new(config.max_bodies_bytes)),
            serving: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            forwards: Arc::new(Semaphore::new(forward::AT_ONCE)),
            config,
        });
        let session = tokio::spawn(watched.keep());
        let sweeping = tokio::spawn(sweep(Arc::clone(&gateway)));
        let private = admin.map(|listener| tokio::spawn(listener::serve_admin(Arc::clone(&gateway), listener)));
        let served = public_life(&gateway, public, tls, threads, &ready, shutdown).await;
        farewell(&gateway).await;
        session.abort();
        sweeping.abort();
        if let Some(private) = private {
            private.abort();
        }
        served
    }
}

/// Waits for the first catalogue, then serves the public address until the end.
async fn public_life(
    gateway: &Arc<Gateway>,
    listener: TcpListener,
    tls: Option<tokio_rustls::TlsAcceptor>,
    threads: Threads,
    ready: &Notify,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), GatewayError> {
    tokio::pin!(shutdown);
    tokio::select! {
        () = ready.notified() => {}
        () = &mut shutdown => return Ok(()),
    }
    gateway.serving.store(true, Relaxed);
    let address = listener.local_addr()?;
    tracing::info!(event = "gateway.serving", address.listen = %address, "the gateway serves");
    let draining = Arc::clone(gateway);
    let stop = async {
        shutdown.await;
        draining.draining.store(true, Relaxed);
    };
    let doors = match threads {
        Threads::Own => (0..gateway.config.workers.max(1)).map(|_| lane::on_a_thread(gateway, tls.clone())).collect(),
        Threads::Callers => lane::here(gateway, tls).map(|door| vec![door]),
    };
    let doors: Vec<Door> = doors?;
    let accepted = listener::accept(listener, &doors, gateway.config.max_connections, stop).await;
    // Without a way in they end when what is open has ended, or it was enough.
    let ends: Vec<_> = doors.into_iter().map(|door| door.done).collect();
    for finished in ends {
        if !finished.await.unwrap_or(false) {
            tracing::warn!(event = "drain.ended", "calls were still open when the time to finish them was over");
        }
    }
    Ok(accepted?)
}

async fn sweep(gateway: Arc<Gateway>) {
    let mut every = tokio::time::interval(SWEEP);
    loop {
        every.tick().await;
        gateway.grants.sweep();
    }
}

/// Everything is reported and given back before the session is closed. If the control plane cannot be reached now, it
/// settles by the rule for gateways that are gone.
async fn farewell(gateway: &Gateway) {
    let goodbye = async {
        while gateway.outbox.unacknowledged() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        gateway.grants.give_back_all().await;
        if let Some(session) = gateway.link.session() {
            let _ = gateway.link.client().close(wire::CloseRequest { session: session.id.clone() }).await;
        }
    };
    if tokio::time::timeout(FAREWELL, goodbye).await.is_err() {
        let count = gateway.outbox.unacknowledged();
        tracing::warn!(event = "farewell.unheard", count, "the control plane did not answer at the end");
    }
}
