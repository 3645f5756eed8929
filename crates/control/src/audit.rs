//! The audit log is signed at most every second while entries come, so that what was recorded a moment ago cannot be
//! rewritten unseen.

use crate::{Shared, status};
use std::sync::Arc;
use std::time::Duration;
use tacit_storage::audit::Audit;
use tokio::time::MissedTickBehavior;

/// How often it is looked for new entries.
const EVERY: Duration = Duration::from_secs(1);

/// Signs until the control plane stops. A failure is told when it begins, and not every second.
pub(crate) async fn run(shared: Arc<Shared>) {
    let audit = Audit::new(shared.db.clone(), Arc::clone(&shared.keys), Arc::clone(&shared.clock));
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = "";
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        match audit.checkpoint().await {
            Ok(_) => failing = "",
            Err(fault) if fault.code == failing => {}
            Err(fault) => {
                failing = fault.code;
                status::log(&fault);
            }
        }
    }
}
