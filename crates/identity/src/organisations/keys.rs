//! Keys of an organisation: each belongs to a member, and to a project if it says so, for good. It serves only while that
//! member may have keys and the project is in use.

use super::access::OrganisationPermission;
use super::{projects, store};
use crate::keys::{Belongs, KeyAuthority};
use crate::{ApiKey, Identity, IdentityError};
use secrecy::SecretString;
use tacit_kernel::Personal;
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{AccountId, ProjectId};
use tacit_kernel::limits::Limits;
use tacit_storage::changes::{self, Change};
use tacit_storage::{ReadTx, Sql, StorageError, WriteTx};

/// Keys of one member that are in use, at most.
const MOST: u64 = 200;

const DISABLE_OF_MEMBER: Sql = Sql::new(
    "UPDATE api_keys SET status = 'disabled', updated_at = $3 \
     WHERE account_id = $1 AND member_id = $2 AND status = 'active'",
);
const DISABLE_OF_PROJECT: Sql = Sql::new(
    "UPDATE api_keys SET status = 'disabled', updated_at = $3 \
     WHERE account_id = $1 AND project_id = $2 AND status = 'active'",
);
const COUNT: Sql =
    Sql::new("SELECT COUNT(*) AS n FROM api_keys WHERE account_id = $1 AND member_id = $2 AND status = 'active'");

/// The statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = &[&DISABLE_OF_MEMBER, &DISABLE_OF_PROJECT, &COUNT];

impl Identity {
    /// Makes a key for a member whose role is below the own, or for the one who acts if nobody is named. The returned secret is shown once and kept
    /// nowhere.
    ///
    /// # Errors
    /// As [`Self::key_create`], and [`IdentityError::BeyondOwn`], [`IdentityError::MemberNotFound`],
    /// [`IdentityError::MemberKeyless`], [`IdentityError::ProjectNotFound`], [`IdentityError::ProjectArchived`],
    /// [`IdentityError::TooMuch`], [`IdentityError::OrganisationNotFound`], [`IdentityError::OrganisationClosed`].
    pub async fn organisation_key_create_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
        (member, project): (Option<AccountId>, Option<ProjectId>),
        name: &Personal<String>,
        limits: &Limits,
    ) -> Result<(ApiKey, SecretString), IdentityError> {
        let own = self.member_may_in_tx(tx, (organisation, by), OrganisationPermission::KeysOwn).await?;
        let member = member.unwrap_or(by);
        if member != by {
            if !own.has(OrganisationPermission::KeysAll) {
                return Err(IdentityError::BeyondOwn);
            }
            // Whoever could make keys of a peer would spend by their budget, beside the own.
            let of = store::standing(tx, organisation, member).await?.ok_or(IdentityError::MemberNotFound)?;
            if !of.role.is_below(own) {
                return Err(IdentityError::BeyondOwn);
            }
        }
        let belongs = Belongs { member: Some(member), project };
        self.key_may_serve_in_tx(tx, organisation, belongs).await?;
        self.member_keys_room_in_tx(tx, organisation, belongs).await?;
        let hand = if member == by { KeyAuthority::Owner } else { KeyAuthority::Admin };
        self.key_make_in_tx(tx, (organisation, hand), belongs, name, CallSource::Api, limits).await
    }

    /// Whether a member may have one more key in use.
    pub(crate) async fn member_keys_room_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        belongs: Belongs,
    ) -> Result<(), IdentityError> {
        let Some(member) = belongs.member else { return Ok(()) };
        let row = tx.one(&COUNT, &[account.into(), member.into()]).await?;
        let count: u64 = row.map_or(Ok(0), |row| row.get("n"))?;
        if count >= MOST { Err(IdentityError::TooMuch) } else { Ok(()) }
    }

    /// Whether a key that belongs so may be in use.
    pub(crate) async fn key_may_serve_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        belongs: Belongs,
    ) -> Result<(), IdentityError> {
        if let Some(member) = belongs.member {
            let standing = store::standing(tx, account, member).await?.ok_or(IdentityError::MemberNotFound)?;
            if !standing.role.has(OrganisationPermission::KeysOwn) {
                return Err(IdentityError::MemberKeyless);
            }
        }
        if let Some(project) = belongs.project {
            let found = projects::store::get(tx, account, project).await?.ok_or(IdentityError::ProjectNotFound)?;
            if !found.active {
                return Err(IdentityError::ProjectArchived);
            }
        }
        Ok(())
    }

    /// Disables all keys of a member; gateways learn of it at once.
    pub(crate) async fn keys_of_member_disable_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        organisation: AccountId,
        member: AccountId,
    ) -> Result<(), IdentityError> {
        let now = self.clock.now();
        tx.execute(&DISABLE_OF_MEMBER, &[organisation.into(), member.into(), now.into()]).await?;
        Ok(self.keys_ended_in_tx(tx, organisation).await?)
    }

    /// Disables all keys of a project; gateways learn of it at once.
    pub(super) async fn keys_of_project_disable_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        organisation: AccountId,
        project: ProjectId,
    ) -> Result<(), IdentityError> {
        let now = self.clock.now();
        tx.execute(&DISABLE_OF_PROJECT, &[organisation.into(), project.into(), now.into()]).await?;
        Ok(self.keys_ended_in_tx(tx, organisation).await?)
    }

    async fn keys_ended_in_tx(&self, tx: &mut WriteTx<'_>, organisation: AccountId) -> Result<(), StorageError> {
        let now = self.clock.now();
        changes::append(tx, &Change::Account(organisation), now).await?;
        changes::append(tx, &Change::Recall { account: organisation, but: None }, now).await?;
        Ok(())
    }
}
