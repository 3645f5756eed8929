//! What has served its time is deleted: codes, counted guesses, sessions, invitations, devices, ceremonies, revoked
//! management keys, what cases of verification hold. In steps, so that no transaction is
//! long.

use crate::{Identity, IdentityError};
use tacit_storage::WriteTx;

/// Rows of each kind in one transaction at most.
const STEP: u32 = 500;

impl Identity {
    /// Deletes some of what is past its time. True if there may be more.
    ///
    /// # Errors
    /// Storage.
    pub async fn forget_step(&self) -> Result<bool, IdentityError> {
        let step = async |tx: &mut WriteTx<'_>| {
            let codes = self.codes_forget_in_tx(tx, STEP).await?;
            let guesses = self.guesses_forget_in_tx(tx, STEP).await?;
            let sessions = self.sessions_forget_in_tx(tx, STEP).await?;
            let invitations = self.invitations_forget_in_tx(tx, STEP).await?;
            let devices = self.devices_forget_in_tx(tx, STEP).await?;
            let keys = self.management_keys_forget_in_tx(tx, STEP).await?;
            let members = self.member_invitations_forget_in_tx(tx, STEP).await?;
            let offers = self.ownership_offers_forget_in_tx(tx, STEP).await?;
            let ceremonies = self.ceremonies_forget_in_tx(tx, STEP).await?;
            let all = [codes, guesses, sessions, invitations, devices, keys, members, offers, ceremonies];
            Ok::<_, IdentityError>(all.iter().any(|deleted| *deleted >= u64::from(STEP)))
        };
        let step = &step;
        let more = self.db.write("identity.forget", |tx| Box::pin(step(tx))).await?;
        Ok(self.cases_forget_step().await? || more)
    }
}
