//! What a case holds goes when its time is over. First nothing can happen to it any more, then its key is destroyed, then
//! its rows are deleted; whoever is interrupted in between is followed by the next run, which does the same again.

use super::store;
use crate::{Identity, IdentityError};
use tacit_kernel::ids::VerificationId;
use tacit_storage::WriteTx;

/// Cases in one step; each is several transactions.
const STEP: u32 = 20;

impl Identity {
    /// Forgets some of the cases whose time is over. True if there may be more.
    pub(crate) async fn cases_forget_step(&self) -> Result<bool, IdentityError> {
        let now = self.clock.now();
        let due = self.db.read("verification.due", |tx| Box::pin(store::due(tx, now, STEP))).await?;
        for (id, state) in &due {
            if state.is_open() {
                let expire = async |tx: &mut WriteTx<'_>| {
                    self.check_end_in_tx(tx, *id).await?;
                    Ok::<_, IdentityError>(store::expire(tx, *id, now).await?)
                };
                let expire = &expire;
                self.db.write("verification.expire", |tx| Box::pin(expire(tx))).await?;
            }
            self.case_forget(*id).await?;
        }
        Ok(u32::try_from(due.len()).is_ok_and(|found| found >= STEP))
    }

    /// Deletes what a case holds to which nothing can happen any more.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn case_forget(&self, id: VerificationId) -> Result<(), IdentityError> {
        self.keys.destroy_fleeting(id.0).await?;
        let forget = async |tx: &mut WriteTx<'_>| {
            self.papers_delete_in_tx(tx, id).await?;
            Ok::<_, IdentityError>(store::forget(tx, id).await?)
        };
        let forget = &forget;
        self.db.write("verification.forget", |tx| Box::pin(forget(tx))).await
    }
}
