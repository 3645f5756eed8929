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
        let short_lived = all(&shared, |shared| async { Ok(shared.identity.forget_step().await?) }).await;
        let retained = match all(&shared, |shared| shared.retention.step()).await {
            Ok(()) => debts(&shared).await,
            failed => failed,
        };
        if shared.stop.is_cancelled() {
            return;
        }
        let mut outcome = Outcome::Ok;
        for fault in [short_lived, retained].into_iter().filter_map(Result::err) {
            status::log(&fault);
            outcome = Outcome::Failed;
        }
        shared.metrics.forgetting.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}

/// Takes steps until there is nothing more to do, or the control plane stops.
async fn all<'s, F>(shared: &'s Shared, step: impl Fn(&'s Shared) -> F) -> Result<(), Fault>
where
    F: Future<Output = Result<bool, Fault>>,
{
    while !shared.stop.is_cancelled() && step(shared).await? {}
    Ok(())
}

/// Says how far behind the deletion of each class is.
async fn debts(shared: &Shared) -> Result<(), Fault> {
    for debt in shared.retention.debts().await? {
        let behind = shared.metrics.retention_behind.get_or_create(&ClassLabel { class: debt.class.as_str() });
        behind.set(debt.behind_micros.unwrap_or_default() / 1_000_000);
    }
    Ok(())
}
