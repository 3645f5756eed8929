//! An account that is about to be erased: nobody acts as it any more, and nothing of others hangs on it.

use crate::accounts::AccountChange;
use crate::organisations::store as organisations;
use crate::{Identity, IdentityError};
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};

impl Identity {
    /// Whether somebody owns organisations, which they must hand over or have erased first.
    ///
    /// # Errors
    /// Storage.
    pub async fn owns_organisations_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<bool, IdentityError> {
        Ok(organisations::owned(tx, account).await? > 0)
    }

    /// Whether an account is the only owner of the platform who can sign in.
    ///
    /// # Errors
    /// Storage.
    pub async fn is_last_owner_in_tx(&self, tx: &mut ReadTx<'_>, account: AccountId) -> Result<bool, IdentityError> {
        Ok(self.is_owner_in_tx(tx, account).await? && self.owners_in_tx(tx).await? <= 1)
    }

    /// Ends the keys of somebody in all organisations for good and disables the account: its sessions end, its keys are refused, what
    /// gateways hold of its money is called back. Their own rows are left as they are.
    ///
    /// # Errors
    /// [`IdentityError::AccountNotFound`], [`IdentityError::OwnerLast`]; storage, keyring.
    pub async fn account_freeze_in_tx(&self, tx: &mut WriteTx<'_>, account: AccountId) -> Result<(), IdentityError> {
        self.keys_of_erased_end_in_tx(tx, account).await?;
        let disabled = AccountChange { enabled: Some(false), ..AccountChange::default() };
        self.account_update_in_tx(tx, account, &disabled).await.map(drop)
    }
}
