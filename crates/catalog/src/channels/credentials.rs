//! Credentials of channels: sealed under the platform key, known to files and changes by a keyed digest.

use super::model::{Credential, credential_check};
use super::store;
use crate::error::on_clash;
use crate::{Catalog, CatalogError, Outcome, Put};
use secrecy::{ExposeSecret, SecretString};
use tacit_kernel::ids::{ChannelId, CredentialId};
use tacit_storage::changes::{self, Change};
use tacit_storage::{ReadTx, WriteTx};
use tacit_vault::{Aad, keyed_hash};
use uuid::Uuid;

/// Label and domain of the digest that tells whether a secret changed.
const DIGEST: &str = "credential";

/// What a sealed secret is bound to.
pub(crate) fn aad(row: Uuid) -> Aad<'static> {
    Aad { table: "channel_credentials", column: "secret_sealed", row }
}

impl Catalog {
    /// Gives the channel this credential, or replaces the one of that name, and enables it.
    ///
    /// # Errors
    /// [`CatalogError::CredentialInvalid`], `ChannelNotFound`, `Conflict`; storage.
    pub async fn credential_put(
        &self,
        channel: ChannelId,
        name: &str,
        secret: &SecretString,
    ) -> Result<Put<Credential>, CatalogError> {
        self.db.write("credential.put", |tx| Box::pin(self.credential_put_in_tx(tx, channel, name, secret))).await
    }

    /// [`Self::credential_put`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn credential_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        channel: ChannelId,
        name: &str,
        secret: &SecretString,
    ) -> Result<Put<Credential>, CatalogError> {
        credential_check(name, secret)?;
        let found = Self::credential_named(tx, channel, name).await?;
        let (now, digest) = (self.clock.now(), self.credential_digest(secret));
        if let Some(same) = found.as_ref().filter(|c| c.digest == digest && c.enabled) {
            return Ok(Put::new(same.clone(), Outcome::Unchanged));
        }
        let credential = Credential {
            id: found.as_ref().map_or_else(CredentialId::fresh, |c| c.id),
            enabled: true,
            created_at: found.as_ref().map_or(now, |c| c.created_at),
            updated_at: now,
            digest,
        };
        let sealed = self.keys.platform_key().seal(&aad(credential.id.0), secret.expose_secret().as_bytes());
        let outcome = if found.is_some() {
            store::credential_replace(tx, &credential, sealed).await?;
            Outcome::Updated
        } else {
            let inserted = store::credential_insert(tx, channel, name, &credential, sealed).await;
            inserted.map_err(on_clash(CatalogError::Conflict))?;
            Outcome::Created
        };
        changes::append(tx, &Change::Catalog, now).await?;
        Ok(Put::new(credential, outcome))
    }

    /// Enables or disables a credential of a channel.
    ///
    /// # Errors
    /// [`CatalogError::ChannelNotFound`], `CredentialNotFound`; storage.
    pub async fn credential_set_enabled(
        &self,
        channel: ChannelId,
        name: &str,
        enabled: bool,
    ) -> Result<(), CatalogError> {
        self.db
            .write("credential.set_enabled", |tx| {
                Box::pin(self.credential_set_enabled_in_tx(tx, channel, name, enabled))
            })
            .await
    }

    /// [`Self::credential_set_enabled`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn credential_set_enabled_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        channel: ChannelId,
        name: &str,
        enabled: bool,
    ) -> Result<(), CatalogError> {
        let found = Self::credential_named(tx, channel, name).await?.ok_or(CatalogError::CredentialNotFound)?;
        let now = self.clock.now();
        store::credential_status(tx, found.id, enabled, now).await?;
        changes::append(tx, &Change::Catalog, now).await?;
        Ok(())
    }

    /// The secret of a credential of a channel. Whoever shows it has recorded that first.
    ///
    /// # Errors
    /// [`CatalogError::ChannelNotFound`], `CredentialNotFound`; storage.
    pub async fn credential_reveal(&self, channel: ChannelId, name: &str) -> Result<SecretString, CatalogError> {
        self.db
            .read("credential.reveal", |tx| {
                Box::pin(async move {
                    let found = Self::credential_named(tx, channel, name).await?;
                    let id = found.ok_or(CatalogError::CredentialNotFound)?.id;
                    let sealed = store::credential_sealed(tx, id).await?.ok_or(CatalogError::CredentialNotFound)?;
                    Ok(self.credential_opened(id, &sealed)?)
                })
            })
            .await
    }

    /// Deletes a credential of a channel; its secret is gone.
    ///
    /// # Errors
    /// [`CatalogError::ChannelNotFound`], `CredentialNotFound`; storage.
    pub async fn credential_delete(&self, channel: ChannelId, name: &str) -> Result<(), CatalogError> {
        self.db.write("credential.delete", |tx| Box::pin(self.credential_delete_in_tx(tx, channel, name))).await
    }

    /// [`Self::credential_delete`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn credential_delete_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        channel: ChannelId,
        name: &str,
    ) -> Result<(), CatalogError> {
        let found = Self::credential_named(tx, channel, name).await?;
        store::credential_delete(tx, found.ok_or(CatalogError::CredentialNotFound)?.id).await?;
        changes::append(tx, &Change::Catalog, self.clock.now()).await?;
        Ok(())
    }

    /// The digest by which a secret is compared with the one that is kept.
    #[must_use]
    pub fn credential_digest(&self, secret: &SecretString) -> [u8; 32] {
        keyed_hash(&self.keys.hash_key(DIGEST), DIGEST, secret.expose_secret().as_bytes())
    }

    /// The channel's credential of that name.
    async fn credential_named(
        tx: &mut ReadTx<'_>,
        channel: ChannelId,
        name: &str,
    ) -> Result<Option<Credential>, CatalogError> {
        let mut channel = store::channel_by_id(tx, channel).await?.ok_or(CatalogError::ChannelNotFound)?;
        Ok(channel.credentials.remove(name))
    }
}
