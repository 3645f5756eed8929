//! What was used, by UTC day: calls, tokens and charges of an account or of one of its keys, from the daily sums.

use crate::{Ledger, LedgerError};
use tacit_kernel::ids::{AccountId, KeyId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{ReadTx, Row, SqlText};

/// Which days; every part given must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct UsageFilter {
    /// Of this key.
    pub key: Option<KeyId>,
    /// On the day of this moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// What was used on a day, as settled so far. A call counts on the day it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayUsage {
    /// The beginning of the UTC day.
    pub day: Timestamp,
    /// Calls.
    pub calls: u64,
    /// Tokens, in and out.
    pub tokens: u64,
    /// What they cost.
    pub amount: Nano,
}

impl Ledger {
    /// What an account used, a row for each day on which it did, newest first; at most `limit`.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn usage(
        &self,
        account: AccountId,
        filter: &UsageFilter,
        limit: u32,
    ) -> Result<Vec<DayUsage>, LedgerError> {
        self.db.read("ledger.usage", |tx| Box::pin(usage(tx, account, filter, limit))).await
    }
}

async fn usage(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    filter: &UsageFilter,
    limit: u32,
) -> Result<Vec<DayUsage>, LedgerError> {
    let text = SqlText::new(
        "SELECT day, CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(tokens) AS BIGINT) AS tokens, \
         CAST(SUM(amount) AS BIGINT) AS amount FROM usage_daily",
    )
    .bind(" WHERE account_id = ", account)
    .bind_some(" AND key_id = ", filter.key)
    .bind_some(" AND day >= ", filter.since.map(Timestamp::day_start))
    .bind_some(" AND day < ", filter.until)
    .bind(" GROUP BY day ORDER BY day DESC LIMIT ", limit);
    let day = |row: &Row| {
        Ok::<_, LedgerError>(DayUsage {
            day: row.get("day")?,
            calls: row.get("calls")?,
            tokens: row.get("tokens")?,
            amount: row.get("amount")?,
        })
    };
    tx.query(text).await?.iter().map(day).collect()
}
