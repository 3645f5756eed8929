//! What was destroyed in the keyring is made final: a turn that is due or was cut off is done in the background, whoever
//! destroyed the key. Many erasures share a turn.

use crate::{Shared, status};
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Fault;
use tacit_kernel::audit::{Action, ObjectKind};
use tacit_storage::audit::{Actor, Audit, NewEntry, Object};
use tacit_storage::keyring::Step;
use tokio::time::MissedTickBehavior;

const EVERY: Duration = Duration::from_secs(5);

/// Looks whether a turn is due until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let audit = Audit::new(shared.db.clone(), Arc::clone(&shared.keys), Arc::clone(&shared.clock));
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = turn.tick() => {}
        }
        if let Err(fault) = due(&shared, &audit).await {
            status::log(&fault);
        }
    }
}

async fn due(shared: &Shared, audit: &Audit) -> Result<(), Fault> {
    // What another process destroyed, in the log that this one has.
    if let Err(fault) = shared.keys.log_erasures().await {
        // A log that cannot be written keeps nobody's key from going for good.
        status::log(&fault);
    }
    // One that was begun, by whomever, was recorded then.
    steps(shared).await?;
    let status = shared.keys.status().await?;
    if status.waiting == 0 || shared.stop.is_cancelled() {
        return Ok(());
    }
    let entry =
        NewEntry::begun(Actor::System, Action::KeyringRotate, Object { kind: ObjectKind::Keyring, id: None }, None);
    audit.record(&entry).await?;
    shared.keys.turn_begin().await?;
    steps(shared).await
}

async fn steps(shared: &Shared) -> Result<(), Fault> {
    while !shared.stop.is_cancelled() && shared.keys.turn_step().await? != Step::Nothing {}
    Ok(())
}
