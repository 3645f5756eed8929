//! Events of calls that were set aside: what a gateway reported and the books refuse for good, because of what it says and
//! not of how the database is. One such event must not keep those behind it from being settled, and it must not be lost:
//! it lies here until an operator has it settled, or drops it.

use crate::{Ledger, LedgerError};
use serde::Serialize;
use tacit_kernel::call::CallEvent;
use tacit_kernel::ids::{AccountId, CallId, EventId, KeyId, SessionId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{Bulk, Page, Paged, ReadTx, Row, Sql, SqlText, Value, WriteTx};

macro_rules! columns {
    () => {
        "id, session_id, event, call_id, account_id, key_id, amount, reason, message, created_at, resolved_at"
    };
}

static ASIDE_INSERT: Bulk = Bulk::new(concat!("INSERT INTO set_aside_events (", columns!(), ") VALUES"), 11, "");
const ASIDE_BY_ID: Sql = Sql::new(concat!("SELECT ", columns!(), " FROM set_aside_events WHERE id = $1"));
const ASIDE_COUNT: Sql = Sql::new("SELECT COUNT(*) AS count FROM set_aside_events WHERE resolved_at IS NULL");
const ASIDE_ENDED: Sql =
    Sql::new("SELECT call_id FROM set_aside_events WHERE session_id = $1 AND event = 'ended' AND call_id IS NOT NULL");
// What it said is not needed any more.
const ASIDE_RESOLVE: Sql =
    Sql::new("UPDATE set_aside_events SET resolved_at = $2, message = $3 WHERE id = $1 AND resolved_at IS NULL");

/// Every constant statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] = &[&ASIDE_BY_ID, &ASIDE_COUNT, &ASIDE_ENDED, &ASIDE_RESOLVE];
/// Every statement over many rows, for the same test.
pub(crate) static BULKS: &[&Bulk] = &[&ASIDE_INSERT];

/// An event to be set aside. Nothing of it but its ids need be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// What it tells.
    pub event: CallEvent,
    /// Of which call, if it says so.
    pub call: Option<CallId>,
    /// Who would pay.
    pub account: Option<AccountId>,
    /// With which key.
    pub key: Option<KeyId>,
    /// What the gateway holds for the charge, or has reserved.
    pub amount: Nano,
    /// Why it was refused: a code of the program.
    pub reason: String,
    /// All that it said, as the control plane can read it again; ids, numbers and seals.
    pub message: Vec<u8>,
}

/// An event that was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AsideView {
    /// Its id.
    pub id: EventId,
    /// The run of the gateway that reported it.
    pub session: SessionId,
    /// What it tells.
    pub event: CallEvent,
    /// Of which call, if it said so.
    pub call: Option<CallId>,
    /// Who would pay.
    pub account: Option<AccountId>,
    /// With which key.
    pub key: Option<KeyId>,
    /// What the gateway held for the charge, or had reserved.
    pub amount: Nano,
    /// Why it was refused.
    pub reason: String,
    /// All that it said; nothing once it was resolved.
    #[serde(skip)]
    pub message: Vec<u8>,
    /// When it was set aside.
    pub created_at: Timestamp,
    /// When it was settled or dropped.
    pub resolved_at: Option<Timestamp>,
}

impl Ledger {
    /// Events that were set aside, newest first; those that were settled or dropped only if `all`.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn aside_list(&self, all: bool, page: Page) -> Result<Paged<AsideView>, LedgerError> {
        self.db.read("aside.list", |tx| Box::pin(list(tx, all, page))).await
    }

    /// How many events wait for an operator.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn aside_count(&self) -> Result<u64, LedgerError> {
        let count = self.db.read("aside.count", |tx| Box::pin(async move { tx.one(&ASIDE_COUNT, &[]).await })).await?;
        Ok(count.map_or(Ok(0), |row| row.get("count"))?)
    }

    /// One event.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn aside(&self, id: EventId) -> Result<Option<AsideView>, LedgerError> {
        let row = self.db.read("aside.show", |tx| Box::pin(async move { tx.one(&ASIDE_BY_ID, &[id.into()]).await }));
        row.await?.as_ref().map(view).transpose()
    }

    /// Gives an event up: what it told is not settled any more.
    ///
    /// # Errors
    /// [`LedgerError::AsideUnknown`] if there is none that waits, [`LedgerError::Storage`].
    pub async fn aside_drop(&self, id: EventId) -> Result<(), LedgerError> {
        let now = self.clock.now();
        self.db.write("aside.drop", |tx| Box::pin(resolve(tx, id, now))).await
    }
}

/// Writes events.
pub(crate) async fn insert(
    tx: &mut WriteTx<'_>,
    events: &[(SessionId, SetAside)],
    now: Timestamp,
) -> Result<(), LedgerError> {
    let mut rows: Vec<Value> = Vec::new();
    for (session, event) in events {
        rows.extend([
            EventId::fresh().into(),
            (*session).into(),
            event.event.as_str().into(),
            event.call.into(),
            event.account.into(),
            event.key.into(),
            event.amount.into(),
            event.reason.as_str().into(),
            event.message.clone().into(),
            now.into(),
            Value::Null,
        ]);
    }
    tx.bulk(&ASIDE_INSERT, &rows).await?;
    Ok(())
}

/// Calls of a session whose end was set aside: they are not open any more, whatever the journal says.
pub(crate) async fn ended(tx: &mut ReadTx<'_>, session: SessionId) -> Result<Vec<CallId>, LedgerError> {
    let rows = tx.all(&ASIDE_ENDED, &[session.into()]).await?;
    rows.iter().map(|row| Ok(row.get("call_id")?)).collect()
}

/// Marks an event as settled or dropped.
///
/// # Errors
/// [`LedgerError::AsideUnknown`] if there is none that waits.
pub(crate) async fn resolve(tx: &mut WriteTx<'_>, id: EventId, now: Timestamp) -> Result<(), LedgerError> {
    match tx.execute(&ASIDE_RESOLVE, &[id.into(), now.into(), Vec::new().into()]).await? {
        1 => Ok(()),
        _ => Err(LedgerError::AsideUnknown),
    }
}

async fn list(tx: &mut ReadTx<'_>, all: bool, page: Page) -> Result<Paged<AsideView>, LedgerError> {
    let mut sql = SqlText::new(concat!("SELECT ", columns!(), " FROM set_aside_events WHERE 1 = 1"));
    if !all {
        sql = sql.push(" AND resolved_at IS NULL");
    }
    let sql = sql.bind_some(" AND id < ", page.after).bind(" ORDER BY id DESC LIMIT ", page.fetch());
    let items = tx.query(sql).await?.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(page.take(items, |event| event.id.0))
}

fn view(row: &Row) -> Result<AsideView, LedgerError> {
    Ok(AsideView {
        id: row.get("id")?,
        session: row.get("session_id")?,
        event: row.word("event", CallEvent::parse)?,
        call: row.get("call_id")?,
        account: row.get("account_id")?,
        key: row.get("key_id")?,
        amount: row.get("amount")?,
        reason: row.get("reason")?,
        message: row.get("message")?,
        created_at: row.get("created_at")?,
        resolved_at: row.get("resolved_at")?,
    })
}
