//! A keyring that is restored from an older copy: the log tells whom it must not open any more.

use super::erasing::{copied, opens, people, readable};
use super::{numbered, open};
use crate::backup::{Kind, bring_up_to_date, load, open_restored};
use crate::keyring::{KeyStore, Replayed};
use crate::testing::{TestDb, empty_db, test_db};
use crate::tests::backup::{copy, reader};
use crate::tests::execute;
use crate::{Db, Sql, both_engines};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tacit_kernel::{Clock, Fault, SystemClock};
use tacit_vault::MasterKey;
use tempfile::TempDir;

fn now() -> tacit_kernel::Timestamp {
    SystemClock.now()
}

/// A copy, loaded into an empty database of that engine, that nobody can open yet.
async fn loaded(bytes: &[u8], engine: crate::Engine) -> TestDb {
    let target = empty_db(engine).await;
    load(&target, reader(bytes).unwrap(), now(), &mut |_, _| std::ops::ControlFlow::Continue(())).await.unwrap();
    bring_up_to_date(&target, Kind::Keyring, now()).await.unwrap();
    target
}

async fn restored(db: &Db, master: &MasterKey, log: &Path) -> Result<(Arc<KeyStore>, Replayed), Fault> {
    KeyStore::restored(db.clone(), master, Arc::new(SystemClock), log).await
}

struct World {
    dir: TempDir,
    master: MasterKey,
    store: Arc<KeyStore>,
}

impl World {
    async fn new(db: &Db) -> Self {
        let (dir, master) = (TempDir::new().unwrap(), MasterKey::generate());
        let store = open(db, &master).await.unwrap();
        store.log_to(&dir.path().join("log")).await.unwrap();
        Self { dir, master, store }
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn other_log(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("other");
        fs::write(&path, text).unwrap();
        path
    }
}

both_engines! {
    async fn who_was_erased_since_a_copy_is_not_opened_by_what_is_made_of_it(db: Db) {
        let world = World::new(&db).await;
        let mut sealed = people(&world.store, 0..20).await;
        let (early, ann, bob) = (numbered(3), numbered(7), numbered(8));
        world.store.destroy(&[early]).await.unwrap();
        world.store.turn().await.unwrap();
        let (bytes, _) = copy(&db, Kind::Keyring).await.unwrap();
        assert_eq!(reader(&bytes).unwrap().header().erasures.count, 1);
        let (_, bunches, keys) = copied(&db).await;
        // After the copy: two who are in it, and one who is not.
        let late = numbered(100);
        sealed.extend(people(&world.store, 100..101).await);
        for gone in [ann, bob, late] {
            world.store.destroy(&[gone]).await.unwrap();
            world.store.turn().await.unwrap();
        }
        let head = world.store.erasures_head().await.unwrap();
        let newest = world.store.status().await.unwrap().epoch;

        // Positive control: as it was copied it opens them.
        let target = loaded(&bytes, db.engine()).await;
        open_restored(&target).await.unwrap();
        let as_it_was = open(&target, &world.master).await.unwrap();
        assert!(as_it_was.get(ann).await.unwrap().is_some());

        for engine in [crate::Engine::Sqlite, crate::Engine::Postgres] {
            let target = loaded(&bytes, engine).await;
            assert!(open(&target, &world.master).await.is_err(), "not before it knows");
            let (keyring, replayed) = restored(&target, &world.master, &world.log()).await.unwrap();
            assert_eq!(replayed, Replayed { erasures: 3, keys: 2 });
            assert_eq!(keyring.erasures_head().await.unwrap(), head);
            assert!(open(&target, &world.master).await.is_err(), "not before all of it is done");
            open_restored(&target).await.unwrap();
            let keyring = open(&target, &world.master).await.unwrap();
            // Nobody else is lost, and nobody comes back.
            let mut left = sealed.clone();
            left.remove(&late);
            readable(&keyring, &left, &[early, ann, bob]).await;
            for gone in [early, ann, bob, late] {
                assert_eq!(keyring.create(gone).await.unwrap_err().code, "keyring.erased");
            }
            // What lay in the copy, with all keys that are in existence now.
            let (epochs_now, bunches_now, _) = copied(&target).await;
            let everything: Vec<_> = bunches.iter().chain(&bunches_now).cloned().collect();
            for gone in [ann, bob] {
                assert!(!opens(&world.master, &epochs_now, &everything, gone, &keys[&gone], &sealed[&gone]));
            }
            let status = keyring.status().await.unwrap();
            assert!(status.epoch >= newest, "an erasure that waits for an epoch comes to its end");
            assert!(status.swept && !status.turning && status.waiting == 0, "{status:?}");
            // It goes on with the log, and can itself be copied and restored.
            keyring.log_to(&world.log()).await.unwrap();
            keyring.destroy(&[numbered(0)]).await.unwrap();
            let log = fs::read_to_string(world.log()).unwrap();
            fs::write(world.log(), log.lines().take(5).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        }
    }

    async fn without_the_whole_log_it_stays_closed(db: Db) {
        let world = World::new(&db).await;
        people(&world.store, 0..6).await;
        world.store.destroy(&[numbered(0), numbered(1)]).await.unwrap();
        let (bytes, _) = copy(&db, Kind::Keyring).await.unwrap();
        world.store.destroy(&[numbered(2), numbered(3)]).await.unwrap();
        let log = fs::read_to_string(world.log()).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.len(), 5, "{log}");
        let text = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let elsewhere = empty_db(db.engine()).await;
        let other = World::new(&elsewhere).await;
        let refused = [
            ("missing", None),
            ("empty", Some(String::new())),
            ("only its head", Some(text(&lines[..1]))),
            ("shorter than the copy", Some(text(&lines[..2]))),
            ("cut off", Some(log[..log.len() - 1].to_owned())),
            ("cut off in a line", Some(log[..log.len() - 30].to_owned())),
            ("without one", Some(text(&[lines[0], lines[1], lines[2], lines[4]]))),
            ("in another order", Some(text(&[lines[0], lines[1], lines[2], lines[4], lines[3]]))),
            ("of another keyring", Some(fs::read_to_string(other.log()).unwrap())),
            ("something else", Some("tacit\n".to_owned())),
        ];
        let target = loaded(&bytes, db.engine()).await;
        for (what, text) in refused {
            let path = match text {
                Some(text) => world.other_log(&text),
                None => world.dir.path().join("nothing"),
            };
            let fault = restored(&target, &world.master, &path).await.unwrap_err();
            assert_eq!(fault.code, "keyring.erasure_log", "{what}");
            assert!(open(&target, &world.master).await.is_err(), "{what}");
        }
        // Every byte of a line is part of the chain.
        let third: usize = lines[..3].iter().map(|line| line.len() + 1).sum();
        for place in third..third + lines[3].len() {
            let mut other = log.clone().into_bytes();
            other[place] = if other[place] == b'1' { b'2' } else { b'1' };
            let path = world.other_log(&String::from_utf8(other).unwrap());
            assert_eq!(restored(&target, &world.master, &path).await.unwrap_err().code, "keyring.erasure_log", "{place}");
        }
        assert!(restored(&target, &MasterKey::generate(), &world.log()).await.is_err());
        let (keyring, replayed) = restored(&target, &world.master, &world.log()).await.unwrap();
        assert_eq!(replayed, Replayed { erasures: 2, keys: 2 });
        assert!(keyring.get(numbered(4)).await.unwrap().is_some());
    }

    async fn a_keyring_that_is_older_than_its_log_or_its_data_is_refused(db: Db) {
        let world = World::new(&db).await;
        let data = test_db(db.engine()).await;
        people(&world.store, 0..4).await;
        let (bytes, _) = copy(&db, Kind::Keyring).await.unwrap();
        world.store.check_against(&data).await.unwrap();
        world.store.destroy(&[numbered(0)]).await.unwrap();
        world.store.remember_in(&data).await.unwrap();
        world.store.check_against(&data).await.unwrap();
        // Somebody put back an older keyring by hand.
        let target = loaded(&bytes, db.engine()).await;
        open_restored(&target).await.unwrap();
        let older = open(&target, &world.master).await.unwrap();
        assert_eq!(older.check_against(&data).await.unwrap_err().code, "keyring.older");
        assert_eq!(older.log_to(&world.log()).await.unwrap_err().code, "keyring.older");
        assert_eq!(reader(&copy(&db, Kind::Keyring).await.unwrap().0).unwrap().header().erasures.known_by(&older).await.unwrap_err().code, "keyring.older");
        // Even one that has as many erasures: they are others.
        older.destroy(&[numbered(1)]).await.unwrap();
        assert_eq!(older.check_against(&data).await.unwrap_err().code, "keyring.older");
        assert_eq!(older.log_to(&world.log()).await.unwrap_err().code, "keyring.older");
        // It did not write into the log, nor does the data know less than before.
        assert_eq!(fs::read_to_string(world.log()).unwrap().lines().count(), 2);
        older.remember_in(&data).await.unwrap();
        world.store.check_against(&data).await.unwrap();
    }

    async fn the_log_has_what_any_process_destroyed_and_mends_itself(db: Db) {
        let world = World::new(&db).await;
        people(&world.store, 0..8).await;
        let second = open(&db, &world.master).await.unwrap();
        second.destroy(&[numbered(0), numbered(1)]).await.unwrap();
        let lines = || fs::read_to_string(world.log()).unwrap().lines().count();
        assert_eq!(lines(), 1, "the second has no log");
        world.store.log_erasures().await.unwrap();
        assert_eq!(lines(), 3);
        // A crash in the middle of a line.
        let whole = fs::read_to_string(world.log()).unwrap();
        fs::write(world.log(), &whole[..whole.len() - 20]).unwrap();
        second.log_to(&world.log()).await.unwrap();
        assert_eq!(fs::read_to_string(world.log()).unwrap(), whole);
        // Two processes with the same file.
        for n in 2..6 {
            if n % 2 == 0 { &world.store } else { &second }.destroy(&[numbered(n)]).await.unwrap();
        }
        assert_eq!(lines(), 7);
        // Lost, it is written anew from the keyring.
        let whole = fs::read_to_string(world.log()).unwrap();
        fs::remove_file(world.log()).unwrap();
        world.store.log_erasures().await.unwrap();
        assert_eq!(fs::read_to_string(world.log()).unwrap(), whole);
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(world.log()).unwrap().permissions().mode() & 0o777, 0o600);
        // Cut off in its first line it is ours still; a file of somebody else's is left as it is.
        fs::write(world.log(), &whole[..10]).unwrap();
        open(&db, &world.master).await.unwrap().log_to(&world.log()).await.unwrap();
        assert_eq!(fs::read_to_string(world.log()).unwrap(), whole);
        let foreign = world.log().with_extension("foreign");
        fs::write(&foreign, "hunter2").unwrap();
        let refused = open(&db, &world.master).await.unwrap().log_to(&foreign).await.unwrap_err();
        assert_eq!((refused.code, &*fs::read(&foreign).unwrap()), ("keyring.erasure_log", &b"hunter2"[..]));
        // Where it cannot be written, nothing is said to be done.
        fs::remove_file(world.log()).unwrap();
        fs::create_dir(world.log()).unwrap();
        assert_eq!(world.store.destroy(&[numbered(6)]).await.unwrap_err().code, "keyring.erasure_log");
        fs::remove_dir(world.log()).unwrap();
        world.store.destroy(&[numbered(6)]).await.unwrap();
        assert_eq!(lines(), 8);
        execute(&db, &Sql::new("UPDATE keyring_state SET swept = swept"), &[]).await.unwrap();
    }
}
