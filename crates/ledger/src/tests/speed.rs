//! What the journal and settlement cost. Not a test of correctness: run it by hand with
//! `cargo test --release -p tacit-ledger -- --ignored --nocapture --test-threads 1 speed`.

use super::settling::lease;
use super::*;
use tacit_storage::Engine;
use tacit_storage::testing::test_db;

/// CPU time of this process so far, in nanoseconds: that of its threads, none of which ends meanwhile.
fn cpu_nanos() -> u64 {
    let of_thread = |thread: std::fs::DirEntry| -> u64 {
        let stat = std::fs::read_to_string(thread.path().join("schedstat")).unwrap();
        stat.split_whitespace().next().unwrap().parse().unwrap()
    };
    std::fs::read_dir("/proc/self/task").unwrap().map(|thread| of_thread(thread.unwrap())).sum()
}

/// Bytes of an event as a gateway sends it.
const BEGUN: usize = 220;
const ENDED: usize = 400;

fn row(batch: &SessionBatch) -> JournalBatch {
    let size = batch.begun.len() * BEGUN + batch.ended.len() * ENDED;
    JournalBatch { session: batch.session, batch: batch.batch, events: vec![7; size] }
}

/// What stretches of work cost together.
#[derive(Default)]
struct Cost {
    cpu: u64,
    elapsed: std::time::Duration,
}

impl Cost {
    async fn add(&mut self, work: impl Future<Output = ()>) {
        let (start, cpu) = (std::time::Instant::now(), cpu_nanos());
        work.await;
        self.cpu += cpu_nanos() - cpu;
        self.elapsed += start.elapsed();
    }

    fn per(&self, calls: usize) -> String {
        let micros = |nanos: f64| nanos / calls as f64 / 1e3;
        let (cpu, elapsed) = (micros(self.cpu as f64), micros(self.elapsed.as_nanos() as f64));
        format!("{cpu:.2} µs CPU of this process, {elapsed:.2} elapsed")
    }
}

/// Batches of 40 calls each are journaled one by one, and settled so many calls at a time.
async fn measure(engine: Engine, per_commit: usize, accounts: usize, streams: bool) {
    const CALLS: usize = 40_000;
    const PER_BATCH: usize = 40;
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
    for number in 1..=(CALLS / PER_BATCH) as u64 {
        let begun: Vec<_> = (0..PER_BATCH).map(|i| world.begun(customers[i % accounts], 500, 100)).collect();
        // A call that ends before its begin has left is one event.
        let (begun, ending) =
            if streams { (begun.clone(), std::mem::replace(&mut open, begun)) } else { (vec![], begun) };
        let ended: Vec<_> = ending.iter().map(|b| world.ended(b, 100, 20)).collect();
        batches.push(batch(s, number, &begun, &ended));
    }
    let (mut journal, mut settle) = (Cost::default(), Cost::default());
    for (number, part) in batches.chunks(per_commit.div_ceil(PER_BATCH)).enumerate() {
        if number * per_commit < CALLS / 20 {
            // Until everything is warm.
            (journal, settle) = (Cost::default(), Cost::default());
        }
        let rows: Vec<_> = part.iter().map(row).collect();
        let write = async {
            for row in &rows {
                world.journal.write(std::slice::from_ref(row)).await.unwrap();
            }
        };
        journal.add(write).await;
        settle.add(async { drop(world.settle(part).await) }).await;
    }
    let calls = CALLS - CALLS / 20;
    let how = if streams { "begun a batch before they end" } else { "one event a call" };
    println!("{engine:?}, {per_commit} calls a settlement, {accounts} accounts, {how}: a call");
    println!("    journal {}", journal.per(calls));
    println!("    settle  {}", settle.per(calls));
    world.assert_clean().await;
}

async fn speed(engine: Engine) {
    for (per_commit, accounts, streams) in
        [(40, 1, false), (240, 1, false), (480, 1, false), (480, 20, false), (240, 1, true), (480, 20, true)]
    {
        measure(engine, per_commit, accounts, streams).await;
    }
}

#[tokio::test]
#[ignore = "a measurement"]
async fn speed_on_sqlite() {
    speed(Engine::Sqlite).await;
}

#[tokio::test]
#[ignore = "a measurement"]
async fn speed_on_postgres() {
    speed(Engine::Postgres).await;
}
