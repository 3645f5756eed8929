//! What was spent: sums of charges by UTC day and month, and in total, from the daily sums.

use crate::{Ledger, LedgerError};
use serde::Serialize;
use tacit_kernel::ids::{AccountId, KeyId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{ReadTx, Sql};

const SPEND_OF_ACCOUNT: Sql = Sql::new(
    "SELECT CAST(COALESCE(SUM(CASE WHEN day = $2 THEN amount ELSE 0 END), 0) AS BIGINT) AS day_sum, \
     CAST(COALESCE(SUM(CASE WHEN day >= $3 THEN amount ELSE 0 END), 0) AS BIGINT) AS month_sum, \
     CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS total_sum FROM usage_daily WHERE account_id = $1",
);
const SPEND_OF_KEY: Sql = Sql::new(
    "SELECT CAST(COALESCE(SUM(CASE WHEN day = $2 THEN amount ELSE 0 END), 0) AS BIGINT) AS day_sum, \
     CAST(COALESCE(SUM(CASE WHEN day >= $3 THEN amount ELSE 0 END), 0) AS BIGINT) AS month_sum, \
     CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS total_sum FROM usage_daily WHERE account_id = $1 AND key_id = $4",
);

/// Every statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] = &[&SPEND_OF_ACCOUNT, &SPEND_OF_KEY];

/// What was spent, as settled so far. A call counts on the day it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spend {
    /// On the UTC day of `as_of`.
    pub day: Nano,
    /// Since the start of the UTC month of `as_of`.
    pub month: Nano,
    /// Ever.
    pub total: Nano,
    /// The moment asked about.
    pub as_of: Timestamp,
}

impl Ledger {
    /// What an account, or one of its keys, has spent.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn spend(&self, account: AccountId, key: Option<KeyId>, now: Timestamp) -> Result<Spend, LedgerError> {
        self.db.read("ledger.spend", |tx| Box::pin(spend(tx, account, key, now))).await
    }
}

async fn spend(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    key: Option<KeyId>,
    now: Timestamp,
) -> Result<Spend, LedgerError> {
    let (day, month) = (now.day_start().into(), now.month_start().into());
    let row = match key {
        None => tx.one(&SPEND_OF_ACCOUNT, &[account.into(), day, month]).await?,
        Some(key) => tx.one(&SPEND_OF_KEY, &[account.into(), day, month, key.into()]).await?,
    };
    let Some(row) = row else { return Ok(Spend { as_of: now, ..Spend::default() }) };
    Ok(Spend { day: row.get("day_sum")?, month: row.get("month_sum")?, total: row.get("total_sum")?, as_of: now })
}
