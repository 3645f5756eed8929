//! Members of an organisation: their roles and budgets, and how they leave.

use super::MOST_MEMBERS;
use super::access::{OrganisationPermission, OrganisationRole};
use super::model::{Member, MemberChange};
use super::store::{self, MemberRow};
use crate::{Identity, IdentityError};
use tacit_kernel::Nano;
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Budget;
use tacit_storage::changes::{self, Change};
use tacit_storage::{Page, Paged, ReadTx, StorageError, StorageErrorKind, WriteTx};

impl Identity {
    /// A page of the members of an organisation.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn member_list(&self, organisation: AccountId, page: Page) -> Result<Paged<Member>, IdentityError> {
        let list = async |tx: &mut ReadTx<'_>| {
            let mut items = Vec::new();
            for row in store::members(tx, organisation, page).await? {
                items.push(self.member_opened_in_tx(tx, row).await?);
            }
            Ok::<_, IdentityError>(page.take(items, |member| member.account.0))
        };
        let list = &list;
        self.db.read("member.list", |tx| Box::pin(list(tx))).await
    }

    /// A member of an organisation.
    ///
    /// # Errors
    /// [`IdentityError::MemberNotFound`]; storage, keyring.
    pub async fn member_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        organisation: AccountId,
        account: AccountId,
    ) -> Result<Member, IdentityError> {
        let row = store::member_get(tx, organisation, account).await?.ok_or(IdentityError::MemberNotFound)?;
        self.member_opened_in_tx(tx, row).await
    }

    /// Changes role or budget of a member. The keys of who may have none any more are disabled. A budget is set by a role
    /// above the member's, and by nobody for themselves.
    ///
    /// # Errors
    /// [`IdentityError::MemberNotFound`], [`IdentityError::BeyondOwn`], [`IdentityError::OrganisationOwner`],
    /// [`IdentityError::BudgetInvalid`], [`IdentityError::OrganisationNotFound`], [`IdentityError::OrganisationClosed`];
    /// storage, keyring.
    pub async fn member_update_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
        account: AccountId,
        change: MemberChange,
    ) -> Result<Member, IdentityError> {
        let (own, mut row) = self.member_over_in_tx(tx, (organisation, by), account).await?;
        let before = row;
        if let Some(role) = change.role.filter(|role| *role != row.role) {
            if role == OrganisationRole::Owner || row.role == OrganisationRole::Owner {
                return Err(IdentityError::OrganisationOwner);
            }
            if !role.is_within(own) {
                return Err(IdentityError::BeyondOwn);
            }
            row.role = role;
        }
        if let Some(budget) = change.budget.filter(|budget| *budget != before.budget) {
            // A bound that one sets oneself, or that two set each other, is none.
            if account == by || !before.role.is_below(own) {
                return Err(IdentityError::BeyondOwn);
            }
            budget_check(&budget)?;
            row.budget = budget;
        }
        row.updated_at = self.clock.now();
        store::member_update(tx, organisation, &row).await?;
        if row.role.has(OrganisationPermission::KeysOwn) {
            changes::append(tx, &Change::Account(organisation), row.updated_at).await?;
        } else {
            self.keys_of_member_disable_in_tx(tx, organisation, account).await?;
        }
        self.member_opened_in_tx(tx, row).await
    }

    /// Removes a member. Their keys in the organisation are disabled: a key stays its member's for good, so that what was
    /// spent stays where it was spent.
    ///
    /// # Errors
    /// [`IdentityError::MemberNotFound`], [`IdentityError::BeyondOwn`], [`IdentityError::OrganisationOwner`],
    /// [`IdentityError::OrganisationNotFound`], [`IdentityError::OrganisationClosed`]; storage.
    pub async fn member_remove_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
        account: AccountId,
    ) -> Result<(), IdentityError> {
        let (_, row) = self.member_over_in_tx(tx, (organisation, by), account).await?;
        self.member_delete_in_tx(tx, organisation, row).await
    }

    /// Somebody leaves, also where it is closed. Their keys there are disabled.
    ///
    /// # Errors
    /// [`IdentityError::OrganisationOwner`], [`IdentityError::OrganisationNotFound`]; storage.
    pub async fn member_leave_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        organisation: AccountId,
        account: AccountId,
    ) -> Result<(), IdentityError> {
        self.member_may_in_tx(tx, (organisation, account), OrganisationPermission::MembershipLeave).await?;
        let row = store::member_get(tx, organisation, account).await?.ok_or(IdentityError::MemberNotFound)?;
        self.member_delete_in_tx(tx, organisation, row).await
    }

    /// Somebody becomes a member.
    pub(super) async fn member_add_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        organisation: AccountId,
        account: AccountId,
        role: OrganisationRole,
    ) -> Result<(), IdentityError> {
        if store::member_count(tx, organisation).await? >= MOST_MEMBERS {
            return Err(IdentityError::TooMuch);
        }
        store::member_insert(tx, organisation, account, role, self.clock.now()).await.map_err(|error| {
            match error.kind {
                StorageErrorKind::Unique => IdentityError::MemberAlready,
                _ => error.into(),
            }
        })
    }

    /// Tells gateways of all organisations of a person, whose keys there serve no more, or again.
    pub(crate) async fn memberships_told_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
    ) -> Result<(), StorageError> {
        let now = self.clock.now();
        for organisation in store::of_member(tx, account).await? {
            changes::append(tx, &Change::Account(organisation), now).await?;
        }
        Ok(())
    }

    /// The role of whoever acts, and the member that they may change: one whose role is within their own.
    async fn member_over_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        (organisation, by): (AccountId, AccountId),
        account: AccountId,
    ) -> Result<(OrganisationRole, MemberRow), IdentityError> {
        let own = self.member_may_in_tx(tx, (organisation, by), OrganisationPermission::MembersWrite).await?;
        let row = store::member_get(tx, organisation, account).await?.ok_or(IdentityError::MemberNotFound)?;
        if row.role.is_within(own) { Ok((own, row)) } else { Err(IdentityError::BeyondOwn) }
    }

    async fn member_delete_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        organisation: AccountId,
        row: MemberRow,
    ) -> Result<(), IdentityError> {
        if row.role == OrganisationRole::Owner {
            return Err(IdentityError::OrganisationOwner);
        }
        self.ownership_offer_void_in_tx(tx, organisation, row.account).await?;
        store::member_delete(tx, organisation, row.account).await?;
        self.keys_of_member_disable_in_tx(tx, organisation, row.account).await
    }

    async fn member_opened_in_tx(&self, tx: &mut ReadTx<'_>, row: MemberRow) -> Result<Member, IdentityError> {
        Ok(Member {
            name: self.account_by_id_in_tx(tx, row.account).await?.and_then(|account| account.name),
            account: row.account,
            role: row.role,
            budget: row.budget,
            joined_at: row.joined_at,
            updated_at: row.updated_at,
        })
    }
}

/// Whether a budget makes sense.
pub(super) fn budget_check(budget: &Budget) -> Result<(), IdentityError> {
    let all = [budget.spend_per_day, budget.spend_per_month];
    if all.into_iter().flatten().any(|limit| limit < Nano::ZERO) { Err(IdentityError::BudgetInvalid) } else { Ok(()) }
}
