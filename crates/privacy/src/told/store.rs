//! SQL of word to recipients.

use super::{Notice, State};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{ErasureId, ErasureNoticeId};
use tacit_storage::{ReadTx, Row, Sql, StorageError, Value, WriteTx};
use tacit_vault::{Aad, SealKey};
use uuid::Uuid;

const INSERT: Sql = Sql::new(
    "INSERT INTO erasure_notices (id, erasure_id, recipient_id, state, identities_sealed, attempts, not_before, lease, \
     leased_until, created_at, ended_at) VALUES ($1, $2, $3, 'waiting', $4, 0, $5, NULL, NULL, $5, NULL)",
);
const DUE: Sql = Sql::new(
    "SELECT id, erasure_id, recipient_id, state, attempts, created_at, ended_at, identities_sealed FROM erasure_notices \
     WHERE state = 'waiting' AND not_before <= $1 AND (leased_until IS NULL OR leased_until <= $1) ORDER BY not_before, id LIMIT 1",
);
const LEASE: Sql = Sql::new(
    "UPDATE erasure_notices SET lease = $2, leased_until = $3, attempts = attempts + 1 WHERE id = $1 AND state = 'waiting'",
);
const AGAIN: Sql = Sql::new(
    "UPDATE erasure_notices SET not_before = $3, lease = NULL, leased_until = NULL WHERE id = $1 AND lease = $2",
);
const END: Sql = Sql::new(
    "UPDATE erasure_notices SET state = $3, ended_at = $4, identities_sealed = NULL, lease = NULL, leased_until = NULL \
     WHERE id = $1 AND lease = $2",
);
const OF_ERASURE: Sql = Sql::new(
    "SELECT id, erasure_id, recipient_id, state, attempts, created_at, ended_at FROM erasure_notices \
     WHERE erasure_id = $1 ORDER BY id",
);
const WAITING: Sql = Sql::new("SELECT COUNT(*) AS n FROM erasure_notices WHERE state = 'waiting'");
const FORGET: Sql = Sql::new("DELETE FROM erasure_notices WHERE ended_at < $1");

pub(super) const STATEMENTS: &[&Sql] = &[&INSERT, &DUE, &LEASE, &AGAIN, &END, &OF_ERASURE, &WAITING, &FORGET];

const fn place(id: ErasureNoticeId) -> Aad<'static> {
    Aad { table: "erasure_notices", column: "identities_sealed", row: id.0 }
}

fn notice(row: &Row) -> Result<Notice, StorageError> {
    Ok(Notice {
        id: row.get("id")?,
        erasure: row.get("erasure_id")?,
        recipient: row.get("recipient_id")?,
        state: row.word("state", State::parse)?,
        attempts: row.get("attempts")?,
        created_at: row.get("created_at")?,
        ended_at: row.get("ended_at")?,
    })
}

/// Writes one that is to be sent, with what was to be sealed for it.
pub(super) async fn insert(
    tx: &mut WriteTx<'_>,
    notice: &Notice,
    (key, identities): (&SealKey, &[u8]),
) -> Result<(), StorageError> {
    let sealed = key.seal(&place(notice.id), identities);
    let row =
        [notice.id.into(), notice.erasure.into(), notice.recipient.into(), sealed.into(), notice.created_at.into()];
    tx.execute(&INSERT, &row).await.map(drop)
}

/// One that is due, with what is sealed for it.
pub(super) async fn due(
    tx: &mut ReadTx<'_>,
    now: Timestamp,
) -> Result<Option<(Notice, Option<Vec<u8>>)>, StorageError> {
    let row = tx.one(&DUE, &[now.into()]).await?;
    row.map(|row| Ok((notice(&row)?, row.get("identities_sealed")?))).transpose()
}

/// What was sealed, if that is the key.
pub(super) fn opened(id: ErasureNoticeId, sealed: &[u8], key: &SealKey) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    key.open(&place(id), sealed).ok()
}

pub(super) async fn lease(
    tx: &mut WriteTx<'_>,
    id: ErasureNoticeId,
    (lease, until): (Uuid, Timestamp),
) -> Result<(), StorageError> {
    tx.execute(&LEASE, &[id.into(), lease.into(), until.into()]).await.map(drop)
}

pub(super) async fn again(
    tx: &mut WriteTx<'_>,
    (id, lease): (ErasureNoticeId, Uuid),
    not_before: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(&AGAIN, &[id.into(), lease.into(), not_before.into()]).await.map(drop)
}

/// It is over, and nothing of the person is left in it. False: somebody else has it now.
pub(super) async fn end(
    tx: &mut WriteTx<'_>,
    (id, lease): (ErasureNoticeId, Uuid),
    (state, now): (State, Timestamp),
) -> Result<bool, StorageError> {
    let row = [id.into(), lease.into(), Value::Word(state.as_str()), now.into()];
    Ok(tx.execute(&END, &row).await? > 0)
}

pub(super) async fn of_erasure(tx: &mut ReadTx<'_>, erasure: ErasureId) -> Result<Vec<Notice>, StorageError> {
    tx.all(&OF_ERASURE, &[erasure.into()]).await?.iter().map(notice).collect()
}

pub(super) async fn waiting(tx: &mut ReadTx<'_>) -> Result<u64, StorageError> {
    tx.one(&WAITING, &[]).await?.map_or(Ok(0), |row| row.get("n"))
}

/// Those that ended before go.
pub(super) async fn forget(tx: &mut WriteTx<'_>, before: Timestamp) -> Result<(), StorageError> {
    tx.execute(&FORGET, &[before.into()]).await.map(drop)
}
