//! Accounts: whose keys, wallet and call records are whose.

mod folding;
mod model;
pub(crate) mod naming;
mod store;

use crate::{Identity, IdentityError, is_personal_name, limits_text};
use std::str;
use store::{AccountRow, NameForm};
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, GroupId};
use tacit_kernel::limits::Limits;
use tacit_storage::changes::{self, Change};
use tacit_storage::{Page, Paged, ReadTx, StorageError, StorageErrorKind, WriteTx};
use tacit_vault::{Aad, SealKey};
use uuid::Uuid;

pub use model::{Account, AccountChange, AccountFilter};
pub(crate) use store::STATEMENTS;

/// Label and domain of the hash by which an account is found by its name as it is written.
const LOOKUP: &str = "account-name";

fn aad(row: Uuid) -> Aad<'static> {
    Aad { table: "accounts", column: "name_sealed", row }
}

/// The clash that an insert or update of an account can meet, in words of this crate.
fn clash(error: StorageError) -> IdentityError {
    match error.kind {
        StorageErrorKind::Unique => IdentityError::AccountNameTaken,
        StorageErrorKind::ForeignKey => IdentityError::GroupNotFound,
        _ => error.into(),
    }
}

impl Identity {
    /// Makes an account, enabled.
    ///
    /// # Errors
    /// [`IdentityError::AccountNameInvalid`], `AccountNameTaken`, `GroupNotFound`, `LimitsInvalid`; storage, keyring.
    pub async fn account_create(
        &self,
        name: &Personal<String>,
        group: GroupId,
        limits: &Limits,
    ) -> Result<Account, IdentityError> {
        self.db.write("account.create", |tx| Box::pin(self.account_create_in_tx(tx, name, group, limits))).await
    }

    /// [`Self::account_create`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn account_create_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        name: &Personal<String>,
        group: GroupId,
        limits: &Limits,
    ) -> Result<Account, IdentityError> {
        account_name_check(name.reveal())?;
        let text = limits_text(limits)?;
        let lookup = self.account_lookup(name.reveal());
        // Asked first so that a name that is taken leaves no unused subject key behind.
        if self.named_row_in_tx(tx, name.reveal()).await?.is_some() {
            return Err(IdentityError::AccountNameTaken);
        }
        let (id, now) = (AccountId::fresh(), self.clock.now());
        let subject = self.keys.create(id.0).await?;
        let row = AccountRow {
            id,
            group,
            name_sealed: subject.seal(&aad(id.0), name.reveal().as_bytes()),
            name_lookup: lookup.to_vec(),
            name_form: NameForm::Folded,
            enabled: true,
            limits: limits.clone(),
            created_at: now,
            updated_at: now,
        };
        store::account_insert(tx, &row, text).await.map_err(clash)?;
        changes::append(tx, &Change::Account(id), now).await?;
        self.account_opened(row).await
    }

    /// Changes an account.
    ///
    /// # Errors
    /// As [`Self::account_create`], and [`IdentityError::AccountNotFound`], `AccountErased`, `OwnerLast`.
    pub async fn account_update(&self, id: AccountId, change: &AccountChange) -> Result<Account, IdentityError> {
        self.db.write("account.update", |tx| Box::pin(self.account_update_in_tx(tx, id, change))).await
    }

    /// [`Self::account_update`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn account_update_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        id: AccountId,
        change: &AccountChange,
    ) -> Result<Account, IdentityError> {
        let mut row = store::account_by_id(tx, id).await?.ok_or(IdentityError::AccountNotFound)?;
        if let Some(name) = &change.name {
            account_name_check(name.reveal())?;
            if self.named_row_in_tx(tx, name.reveal()).await?.is_some_and(|other| other.id != id) {
                return Err(IdentityError::AccountNameTaken);
            }
            let subject = self.subject_key(id).await?.ok_or(IdentityError::AccountErased)?;
            row.name_sealed = subject.seal(&aad(id.0), name.reveal().as_bytes());
            row.name_lookup = self.account_lookup(name.reveal()).to_vec();
            row.name_form = NameForm::Folded;
        }
        if change.enabled == Some(true) && self.subject_key(id).await?.is_none() {
            return Err(IdentityError::AccountErased);
        }
        row.group = change.group.unwrap_or(row.group);
        row.enabled = change.enabled.unwrap_or(row.enabled);
        if let Some(limits) = &change.limits {
            row.limits.clone_from(limits);
        }
        row.updated_at = self.clock.now();
        store::account_update(tx, &row, limits_text(&row.limits)?).await.map_err(clash)?;
        changes::append(tx, &Change::Account(id), row.updated_at).await?;
        if change.enabled == Some(false) {
            if self.is_owner_in_tx(tx, id).await? {
                self.owner_must_stay_in_tx(tx).await?;
            }
            // What was stolen is not worth something again when the account is.
            self.sessions_end_in_tx(tx, id, None).await?;
        }
        if change.enabled.is_some() {
            self.memberships_told_in_tx(tx, id).await?;
        }
        if change.enabled == Some(false) || change.limits.is_some() {
            changes::append(tx, &Change::Recall { account: id, but: None }, row.updated_at).await?;
        }
        self.account_opened(row).await
    }

    /// The account named by `acct_…` or by its name.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn account_by_ref(&self, reference: &str) -> Result<Option<Account>, IdentityError> {
        self.db.read("account.by_ref", |tx| Box::pin(self.account_by_ref_in_tx(tx, reference))).await
    }

    /// [`Self::account_by_ref`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn account_by_ref_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        reference: &str,
    ) -> Result<Option<Account>, IdentityError> {
        if let Ok(id) = reference.parse::<AccountId>() {
            return self.account_by_id_in_tx(tx, id).await;
        }
        match self.named_row_in_tx(tx, reference).await? {
            Some(row) => self.account_opened(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The account of that id, as part of a larger transaction.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn account_by_id_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        id: AccountId,
    ) -> Result<Option<Account>, IdentityError> {
        match store::account_by_id(tx, id).await? {
            Some(row) => self.account_opened(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// A page of accounts, oldest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn account_list(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, IdentityError> {
        self.db.read("account.list", |tx| Box::pin(self.account_list_in_tx(tx, filter, page))).await
    }

    /// [`Self::account_list`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn account_list_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        filter: &AccountFilter,
        page: Page,
    ) -> Result<Paged<Account>, IdentityError> {
        let mut items = Vec::new();
        for row in store::account_list(tx, filter, page).await? {
            items.push(self.account_opened(row).await?);
        }
        Ok(page.take(items, |account| account.id.0))
    }

    /// The subject key of an account; `None` once it was destroyed.
    pub(crate) async fn subject_key(&self, id: AccountId) -> Result<Option<SealKey>, IdentityError> {
        Ok(self.keys.get(id.0).await?)
    }

    async fn account_opened(&self, row: AccountRow) -> Result<Account, IdentityError> {
        let name = match self.subject_key(row.id).await? {
            Some(key) => Some(opened(&key, &aad(row.id.0), &row.name_sealed)?),
            None => None,
        };
        Ok(Account {
            id: row.id,
            group: row.group,
            name,
            enabled: row.enabled,
            limits: row.limits,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Whether an account may be called so.
///
/// # Errors
/// [`IdentityError::AccountNameInvalid`].
pub fn account_name_check(name: &str) -> Result<(), IdentityError> {
    let ok = is_personal_name(name) && name.parse::<AccountId>().is_err() && naming::is_seen(name);
    if ok { Ok(()) } else { Err(IdentityError::AccountNameInvalid) }
}

/// A sealed name, opened.
pub(crate) fn opened(key: &SealKey, aad: &Aad<'static>, sealed: &[u8]) -> Result<Personal<String>, StorageError> {
    let plain = key.open(aad, sealed).map_err(|_| StorageError::inconsistent(aad.table, aad.column))?;
    let text = str::from_utf8(&plain).map_err(|_| StorageError::inconsistent(aad.table, aad.column))?;
    Ok(Personal::new(text.to_owned()))
}
