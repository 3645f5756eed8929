//! A key was found where it does not belong: whoever shows it may have it disabled, and need not say who they are. To know
//! a key is all that is needed to misuse it, so it is enough to end it.

use crate::notices::Notice;
use crate::{Identity, IdentityError};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;
use std::net::IpAddr;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_kernel::keytext::{self, KeyKind};
use tacit_storage::changes::{self, Change};
use tacit_storage::{Sql, StorageError, WriteTx};

const DISABLE_KEY: Sql = Sql::new(
    "UPDATE api_keys SET status = 'disabled', ended = 'leaked', updated_at = $2 WHERE hash = $1 AND ended IS NULL \
     RETURNING account_id, COALESCE(member_id, account_id) AS owner_id",
);
const DISABLE_MANAGEMENT_KEY: Sql = Sql::new(
    "UPDATE management_keys SET status = 'disabled', updated_at = $2 WHERE hash = $1 AND status = 'active' \
     RETURNING account_id, account_id AS owner_id",
);

/// The statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = &[&DISABLE_KEY, &DISABLE_MANAGEMENT_KEY];

impl Identity {
    /// Disables the key that was found, of either kind, as part of a transaction; gateways learn of it at once. Gives whose
    /// it is, who is to be told, of a key of an organisation its member; `None`: it is no key of this platform that may still be used.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`] from one address; storage.
    pub async fn leak_report_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        found: &SecretString,
        from: IpAddr,
    ) -> Result<Option<AccountId>, IdentityError> {
        let text = found.expose_secret().trim();
        let target = self.key_hash(&SecretString::from(text));
        let counted = self.guess(&target, from);
        self.count_in_tx(tx, &counted).await?;
        let owner = self.found_in_tx(tx, text, &target).await?;
        if let Some(owner) = owner {
            self.tell_in_tx(tx, owner, Notice::KeyLeaked).await?;
            // No guess: whoever goes through what a scanner found must not wait.
            self.guessed_right_in_tx(tx, &counted).await?;
        }
        Ok(owner)
    }

    /// Disables each of the keys that were found, as [`Self::leak_report_in_tx`]. All together are one try: nobody guesses a key,
    /// and whoever goes through what a scanner found must come to its end. Gives whose they are, each once; each is told once.
    ///
    /// # Errors
    /// As there.
    pub async fn leaks_report_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        found: &[SecretString],
        from: IpAddr,
    ) -> Result<BTreeSet<AccountId>, IdentityError> {
        let counted = self.guess_at_code(from);
        self.count_in_tx(tx, &counted).await?;
        let mut owners = BTreeSet::new();
        for key in found {
            let text = key.expose_secret().trim();
            let target = self.key_hash(&SecretString::from(text));
            owners.extend(self.found_in_tx(tx, text, &target).await?);
        }
        if !owners.is_empty() {
            self.guessed_right_in_tx(tx, &counted).await?;
        }
        for owner in &owners {
            self.tell_in_tx(tx, *owner, Notice::KeyLeaked).await?;
        }
        Ok(owners)
    }

    async fn found_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        text: &str,
        target: &[u8; 32],
    ) -> Result<Option<AccountId>, IdentityError> {
        let now = self.clock.now();
        match keytext::kind(text) {
            Some(KeyKind::Model) => {
                let Some((account, owner)) = disable(tx, &DISABLE_KEY, target, now).await? else { return Ok(None) };
                changes::append(tx, &Change::Key(*target), now).await?;
                changes::append(tx, &Change::Recall { account, but: None }, now).await?;
                Ok(Some(owner))
            }
            Some(KeyKind::Management) => {
                let hash = self.management_key_hash(&SecretString::from(text));
                let Some((_, owner)) = disable(tx, &DISABLE_MANAGEMENT_KEY, &hash, now).await? else { return Ok(None) };
                Ok(Some(owner))
            }
            None => Ok(None),
        }
    }
}

/// The account and who is to be told.
async fn disable(
    tx: &mut WriteTx<'_>,
    statement: &Sql,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<(AccountId, AccountId)>, StorageError> {
    let row = tx.one(statement, &[hash.into(), now.into()]).await?;
    row.map(|row| Ok((row.get("account_id")?, row.get("owner_id")?))).transpose()
}
