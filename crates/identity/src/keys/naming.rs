//! How keys are found by their name, and put away. Names are sealed; a keyed hash of the name, made with whose key it is, so that
//! equal names of two accounts are not seen to be equal, finds one and keeps them unique within the account.

use super::{KeyRow, aad, store};
use crate::accounts::opened;
use crate::{Identity, IdentityError, KeyEnd};
use tacit_kernel::ids::{AccountId, KeyId};
use tacit_storage::{ReadTx, StorageError, StorageErrorKind, WriteTx};
use tacit_vault::{SealKey, keyed_hash};
use uuid::Uuid;

/// Label and domain of the hash by which a key is found by its name.
const LOOKUP: &str = "api-key-name";
/// Keys whose names are renewed in one transaction at most.
const STEP: u32 = 200;

impl Identity {
    /// The account's key of that name.
    pub(super) async fn key_named(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        subject: &SealKey,
        name: &str,
    ) -> Result<Option<KeyId>, IdentityError> {
        if let Some(id) = store::key_by_name(tx, account, &self.key_lookup(account, name)).await? {
            return Ok(Some(id));
        }
        // Those that the program before made, until they are renewed.
        for (id, sealed) in store::key_names(tx, account).await? {
            if opened(subject, &aad(id.0), &sealed)?.reveal() == name {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    pub(super) fn key_lookup(&self, account: AccountId, name: &str) -> [u8; 32] {
        let said = zeroize::Zeroizing::new([account.0.as_bytes().as_slice(), name.as_bytes()].concat());
        keyed_hash(&self.keys.hash_key(LOOKUP), LOOKUP, &said)
    }

    /// Puts a key away that is not in use, for good: it is in no list and counts for no limit, and its name is free. What refers
    /// to it finds it by its id.
    ///
    /// # Errors
    /// [`IdentityError::KeyNotFound`], [`IdentityError::KeyInUse`], [`IdentityError::TooMany`]; storage, keyring.
    pub async fn key_retire_in_tx(&self, tx: &mut WriteTx<'_>, id: KeyId) -> Result<(), IdentityError> {
        let mut row = store::key_by_id(tx, id).await?.ok_or(IdentityError::KeyNotFound)?;
        if row.enabled {
            return Err(IdentityError::KeyInUse);
        }
        if row.retired_at.is_some() {
            return Ok(());
        }
        // Its row stays, so that there must be an end to them.
        self.count_in_tx(tx, &self.retiring(row.account)).await?;
        let now = self.clock.now();
        (row.ended, row.retired_at, row.name_lookup) = (row.ended.or(Some(KeyEnd::Revoked)), Some(now), None);
        row.updated_at = now;
        let limits = crate::limits_text(&row.limits)?;
        Ok(store::key_update(tx, &row, limits).await?)
    }

    /// Has keys found by their name that the program before made.
    pub(crate) async fn key_names_renew(&self) -> Result<u64, IdentityError> {
        let (mut after, mut renewed) = (KeyId(Uuid::nil()), 0);
        loop {
            let step = async |tx: &mut WriteTx<'_>| {
                let rows = store::of_unfound_names(tx, after, STEP).await?;
                for row in &rows {
                    self.key_name_renew_in_tx(tx, row).await?;
                }
                Ok::<_, IdentityError>((rows.last().map(|row| row.id), rows.len()))
            };
            let step = &step;
            let (last, count) = self.db.write("key.names_renew", |tx| Box::pin(step(tx))).await?;
            let Some(last) = last else { return Ok(renewed) };
            (after, renewed) = (last, renewed + u64::try_from(count).unwrap_or(0));
        }
    }

    async fn key_name_renew_in_tx(&self, tx: &mut WriteTx<'_>, row: &KeyRow) -> Result<(), IdentityError> {
        // Of who was erased nothing can be read, and nobody asks for it.
        let Some(key) = self.subject_key(row.account).await? else { return Ok(()) };
        let Ok(name) = opened(&key, &aad(row.id.0), &row.name_sealed) else { return Ok(()) };
        let lookup = self.key_lookup(row.account, name.reveal());
        if store::key_by_name(tx, row.account, &lookup).await?.is_none() {
            store::key_name_renew(tx, row.id, &lookup).await?;
        }
        Ok(())
    }
}

/// The clash that an insert or update of a key can meet, in words of this crate.
pub(super) fn clash(error: StorageError) -> IdentityError {
    match error.kind {
        StorageErrorKind::Unique => IdentityError::KeyNameTaken,
        _ => error.into(),
    }
}
