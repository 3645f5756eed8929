use super::{COUNTER, READ, SET, count, counted, execute, script};
use crate::testing::{prepare_all, test_db};
use crate::{Bulk, Db, Engine, Page, Retryable, Sql, SqlText, StorageError, StorageErrorKind, Value, both_engines};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tacit_kernel::ids::AccountId;
use tacit_kernel::{Nano, Ppm, Timestamp};
use uuid::Uuid;

const KINDS: &str = "CREATE TABLE kinds (
    id UUID PRIMARY KEY,
    n BIGINT,
    t TEXT,
    b BYTEA,
    u UUID
);";
const PUT: Sql = Sql::new("INSERT INTO kinds (id, n, t, b, u) VALUES ($1, $2, $3, $4, $5) RETURNING n, t, b, u");
const ALL: Sql = Sql::new("SELECT id, n FROM kinds ORDER BY id");
const FIND: Sql = Sql::new("SELECT n FROM kinds WHERE id = $1");
const LOWER: Sql = Sql::new("UPDATE kinds SET n = $2 WHERE id = $1");
const MOVE: Sql = Sql::new("INSERT INTO moves (id, of, n) VALUES ($1, $2, $3)");
static MANY: Bulk = Bulk::new("INSERT INTO kinds (id, n, t) VALUES", 3, "");
static MANY_BACK: Bulk = Bulk::new("INSERT INTO kinds (id, n) VALUES", 2, "RETURNING n");
static ADD: Bulk =
    Bulk::new("UPDATE kinds SET n = kinds.n + v.column2 FROM (VALUES", 2, ") AS v WHERE kinds.id = v.column1");

both_engines! {
    async fn every_statement_is_accepted(db: Db) {
        db.migrate_keyring(crate::testing::MIGRATED_AT).await.unwrap();
        script(&db, KINDS).await;
        prepare_all(&db, crate::changes::STATEMENTS, &[]).await.unwrap();
        prepare_all(&db, crate::idempotency::STATEMENTS, &[]).await.unwrap();
        prepare_all(&db, crate::keyring::STATEMENTS, &[]).await.unwrap();
        prepare_all(&db, crate::keyring::MAIN_STATEMENTS, &[]).await.unwrap();
        prepare_all(&db, &[&crate::migrations::APPLIED, &crate::migrations::RECORD], &[&MANY, &MANY_BACK]).await.unwrap();
        let wrong = Sql::new("SELECT nothing FROM kinds");
        let refused = prepare_all(&db, &[&wrong], &[]).await.unwrap_err();
        assert!(refused.contains("SELECT nothing"), "{refused}");
    }

    async fn values_come_back(db: Db) {
        script(&db, KINDS).await;
        let account = AccountId::fresh();
        let (id, text, bytes) = (Uuid::from_u128(1), "ü\u{1F600}", vec![0, 255, 7]);
        let rows = db
            .write("test.put", |tx| {
                let bytes = bytes.clone();
                Box::pin(async move {
                    let full = [id.into(), i64::MIN.into(), text.into(), bytes.into(), account.into()];
                    let full = tx.one(&PUT, &full).await?.unwrap();
                    // The same prepared statement, now with NULL everywhere.
                    let nulls = [Uuid::from_u128(2).into(), Value::Null, Value::Null, Value::Null, Value::Null];
                    let nulls = tx.one(&PUT, &nulls).await?.unwrap();
                    let empty = [
                        Uuid::from_u128(3).into(), i64::MAX.into(), "".into(), Vec::new().into(), Value::Null,
                    ];
                    let empty = tx.one(&PUT, &empty).await?.unwrap();
                    Ok::<_, StorageError>([full, nulls, empty])
                })
            })
            .await
            .unwrap();
        let [full, nulls, empty] = &rows;
        assert_eq!(full.get::<i64>("n").unwrap(), i64::MIN);
        assert_eq!(full.get::<Nano>("n").unwrap(), Nano(i64::MIN));
        assert_eq!(full.get::<Option<Ppm>>("n").unwrap(), Some(Ppm(i64::MIN)));
        assert_eq!(full.get::<Timestamp>("n").unwrap(), Timestamp(i64::MIN));
        assert_eq!(full.get::<String>("t").unwrap(), text);
        assert_eq!(full.get::<Vec<u8>>("b").unwrap(), bytes);
        assert_eq!(full.get::<AccountId>("u").unwrap(), account);
        assert_eq!(nulls.get::<Option<i64>>("n").unwrap(), None);
        assert_eq!(nulls.get::<Option<String>>("t").unwrap(), None);
        assert_eq!(nulls.get::<Option<Vec<u8>>>("b").unwrap(), None);
        assert_eq!(nulls.get::<Option<AccountId>>("u").unwrap(), None);
        assert_eq!(empty.get::<Option<String>>("t").unwrap().as_deref(), Some(""));
        assert_eq!(empty.get::<Option<Vec<u8>>>("b").unwrap(), Some(vec![]));

        fn is_bad<T: std::fmt::Debug>(read: Result<T, StorageError>, column: &'static str) {
            assert_eq!(read.unwrap_err().kind, StorageErrorKind::Inconsistent { table: "result", column });
        }
        is_bad(nulls.get::<i64>("n"), "n");
        is_bad(full.get::<i64>("t"), "t");
        is_bad(full.get::<u64>("n"), "n");
        is_bad(full.get::<bool>("n"), "n");
        is_bad(full.get::<[u8; 32]>("b"), "b");
        is_bad(full.word("t", |_| None::<()>), "t");
        assert_eq!(full.get::<i64>("absent").unwrap_err().kind, StorageErrorKind::Other);
    }

    async fn a_null_first_does_not_spoil_a_prepared_statement(db: Db) {
        script(&db, KINDS).await;
        for n in [Value::Null, 5_i64.into(), Value::Null, 6_i64.into()] {
            let id = Value::from(tacit_kernel::ids::fresh());
            execute(&db, &Sql::new("INSERT INTO kinds (id, n) VALUES ($1, $2)"), &[id, n]).await.unwrap();
        }
    }

    async fn the_number_of_parameters_is_checked(db: Db) {
        script(&db, COUNTER).await;
        for params in [vec![], vec![1_i64.into(), 2_i64.into()]] {
            let error = execute(&db, &SET, &params).await.unwrap_err();
            assert!(error.detail.contains("for a statement of 1"), "{error}");
        }
        assert_eq!(counted(&db).await, 0);
    }

    async fn a_text_is_one_statement(db: Db) {
        script(&db, COUNTER).await;
        let two = Sql::new("UPDATE counter SET n = 5 WHERE id = 1; UPDATE counter SET n = 6 WHERE id = 1");
        execute(&db, &two, &[]).await.unwrap_err();
        assert_eq!(counted(&db).await, 0);
    }

    async fn parameters_go_by_number_wherever_they_stand(db: Db) {
        const BACK: Sql = Sql::new("SELECT CAST($3 AS BIGINT) AS c, CAST($1 AS BIGINT) AS a, CAST($2 AS BIGINT) AS b, \
             CAST($1 AS BIGINT) + CAST($3 AS BIGINT) AS d");
        let params = &[1_i64.into(), 20_i64.into(), 300_i64.into()];
        let row = db.read("test.numbers", |tx| Box::pin(tx.one(&BACK, params))).await;
        let row = row.unwrap_or_else(|e: StorageError| panic!("{e}")).unwrap();
        assert_eq!(["a", "b", "c", "d"].map(|n| row.get::<i64>(n).unwrap()), [1, 20, 300, 301]);
    }

    async fn an_error_rolls_back(db: Db) {
        script(&db, COUNTER).await;
        let failed: Result<(), StorageError> = db
            .write("test.fail", |tx| {
                Box::pin(async move {
                    count(tx).await?;
                    Err(StorageError::inconsistent("counter", "n"))
                })
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(counted(&db).await, 0);
        // Nor does it hang on the connection.
        db.write("test.after", |tx| Box::pin(count(tx))).await.unwrap();
        assert_eq!(counted(&db).await, 1);
    }

    async fn a_cancelled_write_leaves_nothing(db: Db) {
        script(&db, COUNTER).await;
        let work = db.write("test.cancel", |tx| {
            Box::pin(async move {
                count(tx).await?;
                std::future::pending::<Result<(), StorageError>>().await
            })
        });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(100), work).await.is_err());
        assert_eq!(counted(&db).await, 0);
        db.write("test.after", |tx| Box::pin(count(tx))).await.unwrap();
        assert_eq!(counted(&db).await, 1);
    }

    async fn a_read_cannot_write(db: Db) {
        script(&db, COUNTER).await;
        let write = Sql::new("UPDATE counter SET n = 9 WHERE id = 1 RETURNING n");
        let refused: Result<_, StorageError> =
            db.read("test.write", |tx| Box::pin(async move { tx.all(&write, &[]).await })).await;
        assert!(refused.is_err());
        assert_eq!(counted(&db).await, 0);
    }

    async fn transactions_are_serial(db: Db) {
        script(&db, COUNTER).await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    for _ in 0..5 {
                        // What is busy for too long is told to the caller, who may come again.
                        while let Err(e) = db.write("test.count", |tx| Box::pin(count(tx))).await {
                            assert!(e.is_retryable(), "{e}");
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(counted(&db).await, 40);
    }

    /// As leases are: each looks at a row, moves something and writes it down; all at once, half of them on one row.
    async fn many_writers_all_get_through(db: Db) {
        script(&db, KINDS).await;
        script(&db, "CREATE TABLE moves (id UUID PRIMARY KEY, of UUID NOT NULL, n BIGINT NOT NULL\n);").await;
        let rows: Vec<Uuid> = (0..64).map(|_| tacit_kernel::ids::fresh()).collect();
        let values: Vec<Value> = rows.iter().flat_map(|id| [(*id).into(), 100_i64.into(), Value::Null]).collect();
        let values = &values;
        db.write("test.bulk", |tx| Box::pin(tx.bulk(&MANY, values))).await.unwrap();
        let hot = rows[0];
        let tasks: Vec<_> = rows
            .into_iter()
            .enumerate()
            .map(|(i, row)| {
                let (db, row) = (db.clone(), if i % 2 == 0 { hot } else { row });
                tokio::spawn(async move {
                    for _ in 0..5 {
                        db.write("test.move", |tx| {
                            Box::pin(async move {
                                let n: i64 = tx.one(&FIND, &[row.into()]).await?.unwrap().get("n")?;
                                tx.execute(&LOWER, &[row.into(), (n - 1).into()]).await?;
                                let id = tacit_kernel::ids::fresh();
                                tx.execute(&MOVE, &[id.into(), row.into(), 1_i64.into()]).await
                            })
                        })
                        .await?;
                    }
                    Ok::<_, StorageError>(())
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        const TOTAL: Sql = Sql::new("SELECT CAST(SUM(n) AS BIGINT) AS n FROM kinds");
        let total = db.read("test.total", |tx| Box::pin(async move { tx.one(&TOTAL, &[]).await?.unwrap().get::<i64>("n") }));
        assert_eq!(total.await.unwrap_or_else(|e: StorageError| panic!("{e}")), 64 * 100 - 64 * 5_i64);
    }

    async fn a_read_has_one_view(db: Db) {
        script(&db, COUNTER).await;
        let (db, seen) = (&db, AtomicU32::new(0));
        db.read("test.view", |tx| {
            let seen = &seen;
            Box::pin(async move {
                let before: i64 = tx.one(&READ, &[]).await?.unwrap().get("n")?;
                db.write("test.count", |tx| Box::pin(count(tx))).await?;
                let after: i64 = tx.one(&READ, &[]).await?.unwrap().get("n")?;
                assert_eq!(before, after);
                seen.fetch_add(1, Ordering::Relaxed);
                Ok::<_, StorageError>(())
            })
        })
        .await
        .unwrap();
        assert_eq!((counted(db).await, seen.into_inner()), (1, 1));
    }

    async fn many_rows_at_once(db: Db) {
        script(&db, KINDS).await;
        let id = |n: i64| Uuid::from_u128(u128::try_from(n).unwrap());
        let mut next = 0;
        for rows in [0_i64, 1, 2, 3, 60, 127, 128, 129, 300] {
            let values: Vec<Value> =
                (next..next + rows).flat_map(|n| [id(n).into(), n.into(), Value::Null]).collect();
            let values = &values;
            let written = db.write("test.bulk", |tx| Box::pin(tx.bulk(&MANY, values))).await.unwrap();
            assert_eq!(written, u64::try_from(rows).unwrap());
            next += rows;
        }
        let numbers = async || -> Vec<i64> {
            let rows = db.read("test.all", |tx| Box::pin(tx.all(&ALL, &[]))).await;
            rows.unwrap_or_else(|e: StorageError| panic!("{e}")).iter().map(|r| r.get("n").unwrap()).collect()
        };
        assert_eq!(numbers().await, (0..next).collect::<Vec<_>>());

        let add: Vec<Value> = (0..next).filter(|n| n % 2 == 0).flat_map(|n| [id(n).into(), (-n).into()]).collect();
        let add = &add;
        db.write("test.add", |tx| Box::pin(tx.bulk(&ADD, add))).await.unwrap();
        assert_eq!(numbers().await, (0..next).map(|n| if n % 2 == 0 { 0 } else { n }).collect::<Vec<_>>());

        let more: Vec<Value> = (next..next + 5).flat_map(|n| [id(n).into(), n.into()]).collect();
        let more = &more;
        let back = db.write("test.back", |tx| Box::pin(tx.bulk_returning(&MANY_BACK, more))).await.unwrap();
        let back: BTreeSet<i64> = back.iter().map(|r| r.get("n").unwrap()).collect();
        assert_eq!(back, (next..next + 5).collect());

        let torn = &more[1..];
        assert!(db.write("test.torn", |tx| Box::pin(tx.bulk(&MANY_BACK, torn))).await.is_err());
    }

    async fn filters_and_lists(db: Db) {
        script(&db, KINDS).await;
        let id = |n: i64| Uuid::from_u128(u128::try_from(n).unwrap());
        let values: Vec<Value> = (1..=9_i64)
            .flat_map(|n| [id(n).into(), n.into(), if n % 3 == 0 { "x".into() } else { Value::Null }])
            .collect();
        let values = &values;
        db.write("test.bulk", |tx| Box::pin(tx.bulk(&MANY, values))).await.unwrap();
        let find = async |ids: Vec<Uuid>, text: Option<&str>, after: Option<i64>| -> Vec<i64> {
            let rows = db.read("test.find", |tx| {
                let sql = SqlText::new("SELECT n FROM kinds WHERE 1 = 1")
                    .list(" AND id IN ", ids.clone())
                    .bind_some(" AND t = ", text)
                    .bind_some(" AND n > ", after)
                    .push(" ORDER BY n")
                    .bind(" LIMIT ", 3_i64);
                Box::pin(tx.query(sql))
            });
            rows.await.unwrap_or_else(|e: StorageError| panic!("{e}")).iter().map(|r| r.get("n").unwrap()).collect()
        };
        assert_eq!(find((1..=9).map(id).collect(), None, None).await, [1, 2, 3]);
        assert_eq!(find((1..=9).map(id).collect(), Some("x"), Some(3)).await, [6, 9]);
        assert_eq!(find(vec![id(7), id(2), id(5)], None, None).await, [2, 5, 7]);
        assert!(find(vec![], None, None).await.is_empty());
    }

    async fn work_can_be_sent_to_a_task(db: Db) {
        script(&db, COUNTER).await;
        let step = String::from("x");
        let task = tokio::spawn(async move {
            let step = &step;
            db.write("test.task", |tx| {
                Box::pin(async move {
                    for _ in 0..step.len() {
                        count(tx).await?;
                    }
                    Ok::<_, StorageError>(())
                })
            })
            .await?;
            Ok::<_, StorageError>(counted(&db).await)
        });
        assert_eq!(task.await.unwrap().unwrap(), 1);
    }

    async fn a_closed_database_says_so(db: Db) {
        db.close().await;
        let error = execute(&db, &SET, &[1_i64.into()]).await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Unavailable);
    }
}

/// Two writers that both read before either writes: PostgreSQL refuses one, and the layer begins it anew.
#[test]
fn a_clash_is_tried_again() {
    crate::testing::run(Engine::Postgres, async |db: Db| {
        script(&db, COUNTER).await;
        let (both_read, begun) = (Arc::new(tokio::sync::Barrier::new(2)), Arc::new(AtomicU32::new(0)));
        let tasks = [(); 2].map(|()| {
            let (db, both_read, begun) = (db.clone(), Arc::clone(&both_read), Arc::clone(&begun));
            tokio::spawn(async move {
                let (both_read, begun) = (&both_read, &begun);
                db.write("test.clash", |tx| {
                    Box::pin(async move {
                        let n: i64 = tx.one(&READ, &[]).await?.unwrap().get("n")?;
                        if begun.fetch_add(1, Ordering::SeqCst) < 2 {
                            both_read.wait().await;
                        }
                        tx.execute(&SET, &[(n + 1).into()]).await
                    })
                })
                .await
            })
        });
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!((counted(&db).await, begun.load(Ordering::SeqCst)), (2, 3));
    });
}

/// Texts that are given again are not parsed again by the server.
#[test]
fn statements_stay_prepared() {
    const PREPARED: Sql =
        Sql::new("SELECT COUNT(*) AS n FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO%'");
    crate::testing::run(Engine::Postgres, async |db: Db| {
        script(&db, KINDS).await;
        let prepared = db.write("test.prepared", |tx| {
            Box::pin(async move {
                for round in 0..20_u128 {
                    let rows = 1 + round % 4;
                    let id = |row| Uuid::from_u128(round * 10 + row);
                    let values: Vec<Value> = (0..rows).flat_map(|r| [id(r).into(), 1_i64.into(), "x".into()]).collect();
                    tx.bulk(&MANY, &values).await?;
                }
                tx.one(&PREPARED, &[]).await?.unwrap().get::<i64>("n")
            })
        });
        // One for each number of rows.
        assert_eq!(prepared.await.unwrap_or_else(|e: StorageError| panic!("{e}")), 4);
    });
}

/// Another process that writes the same file: the writer waits for it.
#[test]
fn two_programs_share_a_file() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let one = test_db(Engine::Sqlite).await;
        let two = Db::open(one.url()).await.unwrap();
        script(&one, COUNTER).await;
        let write = async |db: &Db| {
            for _ in 0..20 {
                db.write("test.count", |tx| Box::pin(count(tx))).await.unwrap();
            }
        };
        tokio::join!(write(&one), write(&two));
        assert_eq!((counted(&one).await, counted(&two).await), (40, 40));
    });
}

#[test]
fn a_server_is_asked_for_no_more_connections_than_allowed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = test_db(Engine::Postgres).await;
        let few = Db::open_with(db.url(), 2).await.unwrap();
        let (most, now) = (AtomicU32::new(0), AtomicU32::new(0));
        let reads = (0..8).map(|_| {
            few.read("test.wait", |tx| {
                let (most, now) = (&most, &now);
                Box::pin(async move {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tx.all(&Sql::new("SELECT pg_sleep(0.05)::text AS waited"), &[]).await?;
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok::<_, StorageError>(())
                })
            })
        });
        futures_util::future::try_join_all(reads).await.unwrap();
        assert_eq!(most.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_file_is_readable_by_its_owner_only_and_forgets_what_is_deleted() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = test_db(Engine::Sqlite).await;
        let path = std::path::PathBuf::from(db.url().strip_prefix("sqlite:").unwrap());
        script(&db, KINDS).await;
        let canary = "canary-6f0c2b".repeat(50);
        let insert = Sql::new("INSERT INTO kinds (id, t) VALUES ($1, $2)");
        execute(&db, &insert, &[Uuid::from_u128(1).into(), canary.as_str().into()]).await.unwrap();
        let files = || std::fs::read_dir(path.parent().unwrap()).unwrap().map(|f| f.unwrap().path());
        let holders = || files().filter(|f| memmem(&std::fs::read(f).unwrap(), b"canary-6f0c2b")).count();
        assert!(files().count() >= 2, "a write-ahead log is expected");
        for file in files() {
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
        }
        assert!(holders() > 0);
        execute(&db, &Sql::new("DELETE FROM kinds"), &[]).await.unwrap();
        db.close().await;
        assert_eq!(holders(), 0);
    });
}

fn memmem(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|w| w == needle)
}

/// What a commit promises depends on these.
#[test]
fn the_writer_is_set_up_for_durability() {
    crate::testing::run(Engine::Sqlite, async |db: Db| {
        for (pragma, column, value) in [
            (Sql::new("PRAGMA synchronous"), "synchronous", 2),
            (Sql::new("PRAGMA secure_delete"), "secure_delete", 1),
            (Sql::new("PRAGMA foreign_keys"), "foreign_keys", 1),
            (Sql::new("PRAGMA temp_store"), "temp_store", 2),
        ] {
            let row = db.write("test.pragma", |tx| Box::pin(async move { tx.one(&pragma, &[]).await }));
            let row = row.await.unwrap_or_else(|e: StorageError| panic!("{e}")).unwrap();
            assert_eq!(row.get::<i64>(column).unwrap(), value, "{column}");
        }
    });
}

#[test]
fn a_file_that_others_could_read_is_taken_back() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("open.db");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        Db::open(&format!("sqlite://{}", path.display())).await.unwrap().close().await;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    });
}

#[test]
fn few_texts_for_many_rows() {
    let values = vec![Value::Null; 3 * 1000];
    let mut texts = BTreeSet::new();
    for rows in 0..=1000 {
        let groups = MANY.groups(Engine::Postgres, &values[..rows * 3]).unwrap();
        assert_eq!(groups.iter().map(|(_, v)| v.len()).sum::<usize>(), rows * 3);
        texts.extend(groups.into_iter().map(|(text, _)| text));
    }
    assert_eq!(texts.len(), 14);
    let parts = |rows: usize| MANY.groups(Engine::Sqlite, &values[..rows * 3]).unwrap().len();
    assert_eq!((parts(0), parts(60), parts(128), parts(200)), (0, 2, 1, 3));
    assert!((1..=128).all(|rows| parts(rows) <= 4));
    let two = |engine| MANY.text(engine, 1).unwrap().to_string();
    assert_eq!(two(Engine::Postgres), "INSERT INTO kinds (id, n, t) VALUES ($1, $2, $3), ($4, $5, $6) ");
    assert_eq!(two(Engine::Sqlite), "INSERT INTO kinds (id, n, t) VALUES (?, ?, ?), (?, ?, ?) ");
    static WIDE: Bulk = Bulk::new("INSERT INTO wide VALUES", 1000, "");
    let wide = vec![Value::Null; 1000 * 64];
    assert!(WIDE.groups(Engine::Sqlite, &wide).unwrap().iter().all(|(_, v)| v.len() <= 32_766));
}

#[test]
fn arity_is_the_highest_number() {
    for (text, arity) in [
        ("SELECT 1", 0),
        ("SELECT $1, $2", 2),
        ("SELECT $12 WHERE x = $3", 12),
        ("SELECT '$' || $1", 1),
        ("SELECT $", 0),
    ] {
        assert_eq!(Sql::new(text).arity(), arity, "{text}");
    }
}

#[test]
fn pages() {
    let page = Page { after: None, limit: 2 };
    let id = |n: &u128| Uuid::from_u128(*n);
    assert_eq!(page.fetch(), 3);
    assert_eq!(page.take(vec![1, 2, 3], id).next, Some(Uuid::from_u128(2)));
    assert_eq!(page.take(vec![1, 2], id).next, None);
    assert_eq!(Page { after: None, limit: 0 }.size(), 1);
    assert_eq!(Page { after: None, limit: 9999 }.fetch(), 501);
}
