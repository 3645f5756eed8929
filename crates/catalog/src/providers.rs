//! Providers: who serves models, in which dialect, at which address.

mod model;
pub(crate) mod store;

use crate::error::{named, on_clash};
use crate::{Catalog, CatalogError, Outcome, Put, channels};
use tacit_kernel::Auth;
use tacit_kernel::ids::{ProviderId, RecipientId};
use tacit_storage::changes::{self, Change};
use tacit_storage::{ReadTx, StorageError, WriteTx};

pub use model::{Provider, ProviderSpec};
pub(crate) use store::STATEMENTS;

impl Catalog {
    /// Makes the provider, or changes it to be so.
    ///
    /// # Errors
    /// [`CatalogError::ProviderInvalid`], `Conflict`; storage.
    pub async fn provider_put(&self, name: &str, spec: &ProviderSpec) -> Result<Put<Provider>, CatalogError> {
        self.db.write("provider.put", |tx| Box::pin(self.provider_put_in_tx(tx, name, spec))).await
    }

    /// [`Self::provider_put`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn provider_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        name: &str,
        spec: &ProviderSpec,
    ) -> Result<Put<Provider>, CatalogError> {
        let spec = spec.checked(name)?;
        let now = self.clock.now();
        let found = store::provider_by_name(tx, name).await?;
        if let Some(same) = found.as_ref().filter(|p| p.spec() == spec) {
            return Ok(Put::new(same.clone(), Outcome::Unchanged));
        }
        let provider = Provider {
            id: found.as_ref().map_or_else(ProviderId::fresh, |p| p.id),
            name: name.to_owned(),
            dialect: spec.dialect,
            base_url: spec.base_url,
            auth: spec.auth.unwrap_or(Auth::of(spec.dialect)),
            allow_private: spec.allow_private,
            enabled: spec.enabled,
            recipient: found.as_ref().and_then(|p| p.recipient),
            created_at: found.as_ref().map_or(now, |p| p.created_at),
            updated_at: now,
        };
        let outcome = if found.is_some() {
            store::provider_update(tx, &provider).await?;
            Outcome::Updated
        } else {
            store::provider_insert(tx, &provider).await.map_err(on_clash(CatalogError::Conflict))?;
            Outcome::Created
        };
        changes::append(tx, &Change::Catalog, now).await?;
        Ok(Put::new(provider, outcome))
    }

    /// Every provider, by name.
    ///
    /// # Errors
    /// Storage.
    pub async fn provider_list(&self) -> Result<Vec<Provider>, CatalogError> {
        self.db.read("provider.list", |tx| Box::pin(async move { Ok(store::provider_list(tx).await?) })).await
    }

    /// [`Self::provider_list`] as part of a larger transaction.
    ///
    /// # Errors
    /// Storage.
    pub async fn provider_list_in_tx(&self, tx: &mut ReadTx<'_>) -> Result<Vec<Provider>, CatalogError> {
        Ok(store::provider_list(tx).await?)
    }

    /// The provider named by `prov_…` or by its name.
    ///
    /// # Errors
    /// Storage.
    pub async fn provider_by_ref(&self, reference: &str) -> Result<Option<Provider>, CatalogError> {
        self.db.read("provider.by_ref", |tx| Box::pin(async move { Ok(provider_by_ref(tx, reference).await?) })).await
    }

    /// Says which entry of the register of recipients a provider is; `None`: it is in none.
    ///
    /// # Errors
    /// [`CatalogError::ProviderNotFound`], `Conflict` if the entry is not there; storage.
    pub async fn provider_tie_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        id: ProviderId,
        recipient: Option<RecipientId>,
    ) -> Result<(), CatalogError> {
        let now = self.clock.now();
        if store::provider_tie(tx, id, recipient, now).await.map_err(on_clash(CatalogError::Conflict))? == 0 {
            return Err(CatalogError::ProviderNotFound);
        }
        changes::append(tx, &Change::Catalog, now).await?;
        Ok(())
    }

    /// Deletes a provider that no channel uses.
    ///
    /// # Errors
    /// [`CatalogError::ProviderNotFound`], `ProviderInUse`, `Conflict`; storage.
    pub async fn provider_delete(&self, id: ProviderId) -> Result<(), CatalogError> {
        self.db.write("provider.delete", |tx| Box::pin(self.provider_delete_in_tx(tx, id))).await
    }

    /// [`Self::provider_delete`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn provider_delete_in_tx(&self, tx: &mut WriteTx<'_>, id: ProviderId) -> Result<(), CatalogError> {
        let channels = channels::store::channel_list(tx).await?;
        let channels = named(channels.iter().filter(|channel| channel.provider == id).map(|channel| &*channel.name));
        if !channels.is_empty() {
            return Err(CatalogError::ProviderInUse { channels });
        }
        // A channel that was made at this moment keeps it.
        if store::provider_delete(tx, id).await.map_err(on_clash(CatalogError::Conflict))? == 0 {
            return Err(CatalogError::ProviderNotFound);
        }
        changes::append(tx, &Change::Catalog, self.clock.now()).await?;
        Ok(())
    }
}

/// The provider named by its id or its name.
pub(crate) async fn provider_by_ref(tx: &mut ReadTx<'_>, reference: &str) -> Result<Option<Provider>, StorageError> {
    match reference.parse::<ProviderId>() {
        Ok(id) => store::provider_by_id(tx, id).await,
        Err(_) => store::provider_by_name(tx, reference).await,
    }
}
