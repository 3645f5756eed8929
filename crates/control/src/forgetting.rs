//! What has served its time is deleted every minute: codes, counted guesses, sessions, invitations. That a run failed is
//! counted and logged, and the next one does its work.

use crate::metrics::{Outcome, OutcomeLabel};
use crate::{Shared, status};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_secs(60);

/// Deletes until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        let outcome = loop {
            if shared.stop.is_cancelled() {
                return;
            }
            match shared.identity.forget_step().await {
                Ok(true) => {}
                Ok(false) => break Outcome::Ok,
                Err(error) => {
                    status::log(&error.into());
                    break Outcome::Failed;
                }
            }
        };
        shared.metrics.forgetting.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
