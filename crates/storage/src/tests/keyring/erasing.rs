//! Destroying for good: at once here, at the next look elsewhere, final with the turn, and a crash between any two steps.

use super::{numbered, open, resting};
use crate::keyring::{KeyStore, Step};
use crate::testing::{MIGRATED_AT, TestDb, empty_db, test_db};
use crate::tests::execute;
use crate::{Db, Engine, Sql, StorageError, both_engines};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tacit_kernel::ids::{self, AccountId};
use tacit_kernel::{Clock, SystemClock, time::ManualClock};
use tacit_vault::{Aad, Keyring, MasterKey, WrappedBunch};
use uuid::Uuid;

pub(super) const PLACE: Aad<'static> = Aad { table: "t", column: "c", row: Uuid::nil() };

/// What every subject had sealed.
pub(super) type Sealed = BTreeMap<Uuid, Vec<u8>>;

pub(super) async fn people(store: &KeyStore, range: std::ops::Range<u16>) -> Sealed {
    let mut sealed = Sealed::new();
    for n in range {
        let subject = numbered(n);
        sealed.insert(subject, store.create(subject).await.unwrap().seal(&PLACE, b"canary"));
    }
    sealed
}

pub(super) async fn readable(store: &KeyStore, sealed: &Sealed, destroyed: &[Uuid]) {
    for (subject, text) in sealed {
        let key = store.get_fleeting(*subject).await.unwrap();
        if destroyed.contains(subject) {
            assert!(key.is_none(), "{subject}");
        } else {
            assert_eq!(key.unwrap().open(&PLACE, text).unwrap().as_slice(), b"canary", "{subject}");
        }
    }
}

/// Everything of the keyring that is wrapped, as somebody might have kept it.
pub(super) async fn copied(db: &Db) -> (Vec<(i64, Vec<u8>)>, Vec<WrappedBunch>, BTreeMap<Uuid, Vec<u8>>) {
    const EPOCHS: Sql = Sql::new("SELECT epoch, wrapped FROM keyring_epochs");
    const BUNCHES: Sql = Sql::new("SELECT id, epoch, wrapped FROM keyring_bunches");
    const KEYS: Sql = Sql::new("SELECT subject, wrapped FROM subject_keys");
    db.read("test.copied", |tx| {
        Box::pin(async move {
            let (mut epochs, mut bunches, mut keys) = (Vec::new(), Vec::new(), BTreeMap::new());
            for row in tx.all(&EPOCHS, &[]).await? {
                epochs.push((row.get("epoch")?, row.get("wrapped")?));
            }
            for row in tx.all(&BUNCHES, &[]).await? {
                bunches.push(WrappedBunch {
                    id: row.get("id")?,
                    epoch: row.get("epoch")?,
                    wrapped: row.get("wrapped")?,
                });
            }
            for row in tx.all(&KEYS, &[]).await? {
                keys.insert(row.get("subject")?, row.get("wrapped")?);
            }
            Ok::<_, StorageError>((epochs, bunches, keys))
        })
    })
    .await
    .unwrap()
}

/// Whether any of these bunches, under any of these epochs, opens the key and with it the text.
pub(super) fn opens(
    master: &MasterKey,
    epochs: &[(i64, Vec<u8>)],
    bunches: &[WrappedBunch],
    subject: Uuid,
    wrapped: &[u8],
    text: &[u8],
) -> bool {
    let ring = Keyring::unlock(master, epochs).unwrap();
    bunches.iter().any(|bunch| {
        epochs.iter().any(|(epoch, _)| {
            let bunch = WrappedBunch { epoch: *epoch, ..bunch.clone() };
            let key = ring.bunch(&bunch).and_then(|bunch| bunch.unwrap(subject, wrapped));
            key.is_ok_and(|key| key.open(&PLACE, text).is_ok())
        })
    })
}

both_engines! {
    async fn what_is_destroyed_is_gone_here_at_once_and_elsewhere_at_the_next_look(db: Db) {
        let (master, clock) = (MasterKey::generate(), Arc::new(ManualClock::at(MIGRATED_AT)));
        let open = async || KeyStore::open(db.clone(), &master, clock.clone() as Arc<dyn Clock>).await.unwrap();
        let (one, two) = (open().await, open().await);
        let sealed = people(&one, 0..4).await;
        let (ann, bob) = (numbered(0), numbered(1));
        two.follow().await.unwrap();
        assert!(two.get(ann).await.unwrap().is_some());
        assert!(two.get(bob).await.unwrap().is_some());
        // Positive control: it does lie in the memory of the other process.
        execute(&db, &Sql::new("UPDATE subject_keys SET wrapped = $1"), &[vec![0_u8].into()]).await.unwrap();
        assert!(two.get(ann).await.unwrap().is_some());
        let destroyed = one.destroy(&[ann]).await.unwrap();
        assert_eq!((destroyed.keys, destroyed.epoch), (1, 1));
        assert!(one.get(ann).await.unwrap().is_none());
        two.follow().await.unwrap();
        assert!(two.get(ann).await.unwrap().is_none());
        assert!(two.get(bob).await.unwrap().is_some(), "of others nothing is forgotten");
        // Who cannot look for long does not trust its memory.
        one.destroy(&[bob]).await.unwrap();
        assert!(two.get(bob).await.unwrap().is_some(), "not looked yet");
        clock.advance_micros(2_000_001);
        assert!(two.get(bob).await.unwrap().is_none());
        assert_eq!(one.erased(&sealed.keys().copied().collect::<Vec<_>>()).await.unwrap(), [ann, bob].into());
        // Nobody comes back.
        assert_eq!(two.create(ann).await.unwrap_err().code, "keyring.erased");
        assert_eq!(one.destroy(&[ann, bob]).await.unwrap().keys, 0);
        assert_eq!(one.erasures_head().await.unwrap().count, 2);
    }

    async fn after_the_turn_no_key_in_existence_opens_it(db: Db) {
        let master = MasterKey::generate();
        let store = open(&db, &master).await.unwrap();
        // Two of each bunch, so that those beside a destroyed one must move.
        let mut sealed = people(&store, 0..20).await;
        sealed.extend(people(&store, 4096..4116).await);
        let ann = numbered(7);
        let (text, (epochs, bunches, keys)) = (sealed[&ann].clone(), copied(&db).await);
        assert_eq!((bunches.len(), keys.len()), (20, 40));
        assert!(opens(&master, &epochs, &bunches, ann, &keys[&ann], &text), "the copy opens before");

        let destroyed = store.destroy(&[ann]).await.unwrap();
        assert!(!store.is_final(destroyed.epoch).await.unwrap());
        let (now, bunches_now, _) = copied(&db).await;
        assert!(opens(&master, &now, &bunches_now, ann, &keys[&ann], &text), "and until the turn");

        store.turn().await.unwrap();
        assert!(store.is_final(destroyed.epoch).await.unwrap());
        let (now, bunches_now, keys_now) = copied(&db).await;
        assert_eq!(now.len(), 1);
        assert_eq!(bunches_now.len(), 20);
        assert!(!keys_now.contains_key(&ann));
        // Whatever of the old rows were left over, with all that is there now.
        let everything: Vec<_> = bunches.iter().chain(&bunches_now).cloned().collect();
        assert!(!opens(&master, &now, &everything, ann, &keys[&ann], &text));
        assert!(!opens(&master, &now, &bunches_now, ann, &keys[&ann], &text));
        // What is claimed, and no more: a whole old copy and the master key open until the copy is gone.
        assert!(opens(&master, &epochs, &bunches, ann, &keys[&ann], &text));
        readable(&store, &sealed, &[ann]).await;
        // Only the bunch that lost one was opened: the keys of the others rest as they did.
        let rewrapped: Vec<_> = keys_now.iter().filter(|(subject, now)| keys[subject] != **now).map(|(s, _)| *s).collect();
        assert_eq!(rewrapped, [numbered(7 + 4096)]);
        // Nothing was destroyed since, so there is nothing to turn.
        store.turn().await.unwrap();
        assert_eq!(copied(&db).await.0, now);
    }

    async fn a_crash_after_any_step_harms_nobody_and_is_made_good(db: Db) {
        let master = MasterKey::generate();
        let mut destroyed = Vec::new();
        let mut sealed = people(&open(&db, &master).await.unwrap(), 0..6).await;
        for steps in 0_u16.. {
            let store = open(&db, &master).await.unwrap();
            sealed.extend(people(&store, (6 + steps * 2)..(8 + steps * 2)).await);
            let victim = numbered(6 + steps * 2);
            let last = store.destroy(&[victim]).await.unwrap().epoch;
            destroyed.push(victim);
            let mut over = true;
            if steps > 0 {
                assert!(store.turn_begin().await.unwrap());
                over = false;
            }
            for _ in 1..steps {
                over = store.turn_step().await.unwrap() == Step::Nothing;
            }
            // The process is gone, and another one comes.
            drop(store);
            let store = open(&db, &master).await.unwrap();
            readable(&store, &sealed, &destroyed).await;
            let swept = resting(&db, "SELECT changed - swept AS n FROM keyring_state").await == 0;
            let epochs = resting(&db, "SELECT COUNT(*) AS n FROM keyring_epochs").await;
            assert_eq!(store.is_final(last).await.unwrap(), steps > 0 && epochs == 1 && swept, "{steps}");
            store.turn().await.unwrap();
            assert!(store.is_final(last).await.unwrap());
            readable(&store, &sealed, &destroyed).await;
            if steps > 0 && over {
                assert!(steps >= 5, "begun, wrapped, taken apart, dropped, swept");
                return;
            }
        }
    }

    async fn a_key_destroyed_in_the_middle_of_a_turn_has_a_turn_of_its_own(db: Db) {
        let master = MasterKey::generate();
        let store = open(&db, &master).await.unwrap();
        let sealed = people(&store, 0..10).await;
        store.destroy(&[numbered(0)]).await.unwrap();
        store.turn_begin().await.unwrap();
        assert_eq!(store.turn_step().await.unwrap(), Step::Part);
        // Its bunch was wrapped anew already.
        let late = store.destroy(&[numbered(1)]).await.unwrap();
        assert_eq!(late.epoch, 2);
        while store.turn_step().await.unwrap() != Step::Nothing {}
        assert!(store.is_final(1).await.unwrap());
        assert!(!store.is_final(late.epoch).await.unwrap());
        assert!(store.status().await.unwrap().waiting > 0);
        store.turn().await.unwrap();
        assert!(store.is_final(late.epoch).await.unwrap());
        let status = store.status().await.unwrap();
        assert_eq!((status.epoch, status.waiting, status.erasures, status.swept), (3, 0, 2, true));
        readable(&store, &sealed, &[numbered(0), numbered(1)]).await;
    }

    async fn another_process_goes_on_while_one_turns(db: Db) {
        let master = MasterKey::generate();
        let (one, two) = (open(&db, &master).await.unwrap(), open(&db, &master).await.unwrap());
        let mut sealed = people(&one, 0..10).await;
        one.destroy(&[numbered(0)]).await.unwrap();
        one.turn_begin().await.unwrap();
        sealed.extend(people(&two, 10..20).await);
        one.turn_step().await.unwrap();
        sealed.extend(people(&two, 20..30).await);
        one.turn().await.unwrap();
        sealed.extend(people(&two, 30..40).await);
        readable(&two, &sealed, &[numbered(0)]).await;
        readable(&one, &sealed, &[numbered(0)]).await;
    }

    async fn many_do_everything_at_once(db: Db) {
        let master = MasterKey::generate();
        let stores = [open(&db, &master).await.unwrap(), open(&db, &master).await.unwrap()];
        let work = |n: u16| {
            let (store, other) = (Arc::clone(&stores[usize::from(n % 2)]), Arc::clone(&stores[usize::from((n + 1) % 2)]));
            tokio::spawn(async move {
                let (mut sealed, mut destroyed) = (Sealed::new(), Vec::new());
                for round in 0..12_u16 {
                    // Those of all tasks hang on the same few bunches.
                    let subject = Uuid::from_u128((ids::fresh().as_u128() & !0xffff) | u128::from((n + round) % 3));
                    sealed.insert(subject, store.create(subject).await.unwrap().seal(&PLACE, b"canary"));
                    if round % 3 == 0 {
                        other.destroy(&[subject]).await.unwrap();
                        destroyed.push(subject);
                    }
                    if round % 4 == 0 {
                        // Clashes that ten attempts do not settle are for the next tick to try again.
                        let _ = store.turn().await;
                    }
                }
                (sealed, destroyed)
            })
        };
        let tasks: Vec<_> = (0..4).map(work).collect();
        let (mut sealed, mut destroyed) = (Sealed::new(), Vec::new());
        for task in tasks {
            let (s, d) = task.await.unwrap();
            sealed.extend(s);
            destroyed.extend(d);
        }
        stores[0].turn().await.unwrap();
        for store in &stores {
            readable(store, &sealed, &destroyed).await;
            assert!(store.is_final(store.status().await.unwrap().epoch - 1).await.unwrap());
        }
        assert_eq!(stores[0].erasures_head().await.unwrap().count, 16);
    }

    async fn a_whole_rotation_wraps_every_key_anew(db: Db) {
        let master = MasterKey::generate();
        let store = open(&db, &master).await.unwrap();
        let sealed = people(&store, 0..40).await;
        let (_, _, before) = copied(&db).await;
        store.rotate_begin().await.unwrap();
        let status = store.status().await.unwrap();
        assert!(status.turning && status.waiting == status.bunches, "{status:?}");
        store.turn().await.unwrap();
        let (_, _, after) = copied(&db).await;
        assert!(after.iter().all(|(subject, wrapped)| before[subject] != *wrapped));
        readable(&store, &sealed, &[]).await;
        assert_eq!(store.status().await.unwrap().waiting, 0);
    }

    async fn the_list_of_erasures_is_one_chain(db: Db) {
        let master = MasterKey::generate();
        let store = open(&db, &master).await.unwrap();
        let none = store.erasures_head().await.unwrap();
        assert_eq!((none.count, none.chain), (0, [0; 32]));
        people(&store, 0..4).await;
        store.destroy(&[numbered(0), numbered(1)]).await.unwrap();
        let two = store.erasures_head().await.unwrap();
        // Somebody without a key gets a tombstone too.
        store.destroy(&[numbered(2), numbered(100)]).await.unwrap();
        let four = store.erasures_head().await.unwrap();
        assert_eq!((two.count, four.count), (2, 4));
        for head in [none, two, four] {
            assert!(store.knows(&head).await.unwrap());
        }
        // Another keyring, and an older copy of this one, do not know.
        let elsewhere = empty_db(Engine::Sqlite).await;
        let other = open(&elsewhere, &MasterKey::generate()).await.unwrap();
        assert!(other.knows(&none).await.unwrap());
        assert!(!other.knows(&two).await.unwrap());
        other.destroy(&[numbered(0), numbered(1)]).await.unwrap();
        assert!(!other.knows(&two).await.unwrap());
        execute(&db, &Sql::new("DELETE FROM keyring_erasures WHERE seq > 2"), &[]).await.unwrap();
        assert!(store.knows(&two).await.unwrap() && !store.knows(&four).await.unwrap());
    }
}

/// An account without anything but its id.
async fn account(db: &Db, id: Uuid) {
    const GROUP: Sql = Sql::new(
        "INSERT INTO user_groups (id, name, multiplier_ppm, created_at, updated_at) VALUES ($1, 'g', 1000000, 1, 1) \
         ON CONFLICT DO NOTHING",
    );
    const ACCOUNT: Sql = Sql::new(
        "INSERT INTO accounts (id, group_id, name_sealed, name_lookup, status, limits, created_at, updated_at) \
         VALUES ($1, $2, $3, $3, 'active', '{}', 1, 1)",
    );
    execute(db, &GROUP, &[Uuid::from_u128(1).into()]).await.unwrap();
    let bytes = id.as_bytes().to_vec();
    execute(db, &ACCOUNT, &[id.into(), Uuid::from_u128(1).into(), bytes.into()]).await.unwrap();
}

both_engines! {
    async fn a_database_of_another_keyring_is_told(db: Db) {
        // The keyring may lie in the same database as the data.
        let master = MasterKey::generate();
        let store = open(&db, &master).await.unwrap();
        for n in 0..1500 {
            store.create(numbered(n)).await.unwrap();
            account(&db, numbered(n)).await;
        }
        assert_eq!(store.check_against(&db).await.unwrap(), 0);
        store.destroy(&[numbered(3), numbered(1400)]).await.unwrap();
        assert_eq!(store.check_against(&db).await.unwrap(), 2);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = store.erased_in(&db, after).await.unwrap();
            found.extend(page);
            after = match next { Some(next) => Some(next), None => break };
        }
        assert_eq!(found, [AccountId(numbered(3)), AccountId(numbered(1400))]);
        let elsewhere = empty_db(Engine::Sqlite).await;
        let other = open(&elsewhere, &MasterKey::generate()).await.unwrap();
        assert_eq!(other.check_against(&db).await.unwrap_err().code, "keyring.other");
        // One account is enough.
        account(&db, numbered(2000)).await;
        assert_eq!(store.check_against(&db).await.unwrap_err().code, "keyring.other");
    }
}

fn files_hold(dir: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[test]
fn the_bytes_are_gone_from_the_files_too() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let kept: TestDb = test_db(Engine::Sqlite).await;
        let dir = Path::new(kept.url().strip_prefix("sqlite:").unwrap()).parent().unwrap();
        let store = open(&kept, &MasterKey::generate()).await.unwrap();
        let sealed = people(&store, 0..300).await;
        let (epochs, bunches, keys) = copied(&kept).await;
        let ann = numbered(7);
        let bunch = bunches.iter().find(|bunch| bunch.wrapped.is_some()).unwrap();
        let needles = [&epochs[0].1, &keys[&ann], bunch.wrapped.as_ref().unwrap()];
        assert!(needles.iter().all(|needle| files_hold(dir, needle)), "the scan sees what is there");
        store.destroy(&[ann]).await.unwrap();
        assert!(files_hold(dir, &epochs[0].1));
        store.turn().await.unwrap();
        // The database is open all the while.
        assert!(needles.iter().all(|needle| !files_hold(dir, needle)));
        readable(&store, &sealed, &[ann]).await;
    });
}

#[test]
fn on_postgresql_the_rows_of_the_old_epoch_are_gone_from_its_files() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        const PLACES: Sql = Sql::new(
            "SELECT pg_relation_filepath(CAST(name AS regclass)) AS path FROM (VALUES ('keyring_epochs'), \
             ('keyring_bunches'), ('keyring_state')) AS t (name)",
        );
        let kept: TestDb = test_db(Engine::Postgres).await;
        let store = open(&kept, &MasterKey::generate()).await.unwrap();
        let paths = async || {
            let rows = kept.read("test.paths", |tx| Box::pin(async move { tx.all(&PLACES, &[]).await })).await;
            let rows = rows.unwrap_or_else(|e: StorageError| panic!("{e}"));
            rows.iter().map(|row| row.get::<String>("path").unwrap()).collect::<Vec<_>>()
        };
        let sealed = people(&store, 0..30).await;
        let before = paths().await;
        store.destroy(&[numbered(7)]).await.unwrap();
        store.turn().await.unwrap();
        // Written anew as a whole: other files, and the old ones are unlinked.
        let after = paths().await;
        assert_eq!(before.len(), 3);
        assert!(after.iter().all(|path| !before.contains(path)), "{before:?} {after:?}");
        readable(&store, &sealed, &[numbered(7)]).await;
    });
}

#[tokio::test]
async fn a_store_that_opens_anew_does_not_look_at_old_tombstones() {
    let db = empty_db(Engine::Sqlite).await;
    let master = MasterKey::generate();
    let one = KeyStore::open((*db).clone(), &master, Arc::new(SystemClock)).await.unwrap();
    one.destroy(&[numbered(1)]).await.unwrap();
    let two = open(&db, &master).await.unwrap();
    two.create(numbered(2)).await.unwrap();
    two.follow().await.unwrap();
    assert!(two.get(numbered(2)).await.unwrap().is_some());
    assert!(two.get(numbered(1)).await.unwrap().is_none());
}
