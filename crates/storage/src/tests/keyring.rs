mod erasing;
mod masters;
mod restoring;

use super::execute;
use crate::keyring::KeyStore;
use crate::testing::test_key_store;
use crate::{Db, Sql, both_engines};
use std::sync::Arc;
use tacit_kernel::{Clock, SystemClock, ids};
use tacit_vault::MasterKey;

async fn open(db: &Db, master: &MasterKey) -> Result<Arc<KeyStore>, tacit_kernel::Fault> {
    KeyStore::open(db.clone(), master, Arc::new(SystemClock)).await
}

/// A subject whose slot is the end of that number.
fn numbered(n: u16) -> uuid::Uuid {
    uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n))
}

/// A number out of the keyring's database, as `n`.
async fn resting(db: &Db, sql: &'static str) -> i64 {
    let sql = Sql::new(sql);
    let row = db.read("test.resting", |tx| Box::pin(async move { tx.one(&sql, &[]).await })).await;
    row.unwrap_or_else(|e: crate::StorageError| panic!("{e}")).unwrap().get("n").unwrap()
}

both_engines! {
    async fn keys_are_kept_and_found_again(db: Db) {
        let master = MasterKey::generate();
        let store = open(&db, &master).await.unwrap();
        let subject = ids::fresh();
        assert!(store.get(subject).await.unwrap().is_none());
        let key = store.create(subject).await.unwrap();
        assert_eq!(store.create(subject).await.unwrap().expose(), key.expose());
        // A second program, without anything in memory.
        let again = open(&db, &master).await.unwrap();
        assert_eq!(again.get(subject).await.unwrap().unwrap().expose(), key.expose());
        assert_eq!(again.create(subject).await.unwrap().expose(), key.expose());
        assert_eq!(again.platform_key().expose(), store.platform_key().expose());
        assert_eq!(again.hash_key("api-key").expose(), store.hash_key("api-key").expose());
        assert!(!format!("{store:?}").contains(&format!("{subject}")));
    }

    async fn what_is_destroyed_is_gone_for_every_program(db: Db) {
        let master = MasterKey::generate();
        let (one, two) = (open(&db, &master).await.unwrap(), open(&db, &master).await.unwrap());
        let (subject, other) = (ids::fresh(), ids::fresh());
        let key = one.create_fleeting(subject).await.unwrap();
        one.create(other).await.unwrap();
        assert_eq!(two.get_fleeting(subject).await.unwrap().unwrap().expose(), key.expose());
        one.destroy_fleeting(subject).await.unwrap();
        for store in [&one, &two] {
            assert!(store.get_fleeting(subject).await.unwrap().is_none());
            assert!(store.get(subject).await.unwrap().is_none(), "nor does it lie in memory");
            assert!(store.get(other).await.unwrap().is_some());
        }
        one.destroy_fleeting(subject).await.unwrap();
        assert_ne!(one.create_fleeting(subject).await.unwrap().expose(), key.expose());
    }

    async fn two_programs_start_at_once(db: Db) {
        let master = MasterKey::generate();
        let (one, two) = tokio::join!(open(&db, &master), open(&db, &master));
        let (one, two) = (one.unwrap(), two.unwrap());
        let subject = ids::fresh();
        let (first, second) = tokio::join!(one.create(subject), two.create(subject));
        assert_eq!(first.unwrap().expose(), second.unwrap().expose());
    }

    async fn another_master_key_is_refused(db: Db) {
        open(&db, &MasterKey::generate()).await.unwrap();
        let fault = open(&db, &MasterKey::generate()).await.unwrap_err();
        assert_eq!(fault.code, "keyring.master_key");
    }

    async fn a_wrapped_key_moved_to_another_subject_does_not_open(db: Db) {
        let master = MasterKey::generate();
        let store = open(&db, &master).await.unwrap();
        let (one, two) = (ids::fresh(), ids::fresh());
        store.create(one).await.unwrap();
        let steal = Sql::new("UPDATE subject_keys SET subject = $1 WHERE subject = $2");
        execute(&db, &steal, &[two.into(), one.into()]).await.unwrap();
        let again = open(&db, &master).await.unwrap();
        assert!(again.get(one).await.unwrap().is_none());
        assert_eq!(again.get(two).await.unwrap_err().code, "keyring.key");
    }
}

#[tokio::test]
async fn a_test_store_works_and_lives_as_long_as_it_is_held() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = test_key_store(&clock).await;
    let also = test_key_store(&Arc::new(SystemClock)).await;
    let subject = ids::fresh();
    store.create(subject).await.unwrap();
    assert!(also.get(subject).await.unwrap().is_none());
    assert!(store.get(ids::fresh()).await.unwrap().is_none());
}
