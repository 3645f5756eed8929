//! What is known of who receives data is kept up by whichever control plane comes first.

use crate::metrics::CountryLabel;
use crate::{Shared, status};
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Fault;
use tacit_privacy::recipients;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_secs(60);

/// Keeps it up until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        let done = [missing(&shared).await, count(&shared).await, tell(&shared).await];
        for fault in done.into_iter().filter_map(Result::err) {
            status::log(&fault);
        }
    }
}

/// Says how much is in use and not registered.
async fn missing(shared: &Shared) -> Result<(), Fault> {
    let missing = shared.receivers.recipients.unregistered().await?;
    shared.metrics.recipients_unregistered.set(i64::try_from(missing.count()).unwrap_or(i64::MAX));
    Ok(())
}

/// Counts which providers calls went to, and says how many people's went where this year.
async fn count(shared: &Shared) -> Result<(), Fault> {
    let transfers = &shared.receivers.transfers;
    while !shared.stop.is_cancelled() && transfers.step().await? {}
    let report = transfers.report(None).await?;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    // Those of the year before are not of this one.
    shared.metrics.transfer_subjects.clear();
    for counted in &report.countries {
        let Some(country) = country(&counted.country) else { continue };
        let subjects = shared.metrics.transfer_subjects.get_or_create(&CountryLabel { country });
        subjects.set(number(counted.subjects));
    }
    shared.metrics.transfer_subjects_abroad.set(number(report.abroad));
    shared.metrics.transfer_level.set(i64::from(report.level.number()));
    Ok(())
}

/// The label of a country; `ZZ` stands for those that nobody has told.
fn country(code: &str) -> Option<&'static str> {
    recipients::country(code).or_else(|| (code == recipients::UNKNOWN).then_some(recipients::UNKNOWN))
}

/// Tells recipients of erasures, and says how many are to be told still.
async fn tell(shared: &Shared) -> Result<(), Fault> {
    let told = &shared.receivers.told;
    while !shared.stop.is_cancelled() && told.step().await? {}
    // And people of what was disclosed of them, once they may know.
    shared.receivers.disclosures.tell().await?;
    shared.metrics.erasure_notices_waiting.set(i64::try_from(told.waiting().await?).unwrap_or(i64::MAX));
    Ok(())
}
