//! Which providers calls went to, for whoever counts it: pages of call records in the order of their ids, each once.
//!
//! Ids follow the time at which a call began, and a record may come long after it. So whoever counts keeps a distance from the
//! present, and records of calls that are older than half of it when they are settled stand in `late_calls` too: those that are
//! behind the place that the counting has come to are counted from there.

use crate::{Ledger, LedgerError};
use std::collections::HashMap;
use tacit_kernel::Timestamp;
use tacit_kernel::call::ErrorCode;
use tacit_kernel::ids::{self, AccountId, CallId, ChannelId, ProviderId};
use tacit_storage::{Bulk, ReadTx, Row, Sql, SqlText, StorageError, WriteTx};

/// Calls that are younger are not counted yet, in microseconds: 15 minutes.
pub const DISTANCE: i64 = 15 * 60 * 1_000_000;
/// Records of calls that are older than that when they are settled are late: 5 minutes, so that between the two there is time
/// for the longest transaction and for clocks that differ.
const LATE: i64 = 5 * 60 * 1_000_000;
/// Calls of a page.
const STEP: i64 = 500;

const PAGE: Sql = Sql::new(
    "SELECT id, account_id, started_at, provider_id, attempts FROM calls WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3",
);
const LATE_PAGE: Sql = Sql::new(
    "SELECT l.call_id AS id, c.account_id, c.started_at, c.provider_id, c.attempts FROM late_calls AS l \
     LEFT JOIN calls AS c ON c.id = l.call_id WHERE l.call_id <= $1 ORDER BY l.call_id LIMIT $2",
);
static LATE_INSERT: Bulk = Bulk::new("INSERT INTO late_calls (call_id) VALUES", 1, "ON CONFLICT (call_id) DO NOTHING");

/// The statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = &[&PAGE, &LATE_PAGE];
/// The statements over many rows.
pub(crate) static BULKS: &[&Bulk] = &[&LATE_INSERT];

/// A call, and whom it was sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Which.
    pub call: CallId,
    /// Whose.
    pub account: AccountId,
    /// When it began.
    pub started_at: Timestamp,
    /// The provider that answered, or of which nothing more was heard.
    pub provider: Option<ProviderId>,
    /// The channels of attempts that failed after something had been sent.
    pub failed: Vec<ChannelId>,
}

/// Some calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReachedPage {
    /// Those that were sent to somebody, and others.
    pub calls: Vec<Reached>,
    /// All ids that were looked at, in their order; those of records that are gone too.
    pub seen: Vec<CallId>,
}

/// Notes those of them that are late, within the transaction that records them.
pub(crate) async fn note_late(
    tx: &mut WriteTx<'_>,
    calls: impl Iterator<Item = CallId>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let bound = ids::first_at(now.plus_micros(-LATE));
    let late: Vec<_> = calls.filter(|call| call.0 < bound).map(Into::into).collect();
    if !late.is_empty() {
        tx.bulk(&LATE_INSERT, &late).await?;
    }
    Ok(())
}

impl Ledger {
    /// The next calls behind that one which began long enough ago.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn calls_reached_in_tx(&self, tx: &mut ReadTx<'_>, after: CallId) -> Result<ReachedPage, LedgerError> {
        let before = ids::first_at(self.clock.now().plus_micros(-DISTANCE));
        let rows = tx.all(&PAGE, &[after.into(), before.into(), STEP.into()]).await?;
        Ok(page(tx, &rows).await?)
    }

    /// Calls not behind that one whose records came late and that nobody has counted.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn calls_late_in_tx(&self, tx: &mut ReadTx<'_>, until: CallId) -> Result<ReachedPage, LedgerError> {
        let rows = tx.all(&LATE_PAGE, &[until.into(), STEP.into()]).await?;
        Ok(page(tx, &rows).await?)
    }

    /// Says that those are counted.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn calls_counted_in_tx(&self, tx: &mut WriteTx<'_>, seen: &[CallId]) -> Result<(), LedgerError> {
        if !seen.is_empty() {
            tx.change(SqlText::new("DELETE FROM late_calls WHERE ").list("call_id IN ", seen.iter().copied())).await?;
        }
        Ok(())
    }
}

async fn page(tx: &mut ReadTx<'_>, rows: &[Row]) -> Result<ReachedPage, StorageError> {
    let mut page = ReachedPage::default();
    for row in rows {
        page.seen.push(row.get("id")?);
    }
    if page.seen.is_empty() {
        return Ok(page);
    }
    let sql = SqlText::new("SELECT call_id, channel_id, error_code FROM call_attempts WHERE ");
    let mut failed: HashMap<CallId, Vec<(ChannelId, bool)>> = HashMap::new();
    for row in tx.query(sql.list("call_id IN ", page.seen.iter().copied())).await? {
        let error: Option<String> = row.get("error_code")?;
        let was_sent = error.as_deref() != Some(ErrorCode::ProviderUnreachable.as_str());
        failed.entry(row.get("call_id")?).or_default().push((row.get("channel_id")?, was_sent));
    }
    for row in rows {
        let (call, account): (CallId, Option<AccountId>) = (row.get("id")?, row.get("account_id")?);
        // Its record has served its time.
        let Some(account) = account else { continue };
        let attempts: u64 = row.get("attempts")?;
        let failed = failed.remove(&call).unwrap_or_default();
        // Where every attempt failed, the provider of the last is told by it.
        let all_failed = attempts > 0 && u64::try_from(failed.len()).is_ok_and(|failed| failed >= attempts);
        let provider: Option<ProviderId> = row.get("provider_id")?;
        page.calls.push(Reached {
            call,
            account,
            started_at: row.get("started_at")?,
            provider: provider.filter(|_| !all_failed),
            failed: failed.into_iter().filter_map(|(channel, was_sent)| was_sent.then_some(channel)).collect(),
        });
    }
    Ok(page)
}
