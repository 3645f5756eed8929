//! The SQL of messages.

use super::model::{Channel, Failure, Kind, Language, MessageView, State};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, MessageId};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, Value, WriteTx};
use uuid::Uuid;

const INSERT: Sql = Sql::new(
    "INSERT INTO messages (id, account_id, kind, channel, language, state, created_at, not_before, expires_at, attempts, \
     recipient_sealed, variables_sealed) VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7, $8, 0, $9, $10)",
);
/// Nobody holds these; the one statement that ends what was not sent in time.
const EXPIRE: Sql = Sql::new(
    "UPDATE messages SET state = 'expired', finished_at = $1, lease = NULL, leased_until = NULL, recipient_sealed = NULL, \
     variables_sealed = NULL WHERE state = 'waiting' AND expires_at <= $1 \
     AND (leased_until IS NULL OR leased_until <= $1)",
);
/// A lease ran out with the last attempt: who held it died in the middle of it.
const LOSE: Sql = Sql::new(
    "UPDATE messages SET state = 'failed', failure = 'lost', finished_at = $1, lease = NULL, leased_until = NULL, \
     recipient_sealed = NULL, variables_sealed = NULL WHERE state = 'waiting' AND attempts >= $2 AND leased_until <= $1",
);
const LEASE: Sql = Sql::new(
    "UPDATE messages SET lease = $1, leased_until = $2, attempts = attempts + 1 WHERE id IN \
     (SELECT id FROM messages WHERE state = 'waiting' AND not_before <= $3 AND expires_at > $3 \
     AND (leased_until IS NULL OR leased_until <= $3) ORDER BY not_before, id LIMIT $4) \
     RETURNING id, account_id, kind, channel, language, expires_at, attempts, recipient_sealed, variables_sealed",
);
/// Not asked for the lease: that it went out is true, whoever holds it now.
const SENT: Sql = Sql::new(
    "UPDATE messages SET state = 'sent', failure = NULL, finished_at = $2, provider_reference = $3, lease = NULL, \
     leased_until = NULL, recipient_sealed = NULL, variables_sealed = NULL WHERE id = $1 AND state = 'waiting'",
);
const END: Sql = Sql::new(
    "UPDATE messages SET state = $3, failure = $4, finished_at = $5, lease = NULL, leased_until = NULL, \
     recipient_sealed = NULL, variables_sealed = NULL WHERE id = $1 AND lease = $2",
);
const LATER: Sql = Sql::new(
    "UPDATE messages SET failure = $3, not_before = $4, lease = NULL, leased_until = NULL WHERE id = $1 AND lease = $2",
);
/// Asked before anything is written: that nothing is due is the usual case.
const DUE: Sql = Sql::new(
    "SELECT COUNT(*) AS waiting, CAST(COALESCE(SUM(CASE WHEN (not_before <= $1 OR expires_at <= $1) \
     AND (leased_until IS NULL OR leased_until <= $1) THEN 1 ELSE 0 END), 0) AS BIGINT) AS due \
     FROM messages WHERE state = 'waiting'",
);
const LIST: Sql = Sql::new(
    "SELECT id, account_id, kind, channel, language, state, attempts, failure, created_at, finished_at FROM messages \
     WHERE id < $1 ORDER BY id DESC LIMIT $2",
);
const DROP_OLD: Sql = Sql::new("DELETE FROM messages WHERE created_at < $1 AND state <> 'waiting'");

const KEEP: Sql = Sql::new(
    "INSERT INTO development_outbox (message_id, account_id, created_at, content_sealed) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (message_id) DO NOTHING",
);
const KEPT: Sql = Sql::new(
    "SELECT message_id, account_id, created_at, content_sealed FROM development_outbox WHERE message_id < $1 \
     ORDER BY message_id DESC LIMIT $2",
);
const KEPT_ONE: Sql =
    Sql::new("SELECT message_id, account_id, created_at, content_sealed FROM development_outbox WHERE message_id = $1");
const DROP_KEPT: Sql = Sql::new("DELETE FROM development_outbox WHERE created_at < $1");

/// Every statement of messages.
pub(super) const STATEMENTS: &[&Sql] = &[
    &INSERT, &EXPIRE, &LOSE, &LEASE, &SENT, &END, &LATER, &DUE, &LIST, &DROP_OLD, &KEEP, &KEPT, &KEPT_ONE, &DROP_KEPT,
];

/// A message to be written, already sealed.
pub(super) struct MessageRow {
    pub(super) id: MessageId,
    pub(super) account: Option<AccountId>,
    pub(super) kind: Kind,
    pub(super) channel: Channel,
    pub(super) language: Language,
    pub(super) created_at: Timestamp,
    pub(super) not_before: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) recipient_sealed: Vec<u8>,
    pub(super) variables_sealed: Vec<u8>,
}

/// A message that this process alone may try now.
pub(super) struct Leased {
    pub(super) id: MessageId,
    pub(super) lease: Uuid,
    pub(super) account: Option<AccountId>,
    pub(super) kind: Kind,
    pub(super) channel: Channel,
    pub(super) language: Language,
    pub(super) expires_at: Timestamp,
    /// This one included.
    pub(super) attempts: u32,
    pub(super) recipient_sealed: Vec<u8>,
    pub(super) variables_sealed: Vec<u8>,
}

/// A message of the development outbox, still sealed.
pub(super) struct KeptRow {
    pub(super) id: MessageId,
    pub(super) account: Option<AccountId>,
    pub(super) created_at: Timestamp,
    pub(super) content_sealed: Vec<u8>,
}

fn word(text: &'static str) -> Value {
    Value::Word(text)
}

fn number(row: &Row, column: &'static str) -> Result<u32, StorageError> {
    u32::try_from(row.get::<i64>(column)?).map_err(|_| StorageError::inconsistent("messages", column))
}

pub(super) async fn message_insert(tx: &mut WriteTx<'_>, row: MessageRow) -> Result<(), StorageError> {
    let values = [
        row.id.into(),
        row.account.into(),
        word(row.kind.as_str()),
        word(row.channel.as_str()),
        word(row.language.as_str()),
        row.created_at.into(),
        row.not_before.into(),
        row.expires_at.into(),
        row.recipient_sealed.into(),
        row.variables_sealed.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

/// Ends what is not worth sending any more, and leases up to `most` of what may be sent now; how many were ended.
pub(super) async fn message_lease(
    tx: &mut WriteTx<'_>,
    lease: Uuid,
    now: Timestamp,
    until: Timestamp,
    attempts: u32,
    most: i64,
) -> Result<(u64, Vec<Leased>), StorageError> {
    let mut ended = tx.execute(&EXPIRE, &[now.into()]).await?;
    ended += tx.execute(&LOSE, &[now.into(), attempts.into()]).await?;
    let rows = tx.all(&LEASE, &[lease.into(), until.into(), now.into(), most.into()]).await?;
    let leased: Result<Vec<_>, StorageError> = rows
        .iter()
        .map(|row| {
            Ok(Leased {
                id: row.get("id")?,
                lease,
                account: row.get("account_id")?,
                kind: row.word("kind", Kind::parse)?,
                channel: row.word("channel", Channel::parse)?,
                language: row.word("language", Language::parse)?,
                expires_at: row.get("expires_at")?,
                attempts: number(row, "attempts")?,
                recipient_sealed: row.get("recipient_sealed")?,
                variables_sealed: row.get("variables_sealed")?,
            })
        })
        .collect();
    Ok((ended, leased?))
}

/// Whether it was still waiting.
pub(super) async fn message_sent(
    tx: &mut WriteTx<'_>,
    id: MessageId,
    now: Timestamp,
    reference: Option<[u8; 32]>,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&SENT, &[id.into(), now.into(), reference.into()]).await? == 1)
}

/// Whether the lease still held.
pub(super) async fn message_end(
    tx: &mut WriteTx<'_>,
    id: MessageId,
    lease: Uuid,
    state: State,
    failure: Failure,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let values = [id.into(), lease.into(), word(state.as_str()), word(failure.as_str()), now.into()];
    Ok(tx.execute(&END, &values).await? == 1)
}

/// Whether the lease still held.
pub(super) async fn message_later(
    tx: &mut WriteTx<'_>,
    id: MessageId,
    lease: Uuid,
    failure: Failure,
    not_before: Timestamp,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&LATER, &[id.into(), lease.into(), word(failure.as_str()), not_before.into()]).await? == 1)
}

/// How many wait, and whether any is due.
pub(super) async fn message_due(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<(i64, bool), StorageError> {
    let row = tx.one(&DUE, &[now.into()]).await?;
    row.map_or(Ok((0, false)), |row| Ok((row.get("waiting")?, row.get::<i64>("due")? > 0)))
}

/// Before that id, newest first.
pub(super) async fn message_list(tx: &mut ReadTx<'_>, page: Page) -> Result<Vec<MessageView>, StorageError> {
    let rows = tx.all(&LIST, &[page.after.unwrap_or(Uuid::max()).into(), page.fetch().into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(MessageView {
                id: row.get("id")?,
                account: row.get("account_id")?,
                kind: row.word("kind", Kind::parse)?,
                channel: row.word("channel", Channel::parse)?,
                language: row.word("language", Language::parse)?,
                state: row.word("state", State::parse)?,
                attempts: number(row, "attempts")?,
                failure: row.get::<Option<String>>("failure")?.as_deref().and_then(Failure::parse),
                created_at: row.get("created_at")?,
                finished_at: row.get("finished_at")?,
            })
        })
        .collect()
}

/// How many rows went.
pub(super) async fn message_drop_before(
    tx: &mut WriteTx<'_>,
    sent: Timestamp,
    kept: Timestamp,
) -> Result<u64, StorageError> {
    Ok(tx.execute(&DROP_OLD, &[sent.into()]).await? + tx.execute(&DROP_KEPT, &[kept.into()]).await?)
}

pub(super) async fn kept_insert(tx: &mut WriteTx<'_>, row: KeptRow) -> Result<(), StorageError> {
    let values = [row.id.into(), row.account.into(), row.created_at.into(), row.content_sealed.into()];
    tx.execute(&KEEP, &values).await.map(drop)
}

fn kept(row: &Row) -> Result<KeptRow, StorageError> {
    Ok(KeptRow {
        id: row.get("message_id")?,
        account: row.get("account_id")?,
        created_at: row.get("created_at")?,
        content_sealed: row.get("content_sealed")?,
    })
}

pub(super) async fn kept_list(tx: &mut ReadTx<'_>, page: Page) -> Result<Vec<KeptRow>, StorageError> {
    let rows = tx.all(&KEPT, &[page.after.unwrap_or(Uuid::max()).into(), page.fetch().into()]).await?;
    rows.iter().map(kept).collect()
}

pub(super) async fn kept_one(tx: &mut ReadTx<'_>, id: MessageId) -> Result<Option<KeptRow>, StorageError> {
    tx.one(&KEPT_ONE, &[id.into()]).await?.as_ref().map(kept).transpose()
}
