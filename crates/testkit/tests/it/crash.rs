//! Gateway, control plane or both are killed at random under load; afterwards every call is accounted for exactly.
//!
//! `TACIT_TEST_CRASHES` says how often (6 if not given), `TACIT_TEST_SEED` repeats a run's choices.

mod load;

use crate::{both_engines, nano, text};
use load::{Complete, Load};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use tacit_kernel::rating::Usage;
use tacit_storage::{Db, Engine, Sql, StorageError};
use tacit_testkit::{Client, Options, Platform, processes};

/// Clients that call at the same time.
const WORKERS: usize = 8;
/// What is killed, each after so many milliseconds.
const WAYS: [&[(&str, u64)]; 4] =
    [&[("control", 0), ("gateway", 120)], &[("gateway", 0)], &[("control", 0)], &[("gateway", 0), ("control", 0)]];
/// Complete answers between two kills, at least.
const FLOW: usize = 6 * WORKERS;
/// From so many on, a run also waits until the gateway has given back its idle lease, which takes half a minute.
const MANY: u32 = 50;
/// What the wallet held at first.
const PAID_IN: i64 = 100_000_000_000;

both_engines! {
    async fn after_any_crash_every_complete_answer_is_charged_once(engine) {
        crash(engine, Settlement::Grouped, crashes().unwrap_or(6)).await
    }
}

/// With `money.settlement = "strict"` the last byte waits until the end of its call is durable, from which the charge
/// follows, so not even a killed gateway loses it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_strict_settlement_no_complete_answer_is_lost() {
    crash(Engine::Postgres, Settlement::Strict, crashes().map_or(3, |n| n / 2)).await.unwrap();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Settlement {
    Grouped,
    Strict,
}

fn crashes() -> Option<u32> {
    std::env::var("TACIT_TEST_CRASHES").ok()?.parse().ok()
}

async fn crash(engine: Engine, settlement: Settlement, crashes: u32) -> anyhow::Result<()> {
    let seed: u64 = std::env::var("TACIT_TEST_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or_else(rand::random);
    println!("TACIT_TEST_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let options = match settlement {
        Settlement::Grouped => Options::default(),
        Settlement::Strict => Options::default().set("money.settlement", "strict"),
    };
    let mut platform = Platform::start(engine, options.clone()).await?;
    load::add_models(&platform).await?;
    let load = Load::start(&platform, WORKERS);
    let mut gateways_killed = Vec::new();
    for round in 0..crashes {
        load.flows(&platform, FLOW).await?;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..500))).await;
        // Most is lost when the control plane is gone for a moment before its gateway: strict settlement must not care.
        let which = if round == 0 || settlement == Settlement::Strict { 0 } else { rng.random_range(0..WAYS.len()) };
        let mut killed = Vec::new();
        for (role, after) in WAYS[which] {
            tokio::time::sleep(Duration::from_millis(*after)).await;
            killed.push((role, platform.kill(role)?));
            if *role == "gateway" {
                gateways_killed.push(Instant::now());
            }
        }
        for (role, old) in killed {
            let restarted = processes::restarted(platform.supervisor(), role, Some(old)).await;
            restarted.map_err(|error| error.context(platform.log_end()))?;
        }
        platform.ready().await?;
    }
    load.flows(&platform, FLOW).await?;
    let seen = load.stop().await;
    println!("{} complete answers, {} broken calls, {crashes} crashes", seen.complete.len(), seen.broken);
    for anthropic in [false, true] {
        for stream in [false, true] {
            let count = seen.complete.iter().filter(|c| (c.anthropic, c.stream) == (anthropic, stream)).count();
            assert!(count > 5, "{count} complete answers (Anthropic {anthropic}, stream {stream}) prove little");
        }
    }

    // Nobody is asked to stop: the platform settles by itself what the dead gateways left.
    platform.ready().await?;
    settled_while_running(&platform).await?;
    let calls = platform.calls().await?;
    let lost = every_answer_has_its_record(&seen.complete, &calls);
    lost_only_by_kills(&lost, &seen.complete, &gateways_killed);
    if settlement == Settlement::Strict {
        assert!(lost.is_empty(), "a charge was lost though settlement is strict: {}", lost.len());
    }
    println!("{} of {} complete answers were recorded as lost", lost.len(), seen.complete.len());
    let charged: i64 = calls.iter().map(|call| nano(call, "/amount")).sum();
    let wallet = platform.wallet().await?;
    assert_eq!(nano(&wallet, "/wallet") + nano(&wallet, "/reserved") + charged, PAID_IN, "{wallet}");
    balanced(&platform).await?;
    if crashes >= MANY {
        let nothing = async || platform.wallet().await.is_ok_and(|wallet| nano(&wallet, "/reserved") == 0);
        platform.until("an idle gateway gives back what it holds", nothing).await?;
    }

    // After an orderly stop nothing is held, by what the database itself says.
    platform.stop().await?;
    let held = Held::read(&platform.database().await?).await?;
    assert_eq!(held, Held::default(), "an orderly stop leaves nothing behind");
    platform.start_again(&options.settings).await?;
    assert_eq!(platform.calls().await?, calls, "no record changes by a restart");
    balanced(&platform).await
}

/// Waits until the running platform has nothing open, and nothing reserved but by the gateway that lives.
async fn settled_while_running(platform: &Platform) -> anyhow::Result<()> {
    let gateway = Client::new(&format!("http://{}", platform.admin_addresses()[0]), "");
    let quiet = async || {
        let Ok(metrics) = gateway.get("/metrics").await else { return false };
        let metrics = metrics.text();
        let gauge = |name: &str| metrics.lines().any(|line| line == format!("tacit_gateway_{name} 0"));
        gauge("unacknowledged_events") && gauge("open_calls")
    };
    platform.until("the gateway has told everything", quiet).await?;
    let db = platform.database().await?;
    let settled = async || {
        let held = Held::read(&db).await;
        held.is_ok_and(|held| {
            held.sessions == 1 && held.leased_by_dead == 0 && held.open_of_dead == 0 && held.journaled == 0
        })
    };
    platform.until("what the dead gateways left is settled, and all that was acknowledged", settled).await?;
    let held = Held::read(&db).await?;
    let living = platform.cli(&["status"]).await?;
    assert_eq!(living["gateways"].as_array().map(Vec::len), Some(1), "{living}");
    assert_eq!(held.reserved, held.leased_by_living, "{held:?}");
    assert_eq!(nano(&platform.wallet().await?, "/reserved"), held.reserved, "{held:?}");
    db.close().await;
    Ok(())
}

/// What gateways hold, as the database says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Held {
    /// Sessions that have not ended.
    sessions: i64,
    reserved: i64,
    leased_by_living: i64,
    leased_by_dead: i64,
    /// Rows of calls that began, of sessions that have ended.
    open_of_dead: i64,
    /// Batches of events that are not settled.
    journaled: i64,
}

const SESSIONS: Sql = Sql::new("SELECT COUNT(*) AS n FROM gateway_sessions WHERE ended_at IS NULL");
const RESERVED: Sql =
    Sql::new("SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) AS n FROM ledger_accounts WHERE kind = 'reserved'");
const LEASED_BY_LIVING: Sql = Sql::new(
    "SELECT CAST(COALESCE(SUM(from_gift + from_wallet), 0) AS BIGINT) AS n FROM leases \
     JOIN gateway_sessions ON id = session_id WHERE ended_at IS NULL",
);
const LEASED_BY_DEAD: Sql = Sql::new(
    "SELECT CAST(COALESCE(SUM(from_gift + from_wallet), 0) AS BIGINT) AS n FROM leases \
     JOIN gateway_sessions ON id = session_id WHERE ended_at IS NOT NULL",
);
const OPEN_OF_DEAD: Sql = Sql::new(
    "SELECT COUNT(*) AS n FROM open_calls JOIN gateway_sessions ON id = session_id WHERE ended_at IS NOT NULL",
);
const JOURNALED: Sql = Sql::new("SELECT COUNT(*) AS n FROM call_journal");

impl Held {
    async fn read(db: &Db) -> anyhow::Result<Self> {
        let read = db.read("test.held", |tx| {
            Box::pin(async move {
                let mut numbers = [0; 6];
                let all = [&SESSIONS, &RESERVED, &LEASED_BY_LIVING, &LEASED_BY_DEAD, &OPEN_OF_DEAD, &JOURNALED];
                for (number, sql) in numbers.iter_mut().zip(all) {
                    *number = tx.one(sql, &[]).await?.unwrap().get("n")?;
                }
                Ok::<_, StorageError>(numbers)
            })
        });
        let [sessions, reserved, leased_by_living, leased_by_dead, open_of_dead, journaled] = read.await?;
        Ok(Self { sessions, reserved, leased_by_living, leased_by_dead, open_of_dead, journaled })
    }
}

/// Each complete answer has one record, which charges what the provider reported, or one that says `lost`. Gives those.
fn every_answer_has_its_record<'a>(complete: &'a [Complete], calls: &[Value]) -> Vec<&'a Complete> {
    let mut records: HashMap<&str, Vec<&Value>> = HashMap::new();
    for call in calls {
        records.entry(text(call, "/id")).or_default().push(call);
    }
    let mut lost = Vec::new();
    let mut ids = HashSet::new();
    for answer in complete {
        assert!(ids.insert(&answer.call), "an id was given twice: {}", answer.call);
        let found = records.get(answer.call.as_str()).map_or(&[][..], Vec::as_slice);
        let [call] = found else { panic!("{} records of the complete answer {}", found.len(), answer.call) };
        assert!(!text(call, "/settlement").is_empty(), "{call}");
        let usage: Usage = serde_json::from_value(call["usage"].clone()).unwrap();
        if text(call, "/status") == "lost" {
            // docs/billing.md: the input by estimate, no output.
            assert_eq!(usage, Usage { input: usage.input, ..Usage::default() }, "{call}");
            assert_eq!(text(call, "/usage_source"), "estimate", "{call}");
            assert!(nano(call, "/amount") > 0 && nano(call, "/amount") <= by_hand(&usage), "{call}");
            lost.push(answer);
            continue;
        }
        assert_eq!(text(call, "/status"), "completed", "{call}");
        assert_eq!(text(call, "/usage_source"), "provider", "{call}");
        assert_eq!(usage, answer.usage, "not what the provider reported: {call}");
        assert_eq!(nano(call, "/amount"), by_hand(&answer.usage), "{call}");
    }
    lost
}

/// The price of a call on this platform: its rates per million tokens times the group's 0.8, in nano units a token.
fn by_hand(usage: &Usage) -> i64 {
    let of = |tokens: u64, each: i64| i64::try_from(tokens).unwrap() * each;
    of(usage.input, 2_400)
        + of(usage.cache_read, 240)
        + of(usage.cache_write_5m, 3_000)
        + of(usage.cache_write_1h, 4_800)
        + of(usage.output, 12_000)
}

/// How many complete answers may be recorded as lost. Events reach the control plane in order, and the next answer of
/// the same client is not complete before its own begun event is durable, with it the end of the call before. So a
/// kill of the gateway can lose at most the newest complete answer of each client: one that was asked for before the
/// kill, and after which that client got no further one before it.
fn lost_only_by_kills(lost: &[&Complete], complete: &[Complete], kills: &[Instant]) {
    let mut explained = HashSet::new();
    for answer in lost {
        let next = complete.iter().find(|c| c.worker == answer.worker && c.asked_at > answer.asked_at);
        let kill = kills.iter().position(|kill| {
            *kill >= answer.asked_at
                && next.is_none_or(|next| *kill <= next.complete_at)
                && !explained.contains(&(answer.worker, *kill))
        });
        let kill = kill.unwrap_or_else(|| panic!("no kill of a gateway explains that {} was lost", answer.call));
        explained.insert((answer.worker, kills[kill]));
    }
    assert!(lost.len() <= WORKERS * kills.len());
}

async fn balanced(platform: &Platform) -> anyhow::Result<()> {
    let verified = platform.cli(&["ledger", "verify"]).await?;
    assert_eq!(verified["balanced"], Value::Bool(true), "{verified}");
    Ok(())
}
