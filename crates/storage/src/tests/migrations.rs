use super::{execute, script};
use crate::migrations::{Migrations, in_dialect, run};
use crate::testing::{MIGRATED_AT, empty_db};
use crate::{Db, Engine, Sql, StorageErrorKind, both_engines};
use tacit_kernel::Timestamp;

const BOOK: Sql = Sql::new("SELECT version, applied_at FROM schema_migrations");

both_engines! {
    async fn starting_again_changes_nothing(db: Db) {
        db.migrate(Timestamp(5)).await.unwrap();
        let rows = db.read("test.book", |tx| {
            Box::pin(tx.all(&BOOK, &[]))
        });
        let rows = rows.await.unwrap_or_else(|e: crate::StorageError| panic!("{e}"));
        assert!(rows.iter().all(|r| r.get::<Timestamp>("applied_at").unwrap() == MIGRATED_AT));
    }

    async fn a_newer_database_is_not_touched(db: Db) {
        let newer = Sql::new("INSERT INTO schema_migrations (schema, version, checksum, applied_at) VALUES ('main', 999, $1, 1)");
        execute(&db, &newer, &[vec![1_u8].into()]).await.unwrap();
        let error = db.migrate(Timestamp(5)).await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Schema);
        assert!(error.detail.contains("start the newer program"), "{error}");
    }

    async fn another_history_is_not_touched(db: Db) {
        let change = Sql::new("UPDATE schema_migrations SET checksum = $1");
        execute(&db, &change, &[vec![1_u8].into()]).await.unwrap();
        let error = db.migrate(Timestamp(5)).await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Schema);
        assert!(error.detail.contains("start that build"), "{error}");
    }

    async fn a_failing_migration_leaves_nothing(db: Db) {
        static BAD: Migrations =
            Migrations { name: "bad", scripts: &["CREATE TABLE fine (id BIGINT PRIMARY KEY\n);\nCREATE TABLE broken (;"] };
        assert!(run(&db, &BAD, MIGRATED_AT).await.is_err());
        // The name is free, so nothing of it stayed.
        script(&db, "CREATE TABLE fine (id BIGINT PRIMARY KEY);").await;
    }
}

fn many_start_at_once(engine: Engine) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let first = empty_db(engine).await;
        let starts: Vec<_> = (0..4)
            .map(|_| {
                let url = first.url().to_owned();
                tokio::spawn(async move {
                    let db = Db::open(&url).await.unwrap();
                    db.migrate(MIGRATED_AT).await.unwrap();
                    db.migrate_keyring(MIGRATED_AT).await.unwrap();
                    db.close().await;
                })
            })
            .collect();
        for start in starts {
            start.await.unwrap();
        }
        assert!(crate::datamap::check(&first).await.unwrap().is_empty());
    });
}

#[test]
fn many_start_at_once_on_sqlite() {
    many_start_at_once(Engine::Sqlite);
}

#[test]
fn many_start_at_once_on_postgres() {
    many_start_at_once(Engine::Postgres);
}

#[test]
fn type_words_are_swapped_whole() {
    let script = "-- UUID\nCREATE TABLE a (\n    id UUID PRIMARY KEY,\n    my_UUID BIGINT, b BYTEA\n);\nCREATE INDEX x ON a (b);";
    let numbered = "CREATE TABLE a (\n    id BIGINT PRIMARY KEY\n);";
    assert_eq!(in_dialect(numbered, Engine::Sqlite), "CREATE TABLE a (\n    id INTEGER PRIMARY KEY\n) STRICT;\n");
    assert_eq!(
        in_dialect(script, Engine::Sqlite),
        "CREATE TABLE a (\n    id BLOB PRIMARY KEY,\n    my_UUID INTEGER, b BLOB\n) STRICT, WITHOUT ROWID;\nCREATE INDEX x ON a (b);\n"
    );
    assert_eq!(in_dialect(script, Engine::Postgres).trim_end(), script);
    let theirs = "ALTER TABLE a ALTER COLUMN b SET STORAGE EXTERNAL; -- PostgreSQL\n";
    let ours = "SELECT UUID; -- SQLite\n";
    for (line, sqlite, postgres) in [(theirs, "", theirs), (ours, "SELECT BLOB; -- SQLite\n", "")] {
        assert_eq!(
            (in_dialect(line, Engine::Sqlite), in_dialect(line, Engine::Postgres)),
            (sqlite.into(), postgres.into())
        );
    }
}
