//! The work on incidents in the background, in steps: each is a transaction that also says how far it came, so that whoever comes
//! next goes on there.

use super::{IncidentError, Incidents, State, affected, store};
use tacit_kernel::{Fault, Timestamp};
use tacit_storage::WriteTx;
use uuid::Uuid;

/// People who are taken out in one step.
const TAKEN_OUT: u32 = 5000;
pub(super) const DAY: i64 = 86_400_000_000;

impl Incidents {
    /// Does one step of what is to be done: takes out who is not concerned, looks for who is, tells them, forgets what is over.
    /// True if there may be more.
    ///
    /// # Errors
    /// Storage, keyring. What was not done is done by the next step.
    pub async fn step(&self) -> Result<bool, Fault> {
        if self.take_out().await? || self.look_on().await? {
            return Ok(true);
        }
        let notifying =
            self.db.read("incident.notifying", |tx| Box::pin(store::in_state(tx, State::Notifying))).await?;
        let (mut more, mut failed) = (false, None);
        for id in notifying {
            // One that cannot be told holds up no other.
            match self.tell(id).await {
                Ok(told) => more |= told,
                Err(error) => failed = Some(error),
            }
        }
        more |= self.forget().await?;
        failed.map_or(Ok(more), |error| Err(error.into()))
    }

    /// Looks up what became of messages.
    ///
    /// # Errors
    /// Storage.
    pub async fn follow(&self) -> Result<(), Fault> {
        let notifying =
            self.db.read("incident.notifying", |tx| Box::pin(store::in_state(tx, State::Notifying))).await?;
        for id in notifying {
            self.follow_one(id).await?;
        }
        Ok(())
    }

    /// Looks at some more accounts for the oldest criterion that is not through; false if all are.
    async fn look_on(&self) -> Result<bool, IncidentError> {
        let Some(open) = self.db.read("incident.sought", |tx| Box::pin(store::sought_open(tx))).await? else {
            return Ok(false);
        };
        let look = async |tx: &mut WriteTx<'_>| {
            // Another control plane may have gone on, or it was taken back.
            let Some(mut sought) = store::sought_one(tx, open.id).await?.filter(|s| s.finished_at.is_none()) else {
                return Ok(());
            };
            let now = self.clock.now();
            let last = store::last_of_step(tx, sought.after, self.step).await?;
            let sql = affected::step(&sought, last.unwrap_or(Uuid::max()), now);
            sought.found += store::subjects_insert(tx, sql).await?;
            match last {
                Some(last) => {
                    sought.after = last;
                    sought.looked += u64::from(self.step);
                    // Whoever came since was not there then.
                    sought.accounts = sought.accounts.max(sought.looked);
                }
                None => {
                    sought.looked = sought.accounts;
                    sought.finished_at = Some(now);
                }
            }
            Ok::<_, IncidentError>(store::sought_go_on(tx, &sought).await?)
        };
        let look = &look;
        self.db.write("incident.look", |tx| Box::pin(look(tx))).await?;
        Ok(true)
    }

    /// Takes out some whom nothing concerns any more; false if there are none.
    async fn take_out(&self) -> Result<bool, IncidentError> {
        let clearing = self.db.read("incident.clearing", |tx| Box::pin(store::clearing(tx))).await?;
        let Some(id) = clearing.first().copied() else { return Ok(false) };
        let out = async |tx: &mut WriteTx<'_>| {
            // Nobody was told, so that a hold has nothing to keep.
            if store::subjects_forget(tx, id, Timestamp(i64::MAX), TAKEN_OUT).await? == 0 {
                store::cleared(tx, id).await?;
            }
            Ok::<_, IncidentError>(())
        };
        let out = &out;
        self.db.write("incident.take_out", |tx| Box::pin(out(tx))).await?;
        Ok(true)
    }

    /// Forgets some of what was closed long ago; false if nothing was.
    async fn forget(&self) -> Result<bool, IncidentError> {
        let now = self.clock.now();
        let before = now.plus_micros(-i64::from(self.days) * DAY);
        for id in self.db.read("incident.over", |tx| Box::pin(store::over(tx, before))).await? {
            let forget = async |tx: &mut WriteTx<'_>| {
                let gone = store::subjects_forget(tx, id, now, TAKEN_OUT).await?;
                let is_empty = gone == 0 && store::counts(tx, id).await?.all() == 0;
                if is_empty {
                    store::forget(tx, id).await?;
                }
                Ok::<_, IncidentError>(gone > 0 || is_empty)
            };
            let forget = &forget;
            if self.db.write("incident.forget", |tx| Box::pin(forget(tx))).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
