//! Whether a database is the one of this keyring, whether the keyring is as new as the database knows it, and who in it was
//! erased since it was copied.

use super::{ErasuresHead, KeyStore, store};
use crate::db::Db;
use tacit_kernel::ids::AccountId;
use tacit_kernel::{ErrorKind, Fault};
use uuid::Uuid;

/// Accounts looked at in a step.
const STEP: i64 = 1000;

impl KeyStore {
    /// Compares the accounts of a database with the keyring; how many of them were erased and are still there: a restored
    /// backup, or an erasure that is under way. [`Self::erased_in`] lists them.
    ///
    /// # Errors
    /// `keyring.other` if an account has neither key nor tombstone: the keyring is not the one of this database, or a copy
    /// from before that account. `keyring.older` if the database knows of erasures that the keyring does not. Storage faults.
    pub async fn check_against(&self, db: &Db) -> Result<u64, Fault> {
        let known = db.read("keyring.known", |tx| Box::pin(store::known(tx))).await?;
        if !self.knows(&known).await? {
            return Err(older(&known));
        }
        let (mut after, mut erased) = (None, 0_u64);
        loop {
            let accounts = accounts(db, after).await?;
            let Some(last) = accounts.last() else { return Ok(erased) };
            after = Some(*last);
            let keyless = self.keyless(&accounts).await?;
            let buried = self.erased(&keyless).await?;
            let lost = keyless.len().saturating_sub(buried.len());
            if lost > 0 {
                return Err(Fault::new(
                    ErrorKind::Internal,
                    "keyring.other",
                    "the keyring is not the one of this database, or an older copy of it: accounts have no key in it \
                     though nobody erased them. Give the keyring that belongs to the database",
                )
                .with_detail(format!("{lost} of {} accounts looked at last", accounts.len())));
            }
            erased = erased.saturating_add(u64::try_from(buried.len()).unwrap_or(u64::MAX));
        }
    }

    /// Tells the database how far the list of erasures goes, so that it does not take an older keyring for this one.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn remember_in(&self, db: &Db) -> Result<(), Fault> {
        let (head, now) = (&self.erasures_head().await?, self.clock.now());
        if head.count == 0 {
            return Ok(());
        }
        Ok(db.write("keyring.remember", |tx| Box::pin(store::remember(tx, head, now))).await?)
    }

    /// Accounts of a database that were erased and are still there, in the order of their ids after that one, and where
    /// to go on; `None` when all were looked at. A page may be empty and not the last.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn erased_in(
        &self,
        db: &Db,
        after: Option<AccountId>,
    ) -> Result<(Vec<AccountId>, Option<AccountId>), Fault> {
        let accounts = accounts(db, after.map(|id| id.0)).await?;
        let Some(last) = accounts.last() else { return Ok((Vec::new(), None)) };
        let keyless = self.keyless(&accounts).await?;
        let buried = self.erased(&keyless).await?;
        let mut found: Vec<AccountId> = buried.into_iter().map(AccountId).collect();
        found.sort_unstable_by_key(|id| id.0);
        Ok((found, Some(AccountId(*last))))
    }

    async fn keyless(&self, accounts: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
        let there = self.db.read("keyring.keyless", |tx| Box::pin(store::keys_there(tx, accounts))).await?;
        Ok(accounts.iter().copied().filter(|id| !there.contains(id)).collect())
    }
}

/// The keyring lacks erasures that are known of.
pub(super) fn older(known: &ErasuresHead) -> Fault {
    Fault::new(
        ErrorKind::Internal,
        "keyring.older",
        format!(
            "the keyring is an older copy: {} erasures are known of that it does not have, so that it would open what was \
             erased. Give the newest keyring, or restore one with `tacit restore keyring` and the erasure log \
             (docs/backups.md)",
            known.count
        ),
    )
}

async fn accounts(db: &Db, after: Option<Uuid>) -> Result<Vec<Uuid>, Fault> {
    Ok(db.read("keyring.accounts", |tx| Box::pin(store::accounts(tx, after, STEP))).await?)
}
