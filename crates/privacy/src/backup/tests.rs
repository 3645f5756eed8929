//! A backup through its whole life: made, found, refused when it is not what it was, restored, taken away.

mod keyring;
mod shelves;

use super::*;
use crate::erasure::tests::World;
use crate::erasure::tests::person::Person;
use crate::erasure::{Reason, State};
use age::secrecy::SecretString;
use std::fs;
use std::ops::ControlFlow;
use tacit_kernel::time::ManualClock;
use tacit_storage::backup::check_current;
use tacit_storage::testing::{MIGRATED_AT, TestDb, empty_db, test_key_store};
use tacit_storage::{Engine, both_engines};
use tempfile::TempDir;

const GO_ON: fn(&str, u64) -> ControlFlow<()> = |_, _| ControlFlow::Continue(());

fn operator() -> By {
    By { actor: Actor::Operator(7), reason: Some(Personal::new("a drill".to_owned())) }
}

fn code<T: std::fmt::Debug>(result: Result<T, Fault>) -> &'static str {
    result.unwrap_err().code
}

fn identity() -> (Identities, Recipients) {
    let (text, recipient) = Identities::generate(MIGRATED_AT);
    (Identities::parse(&text).unwrap(), Recipients::parse(&[recipient]).unwrap())
}

/// A platform with shelves.
struct Kept {
    world: World,
    backups: Backups,
    identities: Identities,
    dir: TempDir,
}

impl Kept {
    async fn new(db: Db) -> Self {
        let clock = Arc::new(ManualClock::at(MIGRATED_AT));
        let keys = test_key_store(&clock).await;
        Self::with(db, keys, clock).await
    }

    async fn with(db: Db, keys: Arc<KeyStore>, clock: Arc<ManualClock>) -> Self {
        let (dir, (identities, recipients)) = (TempDir::new().unwrap(), identity());
        let shelf = |kind: Kind, days| Shelf::new(kind, dir.path().join(kind.as_str()), recipients.clone(), days);
        let shelves = vec![shelf(Kind::Data, 35), shelf(Kind::Keyring, 7)];
        let world = World::with(db.clone(), keys.clone(), clock.clone(), shelves).await;
        let (audit, retention) = (world.erasing.audit.clone(), world.erasing.retention.clone());
        let backups = Backups::new((db, keys, clock), audit, retention, "0.0.0");
        Self { world, backups, identities, dir }
    }

    async fn make(&self, kind: Kind) -> Made {
        self.backups.make(kind, operator(), &mut GO_ON.clone()).await.unwrap()
    }

    async fn restore(&self, made: &Made, engine: Engine) -> (TestDb, Result<Restored, Fault>) {
        let target = empty_db(engine).await;
        let clock: Arc<dyn Clock> = self.world.clock.clone();
        let parts = (&*target, &self.world.erasing.keys, &clock);
        let restored = restore_data(parts, (&made.file, &self.identities), &operator(), &mut GO_ON.clone()).await;
        (target, restored)
    }

    /// The same people in a database that was restored.
    async fn again(&self, db: &Db) -> World {
        World::with(db.clone(), self.world.erasing.keys.clone(), self.world.clock.clone(), Vec::new()).await
    }
}

both_engines! {
    async fn every_row_arrives_on_either_engine_and_the_books_add_up(db: Db) {
        let mut kept = Kept::new(db.clone()).await;
        let [ann, member, _] = kept.world.society().await;
        let before = kept.world.dump().await;
        let made = kept.make(Kind::Data).await;
        let verified = verify(&made.file, &kept.identities, &mut GO_ON.clone()).unwrap();
        assert_eq!((verified.rows, verified.tables, verified.kind), (made.rows, made.tables, Kind::Data));
        // As another program opens it.
        let sealed = fs::read(&made.file).unwrap();
        assert!(!sealed.windows(ann.canary().len()).any(|bytes| bytes == ann.canary()), "nothing lies in clear");
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let (target, restored) = kept.restore(&made, engine).await;
            let restored = restored.unwrap();
            assert_eq!((restored.rows, restored.made_at, restored.erased_since), (made.rows, made.made_at, 0));
            check_current(&target, Kind::Data).await.unwrap();
            let again = kept.again(&target).await;
            again.books_add_up().await;
            for person in [ann, member] {
                assert_eq!(again.leading(person.account).await, kept.world.leading(person.account).await);
            }
            let entries = again.erasing.audit.list(&tacit_storage::audit::Filter::default(), None, 10).await.unwrap();
            let said: Vec<&str> = entries.iter().map(|entry| entry.kept.action.as_str()).collect();
            assert_eq!(said[..2], ["backup.restore", "backup.make"], "the restore, and the backup that had begun");
            if engine == db.engine() {
                for (table, lines) in again.dump().await {
                    if table != "audit_entries" {
                        assert_eq!(lines, before[table], "{table}");
                    }
                }
            }
        }
        let entries = kept.world.erasing.audit.list(&tacit_storage::audit::Filter::default(), None, 2).await.unwrap();
        let said = entries.iter().map(|entry| (entry.kept.phase.as_str(), entry.kept.affected)).collect::<Vec<_>>();
        assert_eq!(said, [("done", Some(made.rows)), ("begun", None)]);
        let shown = kept.world.erasing.audit.show(entries[1].kept.seq).await.unwrap().unwrap();
        assert_eq!(shown.reason.unwrap().reveal(), "a drill");
    }

    async fn who_was_erased_after_a_backup_is_not_in_what_is_made_of_it(db: Db) {
        let mut kept = Kept::new(db.clone()).await;
        let [ann, member, _] = kept.world.society().await;
        let made = kept.make(Kind::Data).await;
        let begun = kept.world.erasing.begin(ann.account, Reason::Asked, true).await.unwrap();
        assert_eq!(begun.copies_until, Some(kept.world.clock.now().plus_micros(7 * 86_400_000_000)));
        let done = kept.world.through(begun.id).await;
        assert_eq!(done.copies_until, begun.copies_until, "the receipt says it still");
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let (target, restored) = kept.restore(&made, engine).await;
            assert_eq!(restored.unwrap().erased_since, 1);
            let again = kept.again(&target).await;
            // Positive control: the rows are there again, and nothing sealed of them can be read.
            assert!(!again.leading(ann.account).await.is_empty());
            assert!(again.erasing.keys.get(ann.account.0).await.unwrap().is_none());
            assert_eq!(engine == Engine::Sqlite, files_with(&target, ann) > 0);
            assert_eq!(again.erasing.replay().await.unwrap(), 1);
            let open = again.erasing.list(tacit_storage::Page::default()).await.unwrap();
            assert_eq!((open.items[0].reason, open.items[0].state), (Reason::Restored, State::Unreadable));
            finish(&again).await;
            assert!(again.leading(ann.account).await.is_empty());
            assert!(again.leading(member.account).await.len() > 20, "nobody else is touched");
            assert_eq!(files_with(&target, ann), 0, "not a byte");
            again.books_add_up().await;
        }
    }

    async fn data_is_not_restored_beside_a_keyring_that_is_older_or_another(db: Db) {
        let mut kept = Kept::new(db.clone()).await;
        let [ann, member, _] = kept.world.society().await;
        kept.world.erasing.keys.destroy(&[ann.account.0]).await.unwrap();
        let made = kept.make(Kind::Data).await;
        // Another one.
        let other = test_key_store(&kept.world.clock).await;
        let target = empty_db(db.engine()).await;
        let clock: Arc<dyn Clock> = kept.world.clock.clone();
        let from = (made.file.as_path(), &kept.identities);
        let restored = restore_data((&target, &other, &clock), from, &operator(), &mut GO_ON.clone()).await;
        assert_eq!(code(restored), "keyring.other");
        assert!(tacit_storage::backup::is_empty(&target, Kind::Data).await.unwrap(), "nothing was begun");
        // One that holds an account for which the keyring has neither key nor tombstone.
        kept.world.erasing.keys.destroy_fleeting(member.account.0).await.unwrap();
        let (target, restored) = kept.restore(&made, db.engine()).await;
        assert_eq!(code(restored), "keyring.other");
        assert!(target.migrate(MIGRATED_AT).await.is_err(), "and it stays closed");
    }

    async fn without_the_audit_log_nothing_is_backed_up_or_restored(db: Db) {
        let kept = Kept::new(db.clone()).await;
        let made = kept.make(Kind::Data).await;
        kept.world.clock.advance_micros(1);
        let broken = kept.make(Kind::Data).await;
        let files = || fs::read_dir(kept.dir.path().join("data")).unwrap().count();
        assert_eq!(files(), 2);
        let sql = tacit_storage::Sql::new("ALTER TABLE audit_entries RENAME TO audit_entries_gone");
        let away = db.write("test.away", |tx| Box::pin(async move { tx.execute(&sql, &[]).await }));
        away.await.unwrap_or_else(|error: tacit_storage::StorageError| panic!("{error}"));
        kept.world.clock.advance_micros(1);
        assert!(kept.backups.make(Kind::Data, operator(), &mut GO_ON.clone()).await.is_err());
        assert_eq!(files(), 2);
        assert!(kept.world.erasing.retention.prune(Kind::Data).await.is_ok(), "nothing is due");
        kept.world.clock.advance_micros(36 * 86_400_000_000);
        assert!(kept.world.erasing.retention.prune(Kind::Data).await.is_err());
        assert_eq!(files(), 2, "what cannot be recorded is not taken away");
        assert!(made.file.exists() && broken.file.exists());
    }
}

/// Goes through with the one erasure that is under way; the keyring is turned already.
async fn finish(world: &World) {
    world.steps().await;
    let open = world.erasing.list(tacit_storage::Page::default()).await.unwrap();
    assert_eq!(open.items[0].state, State::Done);
}

/// Files of a database of SQLite that hold the canary of somebody.
fn files_with(db: &TestDb, person: Person) -> usize {
    let Some(path) = db.url().strip_prefix("sqlite:") else { return 0 };
    let (files, canary) = (fs::read_dir(Path::new(path).parent().unwrap()).unwrap(), person.canary());
    let holds = |file: &PathBuf| fs::read(file).unwrap().windows(canary.len()).any(|bytes| bytes == canary);
    files.map(|file| file.unwrap().path()).filter(holds).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_a_whole_backup_of_ours_is_refused() {
    let db = tacit_storage::testing::test_db(Engine::Sqlite).await;
    let kept = Kept::new(Db::clone(&db)).await;
    let made = kept.make(Kind::Data).await;
    let bytes = fs::read(&made.file).unwrap();
    let other = kept.dir.path().join("other");
    let refused = |bytes: &[u8]| {
        fs::write(&other, bytes).unwrap();
        code(verify(&other, &kept.identities, &mut GO_ON.clone()))
    };
    assert!(verify(&made.file, &kept.identities, &mut GO_ON.clone()).is_ok());
    // Cut off anywhere, changed anywhere; the head of age says to whom it is encrypted.
    let head = bytes.windows(4).position(|at| at == b"\n---").unwrap();
    for place in (0..bytes.len()).step_by(5) {
        assert_eq!(refused(&bytes[..place]), "backup.damaged", "cut off at {place}");
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let said = refused(&changed);
        let of_head = place < head && said == "backup.identity";
        assert!(said == "backup.damaged" || of_head, "{said}: changed at {place} of {head}");
    }
    assert_eq!(refused(&[&bytes[..], &bytes[..]].concat()), "backup.damaged");
    assert_eq!(refused(b"something else altogether"), "backup.damaged");
    let (stranger, recipients) = identity();
    assert_eq!(code(verify(&made.file, &stranger, &mut GO_ON.clone())), "backup.identity");
    assert_eq!(code(verify(&kept.dir.path().join("nowhere"), &stranger, &mut GO_ON.clone())), "backup.unreadable");
    // Well encrypted, and not what it should be.
    let sealed = |text: &[u8]| {
        use std::io::Write as _;
        let path = kept.dir.path().join("sealed");
        let mut sealing = envelope::Sealing::begin(fs::File::create(&path).unwrap(), &recipients).unwrap();
        sealing.write_all(text).unwrap();
        sealing.finish().unwrap();
        code(verify(&path, &stranger, &mut GO_ON.clone()))
    };
    assert_eq!(sealed(b"tacit backup 0002\nof a later time"), "backup.newer");
    assert_eq!(sealed(b"a letter to somebody, quite long"), "backup.foreign");
    assert_eq!(sealed(b"tacit"), "backup.damaged");
    // The other database.
    let keyring = kept.make(Kind::Keyring).await;
    let (_, restored) = kept.restore(&keyring, Engine::Sqlite).await;
    assert_eq!(code(restored), "backup.kind");
}

#[test]
fn keys_are_read_as_age_writes_them() {
    let (text, recipient) = Identities::generate(MIGRATED_AT);
    use age::secrecy::ExposeSecret as _;
    assert!(text.expose_secret().contains(&format!("# public key: {recipient}\nAGE-SECRET-KEY-1")));
    assert!(recipient.starts_with("age1"));
    let identities = Identities::parse(&text).unwrap();
    assert_eq!(format!("{identities:?}"), "[keys]");
    for none in ["", "# a comment", "age1whatever", "AGE-SECRET-KEY-1NONSENSE"] {
        let why = Identities::parse(&SecretString::from(none.to_owned())).unwrap_err();
        assert!(!why.contains("NONSENSE"));
    }
    assert!(Recipients::parse(&[]).is_err());
    assert!(Recipients::parse(&[recipient, "age1".to_owned()]).unwrap_err().contains("tacit backup key"));
}
