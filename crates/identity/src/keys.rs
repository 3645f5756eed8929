//! API keys. The key itself exists only in the answer to its creation; afterwards it is a keyed hash and a hint.

mod model;
mod naming;
mod store;
#[cfg(test)]
mod tests;

use crate::accounts::opened;
use crate::verification::Restricted;
use crate::{Identity, IdentityError, is_personal_name, limits_text};
use secrecy::{ExposeSecret, SecretString};
use store::KeyRow;
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{AccountId, KeyId, ProjectId};
use tacit_kernel::limits::Limits;
use tacit_kernel::{Personal, keytext};
use tacit_storage::changes::{self, Change};
use tacit_storage::{Page, Paged, ReadTx, WriteTx};
use tacit_vault::{Aad, SealKey, keyed_hash};
use uuid::Uuid;

pub use model::{ApiKey, Belongs, BudgetOf, KeyAuthority, KeyBudget, KeyChange, KeyEnd, KeyFacts, Retired};
pub(crate) use store::{STATEMENTS, count_active as count_active_in_tx};

/// Keys of one account, in use or not, but for those that were put away.
const MOST: u64 = 1000;
/// Label and domain of the keyed hash under which keys are known, here and in gateways.
const HASH: &str = "api-key";
/// Purpose of the key with which gateways seal what a call record holds about a person.
const CALLS: &str = "calls";

fn aad(row: Uuid) -> Aad<'static> {
    Aad { table: "api_keys", column: "name_sealed", row }
}

impl Identity {
    /// Makes a key on the authority of who works on the machine, enabled. The returned secret is shown once and kept nowhere.
    ///
    /// # Errors
    /// [`IdentityError::KeyNameInvalid`], `KeyNameTaken`, `LimitsInvalid`, `AccountNotFound`, `AccountErased`, `TooMuch`;
    /// storage, keyring.
    pub async fn key_create(
        &self,
        account: AccountId,
        name: &Personal<String>,
        source: CallSource,
        limits: &Limits,
    ) -> Result<(ApiKey, SecretString), IdentityError> {
        let by = KeyAuthority::Staff;
        self.db.write("key.create", |tx| Box::pin(self.key_create_in_tx(tx, (account, by), name, source, limits))).await
    }

    /// [`Self::key_create`] as part of a larger transaction, on that authority.
    ///
    /// # Errors
    /// As there.
    pub async fn key_create_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (account, by): (AccountId, KeyAuthority),
        name: &Personal<String>,
        source: CallSource,
        limits: &Limits,
    ) -> Result<(ApiKey, SecretString), IdentityError> {
        self.key_make_in_tx(tx, (account, by), Belongs::default(), name, source, limits).await
    }

    /// Makes a key that belongs so, on that authority.
    pub(crate) async fn key_make_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (account, by): (AccountId, KeyAuthority),
        belongs: Belongs,
        name: &Personal<String>,
        source: CallSource,
        limits: &Limits,
    ) -> Result<(ApiKey, SecretString), IdentityError> {
        key_name_check(name.reveal())?;
        let text = limits_text(limits)?;
        self.unverified_may_in_tx(tx, account, Restricted::ApiKey).await?;
        if self.account_by_id_in_tx(tx, account).await?.is_none() {
            return Err(IdentityError::AccountNotFound);
        }
        if store::count(tx, account).await? >= MOST {
            return Err(IdentityError::TooMuch);
        }
        let subject = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        if self.key_named(tx, account, &subject, name.reveal()).await?.is_some() {
            return Err(IdentityError::KeyNameTaken);
        }
        let secret = keytext::generate(&mut rand::rng());
        let (id, now) = (KeyId::fresh(), self.clock.now());
        let row = KeyRow {
            id,
            account,
            belongs,
            name_sealed: subject.seal(&aad(id.0), name.reveal().as_bytes()),
            hash: self.key_hash(&secret),
            hint: keytext::hint(&secret),
            source,
            enabled: true,
            disabled_by: KeyAuthority::Owner,
            ended: None,
            limits: limits.clone(),
            limits_by: limits_set(limits, by),
            created_at: now,
            updated_at: now,
            name_lookup: Some(self.key_lookup(account, name.reveal())),
            retired_at: None,
        };
        store::key_insert(tx, &row, text).await.map_err(naming::clash)?;
        // A gateway may just have learnt that there is no such key.
        changes::append(tx, &Change::Key(row.hash), now).await?;
        Ok((self.key_opened(row).await?, secret))
    }

    /// Changes a key on the authority of who works on the machine.
    ///
    /// # Errors
    /// As [`Self::key_create`], and [`IdentityError::KeyNotFound`], [`IdentityError::KeyEnded`],
    /// [`IdentityError::KeyHeld`].
    pub async fn key_update(&self, id: KeyId, change: &KeyChange) -> Result<ApiKey, IdentityError> {
        self.db.write("key.update", |tx| Box::pin(self.key_update_in_tx(tx, (id, KeyAuthority::Staff), change))).await
    }

    /// [`Self::key_update`] as part of a larger transaction, on that authority.
    ///
    /// # Errors
    /// As there.
    pub async fn key_update_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (id, by): (KeyId, KeyAuthority),
        change: &KeyChange,
    ) -> Result<ApiKey, IdentityError> {
        let mut row = store::key_by_id(tx, id).await?.ok_or(IdentityError::KeyNotFound)?;
        if row.retired_at.is_some() {
            return Err(IdentityError::KeyEnded);
        }
        if let Some(name) = &change.name {
            key_name_check(name.reveal())?;
            let subject = self.subject_key(row.account).await?.ok_or(IdentityError::AccountErased)?;
            if self.key_named(tx, row.account, &subject, name.reveal()).await?.is_some_and(|other| other != id) {
                return Err(IdentityError::KeyNameTaken);
            }
            row.name_sealed = subject.seal(&aad(id.0), name.reveal().as_bytes());
            row.name_lookup = Some(self.key_lookup(row.account, name.reveal()));
        }
        if let Some(limits) = &change.limits
            && *limits != row.limits
        {
            if by < row.limits_by {
                return Err(IdentityError::KeyHeld);
            }
            row.limits.clone_from(limits);
            row.limits_by = limits_set(limits, by);
        }
        if change.enabled == Some(true) && !row.enabled {
            if row.ended.is_some() {
                return Err(IdentityError::KeyEnded);
            }
            if by < row.disabled_by {
                return Err(IdentityError::KeyHeld);
            }
            self.key_may_serve_in_tx(tx, row.account, row.belongs).await?;
            self.key_has_room_in_tx(tx, row.account, row.belongs).await?;
            self.unverified_may_in_tx(tx, row.account, Restricted::ApiKey).await?;
        }
        match change.enabled {
            Some(true) => (row.enabled, row.disabled_by) = (true, KeyAuthority::Owner),
            Some(false) => (row.enabled, row.disabled_by) = (false, row.disabled_by.max(by)),
            None => {}
        }
        if change.revoke {
            row.enabled = false;
            row.ended = row.ended.or(Some(KeyEnd::Revoked));
        }
        row.updated_at = self.clock.now();
        store::key_update(tx, &row, limits_text(&row.limits)?).await.map_err(naming::clash)?;
        changes::append(tx, &Change::Key(row.hash), row.updated_at).await?;
        if !row.enabled || change.limits.is_some() {
            let recall = Change::Recall { account: row.account, but: None };
            changes::append(tx, &recall, row.updated_at).await?;
        }
        self.key_opened(row).await
    }

    /// Disables a key; gateways learn of it at once.
    ///
    /// # Errors
    /// [`IdentityError::KeyNotFound`]; storage.
    pub async fn key_disable(&self, id: KeyId) -> Result<ApiKey, IdentityError> {
        self.key_update(id, &KeyChange { enabled: Some(false), ..KeyChange::default() }).await
    }

    /// The key named by `key_…`, or by `account/name` where account is an id or a name.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn key_by_ref(&self, reference: &str) -> Result<Option<ApiKey>, IdentityError> {
        self.db.read("key.by_ref", |tx| Box::pin(self.key_by_ref_in_tx(tx, reference))).await
    }

    /// [`Self::key_by_ref`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn key_by_ref_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        reference: &str,
    ) -> Result<Option<ApiKey>, IdentityError> {
        let id = match (reference.parse::<KeyId>(), reference.rsplit_once('/')) {
            (Ok(id), _) => Some(id),
            (Err(_), None) => None,
            (Err(_), Some((account, name))) => match self.account_by_ref_in_tx(tx, account).await? {
                Some(account) => match self.subject_key(account.id).await? {
                    Some(subject) => self.key_named(tx, account.id, &subject, name).await?,
                    None => None,
                },
                None => None,
            },
        };
        let Some(id) = id else { return Ok(None) };
        match store::key_by_id(tx, id).await? {
            Some(row) => self.key_opened(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// A page of keys, oldest first, of one account or of all.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn key_list(
        &self,
        account: Option<AccountId>,
        retired: Retired,
        page: Page,
    ) -> Result<Paged<ApiKey>, IdentityError> {
        self.db.read("key.list", |tx| Box::pin(self.key_list_in_tx(tx, account, (retired, page)))).await
    }

    /// [`Self::key_list`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn key_list_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: Option<AccountId>,
        (retired, page): (Retired, Page),
    ) -> Result<Paged<ApiKey>, IdentityError> {
        let mut items = Vec::new();
        for row in store::key_list(tx, account, (retired, page)).await? {
            items.push(self.key_opened(row).await?);
        }
        Ok(page.take(items, |key| key.id.0))
    }

    /// A page of the keys of one member of an organisation, oldest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn key_list_of_member(
        &self,
        organisation: AccountId,
        member: AccountId,
        (retired, page): (Retired, Page),
    ) -> Result<Paged<ApiKey>, IdentityError> {
        let (of, page_of) = ((organisation, member), (retired, page));
        let rows = self.db.read("key.list", |tx| Box::pin(store::key_list_of_member(tx, of, page_of))).await?;
        let mut items = Vec::new();
        for row in rows {
            items.push(self.key_opened(row).await?);
        }
        Ok(page.take(items, |key| key.id.0))
    }

    /// A page of the keys of one project of an organisation, oldest first: its own, and those of members.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn key_list_of_project(
        &self,
        organisation: AccountId,
        project: ProjectId,
        (retired, page): (Retired, Page),
    ) -> Result<Paged<ApiKey>, IdentityError> {
        let (of, page_of) = ((organisation, project), (retired, page));
        let rows = self.db.read("key.list", |tx| Box::pin(store::key_list_of_project(tx, of, page_of))).await?;
        let mut items = Vec::new();
        for row in rows {
            items.push(self.key_opened(row).await?);
        }
        Ok(page.take(items, |key| key.id.0))
    }

    /// What a gateway must know of the key with this keyed hash. Of the limits of the account those that hold now: the
    /// account's own, and narrower ones until it was verified.
    ///
    /// # Errors
    /// Storage.
    pub async fn key_grant_by_hash(&self, hash: [u8; 32]) -> Result<Option<KeyFacts>, IdentityError> {
        let find = async |tx: &mut ReadTx<'_>| {
            let Some(mut facts) = store::key_grant(tx, hash).await? else { return Ok(None) };
            facts.account_limits = self.limits_in_force_in_tx(tx, facts.account, facts.account_limits).await?;
            Ok::<_, IdentityError>(Some(facts))
        };
        let find = &find;
        self.db.read("key.grant_by_hash", |tx| Box::pin(find(tx))).await
    }

    /// The keyed hash under which this key is known.
    #[must_use]
    pub fn key_hash(&self, key: &SecretString) -> [u8; 32] {
        keyed_hash(&self.keys.hash_key(HASH), HASH, key.expose_secret().as_bytes())
    }

    /// The key with which a gateway seals address and user agent in this account's call records; `None` once the
    /// subject key was destroyed.
    ///
    /// # Errors
    /// Keyring.
    pub async fn account_call_seal_key(&self, account: AccountId) -> Result<Option<SealKey>, IdentityError> {
        Ok(self.subject_key(account).await?.map(|key| key.derive(CALLS)))
    }

    async fn key_opened(&self, row: KeyRow) -> Result<ApiKey, IdentityError> {
        let name = match self.subject_key(row.account).await? {
            Some(key) => Some(opened(&key, &aad(row.id.0), &row.name_sealed)?),
            None => None,
        };
        Ok(ApiKey {
            id: row.id,
            account: row.account,
            belongs: row.belongs,
            name,
            hint: row.hint,
            source: row.source,
            enabled: row.enabled,
            disabled_by: row.disabled_by,
            ended: row.ended,
            limits: row.limits,
            limits_by: row.limits_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            retired_at: row.retired_at,
        })
    }
}

/// Who holds limits that are set on that authority: of none there is nothing to hold.
fn limits_set(limits: &Limits, by: KeyAuthority) -> KeyAuthority {
    if *limits == Limits::default() { KeyAuthority::Owner } else { by }
}

/// Whether a key may be called so.
///
/// # Errors
/// [`IdentityError::KeyNameInvalid`].
pub fn key_name_check(name: &str) -> Result<(), IdentityError> {
    let ok = is_personal_name(name) && !name.contains('/') && name.parse::<KeyId>().is_err();
    if ok { Ok(()) } else { Err(IdentityError::KeyNameInvalid) }
}
