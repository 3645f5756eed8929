//! Destroying keys out of a keyring of many subjects, and the turn of the epoch that makes it final; beside it the naive
//! way, in which every key is wrapped anew.

use crate::say;
use anyhow::{Context, Result, ensure};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tacit_kernel::{SystemClock, ids};
use tacit_storage::keyring::{KeyStore, Step};
use tacit_storage::{Bulk, Db, Sql, StorageError, Value};
use tacit_vault::{Keyring, MasterKey};
use uuid::Uuid;

/// Keys destroyed one by one to measure one of them.
const SINGLE: usize = 200;
/// Keys destroyed together before a turn.
const TOGETHER: [usize; 3] = [1, 100, 1000];

const EPOCH: Sql = Sql::new("SELECT epoch, wrapped FROM keyring_epochs");
const BUNCH: Sql = Sql::new(
    "INSERT INTO keyring_bunches (id, slot, epoch, wrapped, spoilt, created_at) VALUES ($1, $1, $2, $3, 0, 0)",
);
static KEYS: Bulk = Bulk::new("INSERT INTO subject_keys (subject, bunch, wrapped, created_at) VALUES", 4, "");
/// As many as the key store has.
const SLOTS: u16 = 4096;
/// Keys written in a transaction.
const WRITTEN: usize = 20_000;

/// Measures with that many subjects in that empty database.
pub(crate) async fn measure(url: &str, subjects: usize) -> Result<()> {
    let db = Db::open(url).await?;
    let master = MasterKey::generate();
    let keys = KeyStore::open(db.clone(), &master, Arc::new(SystemClock)).await?;
    let made = Instant::now();
    let people = fill(&db, &master, subjects).await?;
    say(&format!("  {subjects} subjects written in {:.1} s", made.elapsed().as_secs_f64()));

    let mut left = people.iter().copied().step_by(97);
    let mut take = |n: usize| left.by_ref().take(n).collect::<Vec<_>>();
    let mut times = Vec::new();
    for subject in take(SINGLE) {
        let begun = Instant::now();
        keys.destroy(&[subject]).await?;
        times.push(begun.elapsed());
        ensure!(keys.get(subject).await?.is_none(), "a destroyed key is there");
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    say(&format!("  unreadable: {} at the median, {} at the 99th percentile", millis(at(50)), millis(at(99))));
    keys.turn().await?;

    for n in TOGETHER {
        let gone = take(n);
        let destroyed = keys.destroy(&gone).await?;
        ensure!(destroyed.keys == u64::try_from(n)?, "not all were there");
        let (took, longest) = turned(&keys, keys.turn_begin()).await?;
        ensure!(keys.is_final(destroyed.epoch).await?, "the turn is not final");
        say(&format!(
            "  turn, {n} destroyed: {}; the longest step that a writer waits for {}",
            millis(took),
            millis(longest)
        ));
    }
    let (took, _) = turned(&keys, async { keys.rotate_begin().await.map(|()| true) }).await?;
    say(&format!("  naive, every key wrapped anew: {}", millis(took)));
    let sample: Vec<Uuid> = people.iter().copied().step_by(997).collect();
    let erased = keys.erased(&sample).await?;
    for subject in sample {
        ensure!(keys.get_fleeting(subject).await?.is_some() != erased.contains(&subject), "a key of another is gone");
    }
    db.close().await;
    Ok(())
}

/// Begins a turn and goes through with it; how long that took, and its longest step.
async fn turned(
    keys: &KeyStore,
    begin: impl Future<Output = Result<bool, tacit_kernel::Fault>>,
) -> Result<(Duration, Duration)> {
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    ensure!(begin.await?, "no turn is due");
    loop {
        let step = Instant::now();
        match keys.turn_step().await? {
            Step::Part => longest = longest.max(step.elapsed()),
            Step::Swept => {}
            Step::Nothing => return Ok((begun.elapsed(), longest)),
        }
    }
}

/// Writes subjects as the key store would, many at once.
async fn fill(db: &Db, master: &MasterKey, subjects: usize) -> Result<Vec<Uuid>> {
    let rows = db.read("bench.epoch", |tx| Box::pin(async move { tx.all(&EPOCH, &[]).await })).await;
    let rows: Vec<_> = rows.map_err(|e: StorageError| e)?;
    let row = rows.first().context("no epoch")?;
    let ring = Keyring::unlock(master, &[(row.get("epoch")?, row.get("wrapped")?)])?;
    let bunches: Vec<_> = (0..SLOTS).map(|slot| ring.new_bunch(i64::from(slot))).collect();
    let resting = &bunches;
    let written: Result<(), StorageError> = db
        .write("bench.bunches", |tx| {
            Box::pin(async move {
                for (_, bunch) in resting {
                    tx.execute(&BUNCH, &[bunch.id.into(), bunch.epoch.into(), bunch.wrapped.clone().into()]).await?;
                }
                Ok(())
            })
        })
        .await;
    written?;
    let people: Vec<Uuid> = (0..subjects).map(|_| ids::fresh()).collect();
    for part in people.chunks(WRITTEN) {
        let mut rows: Vec<Value> = Vec::with_capacity(part.len() * 4);
        for subject in part {
            let [.., high, low] = *subject.as_bytes();
            let slot = u16::from_be_bytes([high, low]) % SLOTS;
            let (bunch, resting) = bunches.get(usize::from(slot)).context("no bunch")?;
            let (_, wrapped) = bunch.wrap_new(*subject);
            rows.extend([(*subject).into(), resting.id.into(), wrapped.into(), 0_i64.into()]);
        }
        let rows = &rows;
        let written: Result<u64, StorageError> =
            db.write("bench.keys", |tx| Box::pin(async move { tx.bulk(&KEYS, rows).await })).await;
        written?;
    }
    Ok(people)
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
