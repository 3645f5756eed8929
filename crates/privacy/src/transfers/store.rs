//! SQL of transfers.

use super::{Counted, Transfer};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, CallId, TransferId};
use tacit_storage::{Bulk, ReadTx, Row, Sql, StorageError, Value, WriteTx};

const BEGIN: Sql = Sql::new(
    "INSERT INTO transfer_progress (singleton, after_id, counted_at) VALUES (1, $1, $2) ON CONFLICT (singleton) DO NOTHING",
);
const PLACE: Sql = Sql::new("SELECT after_id FROM transfer_progress WHERE singleton = 1");
const COUNTED_AT: Sql = Sql::new("SELECT counted_at FROM transfer_progress WHERE singleton = 1");
const GO_ON: Sql = Sql::new("UPDATE transfer_progress SET after_id = $1, counted_at = $2 WHERE singleton = 1");
static ADD: Bulk = Bulk::new(
    "INSERT INTO transfers (id, year, provider_id, recipient_id, country, account_id, calls, first_at, last_at) VALUES",
    9,
    "ON CONFLICT (account_id, year, provider_id, country) DO UPDATE SET recipient_id = excluded.recipient_id, \
     calls = transfers.calls + excluded.calls, \
     first_at = CASE WHEN excluded.first_at < transfers.first_at THEN excluded.first_at ELSE transfers.first_at END, \
     last_at = CASE WHEN excluded.last_at > transfers.last_at THEN excluded.last_at ELSE transfers.last_at END",
);
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT year, provider_id, recipient_id, country, account_id, calls, first_at, last_at FROM transfers \
     WHERE account_id = $1 ORDER BY year DESC, last_at DESC LIMIT $2",
);
const COUNTRIES: Sql = Sql::new(
    "SELECT country, COUNT(DISTINCT account_id) AS subjects, CAST(SUM(calls) AS BIGINT) AS calls FROM transfers \
     WHERE year = $1 GROUP BY country ORDER BY country",
);
const PROVIDERS: Sql = Sql::new(
    "SELECT country, provider_id, COUNT(DISTINCT account_id) AS subjects, CAST(SUM(calls) AS BIGINT) AS calls FROM transfers \
     WHERE year = $1 GROUP BY country, provider_id ORDER BY country, provider_id",
);
const ABROAD: Sql = Sql::new("SELECT COUNT(DISTINCT account_id) AS n FROM transfers WHERE year = $1 AND country <> $2");
const FORGET: Sql = Sql::new(
    "DELETE FROM transfers WHERE last_at < $1 \
     AND account_id NOT IN (SELECT account_id FROM legal_holds WHERE ends_at > $2)",
);

pub(super) const STATEMENTS: &[&Sql] =
    &[&BEGIN, &PLACE, &COUNTED_AT, &GO_ON, &OF_ACCOUNT, &COUNTRIES, &PROVIDERS, &ABROAD, &FORGET];
pub(super) static BULKS: &[&Bulk] = &[&ADD];

/// To where calls are counted.
pub(super) async fn place(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<CallId, StorageError> {
    tx.execute(&BEGIN, &[CallId(uuid::Uuid::nil()).into(), now.into()]).await?;
    let row = tx.one(&PLACE, &[]).await?.ok_or_else(|| StorageError::inconsistent("transfer_progress", "singleton"))?;
    row.get("after_id")
}

/// When something was counted last.
pub(super) async fn counted_at(tx: &mut ReadTx<'_>) -> Result<Option<Timestamp>, StorageError> {
    tx.one(&COUNTED_AT, &[]).await?.map(|row| row.get("counted_at")).transpose()
}

pub(super) async fn go_on(tx: &mut WriteTx<'_>, place: CallId, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(&GO_ON, &[place.into(), now.into()]).await.map(drop)
}

/// Adds to what is there; no two of them are of the same account, year, provider and country.
pub(super) async fn add(tx: &mut WriteTx<'_>, transfers: &[Transfer]) -> Result<(), StorageError> {
    let mut rows: Vec<Value> = Vec::with_capacity(transfers.len() * 9);
    for t in transfers {
        rows.extend([
            TransferId::fresh().into(),
            i64::from(t.year).into(),
            t.provider.into(),
            t.recipient.into(),
            t.country.clone().into(),
            t.account.into(),
            count(t.calls),
            t.first_at.into(),
            t.last_at.into(),
        ]);
    }
    tx.bulk(&ADD, &rows).await.map(drop)
}

fn count(n: u64) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

fn transfer(row: &Row) -> Result<Transfer, StorageError> {
    Ok(Transfer {
        year: u16::try_from(row.get::<i64>("year")?).map_err(|_| StorageError::inconsistent("transfers", "year"))?,
        provider: row.get("provider_id")?,
        recipient: row.get("recipient_id")?,
        country: row.get("country")?,
        account: row.get("account_id")?,
        calls: row.get("calls")?,
        first_at: row.get("first_at")?,
        last_at: row.get("last_at")?,
    })
}

/// Those of an account, the latest first.
pub(super) async fn of_account(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    most: i64,
) -> Result<Vec<Transfer>, StorageError> {
    tx.all(&OF_ACCOUNT, &[account.into(), most.into()]).await?.iter().map(transfer).collect()
}

fn counted(row: &Row, by_provider: bool) -> Result<Counted, StorageError> {
    Ok(Counted {
        country: row.get("country")?,
        provider: if by_provider { row.get("provider_id")? } else { None },
        subjects: row.get("subjects")?,
        calls: row.get("calls")?,
    })
}

pub(super) async fn countries(tx: &mut ReadTx<'_>, year: u16) -> Result<Vec<Counted>, StorageError> {
    tx.all(&COUNTRIES, &[i64::from(year).into()]).await?.iter().map(|row| counted(row, false)).collect()
}

pub(super) async fn providers(tx: &mut ReadTx<'_>, year: u16) -> Result<Vec<Counted>, StorageError> {
    tx.all(&PROVIDERS, &[i64::from(year).into()]).await?.iter().map(|row| counted(row, true)).collect()
}

/// Distinct accounts whose calls went elsewhere than home.
pub(super) async fn abroad(tx: &mut ReadTx<'_>, year: u16, home: &str) -> Result<u64, StorageError> {
    let row = tx.one(&ABROAD, &[i64::from(year).into(), home.to_owned().into()]).await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

/// Those whose time is over go, but for accounts that are held.
pub(super) async fn forget(tx: &mut WriteTx<'_>, before: Timestamp, now: Timestamp) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[before.into(), now.into()]).await
}
