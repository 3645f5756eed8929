//! E-mail addresses and phone numbers of accounts. Only what was verified is kept: sealed with the account's key, and
//! found by a keyed hash. An account has one of each kind at most, and no two accounts share one.

mod model;
pub(crate) mod store;

pub use model::{Contact, ContactKind, HeldContact};

use crate::accounts::opened;
use crate::notices::Notice;
use crate::registration::RegistrationRules;
use crate::sessions::Session;
use crate::{Identity, IdentityError};
use std::collections::HashMap;
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, StorageErrorKind, WriteTx};
use tacit_vault::{Aad, SealKey, keyed_hash};

/// Label and domain of the hash by which a contact is found.
const LOOKUP: &str = "account-contact";

fn aad(account: AccountId) -> Aad<'static> {
    Aad { table: "account_contacts", column: "value_sealed", row: account.0 }
}

fn held(key: &SealKey, account: AccountId, row: store::ContactRow) -> Result<HeldContact, IdentityError> {
    let text = opened(key, &aad(account), &row.value_sealed)?;
    Ok(HeldContact { contact: Contact::held(row.kind, text.into_inner()), verified_at: row.verified_at })
}

impl Identity {
    /// Keeps a verified contact, in the place of the one of its kind that the account had.
    ///
    /// # Errors
    /// [`IdentityError::ContactTaken`] if it is another account's, [`IdentityError::AccountErased`]; storage, keyring.
    pub async fn contact_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        contact: &Contact,
    ) -> Result<(), IdentityError> {
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let sealed = key.seal(&aad(account), contact.text().as_bytes());
        let lookup = self.contact_lookup(contact);
        let put = store::put(tx, account, contact.kind(), sealed, &lookup, self.clock.now()).await;
        put.map_err(|error| match error.kind {
            StorageErrorKind::Unique => IdentityError::ContactTaken,
            _ => error.into(),
        })
    }

    /// Gives up an address of who is signed in: where the operator does not require one, and some way to sign in is left. All
    /// addresses that the account had are told, that one too.
    ///
    /// # Errors
    /// [`IdentityError::StepUpRequired`], [`IdentityError::RegistrationField`], [`IdentityError::ContactNotFound`],
    /// [`IdentityError::WayInLast`]; storage, keyring.
    pub async fn contact_remove(
        &self,
        rules: &RegistrationRules,
        session: &Session,
        kind: ContactKind,
    ) -> Result<(), IdentityError> {
        if !session.stepped_up(self.clock.now()) {
            return Err(IdentityError::StepUpRequired);
        }
        rules.contact_is_optional(kind)?;
        let account = session.account;
        let remove = async |tx: &mut WriteTx<'_>| {
            self.session_must_go_on_in_tx(tx, session).await?;
            let held = self.contacts_of_in_tx(tx, account).await?;
            if !store::delete(tx, account, kind).await? {
                return Err(IdentityError::ContactNotFound);
            }
            self.way_in_must_stay_in_tx(tx, account).await?;
            let before: Vec<_> = held.into_iter().map(|held| held.contact).collect();
            self.tell_at_in_tx(tx, (account, &before), Notice::Changed(kind.into())).await
        };
        let remove = &remove;
        self.db.write("contact.remove", |tx| Box::pin(remove(tx))).await
    }

    /// The contacts of an account.
    ///
    /// # Errors
    /// Storage, keyring; [`IdentityError::AccountErased`] if they cannot be read any more.
    pub async fn contacts_of_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<Vec<HeldContact>, IdentityError> {
        let rows = store::of_account(tx, account).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        rows.into_iter().map(|row| held(&key, account, row)).collect()
    }

    /// The contacts of each of these accounts. Of who was erased there are none.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn contacts_of_each_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, Vec<HeldContact>>, IdentityError> {
        let mut each: HashMap<AccountId, Vec<HeldContact>> = HashMap::new();
        for (account, row) in store::of_each(tx, accounts).await? {
            if let Some(key) = self.subject_key(account).await? {
                each.entry(account).or_default().push(held(&key, account, row)?);
            }
        }
        Ok(each)
    }

    /// Whose contact it is.
    ///
    /// # Errors
    /// Storage.
    pub async fn account_by_contact_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        contact: &Contact,
    ) -> Result<Option<AccountId>, IdentityError> {
        Ok(store::owner(tx, &self.contact_lookup(contact)).await?)
    }

    /// Whose contact it is that this stands for.
    pub(crate) async fn account_by_lookup_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        lookup: &[u8; 32],
    ) -> Result<Option<AccountId>, IdentityError> {
        Ok(store::owner(tx, lookup).await?)
    }

    /// What stands for a contact where it must not stand itself.
    pub(crate) fn contact_lookup(&self, contact: &Contact) -> [u8; 32] {
        let text = Personal::new(format!("{}:{}", contact.kind().word(), contact.text()));
        keyed_hash(&self.keys.hash_key(LOOKUP), LOOKUP, text.reveal().as_bytes())
    }
}
