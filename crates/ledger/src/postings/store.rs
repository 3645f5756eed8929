//! SQL of the double-entry books.

use super::model::{EntryView, LedgerAccountKind, Purse, PurseIds, TransactionKind, TransactionView};
use crate::LedgerError;
use tacit_kernel::ids::{AccountId, LedgerAccountId, TransactionId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{Page, Paged, ReadTx, Row, Sql, Value, WriteTx};

const PURSE_READ: Sql = Sql::new("SELECT id, kind, balance FROM ledger_accounts WHERE owner_id = $1");
const ACCOUNT_OPEN: Sql = Sql::new(
    "INSERT INTO ledger_accounts (id, kind, owner_id, balance, updated_at) VALUES ($1, $2, $3, 0, $4) \
     ON CONFLICT DO NOTHING",
);
const PLATFORM_ACCOUNT: Sql = Sql::new("SELECT id FROM ledger_accounts WHERE kind = $1 AND owner_id IS NULL");
const BALANCE_ADD: Sql = Sql::new(
    "UPDATE ledger_accounts SET balance = balance + $2, updated_at = $3 \
     WHERE id = $1 AND (owner_id IS NULL OR balance + $2 >= 0)",
);
const TRANSACTION_INSERT: Sql = Sql::new(
    "INSERT INTO ledger_transactions (id, kind, idempotency_key, created_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (idempotency_key) DO NOTHING",
);
const ENTRY_INSERT: Sql =
    Sql::new("INSERT INTO ledger_entries (transaction_id, line, ledger_account_id, amount) VALUES ($1, $2, $3, $4)");
const TRANSACTION_BY_KEY: Sql =
    Sql::new("SELECT id, kind, idempotency_key, created_at FROM ledger_transactions WHERE idempotency_key = $1");
const TRANSACTION_BY_ID: Sql =
    Sql::new("SELECT id, kind, idempotency_key, created_at FROM ledger_transactions WHERE id = $1");
const TRANSACTION_LAST: Sql =
    Sql::new("SELECT id, kind, idempotency_key, created_at FROM ledger_transactions ORDER BY id DESC LIMIT $1");
const TRANSACTION_BEFORE: Sql = Sql::new(
    "SELECT id, kind, idempotency_key, created_at FROM ledger_transactions WHERE id < $2 ORDER BY id DESC LIMIT $1",
);
const TRANSACTION_OF_OWNER_LAST: Sql = Sql::new(
    "SELECT id, kind, idempotency_key, created_at FROM ledger_transactions WHERE id IN (\
     SELECT e.transaction_id FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.ledger_account_id \
     WHERE a.owner_id = $2) ORDER BY id DESC LIMIT $1",
);
const TRANSACTION_OF_OWNER_BEFORE: Sql = Sql::new(
    "SELECT id, kind, idempotency_key, created_at FROM ledger_transactions WHERE id IN (\
     SELECT e.transaction_id FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.ledger_account_id \
     WHERE a.owner_id = $2 AND e.transaction_id < $3) ORDER BY id DESC LIMIT $1",
);
const ENTRIES_OF_TRANSACTION: Sql = Sql::new(
    "SELECT e.line, e.ledger_account_id, e.amount, a.kind, a.owner_id FROM ledger_entries e \
     JOIN ledger_accounts a ON a.id = e.ledger_account_id WHERE e.transaction_id = $1 ORDER BY e.line",
);

/// Every statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] = &[
    &PURSE_READ,
    &ACCOUNT_OPEN,
    &PLATFORM_ACCOUNT,
    &BALANCE_ADD,
    &TRANSACTION_INSERT,
    &ENTRY_INSERT,
    &TRANSACTION_BY_KEY,
    &TRANSACTION_BY_ID,
    &TRANSACTION_LAST,
    &TRANSACTION_BEFORE,
    &TRANSACTION_OF_OWNER_LAST,
    &TRANSACTION_OF_OWNER_BEFORE,
    &ENTRIES_OF_TRANSACTION,
];

fn purse(rows: &[Row]) -> Result<Option<Purse>, LedgerError> {
    let (mut wallet, mut gift, mut reserved) = (None, None, None);
    for row in rows {
        let account = (row.get::<LedgerAccountId>("id")?, row.get::<Nano>("balance")?);
        match row.word("kind", LedgerAccountKind::parse)? {
            LedgerAccountKind::Wallet => wallet = Some(account),
            LedgerAccountKind::Gift => gift = Some(account),
            LedgerAccountKind::Reserved => reserved = Some(account),
            _ => return Err(LedgerError::Inconsistent { table: "ledger_accounts", column: "owner_id" }),
        }
    }
    Ok(match (wallet, gift, reserved) {
        (Some(wallet), Some(gift), Some(reserved)) => Some(Purse {
            ids: PurseIds { wallet: wallet.0, gift: gift.0, reserved: reserved.0 },
            wallet: wallet.1,
            gift: gift.1,
            reserved: reserved.1,
        }),
        _ => None,
    })
}

/// The balances of a customer, if it has any.
pub(crate) async fn purse_read(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Option<Purse>, LedgerError> {
    purse(&tx.all(&PURSE_READ, &[account.into()]).await?)
}

/// The balances of a customer; its ledger accounts are opened if need be.
pub(crate) async fn purse_open(tx: &mut WriteTx<'_>, account: AccountId, now: Timestamp) -> Result<Purse, LedgerError> {
    if let Some(purse) = purse_read(tx, account).await? {
        return Ok(purse);
    }
    for kind in [LedgerAccountKind::Wallet, LedgerAccountKind::Gift, LedgerAccountKind::Reserved] {
        account_open(tx, kind, Some(account), now).await?;
    }
    purse_read(tx, account).await?.ok_or(LedgerError::Raced)
}

async fn account_open(
    tx: &mut WriteTx<'_>,
    kind: LedgerAccountKind,
    owner: Option<AccountId>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let values = [LedgerAccountId::fresh().into(), kind.as_str().into(), owner.into(), now.into()];
    tx.execute(&ACCOUNT_OPEN, &values).await?;
    Ok(())
}

/// The platform's own account of that kind, opened if need be.
pub(crate) async fn platform_account(
    tx: &mut WriteTx<'_>,
    kind: LedgerAccountKind,
    now: Timestamp,
) -> Result<LedgerAccountId, LedgerError> {
    for _ in 0..2 {
        if let Some(row) = tx.one(&PLATFORM_ACCOUNT, &[kind.as_str().into()]).await? {
            return Ok(row.get("id")?);
        }
        account_open(tx, kind, None, now).await?;
    }
    Err(LedgerError::Raced)
}

/// Writes a transaction and moves the balances. Entries of zero are left out.
///
/// # Errors
/// [`LedgerError::Insufficient`] if a customer's balance would go below zero, [`LedgerError::Raced`] if the idempotency
/// key was taken meanwhile.
pub(crate) async fn post(
    tx: &mut WriteTx<'_>,
    kind: TransactionKind,
    idempotency_key: Option<&str>,
    entries: &[(LedgerAccountId, Nano)],
    now: Timestamp,
) -> Result<TransactionId, LedgerError> {
    let sum: i128 = entries.iter().map(|(_, amount)| i128::from(amount.0)).sum();
    if sum != 0 {
        return Err(LedgerError::Inconsistent { table: "ledger_entries", column: "amount" });
    }
    let id = TransactionId::fresh();
    let values = [id.into(), kind.as_str().into(), idempotency_key.into(), now.into()];
    if tx.execute(&TRANSACTION_INSERT, &values).await? != 1 {
        return Err(LedgerError::Raced);
    }
    for (line, (ledger_account, amount)) in (1_i64..).zip(entries.iter().filter(|(_, amount)| amount.0 != 0)) {
        let (account, amount) = (*ledger_account, *amount);
        tx.execute(&ENTRY_INSERT, &[id.into(), line.into(), account.into(), amount.into()]).await?;
        if tx.execute(&BALANCE_ADD, &[account.into(), amount.into(), now.into()]).await? != 1 {
            return Err(LedgerError::Insufficient);
        }
    }
    Ok(id)
}

/// The transaction with that idempotency key.
pub(crate) async fn transaction_by_key(tx: &mut ReadTx<'_>, key: &str) -> Result<Option<TransactionView>, LedgerError> {
    let row = tx.one(&TRANSACTION_BY_KEY, &[key.into()]).await?;
    with_entries(tx, row).await
}

/// The transaction with that id.
pub(crate) async fn transaction_by_id(
    tx: &mut ReadTx<'_>,
    id: TransactionId,
) -> Result<Option<TransactionView>, LedgerError> {
    let row = tx.one(&TRANSACTION_BY_ID, &[id.into()]).await?;
    with_entries(tx, row).await
}

async fn with_entries(tx: &mut ReadTx<'_>, row: Option<Row>) -> Result<Option<TransactionView>, LedgerError> {
    let Some(row) = row else { return Ok(None) };
    let mut transaction = transaction(&row)?;
    for row in tx.all(&ENTRIES_OF_TRANSACTION, &[transaction.id.into()]).await? {
        transaction.entries.push(EntryView {
            line: row.get("line")?,
            ledger_account: row.get("ledger_account_id")?,
            kind: row.word("kind", LedgerAccountKind::parse)?,
            owner: row.get("owner_id")?,
            amount: row.get("amount")?,
        });
    }
    Ok(Some(transaction))
}

fn transaction(row: &Row) -> Result<TransactionView, LedgerError> {
    Ok(TransactionView {
        id: row.get("id")?,
        kind: row.word("kind", TransactionKind::parse)?,
        idempotency_key: row.get("idempotency_key")?,
        created_at: row.get("created_at")?,
        entries: Vec::new(),
    })
}

/// Transactions newest first.
pub(crate) async fn transaction_list(
    tx: &mut ReadTx<'_>,
    account: Option<AccountId>,
    page: Page,
) -> Result<Paged<TransactionView>, LedgerError> {
    let mut values: Vec<Value> = vec![page.fetch().into()];
    values.extend(account.map(Value::from));
    values.extend(page.after.map(Value::from));
    let sql = match (account, page.after) {
        (None, None) => &TRANSACTION_LAST,
        (None, Some(_)) => &TRANSACTION_BEFORE,
        (Some(_), None) => &TRANSACTION_OF_OWNER_LAST,
        (Some(_), Some(_)) => &TRANSACTION_OF_OWNER_BEFORE,
    };
    let mut items = Vec::new();
    for row in tx.all(sql, &values).await? {
        if let Some(mut transaction) = with_entries(tx, Some(row)).await? {
            transaction.entries.retain(|entry| account.is_none() || entry.owner == account);
            items.push(transaction);
        }
    }
    Ok(page.take(items, |transaction| transaction.id.0))
}
