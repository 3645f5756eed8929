//! The feed of changes: what every control plane must tell its gateways. A change is appended in the transaction that
//! makes it.
//!
//! Numbers are given without gaps in the order of commits: two writers that take the same number clash, and one begins
//! anew with a view that holds the other's. So who has seen number n has seen all before it.

use crate::error::{StorageError, StorageErrorKind};
use crate::sql::Sql;
use crate::tx::{ReadTx, WriteTx};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, SessionId};
use uuid::Uuid;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Something of the catalogue.
    Catalog,
    /// The key with that keyed hash.
    Key([u8; 32]),
    /// The account, or something all its keys depend on.
    Account(AccountId),
    /// What gateways hold of the account's money is needed: they give back what they have not promised to calls.
    Recall {
        /// Whose money.
        account: AccountId,
        /// The session that needs it, and is not asked.
        but: Option<SessionId>,
    },
}

const APPEND: Sql = Sql::new(
    "INSERT INTO changes (seq, kind, subject, created_at) \
     SELECT COALESCE(MAX(seq), 0) + 1, $1, $2, $3 FROM changes RETURNING seq",
);
const AFTER: Sql = Sql::new("SELECT seq, kind, subject FROM changes WHERE seq > $1 ORDER BY seq LIMIT 1000");
const NEWEST: Sql = Sql::new("SELECT COALESCE(MAX(seq), 0) AS seq FROM changes");
// The newest stays, so that its number is not given again.
const PRUNE: Sql =
    Sql::new("DELETE FROM changes WHERE created_at < $1 AND seq < (SELECT MAX(newest.seq) FROM changes AS newest)");

/// The statements of this module.
pub const STATEMENTS: &[&Sql] = &[&APPEND, &AFTER, &NEWEST, &PRUNE];

/// Appends a change; its number.
///
/// # Errors
/// Any [`StorageError`]; `Busy` if another writer took the same number.
pub async fn append(tx: &mut WriteTx<'_>, change: &Change, now: Timestamp) -> Result<i64, StorageError> {
    let (kind, subject) = match change {
        Change::Catalog => ("catalog", Vec::new()),
        Change::Key(hash) => ("key", hash.to_vec()),
        Change::Account(id) => ("account", id.0.as_bytes().to_vec()),
        Change::Recall { account, but } => {
            let but = but.iter().flat_map(|session| session.0.into_bytes());
            ("recall", account.0.into_bytes().into_iter().chain(but).collect())
        }
    };
    let row = tx.one(&APPEND, &[kind.into(), subject.into(), now.into()]).await.map_err(|e| match e.kind {
        StorageErrorKind::Unique => StorageError { kind: StorageErrorKind::Busy, ..e },
        _ => e,
    })?;
    row.ok_or_else(|| StorageError::inconsistent("changes", "seq"))?.get("seq")
}

/// The changes after a number, oldest first, at most 1,000.
///
/// # Errors
/// Any [`StorageError`].
pub async fn after(tx: &mut ReadTx<'_>, seq: i64) -> Result<Vec<(i64, Change)>, StorageError> {
    let rows = tx.all(&AFTER, &[seq.into()]).await?;
    rows.iter()
        .map(|row| {
            let subject: Vec<u8> = row.get("subject")?;
            let change = match row.get::<String>("kind")?.as_str() {
                "catalog" => Some(Change::Catalog),
                "key" => <[u8; 32]>::try_from(subject.as_slice()).ok().map(Change::Key),
                "account" => Uuid::from_slice(&subject).ok().map(|id| Change::Account(AccountId(id))),
                "recall" => recall(&subject),
                _ => None,
            };
            Ok((row.get("seq")?, change.ok_or_else(|| StorageError::inconsistent("changes", "subject"))?))
        })
        .collect()
}

fn recall(subject: &[u8]) -> Option<Change> {
    let (account, but) = subject.split_at_checked(16)?;
    let but = if but.is_empty() { None } else { Some(SessionId(Uuid::from_slice(but).ok()?)) };
    Some(Change::Recall { account: AccountId(Uuid::from_slice(account).ok()?), but })
}

/// The number of the newest change; 0 if there was none yet.
///
/// # Errors
/// Any [`StorageError`].
pub async fn newest(tx: &mut ReadTx<'_>) -> Result<i64, StorageError> {
    tx.one(&NEWEST, &[]).await?.map_or(Ok(0), |row| row.get("seq"))
}

/// Drops the changes made before that moment, but for the newest; how many.
///
/// # Errors
/// Any [`StorageError`].
pub async fn prune(tx: &mut WriteTx<'_>, before: Timestamp) -> Result<u64, StorageError> {
    tx.execute(&PRUNE, &[before.into()]).await
}
