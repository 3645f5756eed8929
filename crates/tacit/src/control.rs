//! The control process: owns the databases, serves gateways over the link and the command line over the admin socket.

use crate::config::{Config, Profile, source};
use crate::{admin_http, console, log, master};
use anyhow::Context as _;
use secrecy::ExposeSecret;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tacit_api::admin::{Admin, router, server};
use tacit_api::console::Notices;
use tacit_catalog::Catalog;
use tacit_control::{Control, ControlConfig};
use tacit_identity::Identity;
use tacit_identity::passwords::{Cost, Hashing};
use tacit_kernel::{Clock, ErrorKind, Fault, SystemClock};
use tacit_ledger::Ledger;
use tacit_operations::messages::{Messages, delivery};
use tacit_operations::posting::Posting;
use tacit_privacy::backup::Backups;
use tacit_privacy::copy::Copies;
use tacit_privacy::erasure::Erasing;
use tacit_privacy::incidents::Incidents;
use tacit_privacy::receivers::{Parts, Receivers};
use tacit_privacy::requests::Requests;
use tacit_privacy::retention::{Days, Retention};
use tacit_storage::Db;
use tacit_storage::audit::Audit;
use tacit_storage::keyring::KeyStore;
use tokio_util::sync::CancellationToken;

/// Runs a control plane until it is told to stop.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    log::start(config.log, "control");
    private_data_dir(&config.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

/// The databases and the keyring, opened and up to date.
pub(crate) struct Stores {
    pub(crate) db: Db,
    pub(crate) keys: Arc<KeyStore>,
    /// Accounts in the data that were erased, as after a restore.
    erased: u64,
}

impl Stores {
    /// Opens both databases, brings their schemas up to date, unlocks the keyring, and refuses to go on if a column is
    /// not declared in the data map.
    pub(crate) async fn open(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let masters = master::read(&config.keyring)?;
        let db = open("database.url", &config.database.url, config.database.max_connections).await?;
        db.migrate(clock.now()).await.map_err(detailed)?;
        let wanted = &config.money.currency;
        let fixed = Ledger::new(db.clone(), Arc::clone(clock)).currency(wanted).await.map_err(detailed)?;
        anyhow::ensure!(
            fixed == *wanted,
            "money.currency is {wanted}, but the amounts in this database are in {fixed}: set it to {fixed}"
        );
        let keyring = open("keyring.url", &config.keyring.url, config.database.max_connections).await?;
        let keys = KeyStore::open(keyring.clone(), masters, Arc::clone(clock)).await.map_err(detailed)?;
        keys.log_to(&config.keyring.erasure_log).await.map_err(detailed)?;
        for (name, db) in [("database", &db), ("keyring", &keyring)] {
            let undeclared = tacit_storage::datamap::undeclared(db).await.map_err(detailed)?;
            anyhow::ensure!(
                undeclared.is_empty(),
                "the {name} has columns that the data map does not declare: {}; remove them, or run the version of \
                 Tacit that made them",
                undeclared.join(", ")
            );
        }
        // Before anything else touches the data: with another keyring nothing of it can be read, and new keys would be made
        // for accounts that have one elsewhere.
        let erased = keys.check_against(&db).await.map_err(detailed)?;
        if erased > 0 {
            tracing::warn!(event = "keyring.erased_in_data", count = erased, "erased accounts are in the data still");
        }
        keys.remember_in(&db).await.map_err(detailed)?;
        Ok(Self { db, keys, erased })
    }

    /// What deletes when its time is over, and with it the shelves of backups.
    fn retention(&self, config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Retention> {
        let days =
            Days::new(config.retention.call_records_days, config.retention.audit_days, config.retention.ledger_days)?;
        let parts = (self.db.clone(), self.keys.clone(), Arc::clone(clock));
        let ledger = Ledger::new(self.db.clone(), Arc::clone(clock));
        let retention = Retention::new(parts, ledger, self.audit(clock), days);
        Ok(retention.with_shelves(config.backup.shelves()?))
    }

    fn audit(&self, clock: &Arc<dyn Clock>) -> Audit {
        Audit::new(self.db.clone(), self.keys.clone(), Arc::clone(clock))
    }

    /// What makes backups.
    pub(crate) fn backups(&self, config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Backups> {
        let parts = (self.db.clone(), self.keys.clone(), Arc::clone(clock));
        Ok(Backups::new(parts, self.audit(clock), self.retention(config, clock)?, env!("CARGO_PKG_VERSION")))
    }
}

pub(crate) async fn open(key: &str, url: &source::DatabaseUrl, connections: u32) -> anyhow::Result<Db> {
    let url = url.read().with_context(|| format!("{key} cannot be read"))?;
    let db = Db::open_with(url.expose_secret(), connections).await;
    db.map_err(detailed).with_context(|| format!("{key} cannot be opened"))
}

/// A failure with the detail that is meant for the operator: it goes to the operator's own terminal.
pub(crate) fn detailed(error: impl Into<tacit_kernel::Fault>) -> anyhow::Error {
    let fault: tacit_kernel::Fault = error.into();
    match &fault.detail {
        Some(detail) => anyhow::anyhow!("{fault} ({detail})"),
        None => fault.into(),
    }
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stop = stop_signal()?;
    let stores = Stores::open(config, &clock).await?;
    let (db, keys) = (stores.db.clone(), stores.keys.clone());
    // Half the processors at most, and at the lowest priority: the other half stays for calls whatever happens here.
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2));
    let hashing = Hashing::start(threads, Cost::default()).context("the threads for passwords cannot be started")?;
    let messages = Messages::new(db.clone(), keys.clone(), clock.clone(), crate::messages::setup(config)?);
    let identity = Identity::new(db.clone(), keys.clone(), clock.clone(), hashing);
    let notices = Arc::new(Notices::new(messages.clone(), clock.clone()));
    let identity = identity.with_verification(config.verification.rules()).with_notices(notices);
    let identity = identity.with_texts_per_day(config.registration.texts_per_day);
    let catalog = Catalog::new(db.clone(), keys.clone(), clock.clone());
    let ledger = Ledger::new(db.clone(), clock.clone());
    let audit = stores.audit(&clock);

    let parts = (db.clone(), keys.clone(), clock.clone());
    let retention = stores.retention(config, &clock)?;
    let backups = Backups::new(parts.clone(), audit.clone(), retention.clone(), env!("CARGO_PKG_VERSION"));
    let of_receivers = Parts {
        db: db.clone(),
        clock: clock.clone(),
        catalog: catalog.clone(),
        ledger: ledger.clone(),
        keys: keys.clone(),
        posting: Arc::new(Posting::new(false, None).map_err(|error| anyhow::anyhow!(error))?),
    };
    let receivers = Receivers::new(&of_receivers, crate::receivers::settings(config));
    let erasing = Erasing::new(parts.clone(), identity.clone(), ledger.clone(), retention.clone(), audit.clone());
    let erasing = erasing.with_told(receivers.told.clone());
    let answered = crate::privacy::profile(config)?.days_to_answer;
    let incidents =
        Incidents::new(parts.clone(), identity.clone(), messages.clone(), crate::privacy::incidents(config)?)
            .map_err(detailed)?;
    let requests = Requests::new(parts, erasing.clone(), audit.clone(), (answered, config.privacy.cooling_off_days));
    // Of data that was restored from a backup nobody is served before whoever was erased since is known to be.
    let replayed = if stores.erased > 0 { erasing.replay().await.map_err(detailed)? } else { 0 };
    if replayed > 0 {
        tracing::warn!(event = "erasure.replayed", count = replayed, "erased accounts were in the data and are erased");
    }

    let control = Control::start(ControlConfig {
        db: db.clone(),
        keys,
        identity: identity.clone(),
        catalog: catalog.clone(),
        ledger: ledger.clone(),
        retention: retention.clone(),
        erasing: erasing.clone(),
        requests: requests.clone(),
        receivers: receivers.clone(),
        incidents: incidents.clone(),
        backups: Some(backups),
        backup_every: config.backup.every(),
        clock: clock.clone(),
        link: config.link.listen.to_link()?,
        tls: config.link.tls(&config.link.listen)?,
        currency: config.money.currency.clone(),
        strict: config.money.settlement == crate::config::Settlement::Strict,
        lost_after: Duration::from_secs(config.control.lost_after_seconds),
        verify_every: (config.control.verify_seconds > 0).then(|| Duration::from_secs(config.control.verify_seconds)),
    })
    .await
    .context("the link to the gateways cannot be served")?;
    let control = Arc::new(control);
    // Before anybody can take a name that looks like one that is taken; calls are served meanwhile.
    let renewed = identity.names_renew().await.map_err(detailed).context("names cannot be renewed")?;
    if renewed > 0 {
        tracing::info!(event = "identity.names_renewed", count = renewed);
    }
    let renewed = identity.guardians_renew().await.map_err(detailed).context("guardians cannot be renewed")?;
    if renewed > 0 {
        tracing::info!(event = "identity.guardians_renewed", count = renewed);
    }

    let socket = server::bind(&config.control.admin_socket)
        .with_context(|| format!("control.admin_socket {} cannot be served", config.control.admin_socket.display()))?;
    let nudged = Arc::downgrade(&control);
    let (settling, settled) = (Arc::downgrade(&control), Arc::downgrade(&control));
    let policy = Arc::new(crate::privacy::policy(config)?);
    let admin = Admin {
        receivers,
        identity,
        catalog,
        ledger,
        messages: messages.clone(),
        keys: Arc::clone(&stores.keys),
        audit,
        retention,
        erasing,
        copies: Arc::new(Copies::new(db.clone(), Arc::clone(&stores.keys), Arc::clone(&policy), clock.clone())),
        incidents,
        db,
        clock: clock.clone(),
        currency: config.money.currency.clone(),
        version: env!("CARGO_PKG_VERSION"),
        started_at: clock.now(),
        changed: Arc::new(move || {
            if let Some(control) = nudged.upgrade() {
                control.nudge();
            }
        }),
        settle: Arc::new(move |event| {
            let control = settling.upgrade();
            Box::pin(async move {
                let stopping =
                    || Fault::new(ErrorKind::Unavailable, "control.stopping", "the control plane is stopping");
                control.ok_or_else(stopping)?.settle_set_aside(event).await
            })
        }),
        settled: Arc::new(move || {
            let control = settled.upgrade();
            Box::pin(async move {
                if let Some(control) = control {
                    control.settled().await;
                }
            })
        }),
    };
    let console = console::start(config, &stores, &admin, (&messages, &requests, policy), stop.clone()).await?;
    let admin = tokio::spawn(server::serve(socket, router(admin), stop.clone().cancelled_owned()));
    let delivery = tokio::spawn(delivery::run(messages.clone(), stop.clone()));
    if let Some(address) = config.control.admin_listen.0 {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| format!("control.admin_listen {address} is taken: choose another, or \"off\""))?;
        tokio::spawn(admin_http::serve(listener, Arc::clone(&control), messages, stop.clone().cancelled_owned()));
    }
    let development = config.profile == Profile::Development;
    let profile = if development { "development" } else { "production" };
    tracing::info!(event = "control.ready", version = env!("CARGO_PKG_VERSION"), status = profile);

    tokio::select! {
        () = stop.cancelled() => {}
        () = control.stopped() => tracing::error!(event = "control.link_failed"),
    }
    let failed = !stop.is_cancelled();
    stop.cancel();
    drop(admin.await);
    // What it has in hand ends, and says so in the database.
    drop(delivery.await);
    drop(console.await);
    // Others may hold it still, such as a probe that is being answered: it stops nevertheless, before its database closes.
    control.stop().await;
    stores.db.close().await;
    tracing::info!(event = "control.stopped");
    anyhow::ensure!(!failed, "the link to the gateways failed");
    Ok(())
}

/// Cancelled by SIGTERM or SIGINT; a second signal ends the process at once.
pub(crate) fn stop_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
            if stop.is_cancelled() {
                std::process::exit(1);
            }
            stop.cancel();
        }
    });
    Ok(token)
}

/// Makes the data directory, for its owner only. One that others may enter is closed if it is still empty, else refused:
/// whoever could look in may have looked already.
pub(crate) fn private_data_dir(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
    if !path.exists() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("data_dir {} cannot be made", path.display()))?;
    }
    if std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
            .with_context(|| format!("data_dir {} cannot be closed to others", path.display()))?;
    }
    let mode = std::fs::metadata(path).with_context(|| format!("data_dir {}", path.display()))?.mode();
    anyhow::ensure!(mode & 0o077 == 0, "data_dir {0} may be entered by others: chmod 700 {0}", path.display());
    Ok(())
}
