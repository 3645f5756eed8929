//! Storage: one SQL text for SQLite and PostgreSQL, in transactions that are named and tried again; migrations; the
//! keyring's store; the feed of changes; the audit log; copies of whole databases; and, beside the migrations, the data map of every column.
//!
//! How to write against it:
//!
//! - A statement is a constant [`Sql`] with `$1 … $n`. A domain lists its statements so that a test can prepare each
//!   of them on both engines (`testing::prepare_all`, feature `testing`). Filters are built with [`SqlText`], many
//!   rows at once are written with a static [`Bulk`].
//! - Work is a closure given to [`Db::read`] or [`Db::write`]. It may run more than once, so it changes nothing
//!   outside its transaction. Borrow what it needs before it: `let name = &name; db.write("account.create", |tx|
//!   Box::pin(async move { … tx … name … })).await`.
//! - A failed statement ends the transaction (PostgreSQL refuses every further one): return the error. Where a clash
//!   is expected, write `ON CONFLICT … DO NOTHING` and look at the number of rows.
//! - `SUM` of integers is NUMERIC on PostgreSQL: write `CAST(SUM(x) AS BIGINT)`. `VALUES` in `FROM` names its columns
//!   `column1`, `column2`, … on both engines. SQLite names no violated constraint: let a statement be able to
//!   violate only one.
//! - A closure in a write sees and leaves a serial history on both engines: SQLite has one writer, PostgreSQL runs at
//!   SERIALIZABLE.

pub mod audit;
pub mod backup;
pub mod changes;
pub mod datamap;
mod db;
mod error;
pub mod idempotency;
pub mod keyring;
mod migrations;
mod page;
mod row;
mod sql;
mod sqlite;
mod sweep;
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod value;

pub use db::{Db, Engine};
pub use error::{Retryable, StorageError, StorageErrorKind};
pub use futures_util::future::BoxFuture;
pub use page::{Page, Paged};
pub use row::{FromColumn, Row};
pub use sql::{Bulk, Sql, SqlText, Statement};
pub use tx::{ReadTx, WriteTx};
pub use value::Value;

#[cfg(test)]
mod tests;
