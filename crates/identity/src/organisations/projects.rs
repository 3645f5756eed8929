//! Projects of an organisation: what keys are for, with a budget of their own. The keys of an archived project are disabled.

pub(super) mod store;

pub(crate) use store::STATEMENTS;

use super::access::OrganisationPermission;
use super::members::budget_check;
use super::model::{Project, ProjectChange};
use crate::accounts::opened;
use crate::{Identity, IdentityError, is_personal_name};
use store::ProjectRow;
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, ProjectId};
use tacit_kernel::limits::Budget;
use tacit_storage::changes::{self, Change};
use tacit_storage::{Page, Paged, ReadTx, WriteTx};
use tacit_vault::{Aad, SealKey};

/// Projects of one organisation at most, those that are archived too.
const MOST: u64 = 500;

fn aad(id: ProjectId) -> Aad<'static> {
    Aad { table: "organisation_projects", column: "name_sealed", row: id.0 }
}

impl Identity {
    /// Makes a project.
    ///
    /// # Errors
    /// [`IdentityError::ProjectNameInvalid`], [`IdentityError::BudgetInvalid`], [`IdentityError::TooMuch`],
    /// [`IdentityError::BeyondOwn`], [`IdentityError::OrganisationNotFound`], [`IdentityError::OrganisationClosed`],
    /// [`IdentityError::AccountErased`]; storage, keyring.
    pub async fn project_create_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
        name: &Personal<String>,
        budget: Budget,
    ) -> Result<Project, IdentityError> {
        project_name_check(name)?;
        budget_check(&budget)?;
        self.member_may_in_tx(tx, (organisation, by), OrganisationPermission::ProjectsWrite).await?;
        if store::count(tx, organisation).await? >= MOST {
            return Err(IdentityError::TooMuch);
        }
        let key = self.subject_key(organisation).await?.ok_or(IdentityError::AccountErased)?;
        let (id, now) = (ProjectId::fresh(), self.clock.now());
        let name_sealed = key.seal(&aad(id), name.reveal().as_bytes());
        let row = ProjectRow { id, organisation, name_sealed, active: true, budget, created_at: now, updated_at: now };
        store::insert(tx, &row).await?;
        project_opened(Some(&key), row)
    }

    /// Changes a project; archiving it disables its keys.
    ///
    /// # Errors
    /// As [`Self::project_create_in_tx`], and [`IdentityError::ProjectNotFound`].
    pub async fn project_update_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (organisation, by): (AccountId, AccountId),
        id: ProjectId,
        change: &ProjectChange,
    ) -> Result<Project, IdentityError> {
        self.member_may_in_tx(tx, (organisation, by), OrganisationPermission::ProjectsWrite).await?;
        let mut row = store::get(tx, organisation, id).await?.ok_or(IdentityError::ProjectNotFound)?;
        let key = self.subject_key(organisation).await?.ok_or(IdentityError::AccountErased)?;
        if let Some(name) = &change.name {
            project_name_check(name)?;
            row.name_sealed = key.seal(&aad(id), name.reveal().as_bytes());
        }
        if let Some(budget) = change.budget {
            budget_check(&budget)?;
            row.budget = budget;
        }
        row.active = change.active.unwrap_or(row.active);
        row.updated_at = self.clock.now();
        store::update(tx, &row).await?;
        if row.active {
            changes::append(tx, &Change::Account(organisation), row.updated_at).await?;
        } else {
            self.keys_of_project_disable_in_tx(tx, organisation, id).await?;
        }
        project_opened(Some(&key), row)
    }

    /// A project of an organisation.
    ///
    /// # Errors
    /// [`IdentityError::ProjectNotFound`]; storage, keyring.
    pub async fn project_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        organisation: AccountId,
        id: ProjectId,
    ) -> Result<Project, IdentityError> {
        let row = store::get(tx, organisation, id).await?.ok_or(IdentityError::ProjectNotFound)?;
        project_opened(self.subject_key(organisation).await?.as_ref(), row)
    }

    /// A page of the projects of an organisation, oldest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn project_list(&self, organisation: AccountId, page: Page) -> Result<Paged<Project>, IdentityError> {
        let rows = self.db.read("project.list", |tx| Box::pin(store::list(tx, organisation, page))).await?;
        let key = self.subject_key(organisation).await?;
        let items = rows.into_iter().map(|row| project_opened(key.as_ref(), row)).collect::<Result<Vec<_>, _>>()?;
        Ok(page.take(items, |project| project.id.0))
    }
}

fn project_opened(key: Option<&SealKey>, row: ProjectRow) -> Result<Project, IdentityError> {
    Ok(Project {
        name: key.map(|key| opened(key, &aad(row.id), &row.name_sealed)).transpose()?,
        id: row.id,
        active: row.active,
        budget: row.budget,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn project_name_check(name: &Personal<String>) -> Result<(), IdentityError> {
    if is_personal_name(name.reveal()) { Ok(()) } else { Err(IdentityError::ProjectNameInvalid) }
}
