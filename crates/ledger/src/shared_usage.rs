//! What the members and the projects of an organisation used, day by day: sums over their keys, which belong to them for good.

use crate::{Ledger, LedgerError};
use tacit_kernel::ids::AccountId;
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{ReadTx, Row, Sql, StorageError};
use uuid::Uuid;

macro_rules! usage_by {
    ($column:literal) => {
        Sql::new(concat!(
            "SELECT u.day AS day, k.whose AS whose, CAST(SUM(u.calls) AS BIGINT) AS calls, \
             CAST(SUM(u.tokens) AS BIGINT) AS tokens, CAST(SUM(u.amount) AS BIGINT) AS amount FROM (SELECT account_id, id, ",
            $column,
            " AS whose FROM api_keys WHERE account_id = $1) k \
             JOIN usage_daily u ON u.account_id = k.account_id AND u.key_id = k.id AND u.day >= $2 AND u.day < $3 \
             WHERE k.whose >= $4 AND k.whose <= $5 AND (u.day > $6 OR (u.day = $6 AND k.whose > $7)) \
             GROUP BY u.day, k.whose ORDER BY u.day, k.whose LIMIT $8"
        ))
    };
}
const BY_MEMBER: Sql = usage_by!("member_id");
const BY_PROJECT: Sql = usage_by!("project_id");

/// Every statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] = &[&BY_MEMBER, &BY_PROJECT];

/// By what usage is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageBy {
    /// By the member that keys belong to; those of none are left out.
    Member,
    /// By the project that keys belong to; those of none are left out.
    Project,
}

/// Which usage is wanted.
#[derive(Clone, Copy, Debug)]
pub struct UsageWish {
    /// By what.
    pub by: UsageBy,
    /// Of this member or project only.
    pub only: Option<Uuid>,
    /// From the day of this moment on.
    pub since: Timestamp,
    /// Before this moment.
    pub until: Timestamp,
    /// The line after which the page begins.
    pub after: Option<(Timestamp, Uuid)>,
    /// Lines at most.
    pub limit: u32,
}

/// What a member or project used on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageLine {
    /// Begin of the UTC day on which the calls began.
    pub day: Timestamp,
    /// Whose.
    pub whose: Uuid,
    /// Calls.
    pub calls: u64,
    /// Tokens, in and out.
    pub tokens: u64,
    /// What they cost.
    pub amount: Nano,
}

impl Ledger {
    /// What the keys of an account used, by day.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn shared_usage(&self, account: AccountId, wish: UsageWish) -> Result<Vec<UsageLine>, LedgerError> {
        self.db.read("ledger.shared_usage", |tx| Box::pin(read(tx, account, wish))).await
    }
}

async fn read(tx: &mut ReadTx<'_>, account: AccountId, wish: UsageWish) -> Result<Vec<UsageLine>, LedgerError> {
    let (first, last) = wish.only.map_or((Uuid::nil(), Uuid::max()), |only| (only, only));
    let (day, whose) = wish.after.unwrap_or((Timestamp(i64::MIN), Uuid::nil()));
    let values = [
        account.into(),
        wish.since.day_start().into(),
        wish.until.into(),
        first.into(),
        last.into(),
        day.into(),
        whose.into(),
        wish.limit.into(),
    ];
    let statement = match wish.by {
        UsageBy::Member => &BY_MEMBER,
        UsageBy::Project => &BY_PROJECT,
    };
    Ok(tx.all(statement, &values).await?.iter().map(line).collect::<Result<_, StorageError>>()?)
}

fn line(row: &Row) -> Result<UsageLine, StorageError> {
    Ok(UsageLine {
        day: row.get("day")?,
        whose: row.get("whose")?,
        calls: row.get("calls")?,
        tokens: row.get("tokens")?,
        amount: row.get("amount")?,
    })
}
