//! Another master key, another root, and keyrings from before there was one.

use super::{numbered, open, resting};
use crate::keyring::{KeyStore, Masters, Rekeyed};
use crate::migrations::{Migrations, run};
use crate::testing::MIGRATED_AT;
use crate::tests::execute;
use crate::{Db, Sql, StorageError, Value, both_engines};
use std::sync::Arc;
use tacit_kernel::{Fault, SystemClock};
use tacit_vault::{Keyring, MasterKey, WrappedBunch};

async fn with(db: &Db, current: &MasterKey, next: &MasterKey) -> Result<Arc<KeyStore>, Fault> {
    let masters = Masters::new(current.clone(), Some(next.clone()));
    KeyStore::open(db.clone(), masters, Arc::new(SystemClock)).await
}

/// The epochs and the root as they rest.
async fn wrapped(db: &Db) -> Vec<Vec<u8>> {
    const ALL: Sql = Sql::new("SELECT wrapped FROM keyring_epochs UNION ALL SELECT wrapped FROM keyring_state");
    let rows = db.read("test.wrapped", |tx| Box::pin(async move { tx.all(&ALL, &[]).await })).await;
    rows.unwrap_or_else(|e: StorageError| panic!("{e}")).iter().map(|row| row.get("wrapped").unwrap()).collect()
}

async fn put_back(db: &Db, old: &[Vec<u8>]) {
    execute(db, &Sql::new("UPDATE keyring_epochs SET wrapped = $1"), &[old[0].clone().into()]).await.unwrap();
    execute(db, &Sql::new("UPDATE keyring_state SET wrapped = $1"), &[old[1].clone().into()]).await.unwrap();
}

both_engines! {
    async fn rekeying_changes_the_wrapping_and_nothing_else(db: Db) {
        let (old, new) = (MasterKey::generate(), MasterKey::generate());
        let before = open(&db, &old).await.unwrap();
        assert_eq!(before.rekey().await.unwrap_err().code, "keyring.no_next");
        let key = before.create(numbered(1)).await.unwrap();
        let store = with(&db, &old, &new).await.unwrap();
        let copy = wrapped(&db).await;
        assert!(!store.status().await.unwrap().next_wraps);
        assert_eq!(store.rekey().await.unwrap(), Rekeyed::Done);
        assert_eq!(store.rekey().await.unwrap(), Rekeyed::Before);
        let status = store.status().await.unwrap();
        assert!(status.next_wraps && status.swept && status.rekeyed_at.is_some());
        assert_eq!(open(&db, &old).await.unwrap_err().code, "keyring.master_key");
        // The configuration may be changed whenever: before, after, and both at once.
        for store in [with(&db, &old, &new).await.unwrap(), open(&db, &new).await.unwrap()] {
            assert_eq!(store.get(numbered(1)).await.unwrap().unwrap().expose(), key.expose());
            assert_eq!(store.hash_key("a").expose(), before.hash_key("a").expose());
            assert_eq!(store.platform_key().expose(), before.platform_key().expose());
            let note = before.note_key("a").sign("x\n");
            assert!(store.note_key("a").verifier().open(&note).is_ok());
            assert_eq!(store.tomb(numbered(1)), before.tomb(numbered(1)), "tombstones hold");
        }
        // An old copy of the keyring is worth nothing with the new master key.
        put_back(&db, &copy).await;
        assert_eq!(open(&db, &new).await.unwrap_err().code, "keyring.master_key");
        assert!(open(&db, &old).await.is_ok(), "what is claimed, and no more");
    }

    async fn a_turn_goes_on_under_whichever_master_key_wraps(db: Db) {
        let (old, new) = (MasterKey::generate(), MasterKey::generate());
        let store = with(&db, &old, &new).await.unwrap();
        let key = store.create(numbered(1)).await.unwrap();
        for subject in [numbered(2), numbered(3), numbered(4)] {
            store.create(subject).await.unwrap();
        }
        // Between any two steps of a turn, by another process.
        store.destroy(&[numbered(2)]).await.unwrap();
        store.turn_begin().await.unwrap();
        store.turn_step().await.unwrap();
        let other = with(&db, &old, &new).await.unwrap();
        assert_eq!(other.rekey().await.unwrap(), Rekeyed::Done);
        store.turn().await.unwrap();
        store.destroy(&[numbered(3)]).await.unwrap();
        store.turn().await.unwrap();
        assert_eq!(resting(&db, "SELECT COUNT(*) AS n FROM keyring_epochs").await, 1);
        let after = open(&db, &new).await.unwrap();
        assert_eq!(after.get(numbered(1)).await.unwrap().unwrap().expose(), key.expose());
        assert!(after.get(numbered(4)).await.unwrap().is_some());
        assert_eq!(open(&db, &old).await.unwrap_err().code, "keyring.master_key");
    }

    async fn a_process_that_knows_only_the_old_one_says_so(db: Db) {
        let (old, new) = (MasterKey::generate(), MasterKey::generate());
        let behind = open(&db, &old).await.unwrap();
        behind.create(numbered(1)).await.unwrap();
        let store = with(&db, &old, &new).await.unwrap();
        store.rekey().await.unwrap();
        store.rotate_begin().await.unwrap();
        store.turn().await.unwrap();
        assert_eq!(behind.follow().await.unwrap_err().code, "keyring.master_key");
        assert_eq!(behind.get(numbered(1)).await.unwrap_err().code, "keyring.master_key");
    }

    async fn a_damaged_root_is_refused(db: Db) {
        let master = MasterKey::generate();
        open(&db, &master).await.unwrap();
        execute(&db, &Sql::new("UPDATE keyring_state SET wrapped = $1"), &[vec![1_u8; 61].into()]).await.unwrap();
        assert_eq!(open(&db, &master).await.unwrap_err().code, "keyring.key");
    }
}

/// The keyring as the first version made it: keys wrapped by the epoch itself, everything else derived from the master key.
async fn of_before(db: &Db, master: &MasterKey, subjects: u16) -> Vec<[u8; 32]> {
    static FIRST: Migrations =
        Migrations { name: "keyring", scripts: &[include_str!("../../../migrations/keyring_0001.sql")] };
    const EPOCH: Sql = Sql::new("INSERT INTO keyring_epochs (epoch, wrapped, created_at) VALUES (1, $1, 1)");
    const KEY: Sql = Sql::new("INSERT INTO subject_keys (subject, epoch, wrapped, created_at) VALUES ($1, 1, $2, 1)");
    run(db, &FIRST, MIGRATED_AT).await.unwrap();
    let epoch = Keyring::new_epoch(master, 1);
    execute(db, &EPOCH, &[epoch.clone().into()]).await.unwrap();
    let ring = Keyring::unlock(master, &[(1, epoch)]).unwrap();
    let own = ring.bunch(&WrappedBunch { id: -1, epoch: 1, wrapped: None }).unwrap();
    let mut keys = Vec::new();
    for n in 0..subjects {
        let (key, wrapped) = own.wrap_new(numbered(n));
        execute(db, &KEY, &[Value::from(numbered(n)), wrapped.into()]).await.unwrap();
        keys.push(*key.expose());
    }
    keys
}

both_engines! {
    async fn a_keyring_of_before_keeps_every_key_and_every_hash(db: Db) {
        let master = MasterKey::generate();
        let keys = of_before(&db, &master, 50).await;
        let store = open(&db, &master).await.unwrap();
        let holds = async |store: &KeyStore, from: u16| {
            for (n, key) in (0_u16..).zip(&keys).skip(usize::from(from)) {
                assert_eq!(store.get_fleeting(numbered(n)).await.unwrap().unwrap().expose(), key, "{n}");
            }
        };
        holds(&store, 0).await;
        assert_eq!(store.hash_key("api-key").expose(), master.as_root().hash_key("api-key").expose());
        assert_eq!(store.platform_key().expose(), master.as_root().seal_key("platform").expose());
        // What comes now hangs on a bunch; the first turn takes the old one apart.
        store.create(numbered(60)).await.unwrap();
        assert_eq!(resting(&db, "SELECT COUNT(*) AS n FROM keyring_bunches").await, 2);
        store.destroy(&[numbered(0)]).await.unwrap();
        store.turn().await.unwrap();
        holds(&store, 1).await;
        assert_eq!(resting(&db, "SELECT COUNT(*) AS n FROM keyring_bunches WHERE slot < 0 OR spoilt = 1").await, 0);
        let again = open(&db, &master).await.unwrap();
        holds(&again, 1).await;
        assert_eq!(again.hash_key("api-key").expose(), master.as_root().hash_key("api-key").expose());
    }
}
