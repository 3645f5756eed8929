//! What was spent: sums of charges by UTC day and month, and in total, from the daily sums.

use crate::{Ledger, LedgerError};
use serde::Serialize;
use tacit_kernel::ids::{AccountId, KeyId, ProjectId};
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

/// By the keys that belong to a member or a project, for good: so the sums of their keys are theirs.
macro_rules! spend_of_keys {
    ($column:literal) => {
        Sql::new(concat!(
            "SELECT CAST(COALESCE(SUM(CASE WHEN u.day = $2 THEN u.amount ELSE 0 END), 0) AS BIGINT) AS day_sum, \
             CAST(COALESCE(SUM(CASE WHEN u.day >= $3 THEN u.amount ELSE 0 END), 0) AS BIGINT) AS month_sum, \
             CAST(COALESCE(SUM(u.amount), 0) AS BIGINT) AS total_sum FROM api_keys k \
             JOIN usage_daily u ON u.account_id = k.account_id AND u.key_id = k.id AND u.day >= $3 \
             WHERE k.account_id = $1 AND k.",
            $column,
            " = $4"
        ))
    };
}
const SPEND_OF_MEMBER: Sql = spend_of_keys!("member_id");
const SPEND_OF_PROJECT: Sql = spend_of_keys!("project_id");

/// Every statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] = &[&SPEND_OF_ACCOUNT, &SPEND_OF_KEY, &SPEND_OF_MEMBER, &SPEND_OF_PROJECT];

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

/// Whose keys are summed up, within an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpendOf {
    /// All.
    Account,
    /// One.
    Key(KeyId),
    /// Those of a member, for this month only.
    Member(AccountId),
    /// Those of a project, for this month only.
    Project(ProjectId),
}

impl Ledger {
    /// What those keys of an account have spent together. `total` of a member or project is that of the month.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn spend(&self, account: AccountId, of: SpendOf, now: Timestamp) -> Result<Spend, LedgerError> {
        self.db.read("ledger.spend", |tx| Box::pin(spend(tx, account, of, now))).await
    }
}

async fn spend(tx: &mut ReadTx<'_>, account: AccountId, of: SpendOf, now: Timestamp) -> Result<Spend, LedgerError> {
    let (day, month) = (now.day_start().into(), now.month_start().into());
    let row = match of {
        SpendOf::Account => tx.one(&SPEND_OF_ACCOUNT, &[account.into(), day, month]).await?,
        SpendOf::Key(key) => tx.one(&SPEND_OF_KEY, &[account.into(), day, month, key.into()]).await?,
        SpendOf::Member(member) => tx.one(&SPEND_OF_MEMBER, &[account.into(), day, month, member.into()]).await?,
        SpendOf::Project(project) => tx.one(&SPEND_OF_PROJECT, &[account.into(), day, month, project.into()]).await?,
    };
    let Some(row) = row else { return Ok(Spend { as_of: now, ..Spend::default() }) };
    Ok(Spend { day: row.get("day_sum")?, month: row.get("month_sum")?, total: row.get("total_sum")?, as_of: now })
}
