//! The keyring out of a backup: it knows who was erased since, or it stays closed.

use super::*;
use tacit_storage::audit::Filter;
use tacit_vault::MasterKey;

both_engines! {
    async fn a_keyring_out_of_a_backup_opens_nobody_who_was_erased_since(db: Db) {
        let clock = Arc::new(ManualClock::at(MIGRATED_AT));
        let (master, keyring) = (MasterKey::generate(), empty_db(db.engine()).await);
        let keys = KeyStore::open(Db::clone(&keyring), &master, clock.clone()).await.unwrap();
        let mut kept = Kept::with(db.clone(), keys.clone(), clock.clone()).await;
        let log = kept.dir.path().join("erasures.log");
        keys.log_to(&log).await.unwrap();
        let [ann, member, _] = kept.world.society().await;
        let (data, copy) = (kept.make(Kind::Data).await, kept.make(Kind::Keyring).await);
        let begun = kept.world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap();
        kept.world.through(begun.id).await;

        let restore = async |engine, log: &Path, data: Option<&Db>| {
            let target = empty_db(engine).await;
            let (from, clock) = ((copy.file.as_path(), &kept.identities), clock.clone() as Arc<dyn Clock>);
            let masters = (&master).into();
            let restored =
                restore_keyring((&target, masters, &clock), from, log, data, &operator(), &mut GO_ON.clone()).await;
            (target, restored)
        };
        let (closed, restored) = restore(db.engine(), &kept.dir.path().join("lost"), None).await;
        assert_eq!(code(restored), "keyring.erasure_log");
        assert!(KeyStore::open(Db::clone(&closed), &master, clock.clone()).await.is_err());
        // An older keyring that was put back by hand is not taken for this database's.
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let (target, restored) = restore(engine, &log, Some(&db)).await;
            let restored = restored.unwrap();
            assert_eq!((restored.erased_since, restored.keys_gone, restored.recorded), (1, 1, true));
            let keys = KeyStore::open(Db::clone(&target), &master, clock.clone()).await.unwrap();
            assert!(keys.get(ann.account.0).await.unwrap().is_none());
            assert!(keys.get(member.account.0).await.unwrap().is_some());
            keys.log_to(&log).await.unwrap();
            keys.check_against(&db).await.unwrap();
            // And the data of that time with it.
            let again = empty_db(engine).await;
            let clock: Arc<dyn Clock> = clock.clone();
            let from = (data.file.as_path(), &kept.identities);
            let restored = restore_data((&again, &keys, &clock), from, &operator(), &mut GO_ON.clone()).await.unwrap();
            assert_eq!(restored.erased_since, 1);
            let world = World::with(Db::clone(&again), keys, kept.world.clock.clone(), Vec::new()).await;
            assert_eq!(world.erasing.replay().await.unwrap(), 1);
            finish(&world).await;
            assert!(world.leading(ann.account).await.is_empty());
            assert_eq!(files_with(&again, ann), 0);
        }
        let filter = Filter { action: Some("backup.restore".to_owned()), ..Filter::default() };
        let entries = kept.world.erasing.audit.list(&filter, None, 10).await.unwrap();
        assert_eq!(entries.len(), 2, "those that were done, in the log of the data that was there");
    }

    async fn data_that_knows_more_erasures_than_the_keyring_is_refused(db: Db) {
        let mut kept = Kept::new(db.clone()).await;
        let [ann, ..] = kept.world.society().await;
        let keys = kept.world.erasing.keys.clone();
        keys.check_against(&db).await.unwrap();
        kept.world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap();
        keys.check_against(&db).await.unwrap();
        // As an older copy of the keyring would be: without the tombstone, and with the key.
        let sql = tacit_storage::Sql::new("DELETE FROM keyring_erasures");
        let older = keys.database().write("test.older", |tx| Box::pin(async move { tx.execute(&sql, &[]).await }));
        older.await.unwrap_or_else(|error: tacit_storage::StorageError| panic!("{error}"));
        assert_eq!(code(keys.check_against(&db).await), "keyring.older");
    }
}
