//! The SQL of sessions.

use super::Method;
use super::model::IDLE;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, SignInId};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, WriteTx};

const INSERT: Sql = Sql::new(
    "INSERT INTO console_sessions (id, account_id, token_hash, method, complete, device_sealed, address_sealed, \
     created_at, seen_at, expires_at, stepped_up_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
);
const BY_TOKEN: Sql = Sql::new(
    "SELECT s.id AS id, s.account_id AS account_id, s.method AS method, s.complete AS complete, \
     s.device_sealed AS device_sealed, s.address_sealed AS address_sealed, s.created_at AS created_at, \
     s.seen_at AS seen_at, s.expires_at AS expires_at, s.stepped_up_at AS stepped_up_at \
     FROM console_sessions s JOIN accounts a ON a.id = s.account_id WHERE s.token_hash = $1 AND a.status = 'active'",
);
const BY_ID: Sql = Sql::new(
    "SELECT id, account_id, method, complete, device_sealed, address_sealed, created_at, seen_at, expires_at, \
     stepped_up_at FROM console_sessions WHERE account_id = $1 AND id = $2",
);
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT id, account_id, method, complete, device_sealed, address_sealed, created_at, seen_at, expires_at, \
     stepped_up_at FROM console_sessions WHERE account_id = $1 AND id > $2 AND complete = 1 AND expires_at > $3 \
     AND seen_at > $4 ORDER BY id LIMIT $5",
);
const SEEN: Sql = Sql::new("UPDATE console_sessions SET seen_at = $2 WHERE id = $1");
const RAISE: Sql = Sql::new(
    "UPDATE console_sessions SET token_hash = $2, complete = 1, seen_at = $3, stepped_up_at = $3, expires_at = $4 \
     WHERE id = $1",
);
const TURN: Sql = Sql::new("UPDATE console_sessions SET token_hash = $2, seen_at = $3 WHERE id = $1");
const END: Sql = Sql::new("DELETE FROM console_sessions WHERE account_id = $1 AND id = $2");
const END_ALL: Sql = Sql::new("DELETE FROM console_sessions WHERE account_id = $1 AND id <> $2");
const END_OLDEST: Sql = Sql::new(
    "DELETE FROM console_sessions WHERE account_id = $1 AND complete = $2 AND id NOT IN \
     (SELECT id FROM console_sessions WHERE account_id = $1 AND complete = $2 ORDER BY id DESC LIMIT $3)",
);
const FORGET: Sql = Sql::new(
    "DELETE FROM console_sessions WHERE id IN \
     (SELECT id FROM console_sessions WHERE expires_at <= $1 OR seen_at <= $2 LIMIT $3)",
);

/// Every statement of sessions.
pub(crate) const STATEMENTS: &[&Sql] =
    &[&INSERT, &BY_TOKEN, &BY_ID, &OF_ACCOUNT, &SEEN, &RAISE, &TURN, &END, &END_ALL, &END_OLDEST, &FORGET];

/// A row, what is personal still sealed.
pub(super) struct SessionRow {
    pub(super) id: SignInId,
    pub(super) account: AccountId,
    pub(super) method: Method,
    pub(super) complete: bool,
    pub(super) device_sealed: Vec<u8>,
    pub(super) address_sealed: Vec<u8>,
    pub(super) created_at: Timestamp,
    pub(super) seen_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) stepped_up_at: Option<Timestamp>,
}

impl SessionRow {
    /// Whether it has not ended by itself.
    pub(super) fn goes_on(&self, now: Timestamp) -> bool {
        now < self.expires_at && now.micros_since(self.seen_at) < IDLE
    }
}

fn session(row: &Row) -> Result<SessionRow, StorageError> {
    let method = Method::from_word(&row.get::<String>("method")?);
    Ok(SessionRow {
        id: row.get("id")?,
        account: row.get("account_id")?,
        method: method.ok_or_else(|| StorageError::inconsistent("console_sessions", "method"))?,
        complete: row.get("complete")?,
        device_sealed: row.get("device_sealed")?,
        address_sealed: row.get("address_sealed")?,
        created_at: row.get("created_at")?,
        seen_at: row.get("seen_at")?,
        expires_at: row.get("expires_at")?,
        stepped_up_at: row.get("stepped_up_at")?,
    })
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, row: &SessionRow, hash: &[u8; 32]) -> Result<(), StorageError> {
    let values = [
        row.id.into(),
        row.account.into(),
        hash.into(),
        row.method.word().into(),
        row.complete.into(),
        row.device_sealed.clone().into(),
        row.address_sealed.clone().into(),
        row.created_at.into(),
        row.seen_at.into(),
        row.expires_at.into(),
        row.stepped_up_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn by_token(tx: &mut ReadTx<'_>, hash: &[u8; 32]) -> Result<Option<SessionRow>, StorageError> {
    tx.one(&BY_TOKEN, &[hash.into()]).await?.as_ref().map(session).transpose()
}

pub(super) async fn by_id(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    id: SignInId,
) -> Result<Option<SessionRow>, StorageError> {
    tx.one(&BY_ID, &[account.into(), id.into()]).await?.as_ref().map(session).transpose()
}

/// One more than the page holds.
pub(super) async fn of_account(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    now: Timestamp,
    page: Page,
) -> Result<Vec<SessionRow>, StorageError> {
    let after = page.after.unwrap_or_default();
    let values = [account.into(), after.into(), now.into(), now.plus_micros(-IDLE).into(), page.fetch().into()];
    tx.all(&OF_ACCOUNT, &values).await?.iter().map(session).collect()
}

pub(super) async fn seen(tx: &mut WriteTx<'_>, id: SignInId, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(&SEEN, &[id.into(), now.into()]).await.map(drop)
}

pub(super) async fn raise(
    tx: &mut WriteTx<'_>,
    id: SignInId,
    hash: &[u8; 32],
    (now, expires_at): (Timestamp, Timestamp),
) -> Result<bool, StorageError> {
    Ok(tx.execute(&RAISE, &[id.into(), hash.into(), now.into(), expires_at.into()]).await? == 1)
}

/// Another token, and nothing else. False if it has ended.
pub(super) async fn turn(
    tx: &mut WriteTx<'_>,
    id: SignInId,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&TURN, &[id.into(), hash.into(), now.into()]).await? == 1)
}

pub(super) async fn end(tx: &mut WriteTx<'_>, account: AccountId, id: SignInId) -> Result<bool, StorageError> {
    Ok(tx.execute(&END, &[account.into(), id.into()]).await? == 1)
}

pub(super) async fn end_all(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    but: Option<SignInId>,
) -> Result<u64, StorageError> {
    let but = but.map_or_else(uuid::Uuid::nil, |id| id.0);
    tx.execute(&END_ALL, &[account.into(), but.into()]).await
}

/// Of the complete ones or of the others: who has a password alone must not push out who has shown more.
pub(super) async fn end_oldest(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    complete: bool,
    most: u32,
) -> Result<(), StorageError> {
    tx.execute(&END_OLDEST, &[account.into(), complete.into(), most.into()]).await.map(drop)
}

pub(super) async fn forget(
    tx: &mut WriteTx<'_>,
    now: Timestamp,
    idle_since: Timestamp,
    limit: u32,
) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[now.into(), idle_since.into(), limit.into()]).await
}
