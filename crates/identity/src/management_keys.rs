//! Keys with which programs use the console API (`tm-…`). One may do what its owner may, as far as the key names it (scopes
//! for what is the owner's own, permissions beyond that), and loses what its owner loses. What asks for step-up no key can do.

pub(crate) mod store;

pub(crate) use store::STATEMENTS;

use crate::access::{Caller, Permissions, Scopes, Via};
use crate::accounts::opened;
use crate::notices::Notice;
use crate::verification::Restricted;
use crate::{Identity, IdentityError, is_personal_name};
use secrecy::{ExposeSecret, SecretString};
use store::ManagementKeyRow;
use tacit_kernel::ids::{AccountId, ManagementKeyId};
use tacit_kernel::keytext::{self, KeyKind};
use tacit_kernel::{Personal, Timestamp};
use tacit_storage::{Page, Paged, ReadTx, WriteTx};
use tacit_vault::{Aad, SealKey, keyed_hash};

/// Keys of one account that may be used.
const MOST: u64 = 100;
/// How long a key that was revoked is listed, in microseconds: ninety days.
const REVOKED: i64 = 90 * 86_400_000_000;
const LABEL: &str = "management-key";

fn aad(id: ManagementKeyId) -> Aad<'static> {
    Aad { table: "management_keys", column: "name_sealed", row: id.0 }
}

/// A management key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementKey {
    /// Its id.
    pub id: ManagementKeyId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name; `None`: it cannot be read any more.
    pub name: Option<Personal<String>>,
    /// `tm-…` and its last four characters.
    pub hint: String,
    /// What it may do with what is its owner's own.
    pub scopes: Scopes,
    /// What it may do beyond that, as far as the owner may.
    pub permissions: Permissions,
    /// Whether it may be used.
    pub enabled: bool,
    /// From when on it may not.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What to change of a key; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct ManagementKeyChange {
    /// Another name.
    pub name: Option<Personal<String>>,
    /// Other scopes, replacing all.
    pub scopes: Option<Scopes>,
    /// Other permissions, replacing all.
    pub permissions: Option<Permissions>,
    /// Another moment from when on it is void, or none.
    pub expires_at: Option<Option<Timestamp>>,
}

impl Identity {
    /// Makes a key, as part of a transaction; the key itself is shown this once.
    ///
    /// # Errors
    /// [`IdentityError::KeyNameInvalid`], [`IdentityError::BeyondOwn`], [`IdentityError::TooMuch`],
    /// [`IdentityError::AccountErased`]; storage, keyring.
    pub async fn management_key_create_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        name: &Personal<String>,
        (scopes, permissions): (Scopes, Permissions),
        expires_at: Option<Timestamp>,
    ) -> Result<(ManagementKey, SecretString), IdentityError> {
        if !is_personal_name(name.reveal()) {
            return Err(IdentityError::KeyNameInvalid);
        }
        if !permissions.is_within(self.permissions_of_in_tx(tx, account).await?) {
            return Err(IdentityError::BeyondOwn);
        }
        self.unverified_may_in_tx(tx, account, Restricted::ManagementKey).await?;
        if store::count(tx, account).await? >= MOST {
            return Err(IdentityError::TooMuch);
        }
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let secret = keytext::generate_for(KeyKind::Management, &mut rand::rng());
        let (id, now) = (ManagementKeyId::fresh(), self.clock.now());
        let row = ManagementKeyRow {
            id,
            account,
            name_sealed: key.seal(&aad(id), name.reveal().as_bytes()),
            hint: keytext::hint(&secret),
            scopes,
            permissions,
            enabled: true,
            expires_at,
            created_at: now,
            updated_at: now,
        };
        store::insert(tx, &row, &self.management_key_hash(&secret)).await?;
        self.tell_in_tx(tx, account, Notice::ManagementKeyMade).await?;
        Ok((management_key_opened(Some(&key), row)?, secret))
    }

    /// Changes a key that may be used, as part of a transaction. What it may do then is held to the rules of making one.
    ///
    /// # Errors
    /// [`IdentityError::KeyNotFound`], [`IdentityError::KeyEnded`], and as [`Self::management_key_create_in_tx`].
    pub async fn management_key_update_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (account, id): (AccountId, ManagementKeyId),
        change: &ManagementKeyChange,
    ) -> Result<ManagementKey, IdentityError> {
        let mut row = store::by_id(tx, account, id).await?.ok_or(IdentityError::KeyNotFound)?;
        if !row.enabled {
            return Err(IdentityError::KeyEnded);
        }
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        if let Some(name) = &change.name {
            if !is_personal_name(name.reveal()) {
                return Err(IdentityError::KeyNameInvalid);
            }
            row.name_sealed = key.seal(&aad(id), name.reveal().as_bytes());
        }
        let before = (row.scopes, row.permissions, row.expires_at);
        row.scopes = change.scopes.unwrap_or(row.scopes);
        row.permissions = change.permissions.unwrap_or(row.permissions);
        row.expires_at = change.expires_at.unwrap_or(row.expires_at);
        if before != (row.scopes, row.permissions, row.expires_at) {
            // A key that may more, or longer, is as good as a new one; so it is asked and told as for a new one.
            if !row.permissions.is_within(self.permissions_of_in_tx(tx, account).await?) {
                return Err(IdentityError::BeyondOwn);
            }
            self.unverified_may_in_tx(tx, account, Restricted::ManagementKey).await?;
            self.tell_in_tx(tx, account, Notice::ManagementKeyChanged).await?;
        }
        row.updated_at = self.clock.now();
        store::update(tx, &row).await?;
        management_key_opened(Some(&key), row)
    }

    /// Who shows that key, if it may be used.
    ///
    /// # Errors
    /// Storage.
    pub async fn caller_by_management_key(&self, secret: &SecretString) -> Result<Option<Caller>, IdentityError> {
        if keytext::kind(secret.expose_secret()) != Some(KeyKind::Management) {
            return Ok(None);
        }
        let (hash, now) = (self.management_key_hash(secret), self.clock.now());
        let hash = &hash;
        let find = async |tx: &mut ReadTx<'_>| {
            let Some(row) = store::by_hash(tx, hash).await? else { return Ok(None) };
            let usable = row.enabled && row.expires_at.is_none_or(|at| now < at);
            let permissions = row.permissions.intersection(self.permissions_of_in_tx(tx, row.account).await?);
            let via = Via::ManagementKey(row.id, row.scopes);
            let caller = Caller { account: row.account, via, permissions, stepped_up: false };
            Ok::<_, IdentityError>(usable.then_some(caller))
        };
        let find = &find;
        self.db.read("management_key.caller", |tx| Box::pin(find(tx))).await
    }

    /// A page of the keys of an account, oldest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn management_key_list(
        &self,
        account: AccountId,
        page: Page,
    ) -> Result<Paged<ManagementKey>, IdentityError> {
        let rows = self.db.read("management_key.list", |tx| Box::pin(store::of_account(tx, account, page))).await?;
        let key = self.subject_key(account).await?;
        let items =
            rows.into_iter().map(|row| management_key_opened(key.as_ref(), row)).collect::<Result<Vec<_>, _>>()?;
        Ok(page.take(items, |key| key.id.0))
    }

    /// A key of an account.
    ///
    /// # Errors
    /// [`IdentityError::KeyNotFound`]; storage, keyring.
    pub async fn management_key_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        id: ManagementKeyId,
    ) -> Result<ManagementKey, IdentityError> {
        let row = store::by_id(tx, account, id).await?.ok_or(IdentityError::KeyNotFound)?;
        management_key_opened(self.subject_key(account).await?.as_ref(), row)
    }

    /// Disables a key of an account for good, as part of a transaction.
    ///
    /// # Errors
    /// [`IdentityError::KeyNotFound`]; storage.
    pub async fn management_key_revoke_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        id: ManagementKeyId,
    ) -> Result<(), IdentityError> {
        let revoked = store::revoke(tx, account, id, self.clock.now()).await?;
        if revoked { Ok(()) } else { Err(IdentityError::KeyNotFound) }
    }

    /// Forgets keys that were revoked long ago.
    pub(crate) async fn management_keys_forget_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        limit: u32,
    ) -> Result<u64, IdentityError> {
        Ok(store::forget(tx, self.clock.now().plus_micros(-REVOKED), limit).await?)
    }

    pub(crate) fn management_key_hash(&self, secret: &SecretString) -> [u8; 32] {
        keyed_hash(&self.keys.hash_key(LABEL), LABEL, secret.expose_secret().as_bytes())
    }
}

fn management_key_opened(key: Option<&SealKey>, row: ManagementKeyRow) -> Result<ManagementKey, IdentityError> {
    Ok(ManagementKey {
        name: key.map(|key| opened(key, &aad(row.id), &row.name_sealed)).transpose()?,
        id: row.id,
        account: row.account,
        hint: row.hint,
        scopes: row.scopes,
        permissions: row.permissions,
        enabled: row.enabled,
        expires_at: row.expires_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
