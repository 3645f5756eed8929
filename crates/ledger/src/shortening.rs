//! Transactions whose years are over are deleted, in steps. What their entries came to stays as one sum for each account of the
//! ledger, so that every balance is still the sum of what led to it. Balances do not change.

use crate::forgetting::runs;
use crate::{Ledger, LedgerError};
use std::collections::HashSet;
use tacit_kernel::ids::{AccountId, LedgerAccountId, TransactionId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{ReadTx, Sql, WriteTx};

/// Transactions that one step looks at.
const STEP: i64 = 500;

const PAGE: Sql = Sql::new("SELECT id, created_at FROM ledger_transactions WHERE id > $1 ORDER BY id LIMIT $2");
// Calls go before: a settlement stays while there is one that names it.
const NAMED: Sql =
    Sql::new("SELECT DISTINCT settlement_id FROM calls WHERE settlement_id >= $1 AND settlement_id <= $2");
const TOUCHED: Sql = Sql::new(
    "SELECT DISTINCT e.transaction_id AS id FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.ledger_account_id \
     WHERE a.owner_id = $1 AND e.transaction_id >= $2 AND e.transaction_id <= $3",
);
const KEEP_SUMS: Sql = Sql::new(
    "INSERT INTO forgotten_entries (ledger_account_id, entries, amount) SELECT ledger_account_id, COUNT(*), \
     CAST(SUM(amount) AS BIGINT) FROM ledger_entries WHERE transaction_id >= $1 AND transaction_id <= $2 \
     GROUP BY ledger_account_id ON CONFLICT (ledger_account_id) DO UPDATE SET \
     entries = forgotten_entries.entries + excluded.entries, amount = forgotten_entries.amount + excluded.amount",
);
const DELETE_CALLS: Sql = Sql::new("DELETE FROM forgotten_calls WHERE settlement_id >= $1 AND settlement_id <= $2");
const DELETE_ENTRIES: Sql = Sql::new("DELETE FROM ledger_entries WHERE transaction_id >= $1 AND transaction_id <= $2");
const DELETE: Sql = Sql::new("DELETE FROM ledger_transactions WHERE id >= $1 AND id <= $2");
// Accounts of people who were erased, of which nothing is left but that there was one.
const DELETE_SUMS: Sql = Sql::new(
    "DELETE FROM forgotten_entries WHERE ledger_account_id IN (SELECT a.id FROM ledger_accounts a \
     WHERE a.owner_id IS NOT NULL AND a.balance = 0 AND a.updated_at < $1 \
     AND NOT EXISTS (SELECT 1 FROM accounts o WHERE o.id = a.owner_id) \
     AND NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.ledger_account_id = a.id))",
);
const DELETE_ACCOUNTS: Sql = Sql::new(
    "DELETE FROM ledger_accounts WHERE owner_id IS NOT NULL AND balance = 0 AND updated_at < $1 \
     AND NOT EXISTS (SELECT 1 FROM accounts o WHERE o.id = ledger_accounts.owner_id) \
     AND NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.ledger_account_id = ledger_accounts.id)",
);
const DUE: Sql = Sql::new("SELECT COUNT(*) AS n FROM ledger_transactions WHERE created_at < $1");
const FORGOTTEN: Sql = Sql::new("SELECT ledger_account_id, amount FROM forgotten_entries");

/// The statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = &[
    &PAGE,
    &NAMED,
    &TOUCHED,
    &KEEP_SUMS,
    &DELETE_CALLS,
    &DELETE_ENTRIES,
    &DELETE,
    &DUE,
    &FORGOTTEN,
    &DELETE_SUMS,
    &DELETE_ACCOUNTS,
];

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortened {
    /// Transactions that were deleted.
    pub rows: u64,
    /// Transactions whose years are over and that are held, or named by a call that is.
    pub held: u64,
    /// Where the next step goes on; `None`: nothing more is due.
    pub next: Option<TransactionId>,
}

impl Ledger {
    /// Deletes some of the transactions that were posted before, behind `after` in the order of their ids, but for those that
    /// moved money of accounts that are held.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn shorten_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (after, before): (TransactionId, Timestamp),
        held: &HashSet<AccountId>,
    ) -> Result<Shortened, LedgerError> {
        let rows = tx.all(&PAGE, &[after.into(), STEP.into()]).await?;
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            page.push((row.get::<TransactionId>("id")?, row.get::<Timestamp>("created_at")? < before));
        }
        let (Some((first, _)), Some((last, _))) = (page.first().copied(), page.last().copied()) else {
            return Ok(Shortened::default());
        };
        let mut stays: HashSet<TransactionId> = HashSet::new();
        for row in tx.all(&NAMED, &[first.into(), last.into()]).await? {
            stays.insert(row.get("settlement_id")?);
        }
        for account in held {
            for row in tx.all(&TOUCHED, &[(*account).into(), first.into(), last.into()]).await? {
                stays.insert(row.get("id")?);
            }
        }
        let is_any_old = page.iter().any(|(_, is_old)| *is_old);
        let mut done = Shortened::default();
        for (id, goes) in &mut page {
            let is_held = *goes && stays.contains(id);
            done.held += u64::from(is_held);
            *goes &= !is_held;
        }
        for run in runs(&page) {
            let (Some((from, _)), Some((to, _))) = (run.first(), run.last()) else { continue };
            let range = [(*from).into(), (*to).into()];
            tx.execute(&KEEP_SUMS, &range).await?;
            tx.execute(&DELETE_CALLS, &range).await?;
            tx.execute(&DELETE_ENTRIES, &range).await?;
            done.rows += tx.execute(&DELETE, &range).await?;
        }
        // Ids follow the time, though not to the millisecond: behind a page in which nothing is old nothing is.
        done.next = is_any_old.then_some(last);
        Ok(done)
    }

    /// Deletes accounts of the ledger of people who were erased, which have no money and no entry any more and did not change since.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn shorten_end_in_tx(&self, tx: &mut WriteTx<'_>, before: Timestamp) -> Result<u64, LedgerError> {
        tx.execute(&DELETE_SUMS, &[before.into()]).await?;
        Ok(tx.execute(&DELETE_ACCOUNTS, &[before.into()]).await?)
    }

    /// How many transactions are due. It reads all of them.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn shortening_due_in_tx(&self, tx: &mut ReadTx<'_>, before: Timestamp) -> Result<u64, LedgerError> {
        Ok(tx.one(&DUE, &[before.into()]).await?.map_or(Ok(0), |row| row.get("n"))?)
    }
}

/// What the deleted entries of each account of the ledger came to.
pub(crate) async fn forgotten(tx: &mut ReadTx<'_>) -> Result<Vec<(LedgerAccountId, Nano)>, LedgerError> {
    let rows = tx.all(&FORGOTTEN, &[]).await?;
    rows.iter().map(|row| Ok((row.get("ledger_account_id")?, row.get("amount")?))).collect()
}
