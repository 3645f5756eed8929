//! What staff does with the sign-in of somebody else. Nobody acts on an account that may do more than they: else whoever may
//! reset a password could close out, or become, the owner.

use crate::contacts::{Contact, ContactKind};
use crate::notices::{Notice, Part};
use crate::organisations::OrganisationRole;
use crate::roles::Acting;
use crate::{Account, AccountChange, ApiKey, Identity, IdentityError, KeyAuthority, organisations};
use secrecy::SecretString;
use tacit_kernel::Personal;
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Limits;
use tacit_storage::{ReadTx, WriteTx};

impl Identity {
    /// Changes an account of somebody else. Group and limits of their own nobody changes.
    ///
    /// # Errors
    /// As [`Self::account_update`], and [`IdentityError::BeyondReach`], [`IdentityError::OwnAccount`].
    pub async fn account_update_by_staff_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (acting, staff): (Acting, AccountId),
        (account, change): (AccountId, &AccountChange),
    ) -> Result<Account, IdentityError> {
        self.within_reach_in_tx(tx, acting, account).await?;
        if change.limits.is_some() || change.group.is_some() {
            self.not_their_own_in_tx(tx, staff, account).await?;
        }
        self.account_update_in_tx(tx, account, change).await
    }

    /// Ends all sessions of somebody else. How many.
    ///
    /// # Errors
    /// [`IdentityError::AccountNotFound`], [`IdentityError::BeyondReach`]; storage.
    pub async fn sessions_end_by_staff(&self, acting: Acting, account: AccountId) -> Result<u64, IdentityError> {
        let end = async |tx: &mut WriteTx<'_>| {
            self.within_reach_in_tx(tx, acting, account).await?;
            self.sessions_end_in_tx(tx, account, None).await
        };
        let end = &end;
        self.db.write("session.end_by_staff", |tx| Box::pin(end(tx))).await
    }

    /// Takes the password of somebody else away, and ends what [`Self::password_reset`] ends. Gives the address to which a code is to be sent, with
    /// which they set another one.
    ///
    /// # Errors
    /// [`IdentityError::AccountNotFound`], [`IdentityError::BeyondReach`], [`IdentityError::ContactMissing`]; storage,
    /// keyring.
    pub async fn password_void_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        acting: Acting,
        account: AccountId,
    ) -> Result<Contact, IdentityError> {
        self.within_reach_in_tx(tx, acting, account).await?;
        let mut held = self.contacts_of_in_tx(tx, account).await?;
        held.sort_by_key(|held| held.contact.kind() != ContactKind::Email);
        let to = held.into_iter().next().ok_or(IdentityError::ContactMissing)?.contact;
        self.password_remove_in_tx(tx, account).await?;
        self.tell_in_tx(tx, account, Notice::Changed(Part::Password)).await?;
        self.recovered_in_tx(tx, account).await?;
        Ok(to)
    }

    /// Takes the second factor of somebody else away, and ends what [`Self::password_reset`] ends.
    ///
    /// # Errors
    /// [`IdentityError::AccountNotFound`], [`IdentityError::BeyondReach`]; storage.
    pub async fn second_factor_void_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        acting: Acting,
        account: AccountId,
    ) -> Result<(), IdentityError> {
        self.within_reach_in_tx(tx, acting, account).await?;
        self.second_factor_remove_in_tx(tx, account).await?;
        self.recovered_in_tx(tx, account).await
    }

    /// Makes a key for somebody else, who is told. An organisation's keys are made by its members, who answer for them.
    ///
    /// # Errors
    /// As [`Self::key_create`], and [`IdentityError::BeyondReach`], [`IdentityError::OwnAccount`],
    /// [`IdentityError::KeysOfMembers`].
    pub async fn key_create_by_staff_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (acting, staff): (Acting, AccountId),
        account: AccountId,
        (name, limits): (&Personal<String>, &Limits),
    ) -> Result<(ApiKey, SecretString), IdentityError> {
        self.within_reach_in_tx(tx, acting, account).await?;
        self.not_their_own_in_tx(tx, staff, account).await?;
        if self.is_organisation_in_tx(tx, account).await? {
            return Err(IdentityError::KeysOfMembers);
        }
        let made = self.key_create_in_tx(tx, (account, KeyAuthority::Staff), name, CallSource::Api, limits).await?;
        self.tell_in_tx(tx, account, Notice::KeyMadeByStaff).await?;
        Ok(made)
    }

    /// Whether what staff gives that account is given to somebody else: not to themselves, nor to an organisation that they
    /// own. An owner of the platform answers to nobody.
    ///
    /// # Errors
    /// [`IdentityError::OwnAccount`]; storage.
    pub async fn not_their_own_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        staff: AccountId,
        account: AccountId,
    ) -> Result<(), IdentityError> {
        let standing = organisations::store::standing(tx, account, staff).await?;
        let own = staff == account || standing.is_some_and(|own| own.role == OrganisationRole::Owner);
        if own && !self.is_owner_in_tx(tx, staff).await? { Err(IdentityError::OwnAccount) } else { Ok(()) }
    }

    /// Whether somebody may act on that account.
    ///
    /// # Errors
    /// [`IdentityError::AccountNotFound`], [`IdentityError::BeyondReach`]; storage.
    pub async fn within_reach_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        acting: Acting,
        account: AccountId,
    ) -> Result<(), IdentityError> {
        if self.account_by_id_in_tx(tx, account).await?.is_none() {
            return Err(IdentityError::AccountNotFound);
        }
        let theirs = self.permissions_of_in_tx(tx, account).await?;
        acting.may(theirs).map_err(|_| IdentityError::BeyondReach)
    }
}
