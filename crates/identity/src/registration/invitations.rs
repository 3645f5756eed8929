//! Invitations to register: good once and for thirty days. Whoever made one sees whether it was used, and by nobody is told
//! by whom; whoever came by one sees who invited them.

use super::store;
use crate::contacts::{ContactKind, HeldContact};
use crate::{Identity, IdentityError, chance};
use secrecy::{ExposeSecret, SecretString};
use tacit_kernel::ids::{AccountId, InvitationId};
use tacit_kernel::{Masked, Timestamp};
use tacit_storage::{Page, Paged, ReadTx, WriteTx};
use tacit_vault::keyed_hash;

const LABEL: &str = "invitation";
/// In bytes.
const INVITATION: usize = 10;
/// How long an invitation may be used, in microseconds: thirty days.
const INVITATION_LIFE: i64 = 30 * 86_400_000_000;
/// Invitations of one account that nobody has used yet.
const INVITATIONS: u64 = 20;

/// An invitation that somebody made, without its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is void.
    pub expires_at: Timestamp,
    /// When somebody registered with it.
    pub used_at: Option<Timestamp>,
}

/// Who invited somebody, as they are shown to who was invited and to staff. Of who was erased only the id is left, until it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inviter {
    /// The account.
    pub account: AccountId,
    /// Its name, masked.
    pub name: Option<Masked>,
    /// Its e-mail address, masked.
    pub email: Option<Masked>,
}

impl Identity {
    /// Makes an invitation for one person; `by`: the account that invites, nobody if it is the operator.
    ///
    /// # Errors
    /// [`IdentityError::TooMuch`] if the account has as many that nobody used; storage.
    pub async fn invitation_create(&self, by: Option<AccountId>) -> Result<(Invitation, SecretString), IdentityError> {
        self.db.write("invitation.create", |tx| Box::pin(self.invitation_create_in_tx(tx, by))).await
    }

    /// [`Self::invitation_create`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn invitation_create_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        by: Option<AccountId>,
    ) -> Result<(Invitation, SecretString), IdentityError> {
        let code = SecretString::from(chance::word::<INVITATION>());
        let (hash, now) = (self.invitation_hash(&code), self.clock.now());
        let (id, expires_at) = (InvitationId::fresh(), now.plus_micros(INVITATION_LIFE));
        if let Some(by) = by
            && store::invitations_open(tx, by, now).await? >= INVITATIONS
        {
            return Err(IdentityError::TooMuch);
        }
        store::invitation_insert(tx, id, &hash, by, (now, expires_at)).await?;
        Ok((Invitation { id, created_at: now, expires_at, used_at: None }, code))
    }

    pub(super) async fn invitation_take_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        code: &SecretString,
    ) -> Result<Option<AccountId>, IdentityError> {
        let taken = store::invitation_take(tx, &self.invitation_hash(code), self.clock.now()).await?;
        taken.ok_or(IdentityError::InvitationInvalid)
    }

    /// Forgets invitations that are long past.
    pub(crate) async fn invitations_forget_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        limit: u32,
    ) -> Result<u64, IdentityError> {
        Ok(store::invitations_forget(tx, self.clock.now().plus_micros(-2 * INVITATION_LIFE), limit).await?)
    }

    fn invitation_hash(&self, code: &SecretString) -> [u8; 32] {
        let plain = code.expose_secret().trim().to_ascii_lowercase();
        keyed_hash(&self.keys.hash_key(LABEL), LABEL, plain.as_bytes())
    }

    /// A page of the invitations that an account made, oldest first; those that are over for as long as they are kept.
    ///
    /// # Errors
    /// Storage.
    pub async fn invitation_list(&self, by: AccountId, page: Page) -> Result<Paged<Invitation>, IdentityError> {
        let items = self.db.read("invitation.list", |tx| Box::pin(store::invitations_of(tx, by, page))).await?;
        Ok(page.take(items, |invitation| invitation.id.0))
    }

    /// Withdraws an invitation of an account that nobody used: it is void, and no longer one of those there may be.
    ///
    /// # Errors
    /// [`IdentityError::InvitationNotFound`], also if it was used; storage.
    pub async fn invitation_withdraw(&self, by: AccountId, id: InvitationId) -> Result<(), IdentityError> {
        let gone = self.db.write("invitation.withdraw", |tx| Box::pin(store::invitation_delete(tx, by, id))).await?;
        if gone { Ok(()) } else { Err(IdentityError::InvitationNotFound) }
    }

    /// Who invited an account, masked. `None`: nobody, or the operator.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn inviter_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<Option<Inviter>, IdentityError> {
        let Some(by) = store::get(tx, account).await?.and_then(|row| row.invited_by) else { return Ok(None) };
        let name = self.account_by_id_in_tx(tx, by).await?.and_then(|found| found.name);
        let held = self.contacts_of_each_in_tx(tx, &[by]).await?.remove(&by).unwrap_or_default();
        let email = held.iter().find(|held| held.contact.kind() == ContactKind::Email);
        Ok(Some(Inviter {
            account: by,
            name: name.as_ref().map(Masked::name),
            email: email.map(|held: &HeldContact| held.contact.masked()),
        }))
    }
}
