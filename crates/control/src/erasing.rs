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
        // Who cancelled their account, and did not take it back.
        if let Err(fault) = shared.requests.cool().await {
            status::log(&fault);
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
        match shared.requests.counts().await {
            Ok((open, overdue)) => {
                shared.metrics.rights_requests_open.set(i64::try_from(open).unwrap_or(i64::MAX));
                shared.metrics.rights_requests_overdue.set(i64::try_from(overdue).unwrap_or(i64::MAX));
            }
            Err(fault) => status::log(&fault),
        }
    }
}
