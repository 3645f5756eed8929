//! The register of recipients: who receives data of people, where they are, what for, what they keep of it and whether they
//! train with it, with the evidence and when somebody looked (docs/recipients.md). What was not looked at for 90 days counts as
//! the worst that it can be.

mod countries;
mod model;
mod store;
#[cfg(test)]
pub(crate) mod tests;

pub use countries::{UNKNOWN, country, country_name};
pub use model::{Assumed, BELIEVED_DAYS, Kind, Recipient, RecipientSpec, Role, Trains};

use std::collections::BTreeSet;
use std::sync::Arc;
use tacit_catalog::{Catalog, CatalogError};
use tacit_kernel::ids::{ProviderId, RecipientId};
use tacit_kernel::{Clock, ErrorKind, Fault};
use tacit_storage::{Db, ReadTx, Retryable, Sql, StorageError, StorageErrorKind, WriteTx};

/// Entries of the register, at most: it is published as a whole.
pub const MOST: u64 = 500;

/// Why the register is not changed.
#[derive(Debug, thiserror::Error)]
pub enum RecipientError {
    /// It breaks a rule.
    #[error("recipient: {message}")]
    Invalid {
        /// The rule.
        message: &'static str,
    },
    /// No entry of that id or name.
    #[error("there is no such recipient; `tacit recipient list` shows them")]
    NotFound,
    /// Another entry has the name.
    #[error("there is a recipient of that name already")]
    Taken,
    /// Something leads to the entry.
    #[error("providers are tied to the recipient, or data went there: disable it instead")]
    InUse,
    /// The register is full.
    #[error("the register has {MOST} entries; delete one that received nothing")]
    Full,
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The catalogue.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl Retryable for RecipientError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_retryable(),
            Self::Catalog(error) => error.is_retryable(),
            _ => false,
        }
    }
}

impl From<RecipientError> for Fault {
    fn from(error: RecipientError) -> Self {
        let (kind, code) = match error {
            RecipientError::Storage(error) => return error.into(),
            RecipientError::Catalog(error) => return error.into(),
            RecipientError::Invalid { .. } => (ErrorKind::Invalid, "recipient.invalid"),
            RecipientError::NotFound => (ErrorKind::NotFound, "recipient.not_found"),
            RecipientError::Taken => (ErrorKind::Conflict, "recipient.name_taken"),
            RecipientError::InUse => (ErrorKind::Conflict, "recipient.in_use"),
            RecipientError::Full => (ErrorKind::Conflict, "recipient.full"),
        };
        Self::new(kind, code, error.to_string())
    }
}

/// What is in use and stands in no entry of the register that is active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unregistered {
    /// Model providers, by name.
    pub providers: Vec<String>,
    /// What else is configured and has no entry of its kind.
    pub kinds: Vec<Kind>,
}

impl Unregistered {
    /// How much it is.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.providers.len() + self.kinds.len()
    }
}

/// The register. Cloning is cheap.
#[derive(Clone)]
pub struct Recipients {
    db: Db,
    clock: Arc<dyn Clock>,
    catalog: Catalog,
    /// What the configuration sends data to, beside model providers.
    configured: Arc<BTreeSet<Kind>>,
}

impl Recipients {
    /// The register of that database; data goes to recipients of those kinds too.
    #[must_use]
    pub fn new((db, clock): (Db, Arc<dyn Clock>), catalog: Catalog, configured: BTreeSet<Kind>) -> Self {
        Self { db, clock, catalog, configured: Arc::new(configured) }
    }

    /// Enters a recipient.
    ///
    /// # Errors
    /// [`RecipientError::Invalid`], `Taken`, `Full`; storage.
    pub async fn create_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        name: &str,
        spec: &RecipientSpec,
    ) -> Result<Recipient, RecipientError> {
        let now = self.clock.now();
        let spec = spec.checked(name, now)?;
        if store::count(tx).await? >= MOST {
            return Err(RecipientError::Full);
        }
        let id = RecipientId::fresh();
        let recipient = Recipient { id, name: name.to_owned(), spec, created_at: now, updated_at: now };
        store::insert(tx, &recipient).await.map_err(taken)?;
        Ok(recipient)
    }

    /// Says something else of a recipient.
    ///
    /// # Errors
    /// [`RecipientError::NotFound`], `Invalid`, `Taken`; storage.
    pub async fn update_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        id: RecipientId,
        name: &str,
        spec: &RecipientSpec,
    ) -> Result<Recipient, RecipientError> {
        let now = self.clock.now();
        let spec = spec.checked(name, now)?;
        let before = store::by_id(tx, id).await?.ok_or(RecipientError::NotFound)?;
        if before.name == name && before.spec == spec {
            return Ok(before);
        }
        let recipient = Recipient { name: name.to_owned(), spec, updated_at: now, ..before };
        store::update(tx, &recipient).await.map_err(taken)?;
        Ok(recipient)
    }

    /// Takes a recipient out that nothing leads to: one that received something stays, disabled.
    ///
    /// # Errors
    /// [`RecipientError::NotFound`], `InUse`; storage.
    pub async fn delete_in_tx(&self, tx: &mut WriteTx<'_>, id: RecipientId) -> Result<(), RecipientError> {
        let deleted = store::delete(tx, id).await.map_err(|error| match error.kind {
            StorageErrorKind::ForeignKey => RecipientError::InUse,
            _ => error.into(),
        })?;
        if deleted == 0 { Err(RecipientError::NotFound) } else { Ok(()) }
    }

    /// Says that a model provider is that recipient.
    ///
    /// # Errors
    /// [`RecipientError::NotFound`], `Invalid` if it is no model provider; [`CatalogError::ProviderNotFound`]; storage.
    pub async fn tie_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        id: RecipientId,
        provider: ProviderId,
    ) -> Result<(), RecipientError> {
        let recipient = store::by_id(tx, id).await?.ok_or(RecipientError::NotFound)?;
        if recipient.spec.kind != Kind::ModelProvider {
            return Err(RecipientError::Invalid { message: "only one of the kind model_provider answers calls" });
        }
        Ok(self.catalog.provider_tie_in_tx(tx, provider, Some(id)).await?)
    }

    /// Says that a model provider is not that recipient any more.
    ///
    /// # Errors
    /// [`RecipientError::NotFound`] if it was not; storage.
    pub async fn untie_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        id: RecipientId,
        provider: ProviderId,
    ) -> Result<(), RecipientError> {
        let providers = self.catalog.provider_list_in_tx(tx).await?;
        if !providers.iter().any(|known| known.id == provider && known.recipient == Some(id)) {
            return Err(RecipientError::NotFound);
        }
        Ok(self.catalog.provider_tie_in_tx(tx, provider, None).await?)
    }

    /// The whole register, oldest first.
    ///
    /// # Errors
    /// Storage.
    pub async fn list_in_tx(&self, tx: &mut ReadTx<'_>) -> Result<Vec<Recipient>, StorageError> {
        store::list(tx).await
    }

    /// [`Self::list_in_tx`] by itself.
    ///
    /// # Errors
    /// Storage.
    pub async fn list(&self) -> Result<Vec<Recipient>, StorageError> {
        registered(&self.db).await
    }

    /// The recipient of that id.
    ///
    /// # Errors
    /// Storage.
    pub async fn find_in_tx(&self, tx: &mut ReadTx<'_>, id: RecipientId) -> Result<Option<Recipient>, StorageError> {
        store::by_id(tx, id).await
    }

    /// The recipient named by `rcpt_…` or by its name.
    ///
    /// # Errors
    /// [`RecipientError::NotFound`]; storage.
    pub async fn by_ref_in_tx(&self, tx: &mut ReadTx<'_>, reference: &str) -> Result<Recipient, RecipientError> {
        let found = match reference.parse::<RecipientId>() {
            Ok(id) => store::by_id(tx, id).await?,
            Err(_) => store::by_name(tx, reference).await?,
        };
        found.ok_or(RecipientError::NotFound)
    }

    /// What is in use and is not registered.
    ///
    /// # Errors
    /// Storage.
    pub async fn unregistered(&self) -> Result<Unregistered, RecipientError> {
        let found = async |tx: &mut ReadTx<'_>| {
            let (recipients, providers) = (store::list(tx).await?, self.catalog.provider_list_in_tx(tx).await?);
            Ok::<_, RecipientError>((recipients, providers))
        };
        let found = &found;
        let (recipients, providers) = self.db.read("recipient.unregistered", |tx| Box::pin(found(tx))).await?;
        let active: Vec<&Recipient> = recipients.iter().filter(|recipient| recipient.spec.enabled).collect();
        let is_registered = |id: RecipientId| active.iter().any(|recipient| recipient.id == id);
        let unknown = providers.into_iter().filter(|p| p.enabled && !p.recipient.is_some_and(is_registered));
        let has_entry = |kind: &Kind| active.iter().any(|recipient| recipient.spec.kind == *kind);
        Ok(Unregistered {
            providers: unknown.map(|provider| provider.name).collect(),
            kinds: self.configured.iter().copied().filter(|kind| !has_entry(kind)).collect(),
        })
    }
}

/// The register of a database, for who reads nothing else there.
///
/// # Errors
/// Storage.
pub async fn registered(db: &Db) -> Result<Vec<Recipient>, StorageError> {
    db.read("recipient.list", |tx| Box::pin(store::list(tx))).await
}

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("recipients")
    }
}

fn taken(error: StorageError) -> RecipientError {
    match error.kind {
        StorageErrorKind::Unique => RecipientError::Taken,
        _ => error.into(),
    }
}

/// The constant statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = store::STATEMENTS;
