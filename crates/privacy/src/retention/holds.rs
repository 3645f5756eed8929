//! Legal holds: nothing of an account is deleted while a court or an authority demands it. A hold keeps what is there; it makes
//! nothing be kept that is not kept anyway, and ends by itself.

use super::Retention;
use std::collections::HashSet;
use tacit_kernel::ids::{AccountId, LegalHoldId};
use tacit_kernel::{ErrorKind, Fault, Personal, Timestamp};
use tacit_storage::{Page, Paged, ReadTx, Row, Sql, StorageError, WriteTx};
use tacit_vault::{Aad, SealKey};

/// The longest reason, in bytes.
const REASON_MAX: usize = 1000;
/// The longest hold, in microseconds: three years. Whoever needs longer says so again.
const LONGEST: i64 = 3 * 366 * 86_400_000_000;

const HELD: Sql = Sql::new("SELECT DISTINCT account_id FROM legal_holds WHERE ends_at > $1");
const IS_HELD: Sql = Sql::new("SELECT COUNT(*) AS n FROM legal_holds WHERE account_id = $1 AND ends_at > $2");
const IS_ERASED: Sql = Sql::new("SELECT COUNT(*) AS n FROM erasures WHERE account_id = $1");
const PUT: Sql = Sql::new(
    "INSERT INTO legal_holds (id, account_id, reason_sealed, created_at, ends_at) VALUES ($1, $2, $3, $4, $5)",
);
const END: Sql = Sql::new("UPDATE legal_holds SET ends_at = $2 WHERE id = $1 AND ends_at > $2");
const LIST: Sql = Sql::new(
    "SELECT id, account_id, reason_sealed, created_at, ends_at FROM legal_holds WHERE id > $1 ORDER BY id LIMIT $2",
);

pub(super) const STATEMENTS: &[&Sql] = &[&HELD, &IS_HELD, &IS_ERASED, &PUT, &END, &LIST];

/// A hold.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Its id.
    pub id: LegalHoldId,
    /// Of which nothing is deleted.
    pub account: AccountId,
    /// What demands it; `None` if it cannot be read any more.
    pub reason: Option<Personal<String>>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
}

/// Why there is no such hold.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// The reason is empty or too long.
    #[error("say in 1 to {REASON_MAX} bytes what demands it")]
    Reason,
    /// It ends before now, or too late.
    #[error("a hold ends within three years from now; it can be made again")]
    End,
    /// No account of that id, or it was erased.
    #[error("there is no such account")]
    Account,
    /// No hold of that id that has not ended.
    #[error("there is no such hold")]
    Unknown,
    /// The database or the keyring.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StorageError> for HoldError {
    fn from(error: StorageError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<HoldError> for Fault {
    fn from(error: HoldError) -> Self {
        let (kind, code) = match &error {
            HoldError::Fault(_) => (ErrorKind::Internal, ""),
            HoldError::Reason => (ErrorKind::Invalid, "legal_hold.reason"),
            HoldError::End => (ErrorKind::Invalid, "legal_hold.end"),
            HoldError::Account => (ErrorKind::NotFound, "account.not_found"),
            HoldError::Unknown => (ErrorKind::NotFound, "legal_hold.not_found"),
        };
        match error {
            HoldError::Fault(fault) => fault,
            other => Self::new(kind, code, other.to_string()),
        }
    }
}

fn place(id: LegalHoldId) -> Aad<'static> {
    Aad { table: "legal_holds", column: "reason_sealed", row: id.0 }
}

/// The accounts that are held.
pub(super) async fn held(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<HashSet<AccountId>, StorageError> {
    tx.all(&HELD, &[now.into()]).await?.iter().map(|row| row.get("account_id")).collect()
}

impl Retention {
    /// Whether nothing of an account may be deleted now.
    ///
    /// # Errors
    /// Storage.
    pub async fn is_held_in_tx(&self, tx: &mut ReadTx<'_>, account: AccountId) -> Result<bool, StorageError> {
        let row = tx.one(&IS_HELD, &[account.into(), self.now().into()]).await?;
        Ok(row.map_or(Ok(0_i64), |row| row.get("n"))? > 0)
    }

    /// Holds an account.
    ///
    /// # Errors
    /// [`HoldError`].
    pub async fn hold_put(
        &self,
        account: AccountId,
        reason: &Personal<String>,
        ends_at: Timestamp,
    ) -> Result<Hold, HoldError> {
        let (now, reason) = (self.now(), reason.reveal().trim().to_owned());
        if reason.is_empty() || reason.len() > REASON_MAX {
            return Err(HoldError::Reason);
        }
        if !(1..=LONGEST).contains(&ends_at.micros_since(now)) {
            return Err(HoldError::End);
        }
        let key = self.keys.get(account.0).await?.ok_or(HoldError::Account)?;
        let id = LegalHoldId::fresh();
        let row = [account.into(), key.seal(&place(id), reason.as_bytes()).into(), now.into(), ends_at.into()];
        let [owner, sealed, created, ends] = row;
        let row = &[id.into(), owner, sealed, created, ends];
        let put = async |tx: &mut WriteTx<'_>| {
            let erased = tx.one(&IS_ERASED, &[account.into()]).await?.map_or(Ok(0_i64), |row| row.get("n"))?;
            if erased > 0 { Ok(0) } else { tx.execute(&PUT, row).await }
        };
        let put = &put;
        let written: Result<u64, StorageError> =
            self.db.write("legal_hold.put", |tx: &mut WriteTx<'_>| Box::pin(put(tx))).await;
        if written? == 0 {
            return Err(HoldError::Account);
        }
        Ok(Hold { id, account, reason: Some(Personal::new(reason)), created_at: now, ends_at })
    }

    /// Ends a hold now.
    ///
    /// # Errors
    /// [`HoldError::Unknown`]; storage.
    pub async fn hold_end(&self, id: LegalHoldId) -> Result<(), HoldError> {
        let row = &[id.into(), self.now().into()];
        let ended: Result<u64, StorageError> = self
            .db
            .write("legal_hold.end", |tx: &mut WriteTx<'_>| Box::pin(async move { tx.execute(&END, row).await }))
            .await;
        if ended? == 0 { Err(HoldError::Unknown) } else { Ok(()) }
    }

    /// A page of the holds, oldest first, with those that ended.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn holds(&self, page: Page) -> Result<Paged<Hold>, HoldError> {
        let after = page.after.unwrap_or_default();
        let from = &[after.into(), page.fetch().into()];
        let rows: Result<Vec<Row>, StorageError> =
            self.db.read("legal_hold.list", |tx| Box::pin(async move { tx.all(&LIST, from).await })).await;
        let mut holds = Vec::new();
        for row in rows? {
            let account: AccountId = row.get("account_id")?;
            holds.push(opened(&row, account, self.keys.get(account.0).await?.as_ref())?);
        }
        Ok(page.take(holds, |hold| hold.id.0))
    }
}

fn opened(row: &Row, account: AccountId, key: Option<&SealKey>) -> Result<Hold, StorageError> {
    let id: LegalHoldId = row.get("id")?;
    let sealed: Vec<u8> = row.get("reason_sealed")?;
    let plain = key.and_then(|key| key.open(&place(id), &sealed).ok());
    let reason = plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok()).map(Personal::new);
    Ok(Hold { id, account, reason, created_at: row.get("created_at")?, ends_at: row.get("ends_at")? })
}
