//! SQL of erasures.

use super::{Erasure, Reason, State};
use std::collections::BTreeMap;
use tacit_kernel::ids::{AccountId, ErasureId};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, StorageErrorKind, Value, WriteTx};

const BEGIN: Sql = Sql::new(
    "INSERT INTO erasures (id, account_id, pseudonym, reason, forfeits, state, place, epoch, counts, begun_at, \
     unreadable_at, purged_at, done_at, copies_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
);
const GO_ON: Sql = Sql::new(
    "UPDATE erasures SET account_id = $2, pseudonym = $3, state = $4, place = $5, epoch = $6, counts = $7, \
     unreadable_at = $8, purged_at = $9, done_at = $10, forfeits = $11, copies_until = $12 WHERE id = $1",
);
const BY_ID: Sql = Sql::new(
    "SELECT id, account_id, pseudonym, reason, forfeits, state, place, epoch, counts, begun_at, unreadable_at, purged_at, \
     done_at, copies_until FROM erasures WHERE id = $1",
);
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT id, account_id, pseudonym, reason, forfeits, state, place, epoch, counts, begun_at, unreadable_at, purged_at, \
     done_at, copies_until FROM erasures WHERE account_id = $1",
);
const OPEN: Sql = Sql::new(
    "SELECT id, account_id, pseudonym, reason, forfeits, state, place, epoch, counts, begun_at, unreadable_at, purged_at, \
     done_at, copies_until FROM erasures WHERE done_at IS NULL AND id > $1 ORDER BY id LIMIT $2",
);
const LIST: Sql = Sql::new(
    "SELECT id, account_id, pseudonym, reason, forfeits, state, place, epoch, counts, begun_at, unreadable_at, purged_at, \
     done_at, copies_until FROM erasures WHERE id < $1 ORDER BY id DESC LIMIT $2",
);

const COUNT: Sql = Sql::new("SELECT COUNT(*) AS n FROM erasures WHERE done_at IS NULL");

pub(super) const STATEMENTS: &[&Sql] = &[&COUNT, &BEGIN, &GO_ON, &BY_ID, &OF_ACCOUNT, &OPEN, &LIST];

/// Erasures that are worked on in a turn.
pub(super) const TURN: u32 = 100;

fn erasure(row: &Row) -> Result<Erasure, StorageError> {
    Ok(Erasure {
        id: row.get("id")?,
        account: row.get("account_id")?,
        pseudonym: row.get("pseudonym")?,
        reason: row.word("reason", Reason::parse)?,
        forfeits: row.get::<i64>("forfeits")? == 1,
        state: row.word("state", State::parse)?,
        place: usize::try_from(row.get::<u64>("place")?).unwrap_or(usize::MAX),
        epoch: row.get("epoch")?,
        rows: row.json::<BTreeMap<String, u64>>("counts")?,
        begun_at: row.get("begun_at")?,
        unreadable_at: row.get("unreadable_at")?,
        purged_at: row.get("purged_at")?,
        done_at: row.get("done_at")?,
        copies_until: row.get("copies_until")?,
    })
}

fn counts(erasure: &Erasure) -> Result<Value, StorageError> {
    let text = serde_json::to_string(&erasure.rows);
    text.map(Into::into).map_err(|_| StorageError::inconsistent("erasures", "counts"))
}

fn place(erasure: &Erasure) -> Value {
    i64::try_from(erasure.place).unwrap_or(i64::MAX).into()
}

/// Writes a new one.
pub(super) async fn begin(tx: &mut WriteTx<'_>, e: &Erasure) -> Result<(), StorageError> {
    let row = [
        e.id.into(),
        e.account.into(),
        e.pseudonym.into(),
        Value::Word(e.reason.as_str()),
        e.forfeits.into(),
        Value::Word(e.state.as_str()),
        place(e),
        e.epoch.into(),
        counts(e)?,
        e.begun_at.into(),
        e.unreadable_at.into(),
        e.purged_at.into(),
        e.done_at.into(),
        e.copies_until.into(),
    ];
    // Another one begins it at the same time: looked at once more, it is begun.
    let begun = tx.execute(&BEGIN, &row).await.map_err(|error| match error.kind {
        StorageErrorKind::Unique => StorageError { kind: StorageErrorKind::Busy, ..error },
        _ => error,
    });
    begun.map(drop)
}

/// Says how far it came.
pub(super) async fn go_on(tx: &mut WriteTx<'_>, e: &Erasure) -> Result<(), StorageError> {
    let row = [
        e.id.into(),
        e.account.into(),
        e.pseudonym.into(),
        Value::Word(e.state.as_str()),
        place(e),
        e.epoch.into(),
        counts(e)?,
        e.unreadable_at.into(),
        e.purged_at.into(),
        e.done_at.into(),
        e.forfeits.into(),
        e.copies_until.into(),
    ];
    tx.execute(&GO_ON, &row).await.map(drop)
}

/// The one of that id.
pub(super) async fn by_id(tx: &mut ReadTx<'_>, id: ErasureId) -> Result<Option<Erasure>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(erasure).transpose()
}

/// The one of an account that is not purged yet.
pub(super) async fn of_account(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Option<Erasure>, StorageError> {
    tx.one(&OF_ACCOUNT, &[account.into()]).await?.as_ref().map(erasure).transpose()
}

/// Those that are not done, oldest first, after one of them.
pub(super) async fn open(tx: &mut ReadTx<'_>, after: Option<ErasureId>) -> Result<Vec<Erasure>, StorageError> {
    let after = after.map_or(Value::Uuid(uuid::Uuid::nil()), Into::into);
    tx.all(&OPEN, &[after, TURN.into()]).await?.iter().map(erasure).collect()
}

/// How many are not done.
pub(super) async fn count(tx: &mut ReadTx<'_>) -> Result<u64, StorageError> {
    tx.one(&COUNT, &[]).await?.map_or(Ok(0), |row| row.get("n"))
}

/// A page of all of them, newest first.
pub(super) async fn list(tx: &mut ReadTx<'_>, page: Page) -> Result<Vec<Erasure>, StorageError> {
    let before = page.after.unwrap_or(uuid::Uuid::max());
    tx.all(&LIST, &[before.into(), page.fetch().into()]).await?.iter().map(erasure).collect()
}
