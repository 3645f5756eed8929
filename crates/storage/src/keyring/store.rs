//! The statements of the keyring.

use super::erasures::ErasuresHead;
use super::log::Tombstone;
use crate::error::{StorageError, StorageErrorKind};
use crate::sql::{Bulk, Sql, SqlText};
use crate::tx::{ReadTx, WriteTx};
use crate::value::Value;
use std::collections::{HashMap, HashSet};
use tacit_kernel::Timestamp;
use tacit_vault::WrappedBunch;
use uuid::Uuid;

const EPOCHS: Sql = Sql::new("SELECT epoch, wrapped FROM keyring_epochs ORDER BY epoch");
const EPOCH_ADD: Sql = Sql::new("INSERT INTO keyring_epochs (epoch, wrapped, created_at) VALUES ($1, $2, $3)");
const EPOCH_WRAP: Sql = Sql::new("UPDATE keyring_epochs SET wrapped = $1 WHERE epoch = $2");
const EPOCHS_DROP: Sql = Sql::new("DELETE FROM keyring_epochs WHERE epoch < $1");

const STATE: Sql = Sql::new("SELECT wrapped, changed, swept, rekeyed_at FROM keyring_state WHERE singleton = 1");
const STATE_ADD: Sql =
    Sql::new("INSERT INTO keyring_state (singleton, wrapped, changed, swept, created_at) VALUES (1, $1, 0, 0, $2)");
const STATE_WRAP: Sql = Sql::new("UPDATE keyring_state SET wrapped = $1, rekeyed_at = $2 WHERE singleton = 1");
const CHANGED: Sql = Sql::new("UPDATE keyring_state SET changed = changed + 1 WHERE singleton = 1");
const SWEPT: Sql = Sql::new("UPDATE keyring_state SET swept = $1 WHERE singleton = 1 AND swept < $1");
const PULSE: Sql = Sql::new(
    "SELECT (SELECT MIN(epoch) FROM keyring_epochs) AS oldest, (SELECT MAX(epoch) FROM keyring_epochs) AS newest, \
     (SELECT COALESCE(MAX(seq), 0) FROM keyring_erasures) AS erasures",
);

const KEY: Sql = Sql::new(
    "SELECT k.wrapped, b.id AS bunch, b.epoch, b.wrapped AS bunch_wrapped FROM subject_keys AS k \
     JOIN keyring_bunches AS b ON b.id = k.bunch WHERE k.subject = $1",
);
const KEY_ADD: Sql = Sql::new(
    "INSERT INTO subject_keys (subject, bunch, wrapped, created_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (subject) DO NOTHING",
);
static KEYS_MOVE: Bulk = Bulk::new(
    "UPDATE subject_keys SET bunch = v.column2, wrapped = v.column3 FROM (VALUES",
    3,
    ") AS v WHERE subject = v.column1",
);

const BUNCH_ADD: Sql = Sql::new(
    "INSERT INTO keyring_bunches (id, slot, epoch, wrapped, spoilt, created_at) VALUES ($1, $2, $3, $4, 0, $5)",
);
const BUNCH_OF_SLOT: Sql = Sql::new(
    "SELECT id, epoch, wrapped FROM keyring_bunches WHERE slot = $1 AND spoilt = 0 ORDER BY epoch DESC, id LIMIT 1",
);
const BUNCHES_BEHIND: Sql =
    Sql::new("SELECT id, epoch, wrapped FROM keyring_bunches WHERE epoch < $1 AND spoilt = 0 ORDER BY id LIMIT $2");
const BUNCHES_SPOILT: Sql =
    Sql::new("SELECT id, epoch, wrapped FROM keyring_bunches WHERE epoch < $1 AND spoilt = 1 ORDER BY id LIMIT $2");
const ANY_SPOILT: Sql = Sql::new("SELECT id FROM keyring_bunches WHERE spoilt = 1 LIMIT 1");
const SPOIL_ALL: Sql = Sql::new("UPDATE keyring_bunches SET spoilt = 1");
static BUNCHES_WRAP: Bulk = Bulk::new(
    "UPDATE keyring_bunches SET epoch = v.column2, wrapped = v.column3 FROM (VALUES",
    3,
    ") AS v WHERE id = v.column1 AND spoilt = 0",
);
const BUNCH_COUNTS: Sql = Sql::new(
    "SELECT COUNT(*) AS bunches, CAST(COALESCE(SUM(CASE WHEN spoilt = 1 OR epoch < $1 THEN 1 ELSE 0 END), 0) AS BIGINT) \
     AS waiting FROM keyring_bunches",
);

const ERASURE_ADD: Sql =
    Sql::new("INSERT INTO keyring_erasures (seq, subject_hash, epoch, chain, erased_at) VALUES ($1, $2, $3, $4, $5)");
const ERASURE_OF: Sql = Sql::new("SELECT seq FROM keyring_erasures WHERE subject_hash = $1");
const ERASURES_HEAD: Sql = Sql::new("SELECT seq, chain FROM keyring_erasures ORDER BY seq DESC LIMIT 1");
const ERASURE_AT: Sql = Sql::new("SELECT chain FROM keyring_erasures WHERE seq = $1");
const ERASURES_AFTER: Sql =
    Sql::new("SELECT seq, subject_hash FROM keyring_erasures WHERE seq > $1 ORDER BY seq LIMIT $2");

const ERASURES_LOGGED: Sql = Sql::new(
    "SELECT seq, subject_hash, epoch, erased_at, chain FROM keyring_erasures WHERE seq > $1 ORDER BY seq LIMIT $2",
);
const ERASURES_EPOCH: Sql = Sql::new("SELECT COALESCE(MAX(epoch), 0) AS epoch FROM keyring_erasures");
const SUBJECTS_AFTER: Sql = Sql::new("SELECT subject FROM subject_keys WHERE subject > $1 ORDER BY subject LIMIT $2");

/// Of the main database.
const KNOWN: Sql = Sql::new("SELECT seq, chain FROM known_erasures WHERE singleton = 1");
const REMEMBER: Sql = Sql::new(
    "INSERT INTO known_erasures (singleton, seq, chain, seen_at) VALUES (1, $1, $2, $3) ON CONFLICT (singleton) \
     DO UPDATE SET seq = excluded.seq, chain = excluded.chain, seen_at = excluded.seen_at \
     WHERE known_erasures.seq < excluded.seq",
);
const ACCOUNTS_FIRST: Sql = Sql::new("SELECT id FROM accounts ORDER BY id LIMIT $1");
const ACCOUNTS_AFTER: Sql = Sql::new("SELECT id FROM accounts WHERE id > $1 ORDER BY id LIMIT $2");

/// The statements of the keyring's database.
pub const STATEMENTS: &[&Sql] = &[
    &EPOCHS,
    &EPOCH_ADD,
    &EPOCH_WRAP,
    &EPOCHS_DROP,
    &STATE,
    &STATE_ADD,
    &STATE_WRAP,
    &CHANGED,
    &SWEPT,
    &PULSE,
    &KEY,
    &KEY_ADD,
    &BUNCH_ADD,
    &BUNCH_OF_SLOT,
    &BUNCHES_BEHIND,
    &BUNCHES_SPOILT,
    &ANY_SPOILT,
    &SPOIL_ALL,
    &BUNCH_COUNTS,
    &ERASURE_ADD,
    &ERASURE_OF,
    &ERASURES_HEAD,
    &ERASURE_AT,
    &ERASURES_AFTER,
    &ERASURES_LOGGED,
    &ERASURES_EPOCH,
    &SUBJECTS_AFTER,
];

/// The statements of this module on the main database.
pub const MAIN_STATEMENTS: &[&Sql] = &[&ACCOUNTS_FIRST, &ACCOUNTS_AFTER, &KNOWN, &REMEMBER];

/// The tables whose old bytes must go when an epoch is over: small, so that they are written anew as a whole.
pub(super) const SMALL_TABLES: &[&str] = &["keyring_epochs", "keyring_bunches", "keyring_state"];
/// The one that is large: what it holds is worth nothing without the keys of the small ones.
pub(super) const LARGE_TABLES: &[&str] = &["subject_keys"];

/// The row of the keyring's state.
pub(super) struct State {
    pub(super) root: Vec<u8>,
    pub(super) changed: i64,
    pub(super) swept: i64,
    pub(super) rekeyed_at: Option<Timestamp>,
}

/// What tells a key store that it is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pulse {
    pub(super) epochs: (i64, i64),
    pub(super) erasures: i64,
}

pub(super) async fn epochs(tx: &mut ReadTx<'_>) -> Result<Vec<(i64, Vec<u8>)>, StorageError> {
    let rows = tx.all(&EPOCHS, &[]).await?;
    rows.iter().map(|row| Ok((row.get("epoch")?, row.get("wrapped")?))).collect()
}

pub(super) async fn epoch_add(
    tx: &mut WriteTx<'_>,
    epoch: i64,
    wrapped: Vec<u8>,
    now: Timestamp,
) -> Result<(), StorageError> {
    // Another process may have begun the same turn: then this one begins anew and finds it.
    let row = [epoch.into(), wrapped.into(), now.into()];
    tx.execute(&EPOCH_ADD, &row).await.map(drop).map_err(again)
}

pub(super) async fn epoch_wrap(tx: &mut WriteTx<'_>, epoch: i64, wrapped: Vec<u8>) -> Result<(), StorageError> {
    tx.execute(&EPOCH_WRAP, &[wrapped.into(), epoch.into()]).await.map(drop)
}

pub(super) async fn epochs_drop(tx: &mut WriteTx<'_>, before: i64) -> Result<(), StorageError> {
    tx.execute(&EPOCHS_DROP, &[before.into()]).await.map(drop).map_err(again)
}

pub(super) async fn state(tx: &mut ReadTx<'_>) -> Result<Option<State>, StorageError> {
    let row = tx.one(&STATE, &[]).await?;
    row.map(|row| {
        Ok(State {
            root: row.get("wrapped")?,
            changed: row.get("changed")?,
            swept: row.get("swept")?,
            rekeyed_at: row.get("rekeyed_at")?,
        })
    })
    .transpose()
}

pub(super) async fn state_add(tx: &mut WriteTx<'_>, root: Vec<u8>, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(&STATE_ADD, &[root.into(), now.into()]).await.map(drop).map_err(again)
}

pub(super) async fn state_wrap(tx: &mut WriteTx<'_>, root: Vec<u8>, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(&STATE_WRAP, &[root.into(), now.into()]).await.map(drop)
}

pub(super) async fn changed(tx: &mut WriteTx<'_>) -> Result<(), StorageError> {
    tx.execute(&CHANGED, &[]).await.map(drop)
}

pub(super) async fn swept(tx: &mut WriteTx<'_>, reached: i64) -> Result<(), StorageError> {
    tx.execute(&SWEPT, &[reached.into()]).await.map(drop)
}

pub(super) async fn pulse(tx: &mut ReadTx<'_>) -> Result<Pulse, StorageError> {
    let row = tx.one(&PULSE, &[]).await?.ok_or_else(|| StorageError::inconsistent("keyring_epochs", "epoch"))?;
    Ok(Pulse { epochs: (row.get("oldest")?, row.get("newest")?), erasures: row.get("erasures")? })
}

/// A subject's wrapped key and its bunch.
pub(super) async fn key(tx: &mut ReadTx<'_>, subject: Uuid) -> Result<Option<(Vec<u8>, WrappedBunch)>, StorageError> {
    let row = tx.one(&KEY, &[subject.into()]).await?;
    row.map(|row| {
        let (id, epoch) = (row.get("bunch")?, row.get("epoch")?);
        Ok((row.get("wrapped")?, WrappedBunch { id, epoch, wrapped: row.get("bunch_wrapped")? }))
    })
    .transpose()
}

pub(super) async fn key_add(
    tx: &mut WriteTx<'_>,
    subject: Uuid,
    bunch: i64,
    wrapped: Vec<u8>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let row = [subject.into(), bunch.into(), wrapped.into(), now.into()];
    match tx.execute(&KEY_ADD, &row).await.map_err(again)? {
        0 => Err(StorageError::new(StorageErrorKind::Busy, "another one made the key of the same subject")),
        _ => Ok(()),
    }
}

/// Deletes keys; the bunches they hung on.
pub(super) async fn keys_drop(tx: &mut WriteTx<'_>, subjects: &[Uuid]) -> Result<Vec<(Uuid, i64)>, StorageError> {
    let sql = SqlText::new("DELETE FROM subject_keys WHERE subject IN ")
        .list("", subjects.iter().copied())
        .push(" RETURNING subject, bunch");
    tx.query(sql).await?.iter().map(|row| Ok((row.get("subject")?, row.get("bunch")?))).collect()
}

/// Which of these have a key.
pub(super) async fn keys_there(tx: &mut ReadTx<'_>, subjects: &[Uuid]) -> Result<HashSet<Uuid>, StorageError> {
    let sql = SqlText::new("SELECT subject FROM subject_keys WHERE subject IN ").list("", subjects.iter().copied());
    tx.query(sql).await?.iter().map(|row| row.get("subject")).collect()
}

/// The keys on these bunches, at most so many.
pub(super) async fn keys_on(
    tx: &mut ReadTx<'_>,
    bunches: &[i64],
    limit: i64,
) -> Result<Vec<(Uuid, i64, Vec<u8>)>, StorageError> {
    let sql = SqlText::new("SELECT subject, bunch, wrapped FROM subject_keys WHERE bunch IN ")
        .list("", bunches.iter().copied())
        .bind(" LIMIT ", limit);
    tx.query(sql).await?.iter().map(|row| Ok((row.get("subject")?, row.get("bunch")?, row.get("wrapped")?))).collect()
}

/// Moves keys: subject, bunch, wrapped key. One that was destroyed meanwhile is not there and stays so.
pub(super) async fn keys_move(tx: &mut WriteTx<'_>, keys: &[Value]) -> Result<(), StorageError> {
    tx.bulk(&KEYS_MOVE, keys).await.map(drop)
}

pub(super) async fn bunch_add(
    tx: &mut WriteTx<'_>,
    bunch: &WrappedBunch,
    slot: i64,
    now: Timestamp,
) -> Result<(), StorageError> {
    let row = [bunch.id.into(), slot.into(), bunch.epoch.into(), bunch.wrapped.clone().into(), now.into()];
    tx.execute(&BUNCH_ADD, &row).await.map(drop).map_err(again)
}

fn bunch(row: &crate::Row) -> Result<WrappedBunch, StorageError> {
    Ok(WrappedBunch { id: row.get("id")?, epoch: row.get("epoch")?, wrapped: row.get("wrapped")? })
}

/// The bunch that takes new keys of a slot: the newest that lost none.
pub(super) async fn bunch_of_slot(tx: &mut ReadTx<'_>, slot: i64) -> Result<Option<WrappedBunch>, StorageError> {
    tx.one(&BUNCH_OF_SLOT, &[slot.into()]).await?.as_ref().map(bunch).transpose()
}

/// Bunches of these slots that are of that epoch and lost no key, by slot.
pub(super) async fn bunches_of_slots(
    tx: &mut ReadTx<'_>,
    slots: &[i64],
    epoch: i64,
) -> Result<HashMap<i64, WrappedBunch>, StorageError> {
    let sql = SqlText::new("SELECT id, slot, epoch, wrapped FROM keyring_bunches WHERE spoilt = 0")
        .bind(" AND epoch = ", epoch)
        .list(" AND slot IN ", slots.iter().copied());
    tx.query(sql).await?.iter().map(|row| Ok((row.get("slot")?, bunch(row)?))).collect()
}

/// Bunches of epochs before that one: those that lost keys, or those that did not.
pub(super) async fn bunches_behind(
    tx: &mut ReadTx<'_>,
    newest: i64,
    spoilt: bool,
    limit: i64,
) -> Result<Vec<WrappedBunch>, StorageError> {
    let sql = if spoilt { &BUNCHES_SPOILT } else { &BUNCHES_BEHIND };
    tx.all(sql, &[newest.into(), limit.into()]).await?.iter().map(bunch).collect()
}

pub(super) async fn bunches_wrap(tx: &mut WriteTx<'_>, bunches: Vec<WrappedBunch>) -> Result<(), StorageError> {
    let rows: Vec<Value> = bunches.into_iter().flat_map(|b| [b.id.into(), b.epoch.into(), b.wrapped.into()]).collect();
    tx.bulk(&BUNCHES_WRAP, &rows).await.map(drop)
}

/// Marks bunches as having lost a key; the newest epoch that wraps one of them.
pub(super) async fn bunches_spoil(tx: &mut WriteTx<'_>, bunches: &[i64]) -> Result<HashMap<i64, i64>, StorageError> {
    let sql = SqlText::new("UPDATE keyring_bunches SET spoilt = 1 WHERE id IN ")
        .list("", bunches.iter().copied())
        .push(" RETURNING id, epoch");
    tx.query(sql).await?.iter().map(|row| Ok((row.get("id")?, row.get("epoch")?))).collect()
}

pub(super) async fn bunches_spoil_all(tx: &mut WriteTx<'_>) -> Result<(), StorageError> {
    tx.execute(&SPOIL_ALL, &[]).await.map(drop)
}

pub(super) async fn any_spoilt(tx: &mut ReadTx<'_>) -> Result<bool, StorageError> {
    Ok(tx.one(&ANY_SPOILT, &[]).await?.is_some())
}

/// Drops bunches on which no key hangs any more.
pub(super) async fn bunches_drop(tx: &mut WriteTx<'_>, bunches: &[i64]) -> Result<(), StorageError> {
    let sql = SqlText::new("DELETE FROM keyring_bunches WHERE id IN ")
        .list("", bunches.iter().copied())
        .push(" AND NOT EXISTS (SELECT 1 FROM subject_keys WHERE bunch = keyring_bunches.id) RETURNING id");
    tx.query(sql).await.map(drop).map_err(again)
}

/// How many bunches there are, and how many are to be turned to that epoch still.
pub(super) async fn bunch_counts(tx: &mut ReadTx<'_>, newest: i64) -> Result<(i64, i64), StorageError> {
    let row = tx.one(&BUNCH_COUNTS, &[newest.into()]).await?;
    let row = row.ok_or_else(|| StorageError::inconsistent("keyring_bunches", "id"))?;
    Ok((row.get("bunches")?, row.get("waiting")?))
}

pub(super) async fn erasure_add(
    tx: &mut WriteTx<'_>,
    seq: i64,
    hash: &[u8; 32],
    epoch: i64,
    chain: &[u8; 32],
    now: Timestamp,
) -> Result<(), StorageError> {
    let row = [seq.into(), hash.into(), epoch.into(), chain.into(), now.into()];
    tx.execute(&ERASURE_ADD, &row).await.map(drop).map_err(again)
}

pub(super) async fn erasure_there(tx: &mut ReadTx<'_>, hash: &[u8; 32]) -> Result<bool, StorageError> {
    Ok(tx.one(&ERASURE_OF, &[hash.into()]).await?.is_some())
}

/// Which of these keyed hashes are of somebody erased.
pub(super) async fn erasures_of(tx: &mut ReadTx<'_>, hashes: &[[u8; 32]]) -> Result<HashSet<[u8; 32]>, StorageError> {
    let sql = SqlText::new("SELECT subject_hash FROM keyring_erasures WHERE subject_hash IN ").list("", hashes.iter());
    tx.query(sql).await?.iter().map(|row| row.get("subject_hash")).collect()
}

pub(super) async fn erasures_head(tx: &mut ReadTx<'_>) -> Result<(i64, [u8; 32]), StorageError> {
    match tx.one(&ERASURES_HEAD, &[]).await? {
        Some(row) => Ok((row.get("seq")?, row.get("chain")?)),
        None => Ok((0, [0; 32])),
    }
}

pub(super) async fn erasure_at(tx: &mut ReadTx<'_>, seq: i64) -> Result<Option<[u8; 32]>, StorageError> {
    tx.one(&ERASURE_AT, &[seq.into()]).await?.map(|row| row.get("chain")).transpose()
}

pub(super) async fn erasures_after(
    tx: &mut ReadTx<'_>,
    seq: i64,
    limit: i64,
) -> Result<Vec<(i64, [u8; 32])>, StorageError> {
    let rows = tx.all(&ERASURES_AFTER, &[seq.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((row.get("seq")?, row.get("subject_hash")?))).collect()
}

/// Tombstones as the log has them, after that one.
pub(super) async fn erasures_logged(tx: &mut ReadTx<'_>, seq: i64, limit: i64) -> Result<Vec<Tombstone>, StorageError> {
    let rows = tx.all(&ERASURES_LOGGED, &[seq.into(), limit.into()]).await?;
    let tombstone = |row: &crate::Row| {
        let (seq, epoch) = (row.get("seq")?, row.get("epoch")?);
        Ok(Tombstone {
            seq,
            tomb: row.get("subject_hash")?,
            epoch,
            at: row.get("erased_at")?,
            chain: row.get("chain")?,
        })
    };
    rows.iter().map(tombstone).collect()
}

/// The newest epoch that wrapped a key which was destroyed.
pub(super) async fn erasures_epoch(tx: &mut ReadTx<'_>) -> Result<i64, StorageError> {
    tx.one(&ERASURES_EPOCH, &[]).await?.map_or(Ok(0), |row| row.get("epoch"))
}

/// Subjects that have a key, in the order of their ids, after that one.
pub(super) async fn subjects(tx: &mut ReadTx<'_>, after: Uuid, limit: i64) -> Result<Vec<Uuid>, StorageError> {
    tx.all(&SUBJECTS_AFTER, &[after.into(), limit.into()]).await?.iter().map(|row| row.get("subject")).collect()
}

/// How far the list of erasures went when the main database last saw it.
pub(super) async fn known(tx: &mut ReadTx<'_>) -> Result<ErasuresHead, StorageError> {
    let Some(row) = tx.one(&KNOWN, &[]).await? else { return Ok(ErasuresHead::NONE) };
    Ok(ErasuresHead { count: row.get("seq")?, chain: row.get("chain")? })
}

/// Tells the main database how far the list of erasures goes, unless it knows of more.
pub(super) async fn remember(tx: &mut WriteTx<'_>, head: &ErasuresHead, now: Timestamp) -> Result<(), StorageError> {
    let count = i64::try_from(head.count).unwrap_or(i64::MAX);
    tx.execute(&REMEMBER, &[count.into(), (&head.chain).into(), now.into()]).await.map(drop).map_err(again)
}

/// Accounts of the main database in the order of their ids, after that one.
pub(super) async fn accounts(tx: &mut ReadTx<'_>, after: Option<Uuid>, limit: i64) -> Result<Vec<Uuid>, StorageError> {
    let rows = match after {
        None => tx.all(&ACCOUNTS_FIRST, &[limit.into()]).await?,
        Some(after) => tx.all(&ACCOUNTS_AFTER, &[after.into(), limit.into()]).await?,
    };
    rows.iter().map(|row| row.get("id")).collect()
}

/// A clash with another process that does the same: the transaction begins anew and finds what that one did.
fn again(error: StorageError) -> StorageError {
    match error.kind {
        StorageErrorKind::Unique | StorageErrorKind::ForeignKey => {
            StorageError { kind: StorageErrorKind::Busy, ..error }
        }
        _ => error,
    }
}
