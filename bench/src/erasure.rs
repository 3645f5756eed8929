//! Erasing people with 1,000 call records each out of millions: how long until nothing can be read, until no row leads to them, until
//! the bytes are gone; beside it the naive way, deleting the rows by their index.

use crate::say;
use anyhow::{Context, Result, ensure};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tacit_identity::Identity;
use tacit_identity::passwords::{Cost, Hashing};
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Limits;
use tacit_kernel::time::ManualClock;
use tacit_kernel::{Clock, Personal, Ppm, SystemClock};
use tacit_ledger::Ledger;
use tacit_privacy::erasure::{Erasing, Reason, State};
use tacit_privacy::retention::{Days, Retention};
use tacit_storage::audit::Audit;
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Engine, Sql, SqlText, StorageError, Value, WriteTx};
use tacit_vault::MasterKey;

/// Call records of one account.
const EACH: usize = 1_000;
/// People erased one by one.
const SINGLE: usize = 50;
/// People whose rows are deleted the naive way.
const NAIVE: usize = 20;
/// Rows written in a transaction.
const WRITTEN: usize = 500_000;
/// Longer than gateways may take to hear of it, in microseconds.
const HEARD: i64 = 11_000_000;

const MOVE: Sql = Sql::new("UPDATE calls SET account_id = $1 WHERE account_id = $2");
const READABLE: Sql = Sql::new("SELECT COUNT(*) AS n FROM calls WHERE account_id = $1");
const DELETE: Sql = Sql::new("DELETE FROM calls WHERE account_id = $1");

/// The rows from one number to another, as the engine writes them fastest: those of an account lie as far apart as may be.
fn rows(engine: Engine, accounts: usize, (from, to): (usize, usize)) -> String {
    let columns = "id, account_id, key_id, session_id, started_at, endpoint, stream, source, group_id, group_multiplier_ppm, \
        channel_multiplier_ppm, attempts, status, http_status, input_tokens, cache_read_tokens, cache_write_5m_tokens, \
        cache_write_1h_tokens, audio_input_tokens, image_input_tokens, output_tokens, reasoning_tokens, audio_output_tokens, \
        usage_source, amount, capped, duration_micros, concurrency, risk_marks, agent_family, ip_sealed, user_agent_sealed";
    let (id, account, none, sealed, numbers) = match engine {
        Engine::Sqlite => (
            "unhex(printf('%032x', n))".to_owned(),
            format!("unhex(printf('a%031x', n % {accounts}))"),
            "zeroblob(16)",
            "randomblob(60)",
            format!(
                "(WITH RECURSIVE c(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM c WHERE n < {to}) SELECT n FROM c)"
            ),
        ),
        Engine::Postgres => (
            "lpad(to_hex(n), 32, '0')::uuid".to_owned(),
            format!("('a' || lpad(to_hex(n % {accounts}), 31, '0'))::uuid"),
            "'00000000-0000-0000-0000-000000000000'::uuid",
            "decode(repeat(md5(n::text), 2), 'hex')",
            format!("generate_series({from}, {to}) AS g(n)"),
        ),
    };
    format!(
        "INSERT INTO calls ({columns}) SELECT {id}, {account}, {none}, {none}, 0, '/v1/chat/completions', 0, 'api', {none}, 1000000, \
         1000000, 1, 'completed', 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'provider', 0, 0, 1, 1, 0, 'curl', {sealed}, {sealed} FROM {numbers}"
    )
}

async fn execute(db: &Db, sql: &'static Sql, row: Vec<Value>) -> Result<u64> {
    let row = &row;
    let done: Result<u64, StorageError> =
        db.write("bench.execute", |tx| Box::pin(async move { tx.execute(sql, row).await })).await;
    Ok(done?)
}

async fn fill(db: &Db, calls: usize, accounts: usize) -> Result<()> {
    let mut from = 1;
    while from <= calls {
        let to = calls.min(from + WRITTEN - 1);
        // Of this program alone, and gone with it.
        let text: &'static str = rows(db.engine(), accounts, (from, to)).leak();
        let write = async |tx: &mut WriteTx<'_>| tx.query(SqlText::new(text)).await.map(drop);
        let write = &write;
        let written: Result<(), StorageError> = db.write("bench.calls", |tx| Box::pin(write(tx))).await;
        written?;
        from = to + 1;
    }
    Ok(())
}

/// Measures with that many call records in those empty databases.
pub(crate) async fn measure(url: &str, keyring: &str, calls: usize) -> Result<()> {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let db = Db::open(url).await?;
    db.migrate(clock.now()).await?;
    let keys = KeyStore::open(Db::open(keyring).await?, &MasterKey::generate(), clock.clone()).await?;
    let parts = (db.clone(), keys.clone(), clock.clone() as Arc<dyn Clock>);
    let identity = Identity::new(db.clone(), keys.clone(), clock.clone(), Hashing::start(1, Cost::default())?);
    let (ledger, audit) = (Ledger::new(db.clone(), clock.clone()), Audit::new(db.clone(), keys.clone(), clock.clone()));
    let retention = Retention::new(parts.clone(), ledger.clone(), audit.clone(), Days::default());
    let erasing = Erasing::new(parts, identity.clone(), ledger, retention, audit);

    let (begun, accounts) = (Instant::now(), calls.div_ceil(EACH));
    ensure!(accounts > SINGLE + NAIVE, "too few records to erase {} people", SINGLE + NAIVE);
    fill(&db, calls, accounts).await?;
    let group = identity.group_put("all", Ppm::ONE).await?.id;
    let mut people = Vec::new();
    for place in 0..SINGLE {
        let name = Personal::new(format!("person {place}"));
        let account = identity.account_create(&name, group, &Limits::default()).await?.id;
        let moved = execute(&db, &MOVE, vec![account.into(), synthetic(place).into()]).await?;
        ensure!(moved.abs_diff(u64::try_from(EACH)?) <= 1, "somebody has {moved} records");
        people.push(account);
    }
    say(&format!("  {calls} records of {accounts} people written in {:.0} s", begun.elapsed().as_secs_f64()));

    let (mut unreadable, mut purged) = (Vec::new(), Vec::new());
    for account in &people {
        let begun = Instant::now();
        let erasure = erasing.begin(*account, Reason::Asked, false).await?;
        unreadable.push(begun.elapsed());
        ensure!(erasure.state == State::Unreadable && keys.get(account.0).await?.is_none(), "it can be read");
        clock.advance_micros(HEARD);
        let begun = Instant::now();
        while erasing.find(erasure.id).await?.context("no erasure")?.state == State::Unreadable {
            erasing.step().await?;
        }
        purged.push(begun.elapsed());
        ensure!(left(&db, *account).await? == 0, "rows lead to somebody who was erased");
    }
    let begun = Instant::now();
    keys.turn().await?;
    while erasing.open().await? > 0 {
        erasing.step().await?;
    }
    let bytes = begun.elapsed();

    let mut naive = Vec::new();
    for place in SINGLE..SINGLE + NAIVE {
        let begun = Instant::now();
        execute(&db, &DELETE, vec![synthetic(place).into()]).await?;
        naive.push(begun.elapsed());
    }
    for (what, times) in
        [("unreadable", &mut unreadable), ("rows purged", &mut purged), ("naive, rows deleted", &mut naive)]
    {
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        say(&format!("  {what}: {} at the median, {} at the 99th percentile", millis(at(50)), millis(at(99))));
    }
    say(&format!("  bytes of all {SINGLE} gone, with the turn of the epoch: {:.1} s", bytes.as_secs_f64()));
    db.close().await;
    Ok(())
}

/// Somebody who has nothing but records.
fn synthetic(place: usize) -> AccountId {
    AccountId(uuid::Uuid::from_u128((0xa << 124) | u128::try_from(place).unwrap_or_default()))
}

async fn left(db: &Db, account: AccountId) -> Result<u64> {
    let read: Result<_, StorageError> =
        db.read("bench.left", |tx| Box::pin(async move { tx.one(&READABLE, &[account.into()]).await })).await;
    Ok(read?.context("no count")?.get("n")?)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
