//! How long it takes to find everybody whom an incident concerns:
//! `cargo run --release -p tacit-privacy --example incident_scope -- 1000000 [postgres]`.
//!
//! The accounts are made of numbers and have no names; every tenth has made a call.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tacit_identity::Identity;
use tacit_identity::passwords::{Cost, Hashing};
use tacit_kernel::ids::{AccountId, GroupId};
use tacit_kernel::{Clock, SystemClock};
use tacit_operations::messages::{Messages, Route, Schedule, Setup as Sending, Templates};
use tacit_privacy::Controller;
use tacit_privacy::incidents::{Criterion, Incidents, Kind, New, Setup, Window};
use tacit_storage::testing::{test_db, test_key_store};
use tacit_storage::{Bulk, Engine, Sql, StorageError, Value};

static GROUP: Sql = Sql::new("INSERT INTO user_groups VALUES ($1, 'all', 1000000, 0, 0)");
static ACCOUNTS: Bulk = Bulk::new(
    "INSERT INTO accounts (id, group_id, name_sealed, name_lookup, status, limits, created_at, updated_at) VALUES",
    8,
    "",
);
static CALLS: Bulk = Bulk::new(
    "INSERT INTO calls (id, account_id, key_id, session_id, started_at, endpoint, stream, source, group_id, \
     group_multiplier_ppm, channel_multiplier_ppm, attempts, status, http_status, input_tokens, cache_read_tokens, \
     cache_write_5m_tokens, cache_write_1h_tokens, audio_input_tokens, image_input_tokens, output_tokens, reasoning_tokens, \
     audio_output_tokens, usage_source, amount, capped, duration_micros, concurrency, risk_marks, agent_family) VALUES",
    30,
    "",
);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let accounts: u32 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let engine =
        if arguments.next().is_some_and(|text| text == "postgres") { Engine::Postgres } else { Engine::Sqlite };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (db, keys) = (test_db(engine).await, test_key_store(&clock).await);
    let began = clock.now();
    let group = GroupId::fresh();
    db.write("example.group", |tx| Box::pin(async move { tx.execute(&GROUP, &[group.into()]).await })).await?;
    for from in (0..accounts).step_by(10_000) {
        let many = 10_000.min(accounts - from);
        let mut rows = Vec::new();
        let mut calls = Vec::new();
        for n in 0..many {
            let id = AccountId::fresh();
            rows.extend([
                id.into(),
                group.into(),
                Value::Bytes(vec![0; 40]),
                Value::Bytes(id.0.as_bytes().to_vec()),
                Value::Word("active"),
                Value::Word("{}"),
                began.into(),
                began.into(),
            ]);
            if n % 10 == 0 {
                let call = tacit_kernel::ids::fresh();
                calls.extend([call, id.0, call, call].map(Value::Uuid));
                calls.extend([began.into(), Value::Word("x"), 0_i64.into(), Value::Word("api"), group.into()]);
                calls.extend([1_i64, 1, 1].map(Value::I64));
                calls.extend([Value::Word("completed"), 200_i64.into()]);
                calls.extend([0_i64; 9].map(Value::I64));
                calls.extend([Value::Word("provider"), 0_i64.into(), 0_i64.into(), 1_i64.into(), 1_i64.into()]);
                calls.extend([0_i64.into(), Value::Word("curl")]);
            }
        }
        let (rows, calls) = (&rows, &calls);
        let write: Result<u64, StorageError> = db
            .write("example.accounts", |tx| {
                Box::pin(async move { Ok(tx.bulk(&ACCOUNTS, rows).await? + tx.bulk(&CALLS, calls).await?) })
            })
            .await;
        write?;
    }
    let sending = Sending {
        email: Route::Development,
        sms: Route::Development,
        templates: Templates::load(None, "Example")?,
        schedule: Schedule::DEFAULT,
        concurrency: 1,
        longest_attempt: Duration::from_secs(1),
    };
    let messages = Messages::new(db.clone(), keys.clone(), clock.clone(), sending);
    let identity = Identity::new(db.clone(), keys.clone(), clock.clone(), Hashing::start(1, Cost::default())?);
    let setup = Setup { clocks: Vec::new(), controller: Controller::default(), site: None, days: 1095 };
    let incidents = Incidents::new((db.clone(), keys, clock.clone()), identity, messages, setup)?;
    let now = clock.now();
    let calls =
        Criterion::Calls { window: Window { from: began, until: now }, provider: None, channel: None, gateway: None };
    let mut out = std::io::stdout();
    for criterion in [Criterion::Everyone, calls] {
        let incident =
            incidents.open(&New { kind: Kind::Leak, found_at: now, began_at: None, ended_at: None }).await?.id;
        incidents.seek(incident, &criterion).await?;
        let before = clock.now();
        while incidents.step().await? {}
        let took = clock.now().micros_since(before) / 1000;
        let found = incidents.find(incident).await?.told.all();
        writeln!(out, "{engine:?} {}: {found} of {accounts} accounts in {took} ms", criterion.word())?;
    }
    Ok(())
}
