//! Whoever is to be erased is erased, by whichever control plane comes first.

use crate::{Shared, status};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_secs(1);

/// Goes on with every erasure until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        loop {
            match shared.erasing.step().await {
                Ok(true) if !shared.stop.is_cancelled() => shared.nudge.notify_one(),
                Ok(_) => break,
                Err(fault) => {
                    status::log(&fault);
                    break;
                }
            }
        }
        match shared.erasing.open().await {
            Ok(open) => drop(shared.metrics.erasures_open.set(i64::try_from(open).unwrap_or(i64::MAX))),
            Err(fault) => status::log(&fault),
        }
    }
}
