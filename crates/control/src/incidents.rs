//! Whom incidents concern is looked for, and those are told, by whichever control plane comes first.

use crate::{Shared, status};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_secs(1);
/// After so many turns it is looked up what became of messages.
const FOLLOWED: u32 = 30;

/// Goes on with every incident until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turns = 0_u32;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        loop {
            match shared.incidents.step().await {
                Ok(true) if !shared.stop.is_cancelled() => {}
                Ok(_) => break,
                Err(fault) => {
                    status::log(&fault);
                    break;
                }
            }
        }
        turns = (turns + 1) % FOLLOWED;
        if turns == 0
            && let Err(fault) = shared.incidents.follow().await
        {
            status::log(&fault);
        }
        match shared.incidents.counts().await {
            Ok((open, overdue)) => {
                shared.metrics.incidents_open.set(i64::try_from(open).unwrap_or(i64::MAX));
                shared.metrics.incident_clocks_overdue.set(i64::try_from(overdue).unwrap_or(i64::MAX));
            }
            Err(fault) => status::log(&fault),
        }
    }
}
