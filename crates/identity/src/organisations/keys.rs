//! Keys of an organisation: each belongs for good to a member, and to a project if it says so, or to a project alone. It serves
//! only while that member may have keys and the project is in use; with its project a key of the project alone ends for good.

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

/// Keys of one member that are in use, at most, and of one project alone.
const MOST: u64 = 200;

const DISABLE_OF_MEMBER: Sql = Sql::new(
    "UPDATE api_keys SET status = 'disabled', updated_at = $3 \
     WHERE account_id = $1 AND member_id = $2 AND status = 'active'",
);
const DISABLE_OF_PROJECT: Sql = Sql::new(
    "UPDATE api_keys SET status = 'disabled', updated_at = $3 \
     WHERE account_id = $1 AND project_id = $2 AND status = 'active'",
);
const END_OF_PROJECT_ALONE: Sql = Sql::new(
    "UPDATE api_keys SET status = 'disabled', ended = 'revoked', updated_at = $3 \
     WHERE account_id = $1 AND project_id = $2 AND member_id IS NULL AND ended IS NULL",
);
const END_OF_ERASED: Sql = Sql::new(
    "UPDATE api_keys SET status = 'disabled', ended = 'revoked', updated_at = $2 WHERE member_id = $1 AND ended IS NULL",
);
const COUNT_OF_MEMBER: Sql =
    Sql::new("SELECT COUNT(*) AS n FROM api_keys WHERE account_id = $1 AND member_id = $2 AND status = 'active'");
const COUNT_OF_PROJECT_ALONE: Sql = Sql::new(
    "SELECT COUNT(*) AS n FROM api_keys \
     WHERE account_id = $1 AND project_id = $2 AND member_id IS NULL AND status = 'active'",
);

/// The statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = &[
    &DISABLE_OF_MEMBER,
    &DISABLE_OF_PROJECT,
    &END_OF_PROJECT_ALONE,
    &END_OF_ERASED,
    &COUNT_OF_MEMBER,
    &COUNT_OF_PROJECT_ALONE,
];

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
        self.key_has_room_in_tx(tx, organisation, belongs).await?;
        let hand = if member == by { KeyAuthority::Owner } else { KeyAuthority::Admin };
        self.key_make_in_tx(tx, (organisation, hand), belongs, name, CallSource::Api, limits).await
    }

    /// Makes a key of a project alone: whoever makes it may leave, and it spends by nobody's budget but the project's. The
    /// returned secret is shown once and kept nowhere.
    ///
    /// # Errors
    /// As [`Self::organisation_key_create_in_tx`].
    pub async fn project_key_create_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
        project: ProjectId,
        name: &Personal<String>,
        limits: &Limits,
    ) -> Result<(ApiKey, SecretString), IdentityError> {
        self.member_may_in_tx(tx, (organisation, by), OrganisationPermission::KeysAll).await?;
        let belongs = Belongs { member: None, project: Some(project) };
        self.key_may_serve_in_tx(tx, organisation, belongs).await?;
        self.key_has_room_in_tx(tx, organisation, belongs).await?;
        self.key_make_in_tx(tx, (organisation, KeyAuthority::Admin), belongs, name, CallSource::Api, limits).await
    }

    /// Whether whose key it is within an organisation may have one more in use.
    pub(crate) async fn key_has_room_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        belongs: Belongs,
    ) -> Result<(), IdentityError> {
        let row = match (belongs.member, belongs.project) {
            (Some(member), _) => tx.one(&COUNT_OF_MEMBER, &[account.into(), member.into()]).await?,
            (None, Some(project)) => tx.one(&COUNT_OF_PROJECT_ALONE, &[account.into(), project.into()]).await?,
            (None, None) => return Ok(()),
        };
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
    pub(super) async fn keys_of_member_disable_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        organisation: AccountId,
        member: AccountId,
    ) -> Result<(), IdentityError> {
        let now = self.clock.now();
        tx.execute(&DISABLE_OF_MEMBER, &[organisation.into(), member.into(), now.into()]).await?;
        Ok(self.keys_ended_in_tx(tx, organisation).await?)
    }

    /// Ends for good all keys that somebody has or had as a member anywhere: whoever is erased is taken out of them, and a
    /// key without a member could be put to use again as one of its project.
    pub(crate) async fn keys_of_erased_end_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        member: AccountId,
    ) -> Result<(), IdentityError> {
        tx.execute(&END_OF_ERASED, &[member.into(), self.clock.now().into()]).await?;
        for organisation in store::of_member(tx, member).await? {
            self.keys_ended_in_tx(tx, organisation).await?;
        }
        Ok(())
    }

    /// Disables all keys of a project, those that are its alone for good; gateways learn of it at once.
    pub(super) async fn keys_of_project_disable_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        organisation: AccountId,
        project: ProjectId,
    ) -> Result<(), IdentityError> {
        let now = self.clock.now();
        tx.execute(&END_OF_PROJECT_ALONE, &[organisation.into(), project.into(), now.into()]).await?;
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
