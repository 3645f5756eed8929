//! The SQL of choices.

use super::{Choice, ChoiceVia, Matter};
use std::collections::HashSet;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::{Page, ReadTx, Row, Sql, SqlText, StorageError, Value, WriteTx};
use uuid::Uuid;

const NEWEST: Sql = Sql::new(
    "SELECT id, matter, allowed, via, wording, decided_at FROM choices WHERE account_id = $1 AND NOT EXISTS \
     (SELECT 1 FROM choices AS newer WHERE newer.account_id = choices.account_id AND newer.matter = choices.matter \
     AND newer.number > choices.number)",
);
const LIST: Sql = Sql::new(
    "SELECT id, matter, allowed, via, wording, decided_at FROM choices WHERE account_id = $1 AND id < $2 \
     ORDER BY id DESC LIMIT $3",
);
const INSERT: Sql = Sql::new(
    "INSERT INTO choices (id, account_id, matter, number, allowed, via, wording, decided_at) SELECT $1, $2, $3, \
     COALESCE(MAX(number), 0) + 1, $4, $5, $6, $7 FROM choices WHERE account_id = $2 AND matter = $3",
);

const FORGET: Sql = Sql::new(
    "DELETE FROM choices WHERE decided_at < $1 AND account_id NOT IN (SELECT account_id FROM legal_holds WHERE ends_at > $2) \
     AND (account_id NOT IN (SELECT id FROM accounts) OR EXISTS (SELECT 1 FROM choices AS newer \
     WHERE newer.account_id = choices.account_id AND newer.matter = choices.matter AND newer.number > choices.number))",
);

/// Every statement of choices.
pub(crate) const STATEMENTS: &[&Sql] = &[&NEWEST, &LIST, &INSERT, &FORGET];

fn choice(row: &Row) -> Result<Choice, StorageError> {
    Ok(Choice {
        id: row.get("id")?,
        matter: row.word("matter", Matter::parse)?,
        allowed: row.get::<i64>("allowed")? == 1,
        via: row.word("via", ChoiceVia::parse)?,
        wording: row.get("wording")?,
        decided_at: row.get("decided_at")?,
    })
}

pub(super) async fn newest(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Vec<Choice>, StorageError> {
    tx.all(&NEWEST, &[account.into()]).await?.iter().map(choice).collect()
}

/// Who of these accounts has decided last that their data is not used.
pub(super) async fn restricting(
    tx: &mut ReadTx<'_>,
    accounts: &[AccountId],
) -> Result<HashSet<AccountId>, StorageError> {
    let text = SqlText::new(
        "SELECT account_id FROM choices WHERE allowed = 0 AND NOT EXISTS (SELECT 1 FROM choices AS newer \
         WHERE newer.account_id = choices.account_id AND newer.matter = choices.matter AND newer.number > choices.number)",
    )
    .bind(" AND matter = ", Matter::Use.as_str())
    .list(" AND account_id IN ", accounts.iter().copied());
    tx.query(text).await?.iter().map(|row| row.get("account_id")).collect()
}

/// Newest first.
pub(super) async fn list(tx: &mut ReadTx<'_>, account: AccountId, page: Page) -> Result<Vec<Choice>, StorageError> {
    let before = page.after.unwrap_or(Uuid::max());
    tx.all(&LIST, &[account.into(), before.into(), page.fetch().into()]).await?.iter().map(choice).collect()
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, account: AccountId, choice: &Choice) -> Result<(), StorageError> {
    let row = [
        choice.id.into(),
        account.into(),
        Value::Word(choice.matter.as_str()),
        i64::from(choice.allowed).into(),
        Value::Word(choice.via.as_str()),
        choice.wording.clone().into(),
        choice.decided_at.into(),
    ];
    tx.execute(&INSERT, &row).await.map(drop)
}

/// What was decided before goes where it does not hold any more: whoever decided it is gone, or has decided otherwise.
pub(super) async fn forget(tx: &mut WriteTx<'_>, before: Timestamp, now: Timestamp) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[before.into(), now.into()]).await
}
