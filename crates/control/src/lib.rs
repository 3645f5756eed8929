//! The control plane's side of the link: what it answers to gateways, and the work it does in the background.
//!
//! - **Record**: one task makes the call events of all sessions durable, in one transaction all that arrived during the
//!   one before ([`ledger::Journal`](tacit_ledger::Journal)); only then are they acknowledged. What fails is not
//!   acknowledged, so the gateway sends it again; what is sent again counts once.
//! - **Settle**: another task takes them out of the journal and makes records and charges of them, in larger steps
//!   ([`ledger::Settler`](tacit_ledger::Settler)). The process can be killed at any time: what lies in the journal then
//!   is settled by whoever finds it. What the books refuse for good is set aside, so that it does not hold up what comes
//!   after it.
//! - **Watch**: the whole catalogue, then whatever the change feed brings. The feed lies in the database, so it does
//!   not matter which control plane made a change or a gateway is connected to.
//! - **Sessions**: a gateway that is gone for good is settled by the rule for interrupted calls, and what it held of
//!   its customers' money goes back to them.
//! - **Ledger check**: every balance and charge is recomputed on a timer.
//! - **Audit log**: its checkpoints are signed while entries come.
//! - **Keyring**: what was destroyed in it is made final.
//! - **Erasing**: whoever is to be erased is.
//! - **Incidents**: whom they concern is looked for, and those are told.
//! - **Backups**: made by schedule.
//! - **Receivers**: what is known of who receives data.
//!
//! Answers carry only codes and ids; no request or response body of a model call ever comes here.

mod audit;
mod backups;
mod catalogue;
mod changes;
pub mod datamap;
mod erasing;
mod events;
mod forgetting;
mod incidents;
mod keyring;
mod leases;
mod ledger_check;
mod links;
mod metrics;
mod panics;
mod receivers;
mod service;
mod set_aside;
mod settling;
mod status;
mod writer;

use crate::links::Links;
use crate::metrics::Metrics;
use crate::panics::caught;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tacit_catalog::Catalog;
use tacit_identity::Identity;
use tacit_kernel::ids::EventId;
use tacit_kernel::{Clock, Fault};
use tacit_ledger::Ledger;
use tacit_link::{Endpoint, LinkError, Listener, Tls};
use tacit_privacy::backup::Backups;
use tacit_privacy::erasure::Erasing;
use tacit_privacy::incidents::Incidents;
use tacit_privacy::receivers::Receivers;
use tacit_privacy::requests::Requests;
use tacit_privacy::retention::Retention;
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Engine};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a stop waits for streams to end before their connections are dropped.
const STOP: Duration = Duration::from_secs(5);

/// What the control plane is made of.
pub struct ControlConfig {
    /// The database; only the change feed is read from it here.
    pub db: Db,
    /// Keys of the platform and of its subjects.
    pub keys: Arc<KeyStore>,
    /// Accounts and keys.
    pub identity: Identity,
    /// What can be called.
    pub catalog: Catalog,
    /// Money.
    pub ledger: Ledger,
    /// What goes when its time is over.
    pub retention: Retention,
    /// What erases people.
    pub erasing: Erasing,
    /// What people ask for about their data.
    pub requests: Requests,
    /// Who receives data.
    pub receivers: Receivers,
    /// Incidents.
    pub incidents: Incidents,
    /// What makes backups, if there are any.
    pub backups: Option<Backups>,
    /// How often they are made; only by hand if `None`.
    pub backup_every: Option<Duration>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where gateways connect.
    pub link: Endpoint,
    /// Certificates; exactly when the link is TCP.
    pub tls: Option<Tls>,
    /// Settlement currency, ISO 4217.
    pub currency: String,
    /// The last byte of an answer waits until the end of its call is durable, from which its exact charge follows.
    pub strict: bool,
    /// A session whose gateway has been away for longer than this is settled as lost.
    pub lost_after: Duration,
    /// How often the whole ledger is checked; never if `None`.
    pub verify_every: Option<Duration>,
}

impl ControlConfig {
    /// A gateway that has been away for that long is taken for lost.
    pub const LOST_AFTER: Duration = Duration::from_secs(15 * 60);
}

/// What the tasks share.
pub(crate) struct Shared {
    db: Db,
    keys: Arc<KeyStore>,
    identity: Identity,
    catalog: Catalog,
    ledger: Ledger,
    retention: Retention,
    erasing: Erasing,
    requests: Requests,
    receivers: Receivers,
    incidents: Incidents,
    backups: Option<Backups>,
    backup_every: Option<Duration>,
    clock: Arc<dyn Clock>,
    currency: String,
    strict: bool,
    lost_after: Duration,
    links: Links,
    metrics: Metrics,
    unsettled: Arc<settling::Unsettled>,
    prices: catalogue::Prices,
    /// The catalogue as gateways were last sent it.
    sent: ArcSwapOption<catalogue::Sent>,
    /// Whether the database answered lately.
    database_up: AtomicBool,
    /// Whether the keyring could not be looked at lately, which was logged.
    keyring_down: AtomicBool,
    nudge: Notify,
    stop: CancellationToken,
}

/// A running control plane.
pub struct Control {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    address: Option<std::net::SocketAddr>,
    barrier: settling::Barrier,
}

impl Control {
    /// Binds the link and starts to serve it.
    ///
    /// # Errors
    /// [`LinkError`] if the link cannot be bound, or its certificates are missing or wrong.
    pub async fn start(config: ControlConfig) -> Result<Self, LinkError> {
        let ControlConfig {
            db,
            keys,
            identity,
            catalog,
            ledger,
            retention,
            erasing,
            requests,
            receivers,
            incidents,
            backups,
            backup_every,
            clock,
            link,
            tls,
            currency,
            strict,
            lost_after,
            verify_every,
        } = config;
        match (&link, &tls) {
            (Endpoint::Tcp { .. }, None) => return Err(LinkError::TlsRequired),
            (Endpoint::Unix(_), Some(_)) => return Err(LinkError::TlsUnused),
            _ => {}
        }
        let listener = Listener::bind(&link).await?;
        let address = listener.tcp_address().unwrap_or_default();
        let shared = Arc::new(Shared {
            prices: catalogue::Prices::new(catalog.clone()),
            db,
            keys,
            identity,
            catalog,
            ledger,
            retention,
            erasing,
            requests,
            receivers,
            incidents,
            backups,
            backup_every,
            clock,
            currency,
            strict,
            lost_after,
            links: Links::default(),
            metrics: Metrics::new(),
            unsettled: settling::Unsettled::new(),
            sent: ArcSwapOption::empty(),
            database_up: AtomicBool::new(false),
            keyring_down: AtomicBool::new(false),
            nudge: Notify::new(),
            stop: CancellationToken::new(),
        });
        let tasks = TaskTracker::new();
        let (works, to_settle) = settling::works();
        settling::spawn(&tasks, Arc::clone(&shared), to_settle);
        let (writer, jobs) = writer::queue(&shared.unsettled, works);
        writer::spawn(&tasks, Arc::clone(&shared), jobs);
        let barrier = writer.barrier().clone();
        let watched = Arc::clone(&shared);
        tasks.spawn(supervised(Arc::clone(&shared), "changes", move || changes::run(Arc::clone(&watched))));
        let watched = Arc::clone(&shared);
        tasks.spawn(supervised(Arc::clone(&shared), "ticks", move || links::ticks(Arc::clone(&watched))));
        let watched = Arc::clone(&shared);
        tasks.spawn(supervised(Arc::clone(&shared), "audit", move || audit::run(Arc::clone(&watched))));
        let (watched, queue) = (Arc::clone(&shared), writer.clone());
        tasks.spawn(supervised(Arc::clone(&shared), "links", move || links::run(Arc::clone(&watched), queue.clone())));
        let watched = Arc::clone(&shared);
        tasks.spawn(supervised(Arc::clone(&shared), "forgetting", move || forgetting::run(Arc::clone(&watched))));
        let watched = Arc::clone(&shared);
        tasks.spawn(supervised(Arc::clone(&shared), "keyring", move || keyring::run(Arc::clone(&watched))));
        let watched = Arc::clone(&shared);
        tasks.spawn(supervised(Arc::clone(&shared), "erasing", move || erasing::run(Arc::clone(&watched))));
        let watched = Arc::clone(&shared);
        tasks.spawn(supervised(Arc::clone(&shared), "incidents", move || incidents::run(Arc::clone(&watched))));
        let watched = Arc::clone(&shared);
        tasks.spawn(supervised(Arc::clone(&shared), "backups", move || backups::run(Arc::clone(&watched))));
        let watched = Arc::clone(&shared);
        tasks.spawn(supervised(Arc::clone(&shared), "receivers", move || receivers::run(Arc::clone(&watched))));
        if let Some(every) = verify_every {
            let watched = Arc::clone(&shared);
            tasks.spawn(supervised(Arc::clone(&shared), "ledger_check", move || {
                ledger_check::run(Arc::clone(&watched), every)
            }));
        }
        let service = service::Service::new(Arc::clone(&shared), writer, tasks.clone());
        let stopped = Arc::clone(&shared);
        tasks.spawn(async move {
            let until = stopped.stop.clone().cancelled_owned();
            if let Err(error) = tacit_link::serve(listener, tls.as_ref(), service, until).await {
                tracing::error!(event = "link.failed", detail = %error, "the link is not served any more");
                stopped.stop.cancel();
            }
        });
        tracing::info!(event = "control.started", "the control plane serves gateways");
        Ok(Self { shared, tasks, address, barrier })
    }

    /// Looks at the change feed now instead of at its next turn.
    pub fn nudge(&self) {
        self.shared.nudge.notify_one();
    }

    /// Whether the database answers and the catalogue is loaded.
    #[must_use]
    pub fn ready(&self) -> bool {
        let shared = &self.shared;
        shared.database_up.load(Ordering::Relaxed) && shared.sent.load().is_some() && !shared.stop.is_cancelled()
    }

    /// Settles the end of a call that was set aside, as it would be settled if it came now.
    ///
    /// # Errors
    /// If it does not wait any more, or is still refused; then it goes on to wait.
    pub async fn settle_set_aside(&self, event: EventId) -> Result<(), Fault> {
        set_aside::settle(&self.shared, event).await
    }

    /// Resolves when everything that this control plane has acknowledged so far is settled; at once if nothing waits.
    /// Whether it is: not so if that takes longer than a moment.
    pub async fn settled(&self) -> bool {
        self.barrier.settled(settling::Of::All).await.is_ok()
    }

    /// Everything counted so far, in the text form that Prometheus reads.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let (unsettled, deferred) = self.shared.unsettled.counts();
        let metrics = &self.shared.metrics;
        let counts = [
            (&metrics.links, self.shared.links.connected()),
            (&metrics.unsettled_events, unsettled),
            (&metrics.deferred_sessions, deferred),
        ];
        for (gauge, count) in counts {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.shared.metrics.text()
    }

    /// The TCP address of the link, if it is TCP.
    #[must_use]
    pub const fn link_address(&self) -> Option<std::net::SocketAddr> {
        self.address
    }

    /// Resolves when the control plane has stopped by itself: its link could not be served any more.
    pub async fn stopped(&self) {
        self.shared.stop.cancelled().await;
    }

    /// Stops: finishes the commit in hand, takes no more, settles what was acknowledged, ends all streams. Whoever else holds it finds it stopped.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP, self.tasks.wait()).await.is_err() {
            tracing::warn!(event = "control.stop_slow", "a connection did not end in time and is dropped");
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

/// Starts a task that does little else than to write. On SQLite, which works on the thread that calls it, it has a thread of
/// its own, so that no other task has to move out of its way at each commit.
fn spawn_writing(tasks: &TaskTracker, engine: Engine, work: impl Future<Output = ()> + Send + 'static) {
    let work = tasks.track_future(work);
    if engine != Engine::Sqlite {
        tokio::spawn(work);
        return;
    }
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work));
}

/// Runs a background task until the control plane stops. If it panics it is counted, and begun anew after a moment;
/// the payload of the panic is never printed here.
async fn supervised<F: Future<Output = ()>>(shared: Arc<Shared>, component: &'static str, task: impl Fn() -> F) {
    while !shared.stop.is_cancelled() {
        if caught(&shared.metrics, component, task()).await.is_some() {
            return;
        }
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}
