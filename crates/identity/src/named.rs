//! Who is meant by what somebody types to sign in: a name, an e-mail address or a phone number.

use crate::contacts::Contact;
use crate::{Identity, IdentityError};
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_storage::ReadTx;

/// What was typed, in the form in which it is looked up.
pub(crate) struct Named {
    /// What guesses at it are counted by.
    pub(crate) target: [u8; 32],
    contact: Option<Contact>,
    name: Personal<String>,
}

impl Identity {
    pub(crate) fn named(&self, who: &str) -> Named {
        let who = who.trim();
        // A number without its country may be anybody's name.
        let contact = if who.contains('@') { Contact::email(who).ok() } else { Contact::phone(who, None).ok() };
        let target = match &contact {
            Some(contact) => self.contact_lookup(contact),
            None => self.account_lookup(who),
        };
        Named { target, contact, name: Personal::new(who.to_owned()) }
    }

    pub(crate) async fn named_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        named: &Named,
    ) -> Result<Option<AccountId>, IdentityError> {
        if let Some(contact) = &named.contact
            && let Some(account) = self.account_by_contact_in_tx(tx, contact).await?
        {
            return Ok(Some(account));
        }
        self.account_by_name_in_tx(tx, named.name.reveal()).await
    }

    /// What a password of the account must not be: its name and addresses.
    pub(crate) async fn names_of(&self, account: AccountId) -> Result<Vec<Personal<String>>, IdentityError> {
        let read = async |tx: &mut ReadTx<'_>| self.names_of_in_tx(tx, account).await;
        let read = &read;
        self.db.read("identity.names", |tx| Box::pin(read(tx))).await
    }

    pub(crate) async fn names_of_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<Vec<Personal<String>>, IdentityError> {
        let name = self.account_by_id_in_tx(tx, account).await?.and_then(|account| account.name);
        let held = self.contacts_of_in_tx(tx, account).await?;
        let addresses = held.iter().map(|held| Personal::new(held.contact.text().to_owned()));
        Ok(name.into_iter().chain(addresses).collect())
    }
}
