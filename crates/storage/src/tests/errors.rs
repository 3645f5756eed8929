use super::{execute, script};
use crate::{Db, Engine, Sql, StorageError, StorageErrorKind, Value, both_engines};
use tacit_kernel::{ErrorKind, Fault};

const RULES: &str = "CREATE TABLE parents (
    id BIGINT PRIMARY KEY
);
CREATE TABLE children (
    id BIGINT PRIMARY KEY,
    parent_id BIGINT NOT NULL REFERENCES parents (id),
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('a', 'b'))
);
INSERT INTO parents VALUES (1);
INSERT INTO children VALUES (1, 1, 'canary-77', 'a');";
const INSERT: Sql = Sql::new("INSERT INTO children (id, parent_id, name, kind) VALUES ($1, $2, $3, $4)");
const DROP_PARENT: Sql = Sql::new("DELETE FROM parents WHERE id = $1");
const WRONG: Sql = Sql::new("SELECT nothing FROM children");

both_engines! {
    async fn kinds_are_told_and_values_are_not(db: Db) {
        use StorageErrorKind as K;
        script(&db, RULES).await;
        let row = |id: i64, parent: i64, name: &str, kind: &str| -> Vec<Value> {
            vec![id.into(), parent.into(), name.into(), kind.into()]
        };
        let cases = [
            (&INSERT, row(2, 1, "canary-77", "a"), K::Unique),
            (&INSERT, row(1, 1, "canary-78", "a"), K::Unique),
            (&INSERT, row(2, 9, "canary-79", "a"), K::ForeignKey),
            (&DROP_PARENT, vec![1_i64.into()], K::ForeignKey),
            (&INSERT, row(2, 1, "canary-80", "canary-81"), K::Check),
            (&INSERT, vec![2_i64.into(), Value::Null, "canary-82".into(), "a".into()], K::Check),
            (&WRONG, vec![], K::Other),
        ];
        for (sql, params, kind) in cases {
            let error = execute(&db, sql, &params).await.unwrap_err();
            assert_eq!(error.kind, kind, "{error}");
            assert!(!format!("{error} {error:?} {:?}", Fault::from(error.clone())).contains("canary"), "{error}");
            assert!(error.detail.starts_with("code "), "{error}");
        }
        let fault = Fault::from(execute(&db, &INSERT, &row(2, 1, "canary-77", "a")).await.unwrap_err());
        assert_eq!((fault.kind, fault.code), (ErrorKind::Conflict, "storage.exists"));
        // A wrong type is a fault of the program and says nothing about the value either.
        let error = execute(&db, &INSERT, &["canary-83".into(), 1_i64.into(), "n".into(), "a".into()]).await;
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert!(error.is_err());
    }
}

#[test]
fn what_cannot_be_opened_says_what_to_do_and_hides_the_url() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for url in ["", "tacit.db", "mysql://root:canary@localhost/x", "sqlite:"] {
            let error = Db::open(url).await.unwrap_err();
            assert!(error.detail.contains("postgres://user@host/database"), "{error}");
            assert!(!error.detail.contains("canary"), "{error}");
        }
        let error = Db::open("sqlite:/nowhere/at/all/tacit.db").await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Unavailable);
        assert!(error.detail.contains("its directory must exist"), "{error}");
        let error = Db::open("postgres://canary:canary@127.0.0.1:1/canary").await.unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Unavailable);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    });
}

/// A server that was restarted: all idle connections of the pool are dead, and nobody has noticed.
#[test]
fn dead_idle_connections_are_replaced() {
    const PID: Sql = Sql::new("SELECT CAST(pg_backend_pid() AS BIGINT) AS pid, pg_sleep(0.05)");
    const KILL: Sql = Sql::new(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = crate::testing::test_db(Engine::Postgres).await;
        let killer = Db::open(db.url()).await.unwrap();
        let pid = async || -> Result<i64, StorageError> {
            db.read("test.pid", |tx| Box::pin(tx.one(&PID, &[]))).await?.unwrap().get("pid")
        };
        let (a, b, c, d, e) = tokio::join!(pid(), pid(), pid(), pid(), pid());
        let before = [a, b, c, d, e].map(Result::unwrap);
        killer.read("test.kill", |tx| Box::pin(tx.all(&KILL, &[]))).await.map_err(|e: StorageError| e).unwrap();
        assert!(!before.contains(&pid().await.unwrap()));
    });
}
