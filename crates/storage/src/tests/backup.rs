//! Copies of databases: from engine to engine, at one moment, and refused when they are not what they were.

use super::{execute, script};
use crate::backup::{Header, Kind, Reader, Summary, bring_up_to_date, dump, load, open_restored};
use crate::keyring::ErasuresHead;
use crate::testing::{MIGRATED_AT, empty_db, test_db};
use crate::{Db, Engine, ReadTx, Sql, StorageError, StorageErrorKind, Value, both_engines};
use std::io::Cursor;
use std::ops::ControlFlow;
use std::time::Duration;
use tacit_kernel::{Fault, Timestamp};
use uuid::Uuid;

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());
const NOW: Timestamp = Timestamp(1_700_000_100_000_000);
/// Enough for several pieces and several transactions.
const ROWS: u16 = 5000;

pub(super) async fn copy(db: &Db, kind: Kind) -> Result<(Vec<u8>, Summary), Fault> {
    let mut bytes = Vec::new();
    let keyring = ([7; 32], ErasuresHead::NONE);
    let (header, summary) = dump(db, kind, ("0.0.0", NOW), keyring, &mut bytes, &mut |_, _| GO_ON).await?;
    assert_eq!(header, reader(&bytes)?.header().clone());
    Ok((bytes, summary))
}

pub(super) fn reader(bytes: &[u8]) -> Result<Reader, Fault> {
    Reader::open(Box::new(Cursor::new(bytes.to_vec())))
}

async fn restore(db: &Db, bytes: &[u8]) -> Result<Summary, Fault> {
    load(db, reader(bytes)?, NOW, &mut |_, _| GO_ON).await
}

fn code<T: std::fmt::Debug>(result: Result<T, Fault>) -> &'static str {
    result.unwrap_err().code
}

/// A row of every type, of NULL and of the extremes, in tables that refer to each other.
async fn fill(db: &Db) {
    const GROUP: Sql = Sql::new("INSERT INTO user_groups VALUES ($1, $2, $3, $4, $4)");
    const ACCOUNT: Sql = Sql::new(
        "INSERT INTO accounts (id, group_id, status, limits, name_sealed, name_lookup, created_at, updated_at) \
         VALUES ($1, $2, 'active', '{}', $3, $4, 0, 0)",
    );
    let group = Uuid::from_u128(9);
    let row = [group.into(), "名 \u{1f4a1} ' \" \\".into(), i64::MAX.into(), i64::MIN.into()];
    execute(db, &GROUP, &row).await.unwrap();
    let accounts = db.write("test.accounts", |tx| {
        Box::pin(async move {
            for n in 0..ROWS {
                let id = Uuid::from_u128(u128::from(n) << 64 | 1);
                // Also sixteen bytes that are no id.
                let sealed = vec![n.to_le_bytes()[0]; usize::from(n % 300).max(16)];
                let row = [id.into(), group.into(), sealed.into(), n.to_le_bytes().to_vec().into()];
                tx.execute(&ACCOUNT, &row).await?;
            }
            Ok(())
        })
    });
    accounts.await.unwrap_or_else(|e: crate::StorageError| panic!("{e}"));
}

async fn count(db: &Db, sql: &'static str) -> i64 {
    let sql = Sql::new(sql);
    let row = db.read("test.count", |tx| Box::pin(async move { tx.one(&sql, &[]).await })).await;
    row.unwrap_or_else(|e: crate::StorageError| panic!("{e}")).unwrap().get("n").unwrap()
}

both_engines! {
    async fn what_is_restored_is_what_was_copied_on_either_engine(db: Db) {
        fill(&db).await;
        let (bytes, summary) = copy(&db, Kind::Data).await.unwrap();
        assert_eq!(summary.rows, u64::from(ROWS) + 1);
        assert!(summary.tables > 50, "{summary:?}");
        assert_eq!(reader(&bytes).unwrap().verify(&mut |_, _| GO_ON).unwrap(), summary);
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let other = empty_db(engine).await;
            assert_eq!(restore(&other, &bytes).await.unwrap(), summary);
            bring_up_to_date(&other, Kind::Data, NOW).await.unwrap();
            open_restored(&other).await.unwrap();
            other.migrate(NOW).await.unwrap();
            assert!(crate::datamap::check(&other).await.unwrap().is_empty());
            // Copied again it is the same: all of its rows, but for the head, are in the same order or not.
            let (again, of_copy) = copy(&other, Kind::Data).await.unwrap();
            assert_eq!(of_copy, summary);
            let third = empty_db(db.engine()).await;
            assert_eq!(restore(&third, &again).await.unwrap(), summary);
            assert_eq!(count(&other, "SELECT multiplier_ppm AS n FROM user_groups").await, i64::MAX);
            assert_eq!(count(&other, "SELECT COUNT(*) AS n FROM accounts WHERE limits = '{}'").await, i64::from(ROWS));
        }
    }

    async fn a_restore_that_was_cut_off_leaves_nothing_that_can_be_opened(db: Db) {
        fill(&db).await;
        let (bytes, _) = copy(&db, Kind::Data).await.unwrap();
        let target = empty_db(db.engine()).await;
        assert_eq!(code(restore(&target, &bytes[..bytes.len() / 2]).await), "backup.damaged");
        assert!(count(&target, "SELECT COUNT(*) AS n FROM accounts").await > 0, "it had begun");
        let refused = target.migrate(NOW).await.unwrap_err();
        assert_eq!(refused.kind, StorageErrorKind::Schema);
        assert!(refused.detail.contains("being restored"), "{refused}");
        assert_eq!(code(copy(&target, Kind::Data).await), "storage.schema", "nor is it copied");
        assert_eq!(code(restore(&target, &bytes).await), "backup.not_empty", "nor filled up");
        // Loaded, and not yet let go.
        let target = empty_db(db.engine()).await;
        restore(&target, &bytes).await.unwrap();
        assert!(target.migrate(NOW).await.is_err());
        open_restored(&target).await.unwrap();
        target.migrate(NOW).await.unwrap();
    }

    async fn a_database_with_tables_is_not_restored_into(db: Db) {
        let (bytes, _) = copy(&db, Kind::Data).await.unwrap();
        assert_eq!(code(restore(&db, &bytes).await), "backup.not_empty");
        db.migrate(NOW).await.unwrap();
        let target = empty_db(db.engine()).await;
        script(&target, "CREATE TABLE of_somebody_else (id BIGINT PRIMARY KEY\n);").await;
        assert_eq!(code(restore(&target, &bytes).await), "backup.not_empty");
    }

    async fn a_copy_is_of_one_moment(db: Db) {
        fill(&db).await;
        const MOVE: Sql = Sql::new("INSERT INTO user_groups VALUES ($1, $2, 1, 0, 0)");
        const AWAY: Sql = Sql::new("DELETE FROM accounts WHERE id = $1");
        // While it is read somebody makes a group and deletes an account for it, again and again.
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (writer, until) = (db.clone(), stop.clone());
        let writing = tokio::spawn(async move {
            let mut n = 0_u16;
            while n < ROWS && !until.load(std::sync::atomic::Ordering::Acquire) {
                let (id, account) = (Uuid::from_u128(u128::from(n) + 100), Uuid::from_u128(u128::from(n) << 64 | 1));
                let group: &[Value] = &[id.into(), n.to_string().into()];
                let done = writer.write("test.move", |tx| Box::pin(async move {
                    tx.execute(&MOVE, group).await?;
                    tx.execute(&AWAY, &[account.into()]).await
                }));
                done.await.unwrap_or_else(|e: crate::StorageError| panic!("{e}"));
                n += 1;
            }
            n
        });
        let mut copies = Vec::new();
        while copies.len() < 5 || (count(&db, "SELECT COUNT(*) AS n FROM user_groups").await < 50 && !writing.is_finished()) {
            copies.push(copy(&db, Kind::Data).await.unwrap());
        }
        stop.store(true, std::sync::atomic::Ordering::Release);
        assert!(writing.await.unwrap() >= 50, "there were writes");
        for (_, summary) in &copies {
            assert_eq!(summary.rows, u64::from(ROWS) + 1, "a group for each account that is gone");
        }
        let target = empty_db(db.engine()).await;
        restore(&target, &copies.last().unwrap().0).await.unwrap();
        let sums = "SELECT (SELECT COUNT(*) FROM user_groups) + (SELECT COUNT(*) FROM accounts) AS n";
        assert_eq!(count(&target, sums).await, i64::from(ROWS) + 1);
    }

    async fn one_that_is_told_to_stop_stops(db: Db) {
        fill(&db).await;
        let (mut bytes, keyring) = (Vec::new(), ([7; 32], ErasuresHead::NONE));
        let stop = &mut |table: &str, rows: u64| {
            if table == "accounts" && rows >= 1000 { ControlFlow::Break(()) } else { GO_ON }
        };
        assert_eq!(code(dump(&db, Kind::Data, ("0.0.0", NOW), keyring, &mut bytes, stop).await), "backup.stopped");
        assert!(reader(&bytes).is_err() || reader(&bytes).unwrap().verify(&mut |_, _| GO_ON).is_err());
        copy(&db, Kind::Data).await.unwrap();
    }

    async fn rows_that_arrive_changed_are_found(db: Db) {
        fill(&db).await;
        let (bytes, _) = copy(&db, Kind::Data).await.unwrap();
        let target = empty_db(db.engine()).await;
        // A database that changes what is written into it.
        let trigger = "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.multiplier_ppm := 3; RETURN NEW; END $$;\n\
             CREATE TRIGGER other BEFORE INSERT ON user_groups FOR EACH ROW EXECUTE FUNCTION other();";
        let sqlite = "CREATE TRIGGER other AFTER INSERT ON user_groups BEGIN UPDATE user_groups SET multiplier_ppm = 3; END;";
        let trigger = if db.engine() == Engine::Sqlite { sqlite } else { trigger };
        let told = &mut |table: &str, rows: u64| {
            if (table, rows) == ("user_groups", 0) && !trigger.is_empty() {
                let db = Db::clone(&target);
                // In the middle of the restore, as soon as the table is there.
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                        runtime.block_on(async {
                            let made = db.write("test.trigger", |tx| Box::pin(tx.script(trigger.to_owned()))).await;
                            drop::<Result<(), crate::StorageError>>(made);
                        });
                    });
                });
            }
            GO_ON
        };
        let loaded = load(&target, reader(&bytes).unwrap(), NOW, told).await;
        assert_eq!(code(loaded), "backup.differs");
        assert!(target.migrate(NOW).await.is_err());
    }

    async fn nobody_waits_for_one_that_is_read(db: Db) {
        const BOOK: Sql = Sql::new("SELECT schema FROM schema_migrations");
        const GROUPS: Sql = Sql::new("SELECT id FROM user_groups");
        let long = Duration::from_secs(20);
        let reading = async |tx: &mut ReadTx<'_>| {
            for held in [&BOOK, &GROUPS] {
                tx.all(held, &[]).await?;
            }
            // Another process starts, and bytes are to go.
            tokio::time::timeout(long, db.migrate(NOW)).await.expect("a start waits")?;
            let swept = tokio::time::timeout(long, db.sweep(&["user_groups"], &[])).await.expect("a sweep waits");
            if db.engine() == Engine::Postgres {
                assert_eq!(swept.unwrap_err().kind, StorageErrorKind::Busy);
                let later = tokio::time::timeout(long, db.read("test.later", |tx| Box::pin(tx.all(&GROUPS, &[])))).await;
                later.expect("who reads after it waits")?;
            }
            Ok::<_, StorageError>(())
        };
        let reading = &reading;
        db.read("test.long", |tx| Box::pin(reading(tx))).await.unwrap();
        db.sweep(&["user_groups"], &[]).await.unwrap();
    }
}

#[test]
fn a_stream_that_is_not_whole_is_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bytes = runtime.block_on(async {
        let db = test_db(Engine::Sqlite).await;
        let group = Sql::new("INSERT INTO user_groups VALUES ($1, 'group', 1, 0, 0)");
        execute(&db, &group, &[Uuid::from_u128(1).into()]).await.unwrap();
        copy(&db, Kind::Data).await.unwrap().0
    });
    let verify = |bytes: &[u8]| reader(bytes).and_then(|reader| reader.verify(&mut |_, _| GO_ON));
    verify(&bytes).unwrap();
    for end in 0..bytes.len() {
        assert_eq!(code(verify(&bytes[..end])), "backup.damaged", "cut off at {end}");
    }
    assert_eq!(code(verify(&[&bytes[..], b"more"].concat())), "backup.damaged");
    // Whatever of tables and rows is changed, the sums see it.
    let head = u32::from_le_bytes(bytes[19..23].try_into().unwrap());
    for place in 23 + usize::try_from(head).unwrap()..bytes.len() {
        let mut other = bytes.clone();
        other[place] ^= 1;
        assert_eq!(code(verify(&other)), "backup.damaged", "changed at {place}");
    }
    assert_eq!(code(verify(b"something that is long enough")), "backup.foreign");
    let mut newer = bytes.clone();
    newer[16] = b'2';
    assert_eq!(code(verify(&newer)), "backup.newer");
}

#[test]
fn a_copy_of_another_schema_is_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = test_db(Engine::Sqlite).await;
        let (bytes, _) = copy(&db, Kind::Data).await.unwrap();
        let header = reader(&bytes).unwrap().header().clone();
        // Its head, made anew: the length stands behind the magic and the kind.
        let with = |header: &Header| {
            let old = u32::from_le_bytes(bytes[19..23].try_into().unwrap());
            let body = postcard::to_allocvec(header).unwrap();
            let length = u32::try_from(body.len()).unwrap().to_le_bytes();
            [&bytes[..19], &length, &body, &bytes[23 + usize::try_from(old).unwrap()..]].concat()
        };
        let target = empty_db(Engine::Sqlite).await;
        let newer = Header { schema: header.schema + 1, ..header.clone() };
        assert_eq!(code(restore(&target, &with(&newer)).await), "backup.newer");
        let foreign = Header { schema_hash: [1; 32], ..header.clone() };
        assert_eq!(code(restore(&target, &with(&foreign)).await), "backup.foreign");
        let unknown = Header { kind: "diary".to_owned(), ..header.clone() };
        assert_eq!(code(restore(&target, &with(&unknown)).await), "backup.damaged");
        // Nothing was done to it.
        restore(&target, &with(&header)).await.unwrap();
        assert_ne!(MIGRATED_AT, NOW);
    });
}
