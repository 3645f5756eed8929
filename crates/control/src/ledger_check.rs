//! The whole ledger recomputed on a timer, so that a fault in it does not stay unseen until somebody asks.

use crate::metrics::{Outcome, OutcomeLabel};
use crate::{Shared, status};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Fault;
use tacit_kernel::ids::PriceId;
use tacit_kernel::rating::Price;
use tacit_ledger::verify::VerifyReport;
use tokio::time::{Instant, MissedTickBehavior};

/// Checks every so often until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>, every: Duration) {
    let mut turn = tokio::time::interval_at(Instant::now() + every, every);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        let outcome = tokio::select! {
            () = shared.stop.cancelled() => return,
            result = check(&shared) => told(&shared, result),
        };
        shared.metrics.ledger_checks.get_or_create(&OutcomeLabel { outcome }).inc();
        shared.metrics.ledger_checked_at.set(shared.clock.now().0 / 1_000_000);
    }
}

async fn check(shared: &Shared) -> Result<VerifyReport, Fault> {
    let report = once(shared).await?;
    // A price made after the prices were read, and used at once, looks unknown: what is found must be found twice.
    if report.is_clean() { Ok(report) } else { once(shared).await }
}

async fn once(shared: &Shared) -> Result<VerifyReport, Fault> {
    let prices: HashMap<PriceId, Arc<Price>> =
        shared.catalog.price_all().await?.into_iter().map(|(id, price)| (id, Arc::new(price))).collect();
    Ok(shared.ledger.verify(&|id| prices.get(&id).cloned()).await?)
}

fn told(shared: &Shared, result: Result<VerifyReport, Fault>) -> Outcome {
    match result {
        Ok(report) => {
            let count = u64::try_from(report.violations.len()).unwrap_or(u64::MAX).saturating_add(report.not_listed);
            shared.metrics.ledger_problems.set(i64::try_from(count).unwrap_or(i64::MAX));
            if report.is_clean() {
                return Outcome::Ok;
            }
            tracing::error!(event = "ledger.unsound", count, "the ledger does not add up: run `tacit ledger verify`");
            Outcome::Refused
        }
        Err(fault) => {
            status::log(&fault);
            Outcome::Failed
        }
    }
}
