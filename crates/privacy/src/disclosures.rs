//! Somebody's data is given to an authority: only for one of the reasons of a closed list, proposed by one member of the staff and
//! approved by another, and told to the person as soon as they may know. Until then nothing that they are shown says so.

mod model;
mod store;
#[cfg(test)]
mod tests;

pub use model::{Disclosure, Given, Ground, New, State};

use std::sync::Arc;
use tacit_kernel::ids::{AccountId, DisclosureId};
use tacit_kernel::{Clock, ErrorKind, Fault, Timestamp};
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Page, Paged, ReadTx, Retryable, Sql, StorageError, WriteTx};

/// The longest reason or name of an authority, in bytes.
pub const TEXT_MAX: usize = 2000;

/// Why a disclosure is not made.
#[derive(Debug, thiserror::Error)]
pub enum DisclosureError {
    /// None of that id.
    #[error("there is no such disclosure")]
    NotFound,
    /// There is no such account, or it was erased.
    #[error("there is no such account")]
    Account,
    /// Who asks or why is not said, or too long.
    #[error("say who asks and why, each in 1 to {TEXT_MAX} bytes")]
    Text,
    /// Nothing is to be given.
    #[error("name at least one field that is given")]
    Fields,
    /// Whoever proposed it, or whose data it is, decides it.
    #[error("somebody else of the staff decides it: neither who proposed it nor whose data it is")]
    Alone,
    /// It was decided.
    #[error("it was decided already")]
    Decided,
    /// The person was told.
    #[error("the person has been told")]
    Told,
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The keyring.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Retryable for DisclosureError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_retryable(),
            Self::Fault(fault) => fault.is_retryable(),
            _ => false,
        }
    }
}

impl From<DisclosureError> for Fault {
    fn from(error: DisclosureError) -> Self {
        let (kind, code) = match error {
            DisclosureError::Storage(error) => return error.into(),
            DisclosureError::Fault(fault) => return fault,
            DisclosureError::NotFound => (ErrorKind::NotFound, "disclosure.not_found"),
            DisclosureError::Account => (ErrorKind::NotFound, "account.not_found"),
            DisclosureError::Text => (ErrorKind::Invalid, "disclosure.text"),
            DisclosureError::Fields => (ErrorKind::Invalid, "disclosure.fields"),
            DisclosureError::Alone => (ErrorKind::Forbidden, "disclosure.alone"),
            DisclosureError::Decided => (ErrorKind::Conflict, "disclosure.decided"),
            DisclosureError::Told => (ErrorKind::Conflict, "disclosure.told"),
        };
        Self::new(kind, code, error.to_string())
    }
}

/// Disclosures. Cloning is cheap.
#[derive(Clone)]
pub struct Disclosures {
    db: Db,
    keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
}

impl Disclosures {
    /// Those of that database.
    #[must_use]
    pub fn new((db, keys, clock): (Db, Arc<KeyStore>, Arc<dyn Clock>)) -> Self {
        Self { db, keys, clock }
    }

    /// Proposes one.
    ///
    /// # Errors
    /// [`DisclosureError::Text`], `Fields`, `Account`; storage, keyring.
    pub async fn propose_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        by: AccountId,
        new: &New,
    ) -> Result<Disclosure, DisclosureError> {
        let is_said = |text: &str| !text.trim().is_empty() && text.len() <= TEXT_MAX;
        if !is_said(new.authority.reveal()) || !is_said(new.reason.reveal()) {
            return Err(DisclosureError::Text);
        }
        if new.fields.is_empty() {
            return Err(DisclosureError::Fields);
        }
        let key = self.keys.get(new.account.0).await?.ok_or(DisclosureError::Account)?;
        let now = self.clock.now();
        let disclosure = Disclosure {
            id: DisclosureId::fresh(),
            account: new.account,
            ground: new.ground,
            fields: new.fields.clone(),
            state: State::Proposed,
            authority: Some(new.authority.clone()),
            reason: Some(new.reason.clone()),
            proposed_by: by,
            decided_by: None,
            proposed_at: now,
            decided_at: None,
            tell_from: new.tell_from,
            told_at: None,
            updated_at: now,
        };
        store::insert(tx, &disclosure, &key).await?;
        Ok(disclosure)
    }

    /// Approves or refuses one.
    ///
    /// # Errors
    /// [`DisclosureError::NotFound`], `Alone`, `Decided`; storage, keyring.
    pub async fn decide_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (by, id): (AccountId, DisclosureId),
        is_approved: bool,
    ) -> Result<Disclosure, DisclosureError> {
        let before = self.find_in_tx(tx, id).await?;
        if by == before.proposed_by || by == before.account {
            return Err(DisclosureError::Alone);
        }
        if before.state != State::Proposed {
            return Err(DisclosureError::Decided);
        }
        let now = self.clock.now();
        let state = if is_approved { State::Approved } else { State::Refused };
        let decided = Disclosure { state, decided_by: Some(by), decided_at: Some(now), updated_at: now, ..before };
        store::update(tx, &decided).await?;
        Ok(decided)
    }

    /// Says from when on the person may be told; `None`: not until somebody says so.
    ///
    /// # Errors
    /// [`DisclosureError::NotFound`], `Told`; storage, keyring.
    pub async fn tell_from_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        id: DisclosureId,
        tell_from: Option<Timestamp>,
    ) -> Result<Disclosure, DisclosureError> {
        let before = self.find_in_tx(tx, id).await?;
        if before.told_at.is_some() {
            return Err(DisclosureError::Told);
        }
        let changed = Disclosure { tell_from, updated_at: self.clock.now(), ..before };
        store::update(tx, &changed).await?;
        Ok(changed)
    }

    /// The one of that id.
    ///
    /// # Errors
    /// [`DisclosureError::NotFound`]; storage, keyring.
    pub async fn find_in_tx(&self, tx: &mut ReadTx<'_>, id: DisclosureId) -> Result<Disclosure, DisclosureError> {
        let stored = store::by_id(tx, id).await?.ok_or(DisclosureError::NotFound)?;
        let key = self.keys.get(stored.disclosure.account.0).await?;
        Ok(stored.opened(key.as_ref()))
    }

    /// [`Self::find_in_tx`] by itself.
    ///
    /// # Errors
    /// As there.
    pub async fn find(&self, id: DisclosureId) -> Result<Disclosure, DisclosureError> {
        self.db.read("disclosure.find", |tx| Box::pin(self.find_in_tx(tx, id))).await
    }

    /// A page of all of them, newest first, without words.
    ///
    /// # Errors
    /// Storage.
    pub async fn list(&self, page: Page) -> Result<Paged<Disclosure>, DisclosureError> {
        let rows = self.db.read("disclosure.list", |tx| Box::pin(store::list(tx, page))).await?;
        Ok(page.take(rows.into_iter().map(|stored| stored.opened(None)).collect(), |d| d.id.0))
    }

    /// A page of those that somebody may know of, newest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn told(&self, account: AccountId, page: Page) -> Result<Paged<Disclosure>, DisclosureError> {
        let rows = self.db.read("disclosure.told", |tx| Box::pin(store::told(tx, account, page))).await?;
        let key = self.keys.get(account.0).await?;
        Ok(page.take(rows.into_iter().map(|stored| stored.opened(key.as_ref())).collect(), |d| d.id.0))
    }

    /// Shows to whoever may be told now what was disclosed of them. How many.
    ///
    /// # Errors
    /// Storage.
    pub async fn tell(&self) -> Result<u64, Fault> {
        let now = self.clock.now();
        Ok(self.db.write("disclosure.tell", |tx| Box::pin(store::tell(tx, now))).await?)
    }
}

/// Those whose time is over go.
pub(crate) async fn forget(tx: &mut WriteTx<'_>, before: Timestamp, now: Timestamp) -> Result<(), Fault> {
    Ok(store::forget(tx, before, now).await?)
}

impl std::fmt::Debug for Disclosures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("disclosures")
    }
}

/// The constant statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = store::STATEMENTS;
