//! Invitations to become a member: sent to an e-mail address or phone number, with a token of which only a keyed hash is kept.
//! Good once and for a week; a newer one to the same address voids the older. Whoever shows the token while signed in becomes
//! a member, if who invited may still give that role.

mod store;

pub(crate) use store::STATEMENTS;

use super::access::{OrganisationPermission, OrganisationRole};
use super::model::{MemberInvitation, Organisation};
use crate::accounts::opened;
use crate::contacts::Contact;
use crate::{Identity, IdentityError, chance};
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;
use store::InvitationRow;
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, MemberInvitationId};
use tacit_storage::{Page, Paged, ReadTx, WriteTx};
use tacit_vault::{Aad, SealKey, keyed_hash};

/// How long an invitation may be accepted, in microseconds: a week.
const LIFE: i64 = 7 * 86_400_000_000;
/// Invitations of one organisation that wait at the same time, at most.
const MOST: u64 = 100;
/// Of a token, in bytes.
const TOKEN: usize = 32;
const LABEL: &str = "member-invitation";

/// An invitation that was just made, with what goes into its message.
#[derive(Debug)]
pub struct Invited {
    /// The invitation.
    pub invitation: MemberInvitation,
    /// Shows that its message was read; kept nowhere.
    pub token: SecretString,
    /// To what.
    pub organisation: Organisation,
    /// The name of who invites.
    pub inviter: Option<Personal<String>>,
}

fn aad(id: MemberInvitationId) -> Aad<'static> {
    Aad { table: "organisation_invitations", column: "recipient_sealed", row: id.0 }
}

impl Identity {
    /// Invites somebody, at the wish of a member at `from`.
    ///
    /// # Errors
    /// [`IdentityError::BeyondOwn`], [`IdentityError::OrganisationOwner`], [`IdentityError::TooMuch`],
    /// [`IdentityError::TooMany`] messages, [`IdentityError::OrganisationNotFound`],
    /// [`IdentityError::OrganisationClosed`], [`IdentityError::AccountErased`]; storage, keyring.
    pub async fn member_invite_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
        (to, role): (&Contact, OrganisationRole),
        from: IpAddr,
    ) -> Result<Invited, IdentityError> {
        if role == OrganisationRole::Owner {
            return Err(IdentityError::OrganisationOwner);
        }
        self.invites_in_tx(tx, (organisation, by), role).await?;
        let lookup = self.contact_lookup(to);
        // Counted as any message that somebody asks for: an organisation is no way to write to people who do not want it.
        self.count_in_tx(tx, &self.sending(&lookup, from)).await?;
        self.text_sent_in_tx(tx, None, (to, None)).await?;
        self.text_asked_in_tx(tx, by, to).await?;
        let now = self.clock.now();
        store::delete_to(tx, organisation, &lookup).await?;
        if store::count(tx, organisation, now).await? >= MOST {
            return Err(IdentityError::TooMuch);
        }
        let key = self.subject_key(organisation).await?.ok_or(IdentityError::AccountErased)?;
        let token = SecretString::from(chance::word::<TOKEN>());
        let id = MemberInvitationId::fresh();
        let row = InvitationRow {
            id,
            organisation,
            inviter: by,
            role,
            kind: to.kind(),
            recipient_sealed: key.seal(&aad(id), to.text().as_bytes()),
            created_at: now,
            expires_at: now.plus_micros(LIFE),
        };
        store::insert(tx, &row, &lookup, &self.member_token_hash(&token)).await?;
        Ok(Invited {
            invitation: invitation_opened(Some(&key), row)?,
            token,
            organisation: self.organisation_in_tx(tx, organisation).await?,
            inviter: self.account_by_id_in_tx(tx, by).await?.and_then(|account| account.name),
        })
    }

    /// A page of the invitations that wait for their answer, oldest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn member_invitation_list(
        &self,
        organisation: AccountId,
        page: Page,
    ) -> Result<Paged<MemberInvitation>, IdentityError> {
        let now = self.clock.now();
        let list = self.db.read("member_invitation.list", |tx| Box::pin(store::list(tx, organisation, now, page)));
        let rows = list.await?;
        let key = self.subject_key(organisation).await?;
        let items = rows.into_iter().map(|row| invitation_opened(key.as_ref(), row)).collect::<Result<Vec<_>, _>>()?;
        Ok(page.take(items, |invitation| invitation.id.0))
    }

    /// Withdraws an invitation whose role is within the own.
    ///
    /// # Errors
    /// [`IdentityError::MemberInvitationNotFound`], [`IdentityError::BeyondOwn`],
    /// [`IdentityError::OrganisationNotFound`], [`IdentityError::OrganisationClosed`]; storage.
    pub async fn member_invitation_withdraw_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
        id: MemberInvitationId,
    ) -> Result<(), IdentityError> {
        let own = self.member_may_in_tx(tx, (organisation, by), OrganisationPermission::MembersWrite).await?;
        let row = store::get(tx, organisation, id).await?.ok_or(IdentityError::MemberInvitationNotFound)?;
        if !row.role.is_within(own) {
            return Err(IdentityError::BeyondOwn);
        }
        Ok(store::delete(tx, id).await?)
    }

    /// Somebody who shows the token becomes a member; the invitation is used up. `None`: it is none that may be used; that
    /// was counted as a guess, so that the transaction must commit.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`] from that address; [`IdentityError::MemberAlready`], [`IdentityError::TooMuch`],
    /// [`IdentityError::OrganisationClosed`]; storage, keyring.
    pub async fn member_join_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        token: &SecretString,
        from: IpAddr,
    ) -> Result<Option<(Organisation, OrganisationRole)>, IdentityError> {
        let (hash, now) = (self.member_token_hash(token), self.clock.now());
        let guesses = self.guess_at_code(from);
        self.count_in_tx(tx, &guesses).await?;
        let Some(row) = store::by_token(tx, &hash, now).await? else { return Ok(None) };
        match self.invites_in_tx(tx, (row.organisation, row.inviter), row.role).await {
            Ok(()) => {}
            // Who invited is no member any more, or may not give that role.
            Err(IdentityError::OrganisationNotFound | IdentityError::BeyondOwn) => return Ok(None),
            Err(other) => return Err(other),
        }
        self.member_add_in_tx(tx, row.organisation, account, row.role).await?;
        store::delete(tx, row.id).await?;
        self.not_tried_in_tx(tx, &guesses).await?;
        Ok(Some((self.organisation_in_tx(tx, row.organisation).await?, row.role)))
    }

    /// Forgets invitations that are past their time.
    pub(crate) async fn member_invitations_forget_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        limit: u32,
    ) -> Result<u64, IdentityError> {
        Ok(store::forget(tx, self.clock.now(), limit).await?)
    }

    /// Whether a member may make others what that role says.
    async fn invites_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        by: (AccountId, AccountId),
        role: OrganisationRole,
    ) -> Result<(), IdentityError> {
        let own = self.member_may_in_tx(tx, by, OrganisationPermission::MembersWrite).await?;
        if role.is_within(own) { Ok(()) } else { Err(IdentityError::BeyondOwn) }
    }

    fn member_token_hash(&self, token: &SecretString) -> [u8; 32] {
        let plain = token.expose_secret().trim().to_ascii_lowercase();
        keyed_hash(&self.keys.hash_key(LABEL), LABEL, plain.as_bytes())
    }
}

fn invitation_opened(key: Option<&SealKey>, row: InvitationRow) -> Result<MemberInvitation, IdentityError> {
    let text = key.map(|key| opened(key, &aad(row.id), &row.recipient_sealed)).transpose()?;
    Ok(MemberInvitation {
        id: row.id,
        inviter: row.inviter,
        role: row.role,
        recipient: text.map(|text| Contact::held(row.kind, text.into_inner())),
        created_at: row.created_at,
        expires_at: row.expires_at,
    })
}
