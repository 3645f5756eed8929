//! Who answers for minors, and for whom an address answers.

use super::{aad, store};
use crate::accounts::opened;
use crate::contacts::Contact;
use crate::{Identity, IdentityError};
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};

/// Accounts of minors for whom one address answers, at most.
const WARDS: u32 = 20;
/// Profiles that are renewed in one transaction at most.
const STEP: u32 = 100;

impl Identity {
    /// The address of the guardian who consented; `None`: nobody had to.
    ///
    /// # Errors
    /// [`IdentityError::AccountErased`]; storage, keyring.
    pub async fn guardian_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<Option<Personal<String>>, IdentityError> {
        let Some(sealed) = store::get(tx, account).await?.and_then(|row| row.guardian_sealed) else { return Ok(None) };
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        Ok(Some(opened(&key, &aad("guardian_sealed", account), &sealed)?))
    }

    /// [`Self::guardian_in_tx`] as a contact that can be written to.
    ///
    /// # Errors
    /// As there.
    pub async fn guardian_contact_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<Option<Contact>, IdentityError> {
        Ok(self.guardian_in_tx(tx, account).await?.as_ref().and_then(contact))
    }

    /// The accounts of minors for whom whoever reads that address answers, at most [`WARDS`].
    ///
    /// # Errors
    /// Storage.
    pub async fn wards_in_tx(&self, tx: &mut ReadTx<'_>, guardian: &Contact) -> Result<Vec<AccountId>, IdentityError> {
        Ok(store::wards(tx, &self.contact_lookup(guardian), WARDS).await?)
    }

    /// Whether the address that this stands for is the guardian's of that account.
    pub(crate) async fn is_ward_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        guardian: &[u8; 32],
    ) -> Result<bool, IdentityError> {
        Ok(store::is_ward(tx, account, guardian).await?)
    }

    /// Has guardians found by their address who consented to the program before, which only sealed it. It goes on where it was left.
    /// How many were renewed.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn guardians_renew(&self) -> Result<u64, IdentityError> {
        let (mut after, mut renewed) = (AccountId(uuid::Uuid::nil()), 0);
        loop {
            let step = async |tx: &mut WriteTx<'_>| {
                let rows = store::of_unfound_guardians(tx, after, STEP).await?;
                let mut count = 0;
                for (account, sealed) in &rows {
                    count += u64::from(self.guardian_renew_in_tx(tx, *account, sealed).await?);
                }
                Ok::<_, IdentityError>((rows.last().map(|(account, _)| *account), count))
            };
            let step = &step;
            let (last, count) = self.db.write("guardian.renew", |tx| Box::pin(step(tx))).await?;
            renewed += count;
            let Some(last) = last else { return Ok(renewed) };
            after = last;
        }
    }

    async fn guardian_renew_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        sealed: &[u8],
    ) -> Result<bool, IdentityError> {
        // Of who was erased nothing can be read; and what cannot be opened keeps nobody else from starting.
        let Some(key) = self.subject_key(account).await? else { return Ok(false) };
        let Ok(text) = opened(&key, &aad("guardian_sealed", account), sealed) else { return Ok(false) };
        let Some(contact) = contact(&text) else { return Ok(false) };
        Ok(store::guardian_renew(tx, account, &self.contact_lookup(&contact)).await?)
    }
}

/// A contact from its text, as it was when it was sealed.
fn contact(text: &Personal<String>) -> Option<Contact> {
    let text = text.reveal();
    if text.contains('@') { Contact::email(text).ok() } else { Contact::phone(text, None).ok() }
}
