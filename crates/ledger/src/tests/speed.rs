//! What settlement costs. Not a test of correctness: run it by hand with
//! `cargo test --release -p tacit-ledger -- --ignored --nocapture speed`.

use super::settling::lease;
use super::*;
use tacit_storage::Engine;
use tacit_storage::testing::test_db;

/// CPU time of this process so far, in microseconds.
fn cpu_micros() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks: u64 =
        stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
    ticks * 10_000
}

async fn measure(engine: Engine, per_commit: usize, accounts: usize, streams: bool) {
    const COMMITS: u64 = 400;
    let db = test_db(engine).await;
    let world = World::new(db.clone()).await;
    let s = world.session("gw").await;
    let mut customers = Vec::new();
    for _ in 0..accounts {
        let a = world.customer(1_000_000_000).await;
        lease(&world, s, a, 1, 1_000_000_000).await;
        customers.push(a);
    }
    let mut open: Vec<BegunCall> = Vec::new();
    let mut batches = Vec::new();
    for number in 1..=COMMITS + 20 {
        let begun: Vec<_> = (0..per_commit).map(|i| world.begun(customers[i % accounts], 500, 100)).collect();
        let ending = if streams { std::mem::replace(&mut open, begun.clone()) } else { begun.clone() };
        let ended: Vec<_> = ending.iter().map(|b| world.ended(b, 100, 20)).collect();
        batches.push([batch(s, number, &begun, &ended)]);
    }
    for batch in &batches[..20] {
        world.commit(batch).await;
    }
    let (start, cpu) = (std::time::Instant::now(), cpu_micros());
    for batch in &batches[20..] {
        world.commit(batch).await;
    }
    let calls = COMMITS * per_commit as u64;
    println!(
        "{engine:?}, {per_commit} calls a commit, {accounts} accounts, {}: {:.1} µs CPU (this process), {:.1} µs elapsed a call",
        if streams { "begun a commit before they end" } else { "begun and ended in one commit" },
        (cpu_micros() - cpu) as f64 / calls as f64,
        start.elapsed().as_micros() as f64 / calls as f64
    );
    world.assert_clean().await;
}

#[tokio::test]
#[ignore = "a measurement"]
async fn speed() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for (per_commit, accounts, streams) in
            [(60, 1, false), (60, 1, true), (60, 20, true), (25, 1, true), (120, 1, true)]
        {
            measure(engine, per_commit, accounts, streams).await;
        }
    }
}
