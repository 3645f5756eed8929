//! SQL of settlement: a handful of statements for any number of calls.

use super::charge::{Charges, Leases};
use super::plan::{Advance, Memory, Pending};
use super::{model::BegunCall, open_calls};
use crate::LedgerError;
use crate::error::Halt;
use crate::journal::store as journal;
use crate::leases::Held;
use crate::postings::{PurseIds, TransactionKind};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use tacit_kernel::call::CallStatus;
use tacit_kernel::ids::{AccountId, CallId, KeyId, LedgerAccountId, SessionId, TransactionId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{Bulk, ReadTx, Sql, SqlText, Value, WriteTx};

const OPEN_CALLS: Sql = Sql::new("SELECT batch, begun FROM open_calls WHERE session_id = $1 ORDER BY batch");
const OPEN_CALLS_DELETE: Sql = Sql::new("DELETE FROM open_calls WHERE session_id = $1");
const LEASES_OF_SESSION: Sql =
    Sql::new("SELECT account_id, from_gift, from_wallet FROM leases WHERE session_id = $1 ORDER BY account_id");
const LEASES_DELETE: Sql = Sql::new("DELETE FROM leases WHERE session_id = $1");

/// Every constant statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] = &[&OPEN_CALLS, &OPEN_CALLS_DELETE, &LEASES_OF_SESSION, &LEASES_DELETE];

static OPEN_CALLS_INSERT: Bulk =
    Bulk::new("INSERT INTO open_calls (session_id, batch, begun, created_at) VALUES", 4, "");
static OPEN_CALLS_FINISH: Bulk = Bulk::new("DELETE FROM open_calls WHERE (session_id, batch) IN (VALUES", 2, ")");
static LEASES_READ: Bulk = Bulk::new(
    "SELECT session_id, account_id, from_gift, from_wallet FROM leases WHERE (session_id, account_id) IN (VALUES",
    2,
    ")",
);
static LEASES_USE: Bulk = Bulk::new(
    "UPDATE leases SET from_gift = from_gift - v.column3, from_wallet = from_wallet - v.column4 FROM (VALUES",
    4,
    ") AS v WHERE session_id = v.column1 AND account_id = v.column2 \
     AND from_gift >= v.column3 AND from_wallet >= v.column4",
);
static PURSE_IDS: Bulk = Bulk::new(
    "SELECT owner_id, kind, id FROM ledger_accounts WHERE kind IN ('wallet', 'gift', 'reserved') AND owner_id IN (VALUES",
    1,
    ")",
);
static TRANSACTIONS_INSERT: Bulk = Bulk::new("INSERT INTO ledger_transactions (id, kind, created_at) VALUES", 3, "");
static ENTRIES_INSERT: Bulk =
    Bulk::new("INSERT INTO ledger_entries (transaction_id, line, ledger_account_id, amount) VALUES", 4, "");
static BALANCES_ADD: Bulk = Bulk::new(
    "UPDATE ledger_accounts SET balance = balance + v.column2, updated_at = v.column3 FROM (VALUES",
    3,
    ") AS v WHERE id = v.column1 AND (owner_id IS NULL OR balance + v.column2 >= 0)",
);
static USAGE_ADD: Bulk = Bulk::new(
    "INSERT INTO usage_daily (account_id, key_id, day, calls, tokens, amount) VALUES",
    6,
    " ON CONFLICT (account_id, key_id, day) DO UPDATE SET calls = usage_daily.calls + excluded.calls, \
     tokens = usage_daily.tokens + excluded.tokens, amount = usage_daily.amount + excluded.amount",
);

/// Those statements over many rows that PostgreSQL can prepare without knowing the types of the values; the others
/// compare columns with values in `VALUES`, and run in every test of settlement.
pub(crate) static BULKS: &[&Bulk] = &[&OPEN_CALLS_INSERT, &TRANSACTIONS_INSERT, &ENTRIES_INSERT, &USAGE_ADD];

/// Runs a statement that must change as many rows as it is given.
///
/// # Errors
/// [`LedgerError::Raced`] if it did not.
async fn exactly(tx: &mut WriteTx<'_>, bulk: &'static Bulk, values: &[Value]) -> Result<(), LedgerError> {
    let changed = tx.bulk(bulk, values).await?;
    let wanted = (values.len() / bulk.columns()) as u64;
    if changed == wanted { Ok(()) } else { Err(LedgerError::Raced) }
}

fn number(n: u64) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

/// Takes what is settled out of the journal, and writes which calls are open.
///
/// # Errors
/// [`Halt::Stale`] if a batch does not lie in the journal any more.
pub(crate) async fn advance(tx: &mut WriteTx<'_>, advances: &[Advance], now: Timestamp) -> Result<(), Halt> {
    let (mut opened, mut finished) = (Vec::new(), Vec::new());
    for advance in advances {
        for run in &advance.runs {
            journal::take(tx, advance.session, *run).await?;
        }
        if let Some(blob) = &advance.open {
            opened.extend([advance.session.into(), number(advance.last), blob.clone().into(), now.into()]);
        }
        finished.extend(advance.finished.iter().flat_map(|row| [advance.session.into(), number(*row)]));
    }
    tx.bulk(&OPEN_CALLS_INSERT, &opened).await?;
    tx.bulk(&OPEN_CALLS_FINISH, &finished).await?;
    Ok(())
}

/// What the database knows of a session's open calls.
pub(crate) async fn open(tx: &mut ReadTx<'_>, session: SessionId) -> Result<Vec<(u64, BegunCall)>, LedgerError> {
    let mut open = Vec::new();
    for row in tx.all(&OPEN_CALLS, &[session.into()]).await? {
        let batch: u64 = row.get("batch")?;
        for call in open_calls::decode(&row.get::<Vec<u8>>("begun")?)? {
            open.push((batch, call));
        }
    }
    let mut known = calls_known(tx, open.iter().map(|(_, call)| call.call)).await?;
    if !open.is_empty() {
        known.extend(crate::aside::ended(tx, session).await?);
    }
    open.retain(|(_, call)| !known.contains(&call.call));
    Ok(open)
}

/// The same as [`Memory`].
pub(crate) async fn memory(tx: &mut ReadTx<'_>, session: SessionId) -> Result<Memory, LedgerError> {
    let Some(view) = crate::sessions::session_by_id(tx, session).await? else {
        return Ok(Memory { ended: true, ..Memory::default() });
    };
    let mut memory = Memory { ended: view.ended_at.is_some(), ..Memory::default() };
    if !memory.ended {
        for (batch, call) in open(tx, session).await? {
            memory.add(batch, [call.call]);
        }
    }
    Ok(memory)
}

/// Which of these calls are recorded.
pub(crate) async fn calls_known(
    tx: &mut ReadTx<'_>,
    calls: impl Iterator<Item = CallId>,
) -> Result<HashSet<CallId>, LedgerError> {
    let ids: Vec<CallId> = calls.collect();
    let mut known = HashSet::new();
    for some in ids.chunks(512) {
        let sql = SqlText::new("SELECT id FROM calls WHERE id IN ").list("", some.iter().copied());
        for row in tx.query(sql).await? {
            known.insert(row.get("id")?);
        }
    }
    Ok(known)
}

/// What the sessions of these calls hold of their accounts.
pub(crate) async fn leases<'a>(
    tx: &mut WriteTx<'_>,
    calls: impl Iterator<Item = &'a Pending>,
) -> Result<Leases, LedgerError> {
    let wanted: BTreeSet<_> =
        calls.filter(|call| call.due.amount.0 > 0).map(|call| (call.record.session, call.record.account)).collect();
    let values: Vec<Value> =
        wanted.into_iter().flat_map(|(session, account)| [session.into(), account.into()]).collect();
    let mut leases = Leases::new();
    for row in tx.bulk_returning(&LEASES_READ, &values).await? {
        let held = Held { from_gift: row.get("from_gift")?, from_wallet: row.get("from_wallet")? };
        leases.insert((row.get("session_id")?, row.get("account_id")?), held);
    }
    Ok(leases)
}

/// The ledger accounts of these customers; they never change.
pub(crate) async fn purse_ids(
    tx: &mut WriteTx<'_>,
    accounts: impl Iterator<Item = AccountId>,
) -> Result<HashMap<AccountId, PurseIds>, LedgerError> {
    let values: Vec<Value> = accounts.map(Value::from).collect();
    let mut found: HashMap<AccountId, [Option<LedgerAccountId>; 3]> = HashMap::new();
    for row in tx.bulk_returning(&PURSE_IDS, &values).await? {
        let [wallet, gift, reserved] = found.entry(row.get("owner_id")?).or_default();
        let place = match row.get::<String>("kind")?.as_str() {
            "wallet" => wallet,
            "gift" => gift,
            _ => reserved,
        };
        *place = Some(row.get("id")?);
    }
    let whole = |(account, ids): (AccountId, [Option<LedgerAccountId>; 3])| match ids {
        [Some(wallet), Some(gift), Some(reserved)] => Some((account, PurseIds { wallet, gift, reserved })),
        _ => None,
    };
    Ok(found.into_iter().filter_map(whole).collect())
}

/// Writes all that is paid: leases, transactions, entries, balances. The revenue account is locked first of all
/// balances, so that concurrent commits cannot wait for each other in a circle.
pub(crate) async fn pay(
    tx: &mut WriteTx<'_>,
    charges: &Charges,
    ids: &HashMap<AccountId, PurseIds>,
    revenue: LedgerAccountId,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let mut used = Vec::new();
    for ((session, account), held) in &charges.used {
        used.extend([(*session).into(), (*account).into(), held.from_gift.into(), held.from_wallet.into()]);
    }
    exactly(tx, &LEASES_USE, &used).await?;

    let mut postings = Vec::new();
    let mut income = Nano::ZERO;
    for (account, posting) in &charges.postings {
        let own = ids.get(account).ok_or(LedgerError::Raced)?;
        let entries = [
            (own.reserved, Nano(-posting.reserved.0)),
            (own.gift, Nano(-posting.gift.0)),
            (own.wallet, Nano(-posting.wallet.0)),
            (revenue, posting.total()),
        ];
        income = income.saturating_add(posting.total());
        postings.push((posting.id, TransactionKind::Settlement, entries.to_vec()));
    }
    if postings.is_empty() {
        return Ok(());
    }
    exactly(tx, &BALANCES_ADD, &[revenue.into(), income.into(), now.into()]).await?;
    post_all(tx, &postings, Some(revenue), now).await
}

/// A transaction to be written, with its entries.
type Transaction = (TransactionId, TransactionKind, Vec<(LedgerAccountId, Nano)>);

/// Writes transactions; balances of all accounts but `done` are moved.
async fn post_all(
    tx: &mut WriteTx<'_>,
    postings: &[Transaction],
    done: Option<LedgerAccountId>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let (mut transactions, mut lines, mut balances) = (Vec::new(), Vec::new(), Vec::new());
    for (id, kind, entries) in postings {
        transactions.extend([(*id).into(), Value::Word(kind.as_str()), now.into()]);
        for (line, (account, amount)) in (1_i64..).zip(entries.iter().filter(|(_, amount)| amount.0 != 0)) {
            lines.extend([(*id).into(), line.into(), (*account).into(), (*amount).into()]);
            if Some(*account) != done {
                balances.extend([(*account).into(), (*amount).into(), now.into()]);
            }
        }
    }
    tx.bulk(&TRANSACTIONS_INSERT, &transactions).await?;
    tx.bulk(&ENTRIES_INSERT, &lines).await?;
    exactly(tx, &BALANCES_ADD, &balances).await
}

/// Adds calls to the daily sums. Refused calls never reached a provider and are not counted.
pub(crate) async fn usage_add<'a>(
    tx: &mut WriteTx<'_>,
    calls: impl Iterator<Item = (&'a Pending, Nano)>,
) -> Result<(), LedgerError> {
    let mut days: BTreeMap<(AccountId, KeyId, Timestamp), [i64; 3]> = BTreeMap::new();
    for (call, amount) in calls.filter(|(call, _)| call.record.status != CallStatus::Refused) {
        let record = &call.record;
        let [count, tokens, sum] = days.entry((record.account, record.key, record.started_at.day_start())).or_default();
        *count += 1;
        *tokens = tokens.saturating_add(i64::try_from(record.usage.total()).unwrap_or(i64::MAX));
        *sum = sum.saturating_add(amount.0);
    }
    let mut values = Vec::new();
    for ((account, key, day), [count, tokens, sum]) in days {
        values.extend([account.into(), key.into(), day.into(), count.into(), tokens.into(), sum.into()]);
    }
    tx.bulk(&USAGE_ADD, &values).await?;
    Ok(())
}

/// Gives everything a session holds back to wallets and gifts; how much that was.
pub(crate) async fn release(tx: &mut WriteTx<'_>, session: SessionId, now: Timestamp) -> Result<Nano, LedgerError> {
    let mut held = Vec::new();
    for row in tx.all(&LEASES_OF_SESSION, &[session.into()]).await? {
        held.push((
            row.get::<AccountId>("account_id")?,
            row.get::<Nano>("from_gift")?,
            row.get::<Nano>("from_wallet")?,
        ));
    }
    let ids = purse_ids(tx, held.iter().map(|(account, ..)| *account)).await?;
    let mut postings = Vec::new();
    let mut released = Nano::ZERO;
    for (account, gift, wallet) in held {
        let sum = gift.saturating_add(wallet);
        if sum.0 > 0 {
            let own = ids.get(&account).ok_or(LedgerError::Inconsistent { table: "leases", column: "account_id" })?;
            let entries = vec![(own.reserved, Nano(-sum.0)), (own.wallet, wallet), (own.gift, gift)];
            postings.push((TransactionId::fresh(), TransactionKind::Release, entries));
            released = released.saturating_add(sum);
        }
    }
    post_all(tx, &postings, None, now).await?;
    tx.execute(&LEASES_DELETE, &[session.into()]).await?;
    Ok(released)
}

/// Drops what is written of a session's open calls.
pub(crate) async fn open_drop(tx: &mut WriteTx<'_>, session: SessionId) -> Result<(), LedgerError> {
    tx.execute(&OPEN_CALLS_DELETE, &[session.into()]).await?;
    Ok(())
}
