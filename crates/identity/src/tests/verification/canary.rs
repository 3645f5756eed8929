//! What is shown is nowhere in clear: not in the database, not in the keyring, not in what SQLite writes beside them. And
//! once it is forgotten its sealed bytes are nowhere either.

use super::*;
use crate::Hashing;
use crate::passwords::Cost;
use std::path::Path;
use std::sync::Arc;
use tacit_kernel::time::ManualClock;
use tacit_storage::keyring::KeyStore;
use tacit_storage::testing::{MIGRATED_AT, test_db};
use tacit_storage::{Engine, Value};
use tacit_vault::MasterKey;

const CANARY: &str = "CANARY-PAPER-6b1f0e";
const NAME: &str = "金丝雀-CANARY-NAME";

fn found_in(dir: &Path, needles: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for (n, needle) in needles.iter().enumerate() {
            if bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(format!("{} holds {n}", path.file_name().unwrap().to_string_lossy()));
            }
        }
    }
    found
}

/// Of each sealed value its last bytes: a long one lies in several pages.
async fn sealed(db: &Db) -> Vec<Vec<u8>> {
    const CASE: Sql = Sql::new("SELECT details_sealed AS s FROM verification_cases");
    const PIECE: Sql = Sql::new("SELECT content_sealed AS s FROM verification_pieces");
    let mut all = Vec::new();
    for sql in [&CASE, &PIECE] {
        let rows: Result<Vec<Row>, StorageError> = db.read("test.sealed", |tx| Box::pin(tx.all(sql, &[]))).await;
        for row in rows.unwrap() {
            let bytes: Vec<u8> = row.get("s").unwrap();
            all.push(bytes[bytes.len() - 40..].to_vec());
        }
    }
    all
}

#[tokio::test]
async fn what_is_shown_lies_nowhere_in_clear_and_then_nowhere() {
    let kept = test_db(Engine::Sqlite).await;
    let db = (*kept).clone();
    let file = kept.url().strip_prefix("sqlite:").unwrap().to_owned();
    let dir = Path::new(&file).parent().unwrap().to_owned();
    let clock = Arc::new(ManualClock::at(MIGRATED_AT));
    let keyring = Db::open(&format!("sqlite:{}/keyring.db", dir.display())).await.unwrap();
    let keys = KeyStore::open(keyring.clone(), &MasterKey::generate(), clock.clone()).await.unwrap();
    let hashing = Hashing::start(1, Cost { memory: 64, passes: 1 }).unwrap();
    let identity = Identity::new(db.clone(), keys, clock.clone(), hashing).with_verification(rules());
    let group = identity.group_put("default", tacit_kernel::Ppm::ONE).await.unwrap().id;
    let world = World { identity, clock, db: db.clone(), group, heard: Arc::default() };

    let details = Details::new(NAME, Document::IdCard, CARD).unwrap();
    let case = world.open(world.account("ann").await, &details).await.unwrap();
    // Several pieces, the canary in each.
    for kind in [PaperKind::IdCardFront, PaperKind::IdCardBack] {
        world.add(&case, kind, &paper(&CANARY.repeat(40_000))).await.unwrap();
    }
    world.submit(&case, false).await.unwrap();
    const WRAPPED: Sql = Sql::new("SELECT wrapped FROM subject_keys WHERE subject = $1");
    let subject = [Value::Uuid(case.id.0)];
    let row: Result<Option<Row>, StorageError> =
        keyring.read("test.wrapped", |tx| Box::pin(tx.one(&WRAPPED, &subject))).await;
    let mut needles = vec![CANARY.into(), CARD.into(), NAME.into(), row.unwrap().unwrap().get("wrapped").unwrap()];
    needles.extend(sealed(&db).await);
    assert_eq!(needles.len(), 4 + 1 + 2 * 3);
    // The scan sees what is there: the key, and everything that is sealed.
    let before = found_in(&dir, &needles);
    for n in 3..needles.len() {
        assert!(before.iter().any(|found| found.ends_with(&format!("holds {n}"))), "{n}: {before:?}");
    }
    for n in 0..3 {
        assert!(!before.iter().any(|found| found.ends_with(&format!("holds {n}"))), "{n}: {before:?}");
    }
    let (_, shown) = world.identity.paper_reveal(case.id, PaperKind::IdCardBack).await.unwrap();
    assert!(shown.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
    world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
    world.clock.advance_micros(7 * DAY);
    while world.identity.forget_step().await.unwrap() {}
    // Closing truncates the write-ahead logs into the files.
    db.close().await;
    keyring.close().await;
    assert_eq!(found_in(&dir, &needles), Vec::<String>::new());
}
