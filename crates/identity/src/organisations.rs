//! Organisations: accounts without a person, which members act for. Whatever is keyed by account (keys, wallet, limits, call
//! records) is an organisation's as it is a person's; nobody signs in as one. There is always one owner; nobody gives or takes
//! a role that allows more than their own; and a key serves only while its member may have keys and its project is in use.
//!
//! Every change asks anew, in its own transaction, what the one who acts is: what the guard saw may have changed since.

pub mod access;
pub(crate) mod invitations;
pub(crate) mod keys;
mod members;
mod model;
pub(crate) mod offers;
pub(crate) mod projects;
pub(crate) mod store;

pub use access::{OrganisationPermission, OrganisationRole};
pub use invitations::Invited;
pub use model::{
    Member, MemberChange, MemberInvitation, Membership, Organisation, OwnershipOffer, Project, ProjectChange, Standing,
};

use crate::accounts::opened;
use crate::verification::Restricted;
use crate::{AccountChange, Identity, IdentityError, chance, is_personal_name};
use store::OrganisationRow;
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Limits;
use tacit_storage::{Page, Paged, ReadTx, WriteTx};
use tacit_vault::{Aad, SealKey};

/// Organisations that one person owns at most.
const MOST_OWNED: u64 = 10;
/// Members of one organisation at most.
const MOST_MEMBERS: u64 = 1000;
/// In bytes, of the name that the account gets.
const ACCOUNT_NAME: usize = 10;

fn aad(id: AccountId) -> Aad<'static> {
    Aad { table: "organisations", column: "name_sealed", row: id.0 }
}

impl Identity {
    /// Makes an organisation, of which that person is the owner. This is the one place where it is decided whether somebody
    /// may have an organisation.
    ///
    /// # Errors
    /// [`IdentityError::OrganisationNameInvalid`], [`IdentityError::TooMuch`], [`IdentityError::AccountNotFound`],
    /// [`IdentityError::AccountDisabled`], `verification.required`; storage, keyring.
    pub async fn organisation_create_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        owner: AccountId,
        name: &Personal<String>,
    ) -> Result<Organisation, IdentityError> {
        organisation_name_check(name)?;
        let person = self.account_by_id_in_tx(tx, owner).await?.ok_or(IdentityError::AccountNotFound)?;
        if !person.enabled {
            return Err(IdentityError::AccountDisabled);
        }
        self.unverified_may_in_tx(tx, owner, Restricted::Organisation).await?;
        if store::owned(tx, owner).await? >= MOST_OWNED {
            return Err(IdentityError::TooMuch);
        }
        // Its account is named by chance: what it is called is nobody's business but its members', and no name to sign in
        // with is taken.
        let account = self.account_create_in_tx(tx, &unchosen_name(), person.group, &Limits::default()).await?;
        let subject = self.subject_key(account.id).await?.ok_or(IdentityError::AccountErased)?;
        let (id, now) = (account.id, account.created_at);
        store::insert(tx, id, subject.seal(&aad(id), name.reveal().as_bytes()), now).await?;
        store::member_insert(tx, id, owner, OrganisationRole::Owner, now).await?;
        Ok(Organisation { id, name: Some(name.clone()), open: true, created_at: now, updated_at: now })
    }

    /// An organisation.
    ///
    /// # Errors
    /// [`IdentityError::OrganisationNotFound`]; storage, keyring.
    pub async fn organisation_in_tx(&self, tx: &mut ReadTx<'_>, id: AccountId) -> Result<Organisation, IdentityError> {
        let row = store::by_id(tx, id).await?.ok_or(IdentityError::OrganisationNotFound)?;
        organisation_opened(self.subject_key(id).await?.as_ref(), row)
    }

    /// Whether an account is an organisation's.
    pub(crate) async fn is_organisation_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<bool, IdentityError> {
        Ok(store::by_id(tx, account).await?.is_some())
    }

    /// A page of the organisations of which somebody is a member.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn organisation_list(&self, account: AccountId, page: Page) -> Result<Paged<Membership>, IdentityError> {
        let rows = self.db.read("organisation.list", |tx| Box::pin(store::of_account(tx, account, page))).await?;
        let mut items = Vec::with_capacity(rows.len());
        for (row, role) in rows {
            let organisation = organisation_opened(self.subject_key(row.id).await?.as_ref(), row)?;
            items.push(Membership { organisation, role });
        }
        Ok(page.take(items, |membership| membership.organisation.id.0))
    }

    /// What somebody is in an organisation; `None`: nothing, or there is no such organisation.
    ///
    /// # Errors
    /// Storage.
    pub async fn organisation_standing(
        &self,
        organisation: AccountId,
        account: AccountId,
    ) -> Result<Option<Standing>, IdentityError> {
        let find = self.db.read("organisation.standing", |tx| {
            Box::pin(async move { Ok::<_, IdentityError>(store::standing(tx, organisation, account).await?) })
        });
        find.await
    }

    /// Renames an organisation.
    ///
    /// # Errors
    /// [`IdentityError::OrganisationNameInvalid`], [`IdentityError::OrganisationNotFound`],
    /// [`IdentityError::OrganisationClosed`], [`IdentityError::BeyondOwn`], [`IdentityError::AccountErased`]; storage,
    /// keyring.
    pub async fn organisation_rename_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
        name: &Personal<String>,
    ) -> Result<Organisation, IdentityError> {
        organisation_name_check(name)?;
        self.member_may_in_tx(tx, (organisation, by), OrganisationPermission::OrganisationWrite).await?;
        let subject = self.subject_key(organisation).await?.ok_or(IdentityError::AccountErased)?;
        let sealed = subject.seal(&aad(organisation), name.reveal().as_bytes());
        store::rename(tx, organisation, sealed, self.clock.now()).await?;
        self.organisation_in_tx(tx, organisation).await
    }

    /// Closes an organisation: its keys are refused at once, and nothing of it can be changed until staff opens it again.
    ///
    /// # Errors
    /// [`IdentityError::OrganisationNotFound`], [`IdentityError::OrganisationClosed`], [`IdentityError::BeyondOwn`]; storage,
    /// keyring.
    pub async fn organisation_close_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
    ) -> Result<(), IdentityError> {
        self.member_may_in_tx(tx, (organisation, by), OrganisationPermission::OrganisationClose).await?;
        self.organisation_switch_in_tx(tx, organisation, false).await
    }

    /// Opens an organisation again; for staff.
    ///
    /// # Errors
    /// [`IdentityError::OrganisationNotFound`]; storage, keyring.
    pub async fn organisation_reopen(&self, organisation: AccountId) -> Result<(), IdentityError> {
        let reopen = async |tx: &mut WriteTx<'_>| {
            store::by_id(tx, organisation).await?.ok_or(IdentityError::OrganisationNotFound)?;
            self.organisation_switch_in_tx(tx, organisation, true).await
        };
        let reopen = &reopen;
        self.db.write("organisation.reopen", |tx| Box::pin(reopen(tx))).await
    }

    async fn organisation_switch_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        organisation: AccountId,
        open: bool,
    ) -> Result<(), IdentityError> {
        let change = AccountChange { enabled: Some(open), ..AccountChange::default() };
        let account = self.account_update_in_tx(tx, organisation, &change).await?;
        Ok(store::touch(tx, organisation, account.updated_at).await?)
    }

    /// The role of whoever acts, if they are a member who may do that now.
    ///
    /// # Errors
    /// [`IdentityError::OrganisationNotFound`], [`IdentityError::BeyondOwn`], [`IdentityError::OrganisationClosed`]; storage.
    pub async fn member_may_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        (organisation, by): (AccountId, AccountId),
        permission: OrganisationPermission,
    ) -> Result<OrganisationRole, IdentityError> {
        let standing = store::standing(tx, organisation, by).await?.ok_or(IdentityError::OrganisationNotFound)?;
        if !standing.role.has(permission) {
            return Err(IdentityError::BeyondOwn);
        }
        if !standing.open && !permission.holds_when_closed() {
            return Err(IdentityError::OrganisationClosed);
        }
        Ok(standing.role)
    }
}

fn organisation_opened(key: Option<&SealKey>, row: OrganisationRow) -> Result<Organisation, IdentityError> {
    Ok(Organisation {
        name: key.map(|key| opened(key, &aad(row.id), &row.name_sealed)).transpose()?,
        id: row.id,
        open: row.open,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn organisation_name_check(name: &Personal<String>) -> Result<(), IdentityError> {
    if is_personal_name(name.reveal()) { Ok(()) } else { Err(IdentityError::OrganisationNameInvalid) }
}

fn unchosen_name() -> Personal<String> {
    Personal::new(format!("organisation-{}", chance::word::<ACCOUNT_NAME>()))
}
