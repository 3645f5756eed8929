//! What has served its time is deleted every minute: codes, counted guesses, sessions, invitations, and what the classes of
//! retention hold. That a run failed is
//! counted and logged, and the next one does its work.

use crate::metrics::{ClassLabel, Outcome, OutcomeLabel};
use crate::{Shared, status};
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Fault;
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
        let retained = loop {
            if shared.stop.is_cancelled() {
                return;
            }
            match shared.retention.step().await {
                Ok(true) => {}
                Ok(false) => break debts(&shared).await,
                Err(fault) => break Err(fault),
            }
        };
        let outcome = match retained {
            Ok(()) => outcome,
            Err(fault) => {
                status::log(&fault);
                Outcome::Failed
            }
        };
        shared.metrics.forgetting.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}

/// Says how far behind the deletion of each class is.
async fn debts(shared: &Shared) -> Result<(), Fault> {
    for debt in shared.retention.debts().await? {
        let behind = shared.metrics.retention_behind.get_or_create(&ClassLabel { class: debt.class.as_str() });
        behind.set(debt.behind_micros.unwrap_or_default() / 1_000_000);
    }
    Ok(())
}
