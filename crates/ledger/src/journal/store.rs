//! SQL of the journal.

use super::model::{Advance, JournalBatch, Position};
use crate::LedgerError;
use crate::error::Halt;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::SessionId;
use tacit_storage::{Bulk, ReadTx, Sql, SqlText, Value, WriteTx};

const ROWS_AFTER: Sql =
    Sql::new("SELECT batch, events FROM call_journal WHERE session_id = $1 AND batch > $2 ORDER BY batch LIMIT $3");
const ROWS_BETWEEN: Sql =
    Sql::new("SELECT batch FROM call_journal WHERE session_id = $1 AND batch >= $2 AND batch <= $3");
const ROWS_DELETE: Sql = Sql::new("DELETE FROM call_journal WHERE session_id = $1 AND batch >= $2 AND batch <= $3");
const ROW_FIRST: Sql = Sql::new("SELECT batch FROM call_journal WHERE session_id = $1 ORDER BY batch LIMIT 1");
/// Every constant statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] = &[&ROWS_AFTER, &ROWS_BETWEEN, &ROWS_DELETE, &ROW_FIRST];

static ADVANCE: Bulk = Bulk::new(
    "UPDATE gateway_sessions SET acknowledged = v.column3 FROM (VALUES",
    3,
    ") AS v WHERE id = v.column1 AND acknowledged = v.column2 AND ended_at IS NULL",
);
static ROWS_INSERT: Bulk = Bulk::new("INSERT INTO call_journal (session_id, batch, created_at, events) VALUES", 4, "");

/// Those statements over many rows that PostgreSQL can prepare without knowing the types of the values.
pub(crate) static BULKS: &[&Bulk] = &[&ROWS_INSERT];

fn number(n: u64) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

/// The values of [`write`]: where sessions are, and where they move.
pub(crate) fn moves(advances: &[Advance]) -> Vec<Value> {
    advances.iter().flat_map(|advance| [advance.session.into(), number(advance.from), number(advance.to)]).collect()
}

/// The values of [`write`]: the batches.
pub(crate) fn rows<'b>(batches: impl Iterator<Item = &'b JournalBatch>, now: Timestamp) -> Vec<Value> {
    let row =
        |batch: &JournalBatch| [batch.session.into(), number(batch.batch), now.into(), batch.events.as_slice().into()];
    batches.flat_map(row).collect()
}

/// Moves sessions on and writes their batches.
///
/// # Errors
/// [`Halt::Stale`] if a session is not where it was remembered, or has ended.
pub(crate) async fn write(tx: &mut WriteTx<'_>, moves: &[Value], rows: &[Value]) -> Result<(), Halt> {
    if tx.bulk(&ADVANCE, moves).await? != (moves.len() / ADVANCE.columns()) as u64 {
        return Err(Halt::Stale);
    }
    tx.bulk(&ROWS_INSERT, rows).await?;
    Ok(())
}

/// How far a session has come; one that is not known has ended.
pub(crate) async fn position(tx: &mut ReadTx<'_>, session: SessionId) -> Result<Position, LedgerError> {
    let view = crate::sessions::session_by_id(tx, session).await?;
    Ok(view.map_or(Position { acknowledged: 0, ended: true }, |view| Position {
        acknowledged: view.acknowledged,
        ended: view.ended_at.is_some(),
    }))
}

/// Batches of a session after that number, in order.
pub(crate) async fn rows_after(
    tx: &mut ReadTx<'_>,
    session: SessionId,
    after: u64,
    limit: u32,
) -> Result<Vec<JournalBatch>, LedgerError> {
    let rows = tx.all(&ROWS_AFTER, &[session.into(), number(after), limit.into()]).await?;
    rows.iter().map(|row| Ok(JournalBatch { session, batch: row.get("batch")?, events: row.get("events")? })).collect()
}

/// Which batches of a session are there, from one number to another.
pub(crate) async fn rows_between(
    tx: &mut ReadTx<'_>,
    session: SessionId,
    (first, last): (u64, u64),
) -> Result<Vec<u64>, LedgerError> {
    let rows = tx.all(&ROWS_BETWEEN, &[session.into(), number(first), number(last)]).await?;
    rows.iter().map(|row| Ok(row.get("batch")?)).collect()
}

/// Takes exactly the batches of a session from one number to another out of the journal.
///
/// # Errors
/// [`Halt::Stale`] if one of them is not there.
pub(crate) async fn take(tx: &mut WriteTx<'_>, session: SessionId, (first, last): (u64, u64)) -> Result<(), Halt> {
    let taken = tx.execute(&ROWS_DELETE, &[session.into(), number(first), number(last)]).await?;
    if taken == last.saturating_sub(first).saturating_add(1) { Ok(()) } else { Err(Halt::Stale) }
}

/// Holds the transaction to a session of which nothing waits to be settled.
///
/// # Errors
/// [`LedgerError::Unsettled`].
pub(crate) async fn must_be_settled(tx: &mut ReadTx<'_>, session: SessionId) -> Result<(), LedgerError> {
    match tx.one(&ROW_FIRST, &[session.into()]).await? {
        None => Ok(()),
        Some(_) => Err(LedgerError::Unsettled),
    }
}

/// Which batches of all sessions were not written between two moments, in the order of their key, after one of them.
pub(crate) async fn unsettled(
    tx: &mut ReadTx<'_>,
    but: Option<(Timestamp, Timestamp)>,
    after: Option<(SessionId, u64)>,
    limit: u32,
) -> Result<Vec<(SessionId, u64)>, LedgerError> {
    let mut sql = SqlText::new("SELECT session_id, batch FROM call_journal WHERE 1 = 1");
    if let Some((from, to)) = but {
        sql = sql.bind(" AND (created_at < ", from).bind(" OR created_at > ", to).push(")");
    }
    if let Some((session, batch)) = after {
        sql = sql.bind(" AND (session_id, batch) > (", session).bind(", ", number(batch)).push(")");
    }
    let rows = tx.query(sql.bind(" ORDER BY session_id, batch LIMIT ", limit)).await?;
    rows.iter().map(|row| Ok((row.get("session_id")?, row.get("batch")?))).collect()
}
