//! Call records whose time is over are deleted, in steps. What those of a settlement cost stays as a sum, so that the books
//! add up without them.

use crate::{Ledger, LedgerError};
use std::collections::{BTreeMap, HashSet};
use tacit_kernel::ids::{AccountId, CallId, TransactionId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{ReadTx, Row, Sql, StorageError, WriteTx};

/// Rows that one step looks at.
const STEP: i64 = 500;

const PAGE: Sql =
    Sql::new("SELECT id, account_id, started_at, settlement_id, amount FROM calls WHERE id > $1 ORDER BY id LIMIT $2");
const DELETE_ATTEMPTS: Sql = Sql::new("DELETE FROM call_attempts WHERE call_id >= $1 AND call_id <= $2");
const DELETE: Sql = Sql::new("DELETE FROM calls WHERE id >= $1 AND id <= $2");
const KEEP_SUM: Sql = Sql::new(
    "INSERT INTO forgotten_calls (settlement_id, calls, amount) VALUES ($1, $2, $3) ON CONFLICT (settlement_id) \
     DO UPDATE SET calls = forgotten_calls.calls + excluded.calls, amount = forgotten_calls.amount + excluded.amount",
);
const EMPTY: Sql = Sql::new(
    "UPDATE calls SET ip_sealed = NULL, user_agent_sealed = NULL \
     WHERE id >= $1 AND id <= $2 AND (ip_sealed IS NOT NULL OR user_agent_sealed IS NOT NULL)",
);
const DELETE_SET_ASIDE: Sql =
    Sql::new("DELETE FROM set_aside_events WHERE resolved_at IS NOT NULL AND created_at < $1");
const DELETE_SESSIONS: Sql = Sql::new(
    "DELETE FROM gateway_sessions WHERE ended_at < $1 \
     AND NOT EXISTS (SELECT 1 FROM leases AS l WHERE l.session_id = gateway_sessions.id) \
     AND NOT EXISTS (SELECT 1 FROM open_calls AS o WHERE o.session_id = gateway_sessions.id) \
     AND NOT EXISTS (SELECT 1 FROM call_journal AS j WHERE j.session_id = gateway_sessions.id) \
     AND NOT EXISTS (SELECT 1 FROM set_aside_events AS s WHERE s.session_id = gateway_sessions.id)",
);
const OWN_PAGE: Sql = Sql::new(
    "SELECT id, settlement_id, amount FROM calls WHERE account_id = $1 AND id > $2 AND started_at < $3 ORDER BY id LIMIT $4",
);
const DELETE_OWN_ATTEMPTS: Sql = Sql::new(
    "DELETE FROM call_attempts WHERE call_id IN \
     (SELECT id FROM calls WHERE account_id = $1 AND id > $2 AND id <= $3 AND started_at < $4)",
);
const DELETE_OWN: Sql =
    Sql::new("DELETE FROM calls WHERE account_id = $1 AND id > $2 AND id <= $3 AND started_at < $4");
const OWN_LEFT: Sql = Sql::new("SELECT COUNT(*) AS n, MAX(started_at) AS newest FROM calls WHERE account_id = $1");
const DUE_SESSIONS: Sql = Sql::new(
    "SELECT (SELECT COUNT(*) FROM gateway_sessions WHERE ended_at < $1) + \
     (SELECT COUNT(*) FROM set_aside_events WHERE resolved_at IS NOT NULL AND created_at < $1) AS n",
);
const DUE: Sql = Sql::new("SELECT COUNT(*) AS n FROM calls WHERE started_at < $1");
const DUE_ADDRESSES: Sql = Sql::new(
    "SELECT COUNT(*) AS n FROM calls WHERE started_at < $1 AND (ip_sealed IS NOT NULL OR user_agent_sealed IS NOT NULL)",
);

/// The statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = &[
    &PAGE,
    &DELETE_ATTEMPTS,
    &DELETE,
    &KEEP_SUM,
    &EMPTY,
    &OWN_PAGE,
    &DELETE_OWN_ATTEMPTS,
    &DELETE_OWN,
    &OWN_LEFT,
    &DELETE_SET_ASIDE,
    &DELETE_SESSIONS,
    &DUE_SESSIONS,
    &DUE,
    &DUE_ADDRESSES,
];

/// What of a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgetting {
    /// Its record.
    Calls,
    /// Where it came from.
    Addresses,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Rows that were deleted or emptied.
    pub rows: u64,
    /// Rows whose time is over and that are held.
    pub held: u64,
    /// Where the next step goes on; `None`: nothing more is due.
    pub next: Option<CallId>,
}

struct Due {
    id: CallId,
    settlement: Option<TransactionId>,
    amount: Nano,
}

impl Due {
    fn of(row: &Row) -> Result<Self, StorageError> {
        Ok(Self { id: row.get("id")?, settlement: row.get("settlement_id")?, amount: row.get("amount")? })
    }
}

impl Ledger {
    /// Deletes or empties some of the calls that began before, behind `after` in the order of their ids, but for those of
    /// accounts that are held.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn calls_forget_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        what: Forgetting,
        (after, before): (CallId, Timestamp),
        held: &HashSet<AccountId>,
    ) -> Result<Forgotten, LedgerError> {
        let rows = tx.all(&PAGE, &[after.into(), STEP.into()]).await?;
        let (mut forgotten, mut page, mut is_any_old) = (Forgotten::default(), Vec::with_capacity(rows.len()), false);
        for row in &rows {
            let started_at: Timestamp = row.get("started_at")?;
            let (is_old, is_held) = (started_at < before, held.contains(&row.get::<AccountId>("account_id")?));
            is_any_old |= is_old;
            forgotten.held += u64::from(is_old && is_held);
            page.push((Due::of(row)?, is_old && !is_held));
        }
        for run in runs(&page) {
            forgotten.rows += forget_run(tx, what, run).await?;
        }
        // Ids follow the time, though not to the millisecond: behind a page in which nothing is old nothing is.
        if is_any_old && let Some(last) = rows.last() {
            forgotten.next = Some(last.get("id")?);
        }
        Ok(forgotten)
    }

    /// Deletes some of the calls of one account that began before, behind `after` in the order of their ids, since they want that.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn own_calls_forget_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        (after, before): (CallId, Timestamp),
    ) -> Result<Forgotten, LedgerError> {
        let page = [account.into(), after.into(), before.into(), STEP.into()];
        let rows = tx.all(&OWN_PAGE, &page).await?;
        let due: Vec<Due> = rows.iter().map(Due::of).collect::<Result<_, _>>()?;
        let Some(last) = due.last() else { return Ok(Forgotten::default()) };
        let last = last.id;
        keep_sums(tx, due.iter()).await?;
        let range = [account.into(), after.into(), last.into(), before.into()];
        tx.execute(&DELETE_OWN_ATTEMPTS, &range).await?;
        Ok(Forgotten { rows: tx.execute(&DELETE_OWN, &range).await?, held: 0, next: Some(last) })
    }

    /// How many calls of an account are recorded, and when the newest of them began.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn own_calls_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<(u64, Option<Timestamp>), LedgerError> {
        let Some(row) = tx.one(&OWN_LEFT, &[account.into()]).await? else { return Ok((0, None)) };
        Ok((row.get("n")?, row.get("newest")?))
    }

    /// Deletes events that were set aside and decided, and gateways' sessions that ended, before.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn sessions_forget_in_tx(&self, tx: &mut WriteTx<'_>, before: Timestamp) -> Result<u64, LedgerError> {
        let events = tx.execute(&DELETE_SET_ASIDE, &[before.into()]).await?;
        Ok(events + tx.execute(&DELETE_SESSIONS, &[before.into()]).await?)
    }

    /// How many sessions and decided events are due.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn sessions_due_in_tx(&self, tx: &mut ReadTx<'_>, before: Timestamp) -> Result<u64, LedgerError> {
        Ok(tx.one(&DUE_SESSIONS, &[before.into()]).await?.map_or(Ok(0), |row| row.get("n"))?)
    }

    /// How many calls are due. It reads all of them.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn calls_due_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        what: Forgetting,
        before: Timestamp,
    ) -> Result<u64, LedgerError> {
        let sql = match what {
            Forgetting::Calls => &DUE,
            Forgetting::Addresses => &DUE_ADDRESSES,
        };
        Ok(tx.one(sql, &[before.into()]).await?.map_or(Ok(0), |row| row.get("n"))?)
    }
}

/// What of a page goes, in runs that follow each other, since what stays lies between.
pub(crate) fn runs<T>(page: &[(T, bool)]) -> impl Iterator<Item = &[(T, bool)]> {
    page.chunk_by(|(_, before), (_, goes)| before == goes).filter(|run| run.first().is_some_and(|(_, goes)| *goes))
}

/// Deletes or empties calls that follow each other.
async fn forget_run(tx: &mut WriteTx<'_>, what: Forgetting, run: &[(Due, bool)]) -> Result<u64, LedgerError> {
    let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else { return Ok(0) };
    let range = [first.id.into(), last.id.into()];
    if what == Forgetting::Addresses {
        return Ok(tx.execute(&EMPTY, &range).await?);
    }
    keep_sums(tx, run.iter().map(|(due, _)| due)).await?;
    tx.execute(&DELETE_ATTEMPTS, &range).await?;
    Ok(tx.execute(&DELETE, &range).await?)
}

/// Keeps what calls of each settlement cost that are about to go.
async fn keep_sums<'d>(tx: &mut WriteTx<'_>, calls: impl Iterator<Item = &'d Due>) -> Result<(), LedgerError> {
    let mut sums: BTreeMap<TransactionId, (i64, i64)> = BTreeMap::new();
    for due in calls {
        if let Some(settlement) = due.settlement {
            let sum = sums.entry(settlement).or_default();
            *sum = (sum.0 + 1, sum.1.saturating_add(due.amount.0));
        }
    }
    for (settlement, (calls, amount)) in sums {
        tx.execute(&KEEP_SUM, &[settlement.into(), calls.into(), amount.into()]).await?;
    }
    Ok(())
}
