//! SQL of the check: pages by key, and sums.

use crate::LedgerError;
use crate::postings::{LedgerAccountKind, TransactionKind};
use std::collections::{BTreeMap, HashMap};
use tacit_kernel::Nano;
use tacit_kernel::ids::{AccountId, LedgerAccountId, TransactionId};
use tacit_storage::{ReadTx, Sql};

/// Rows a page.
pub(crate) const PAGE: i64 = 500;

const REVENUE: Sql = Sql::new("SELECT id FROM ledger_accounts WHERE kind = 'revenue' AND owner_id IS NULL");
const TRANSACTIONS: Sql = Sql::new("SELECT id, kind FROM ledger_transactions WHERE id > $1 ORDER BY id LIMIT $2");
const ENTRIES: Sql = Sql::new(
    "SELECT transaction_id, ledger_account_id, amount FROM ledger_entries \
     WHERE transaction_id > $1 AND transaction_id <= $2",
);
const SETTLED: Sql = Sql::new(
    "SELECT settlement_id, CAST(SUM(amount) AS BIGINT) AS amount FROM (\
     SELECT settlement_id, amount FROM calls WHERE settlement_id > $1 AND settlement_id <= $2 UNION ALL \
     SELECT settlement_id, amount FROM forgotten_calls WHERE settlement_id > $1 AND settlement_id <= $2\
     ) AS settled GROUP BY settlement_id",
);
const SETTLED_AFTER: Sql = Sql::new(
    "SELECT settlement_id, CAST(SUM(amount) AS BIGINT) AS amount FROM (\
     SELECT settlement_id, amount FROM calls WHERE settlement_id > $1 UNION ALL \
     SELECT settlement_id, amount FROM forgotten_calls WHERE settlement_id > $1\
     ) AS settled GROUP BY settlement_id",
);
const ACCOUNTS: Sql =
    Sql::new("SELECT id, kind, owner_id, balance FROM ledger_accounts WHERE id > $1 ORDER BY id LIMIT $2");
const LEASES: Sql = Sql::new(
    "SELECT account_id, COUNT(*) AS held, CAST(SUM(from_gift + from_wallet) AS BIGINT) AS amount \
     FROM leases GROUP BY account_id",
);

/// Every statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] =
    &[&REVENUE, &TRANSACTIONS, &ENTRIES, &SETTLED, &SETTLED_AFTER, &ACCOUNTS, &LEASES];

/// Sums of a transaction's entries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) all: i128,
    pub(crate) revenue: i128,
    pub(crate) entries: u64,
}

/// An account of the ledger.
pub(crate) struct Account {
    pub(crate) id: LedgerAccountId,
    pub(crate) kind: LedgerAccountKind,
    pub(crate) owner: Option<AccountId>,
    pub(crate) balance: Nano,
}

/// The revenue account, if anything was ever settled.
pub(crate) async fn revenue(tx: &mut ReadTx<'_>) -> Result<Option<LedgerAccountId>, LedgerError> {
    Ok(tx.one(&REVENUE, &[]).await?.map(|row| row.get("id")).transpose()?)
}

/// The next transactions.
pub(crate) async fn transaction_page(
    tx: &mut ReadTx<'_>,
    after: TransactionId,
) -> Result<Vec<(TransactionId, TransactionKind)>, LedgerError> {
    let rows = tx.all(&TRANSACTIONS, &[after.into(), PAGE.into()]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.word("kind", TransactionKind::parse)?))).collect()
}

/// The entries of the transactions after one, up to another.
pub(crate) async fn entries_between(
    tx: &mut ReadTx<'_>,
    after: TransactionId,
    last: TransactionId,
) -> Result<Vec<(TransactionId, LedgerAccountId, Nano)>, LedgerError> {
    let rows = tx.all(&ENTRIES, &[after.into(), last.into()]).await?;
    rows.iter().map(|row| Ok((row.get("transaction_id")?, row.get("ledger_account_id")?, row.get("amount")?))).collect()
}

/// What the calls cost, with those that were forgotten, that name a settlement after one, up to another.
pub(crate) async fn settled_between(
    tx: &mut ReadTx<'_>,
    after: TransactionId,
    last: Option<TransactionId>,
) -> Result<BTreeMap<TransactionId, Nano>, LedgerError> {
    let rows = match last {
        Some(last) => tx.all(&SETTLED, &[after.into(), last.into()]).await?,
        None => tx.all(&SETTLED_AFTER, &[after.into()]).await?,
    };
    rows.iter().map(|row| Ok((row.get("settlement_id")?, row.get("amount")?))).collect()
}

/// The next accounts of the ledger.
pub(crate) async fn account_page(tx: &mut ReadTx<'_>, after: LedgerAccountId) -> Result<Vec<Account>, LedgerError> {
    let rows = tx.all(&ACCOUNTS, &[after.into(), PAGE.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Account {
                id: row.get("id")?,
                kind: row.word("kind", LedgerAccountKind::parse)?,
                owner: row.get("owner_id")?,
                balance: row.get("balance")?,
            })
        })
        .collect()
}

/// What gateways hold of each customer: how many leases, and their sum.
pub(crate) async fn leases(tx: &mut ReadTx<'_>) -> Result<HashMap<AccountId, (u64, Nano)>, LedgerError> {
    let rows = tx.all(&LEASES, &[]).await?;
    rows.iter().map(|row| Ok((row.get("account_id")?, (row.get("held")?, row.get("amount")?)))).collect()
}
