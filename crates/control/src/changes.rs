//! The tail of the change feed: what changed in the database, by whatever process, is told to the gateways here.

use crate::{Shared, catalogue, leases, status};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tacit_link::wire::{self, update::Kind};
use tacit_storage::StorageError;
use tacit_storage::changes::{self, Change};
use tokio::time::Instant;

/// How often the feed is looked at when nobody nudges.
const POLL: Duration = Duration::from_millis(250);
/// Changes older than this are dropped, in microseconds.
const KEEP: i64 = 24 * 60 * 60 * 1_000_000;
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Follows the feed until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut seen = None;
    let mut prune_at = Instant::now() + PRUNE_EVERY;
    while !shared.stop.is_cancelled() {
        match turn(&shared, seen).await {
            Ok(reached) => {
                seen = Some(reached);
                shared.database_up.store(true, Ordering::Relaxed);
            }
            Err(error) => {
                if shared.database_up.swap(false, Ordering::Relaxed) {
                    status::log(&error.into());
                }
            }
        }
        if Instant::now() >= prune_at {
            prune_at += PRUNE_EVERY;
            prune(&shared).await;
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.nudge.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Passes on what came after `seen`; the number reached. The first time there is nothing to pass on: only the
/// catalogue is loaded. After an error the same changes are read again; telling a gateway twice does no harm.
async fn turn(shared: &Shared, seen: Option<i64>) -> Result<i64, StorageError> {
    let Some(seen) = seen else {
        let newest = shared.db.read("changes.newest", |tx| Box::pin(changes::newest(tx))).await?;
        refresh(shared, newest).await;
        // Gateways that were watching when this task had to begin anew may have missed something.
        let everything = wire::Invalidate { everything: true, ..wire::Invalidate::default() };
        shared.links.send_all(&Kind::Invalidate(everything));
        return Ok(newest);
    };
    follow(shared).await;
    let found = shared.db.read("changes.after", |tx| Box::pin(changes::after(tx, seen))).await?;
    let mut reached = seen;
    let mut invalidate = wire::Invalidate::default();
    let (mut catalog, mut recalls) = (false, Vec::new());
    for (seq, change) in found {
        reached = reached.max(seq);
        match change {
            Change::Catalog => catalog = true,
            Change::Key(hash) => invalidate.key_hashes.push(hash.to_vec()),
            Change::Account(id) => invalidate.accounts.push(tacit_link::convert::id_bytes(id)),
            Change::Recall { account, but } => recalls.push((account, but)),
        }
        shared.metrics.changes.inc();
    }
    if !invalidate.key_hashes.is_empty() || !invalidate.accounts.is_empty() {
        shared.links.send_all(&Kind::Invalidate(invalidate));
    }
    // After the rest: what is given back shall not be taken again by a key that is no longer good.
    for (account, but) in recalls {
        leases::recalled(shared, account, but);
    }
    let now = shared.clock.now();
    let stale = shared.sent.load().as_ref().is_none_or(|sent| sent.stale_at.is_some_and(|at| now >= at));
    if (catalog || stale) && !refresh(shared, reached).await {
        // Not read: the change must be seen again.
        return Ok(seen);
    }
    Ok(reached)
}

/// Forgets the keys of whom another process erased, before anything is told of them. If that fails the key store trusts its
/// memory no more after a moment, so nothing depends on it but speed.
async fn follow(shared: &Shared) {
    if let Err(fault) = shared.keys.follow().await {
        if !shared.keyring_down.swap(true, Ordering::Relaxed) {
            status::log(&fault);
        }
    } else {
        shared.keyring_down.store(false, Ordering::Relaxed);
    }
}

/// Loads the catalogue and sends it to everybody; false if it cannot be read, which is logged.
async fn refresh(shared: &Shared, version: i64) -> bool {
    let Some(sent) = catalogue::snapshot(&shared.catalog, shared.clock.now(), version).await else { return false };
    let sent = Arc::new(sent);
    shared.sent.store(Some(Arc::clone(&sent)));
    shared.links.send_all(&Kind::Catalog(sent.message.clone()));
    true
}

async fn prune(shared: &Shared) {
    let before = shared.clock.now().plus_micros(-KEEP);
    if let Err(error) = shared.db.write("changes.prune", |tx| Box::pin(changes::prune(tx, before))).await {
        status::log(&error.into());
    }
}
