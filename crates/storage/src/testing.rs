//! Test databases, for the tests of every crate that stores something: each test gets a fresh, migrated one.
//!
//! SQLite is a file in a temporary directory. PostgreSQL is the server that `TACIT_TEST_POSTGRES_URL` names (a role
//! that may create databases), else a private one that is started once and shared by all test processes; see
//! [`cluster`]. Without either, a test fails and says what to install: it is never skipped.

pub mod cluster;

use crate::db::{Db, Engine};
use crate::error::StorageError;
use crate::keyring::KeyStore;
use crate::migrations;
use crate::sql::{Bulk, Sql};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqlSafeStr as _};
use std::ops::Deref;
use std::sync::Arc;
use tacit_kernel::{Clock, Timestamp};
use tacit_vault::MasterKey;
use tempfile::TempDir;

/// The moment at which test databases were migrated.
pub const MIGRATED_AT: Timestamp = Timestamp(1_700_000_000_000_000);

/// A database of a test; it is gone when this is dropped.
pub struct TestDb {
    db: Db,
    url: String,
    place: Place,
}

enum Place {
    File(#[expect(dead_code, reason = "held for its drop, which removes the directory")] TempDir),
    Database { admin: String, name: String },
}

impl TestDb {
    /// The URL it can be opened with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Deref for TestDb {
    type Target = Db;
    fn deref(&self) -> &Db {
        &self.db
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let Place::Database { admin, name } = &self.place else { return };
        let drop_it = async || {
            let mut admin = PgConnection::connect(admin).await?;
            admin.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await
        };
        // A thread of its own: this may run inside a runtime, and while a test panics. What cannot be dropped goes
        // with the cluster.
        std::thread::scope(|scope| {
            scope.spawn(|| runtime().map(|r| r.block_on(drop_it())));
        });
    }
}

/// A fresh database with the main schema.
///
/// # Panics
/// If it cannot be made; the message says what is missing.
pub async fn test_db(engine: Engine) -> TestDb {
    or_fail(fresh(engine, true).await)
}

/// A fresh database without any table.
///
/// # Panics
/// As [`test_db`].
pub async fn empty_db(engine: Engine) -> TestDb {
    or_fail(fresh(engine, false).await)
}

/// A keyring in a temporary SQLite file, with a new master key.
///
/// # Panics
/// If it cannot be made.
pub async fn test_key_store<C: Clock + ?Sized>(clock: &Arc<C>) -> Arc<KeyStore> {
    let [store, _] = test_key_stores(clock).await;
    store
}

/// The same keyring as two processes have it. Its file is there as long as the first is held.
///
/// # Panics
/// If it cannot be made.
pub async fn test_key_stores<C: Clock + ?Sized>(clock: &Arc<C>) -> [Arc<KeyStore>; 2] {
    let make = async || {
        let dir = TempDir::new().map_err(|e| e.to_string())?;
        let db = Db::open(&format!("sqlite:{}/keyring.db", dir.path().display())).await.map_err(|e| e.to_string())?;
        let master = MasterKey::generate();
        let open = || KeyStore::open(db.clone(), &master, Arc::new(Shared(Arc::clone(clock))));
        let stores = [open().await.map_err(|e| e.to_string())?, open().await.map_err(|e| e.to_string())?];
        let [first, _] = &stores;
        first.keep_dir(dir);
        Ok(stores)
    };
    or_fail(make().await)
}

struct Shared<C: ?Sized>(Arc<C>);

impl<C: Clock + ?Sized> Clock for Shared<C> {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// Prepares every statement, so that a wrong name or type is found without running it. Of the bulk statements only
/// inserts can be: PostgreSQL takes the types of an update's `VALUES` from the parameters, so a test must run those.
///
/// # Errors
/// The text of the first statement that the engine refuses, and why.
pub async fn prepare_all(db: &Db, statements: &[&Sql], bulks: &[&'static Bulk]) -> Result<(), String> {
    let constant = statements.iter().map(|s| s.text().into_sql_str());
    let many = bulks.iter().filter_map(|b| b.text(db.engine(), 1)).map(|t| AssertSqlSafe(t).into_sql_str());
    for sql in constant.chain(many) {
        let text = sql.as_str().to_owned();
        let prepared: Result<(), StorageError> = db
            .write("testing.prepare", |tx| {
                let sql = sql.clone();
                Box::pin(async move { tx.prepare(sql).await })
            })
            .await;
        prepared.map_err(|e| format!("{e}\n{text}"))?;
    }
    Ok(())
}

/// Runs a test on a fresh database of that engine; what [`both_engines!`](crate::both_engines) expands to.
///
/// # Panics
/// If the test does, or the database cannot be made.
pub fn run<F: Future<Output = ()>>(engine: Engine, test: impl FnOnce(Db) -> F) {
    let runtime = or_fail(runtime().map_err(|e| e.to_string()));
    runtime.block_on(async {
        let db = test_db(engine).await;
        test(db.clone()).await;
        db.close().await;
    });
}

/// Makes of each `async fn name(db: Db) { … }` two tests, `name::sqlite` and `name::postgres`, on fresh databases.
#[macro_export]
macro_rules! both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident : $type:ty) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn body($db: $type) $body

            $(#[$meta])*
            #[test]
            fn sqlite() {
                $crate::testing::run($crate::Engine::Sqlite, body);
            }

            $(#[$meta])*
            #[test]
            fn postgres() {
                $crate::testing::run($crate::Engine::Postgres, body);
            }
        }
    )*};
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

fn or_fail<T>(made: Result<T, String>) -> T {
    #[expect(clippy::panic, reason = "a test that lacks its database must fail, with the reason")]
    made.unwrap_or_else(|reason| panic!("{reason}"))
}

async fn fresh(engine: Engine, migrated: bool) -> Result<TestDb, String> {
    let (url, place) = match engine {
        Engine::Sqlite => {
            let dir = TempDir::new().map_err(|e| e.to_string())?;
            (format!("sqlite:{}/tacit.db", dir.path().display()), Place::File(dir))
        }
        Engine::Postgres => fresh_postgres(migrated).await?,
    };
    let db = Db::open(&url).await.map_err(|e| e.to_string())?;
    if migrated && engine == Engine::Sqlite {
        db.migrate(MIGRATED_AT).await.map_err(|e| e.to_string())?;
    }
    Ok(TestDb { db, url, place })
}

async fn fresh_postgres(migrated: bool) -> Result<(String, Place), String> {
    let admin = cluster::server_url()?;
    let mut connection = PgConnection::connect(&admin)
        .await
        .map_err(|e| format!("the PostgreSQL server for tests cannot be reached: {e}"))?;
    let template = if migrated { template(&mut connection, &admin).await? } else { "template0".to_owned() };
    let name = format!("tacit_test_{}", tacit_kernel::ids::fresh().simple());
    connection
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}")))
        .await
        .map_err(|e| format!("no test database could be made: {e}"))?;
    Ok((cluster::with_database(&admin, &name), Place::Database { admin, name }))
}

/// The name of a database with the main schema, made once for each set of migrations.
async fn template(connection: &mut PgConnection, admin: &str) -> Result<String, String> {
    let name = format!("tacit_template_{}", migrations::MAIN.fingerprint());
    let say = |e: sqlx::Error| format!("the template for test databases could not be made: {e}");
    let exists = "SELECT 1 FROM pg_database WHERE datname = $1";
    if sqlx::query(exists).bind(&name).fetch_optional(&mut *connection).await.map_err(say)?.is_some() {
        return Ok(name);
    }
    // Held until this connection closes; who waits here finds it made.
    sqlx::query("SELECT pg_advisory_lock(7401)").execute(&mut *connection).await.map_err(say)?;
    if sqlx::query(exists).bind(&name).fetch_optional(&mut *connection).await.map_err(say)?.is_none() {
        let unfinished = format!("{name}_unfinished");
        let drop_old = format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)");
        connection.execute(AssertSqlSafe(drop_old)).await.map_err(say)?;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {unfinished}"))).await.map_err(say)?;
        let db = Db::open(&cluster::with_database(admin, &unfinished)).await.map_err(|e| e.to_string())?;
        db.migrate(MIGRATED_AT).await.map_err(|e| e.to_string())?;
        db.close().await;
        let rename = format!("ALTER DATABASE {unfinished} RENAME TO {name}");
        connection.execute(AssertSqlSafe(rename)).await.map_err(say)?;
    }
    sqlx::query("SELECT pg_advisory_unlock(7401)").execute(&mut *connection).await.map_err(say)?;
    Ok(name)
}
