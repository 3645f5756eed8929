//! The contract of the layer, on both engines.

mod backup;
mod changes;
mod errors;
mod keyring;
mod layer;
mod migrations;
mod schema;
mod threads;

use crate::sql::Sql;
use crate::tx::WriteTx;
use crate::value::Value;
use crate::{Db, StorageError};

/// Runs a script in a write transaction.
async fn script(db: &Db, text: &str) {
    db.write("test.script", |tx| {
        Box::pin(async move { tx.script(crate::migrations::in_dialect(text, db.engine())).await })
    })
    .await
    .unwrap();
}

/// Runs one statement in a write transaction.
async fn execute(db: &Db, sql: &Sql, params: &[Value]) -> Result<u64, StorageError> {
    db.write("test.execute", |tx| Box::pin(async move { tx.execute(sql, params).await })).await
}

const COUNTER: &str =
    "CREATE TABLE counter (id BIGINT PRIMARY KEY, n BIGINT NOT NULL\n);\nINSERT INTO counter VALUES (1, 0);";
const READ: Sql = Sql::new("SELECT n FROM counter WHERE id = 1");
const SET: Sql = Sql::new("UPDATE counter SET n = $1 WHERE id = 1");

async fn counted(db: &Db) -> i64 {
    db.read("test.counted", |tx| Box::pin(async move { tx.one(&READ, &[]).await?.unwrap().get("n") }))
        .await
        .unwrap_or_else(|e: StorageError| panic!("{e}"))
}

/// Adds one by reading and writing: loses counts unless transactions are serial.
async fn count(tx: &mut WriteTx<'_>) -> Result<(), StorageError> {
    let n: i64 = tx.one(&READ, &[]).await?.unwrap().get("n")?;
    tx.execute(&SET, &[(n + 1).into()]).await?;
    Ok(())
}
