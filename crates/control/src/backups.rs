//! Backups by schedule, and how old the newest is. What is due to go is taken away by retention.

use crate::metrics::DatabaseLabel;
use crate::{Shared, status};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::{Fault, Timestamp};
use tacit_privacy::backup::{By, Kind};
use tacit_storage::audit::Actor;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_secs(60);
/// After a failure, in microseconds: a disk that is full now is so in a minute too.
const PAUSE: i64 = 10 * 60 * 1_000_000;

/// Makes what is due until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let began = shared.clock.now();
    let mut failed = None;
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        let now = shared.clock.now();
        if failed.is_some_and(|at: Timestamp| now.micros_since(at) < PAUSE) {
            continue;
        }
        failed = None;
        for kind in Kind::ALL {
            if let Err(fault) = due(&shared, *kind, began).await {
                status::log(&fault);
                failed = Some(now);
            }
        }
    }
}

async fn due(shared: &Shared, kind: Kind, began: Timestamp) -> Result<(), Fault> {
    let Some(backups) = shared.backups.as_ref().filter(|backups| backups.has_shelf(kind)) else { return Ok(()) };
    // One from a time that has not come was made by a clock that was wrong, and tells nothing.
    let newest = backups.newest(kind)?.filter(|made_at| *made_at <= shared.clock.now());
    let age = |since: Timestamp| shared.clock.now().micros_since(since).max(0);
    let show = |since| {
        let gauge = shared.metrics.backup_age.get_or_create(&DatabaseLabel { database: kind.as_str() });
        gauge.set(age(since) / 1_000_000);
    };
    // Without any the age is that of the process: it grows until somebody looks.
    show(newest.unwrap_or(began));
    let Some(every) = shared.backup_every else { return Ok(()) };
    if newest.is_some_and(|newest| i128::from(age(newest)) < i128::try_from(every.as_micros()).unwrap_or(i128::MAX)) {
        return Ok(());
    }
    let stop = shared.stop.clone();
    let told =
        &mut move |_: &str, _| if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let made = backups.make(kind, By { actor: Actor::System, reason: None }, told).await?;
    tracing::info!(event = "backup.made", component = kind.as_str(), count = made.rows, bytes = made.bytes);
    show(made.made_at);
    Ok(())
}
