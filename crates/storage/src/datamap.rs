//! The data map of the databases: every column of every table, declared beside the migrations that make it, and the
//! comparison of the declaration with a database as it really is.

mod classes;
mod columns;
pub mod copying;
pub mod erasing;
mod owners;

use crate::db::{Db, Engine};
use crate::error::StorageError;
use crate::migrations::{KEYRING, MAIN};
use crate::sql::Sql;
use crate::tx::ReadTx;
use std::collections::BTreeSet;
use tacit_kernel::datamap::{Element, Place};

pub use columns::COLUMNS;
pub use owners::{OWNERS, Owner, Step};

/// The tables of the keyring's schema; `schema_migrations` is in every database, all others are the main schema's.
pub(crate) const KEYRING_TABLES: &[&str] =
    &["keyring_epochs", "keyring_bunches", "keyring_erasures", "keyring_state", "subject_keys"];
pub(crate) const BOOK_TABLE: &str = "schema_migrations";

const SQLITE_COLUMNS: Sql = Sql::new(
    "SELECT t.name AS table_name, c.name AS column_name FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c \
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
);
const POSTGRES_COLUMNS: Sql = Sql::new(
    "SELECT CAST(table_name AS TEXT) AS table_name, CAST(column_name AS TEXT) AS column_name \
     FROM information_schema.columns WHERE table_schema = current_schema()",
);
const SCHEMAS: Sql = Sql::new("SELECT DISTINCT schema FROM schema_migrations");

/// Where the declaration and a database differ; each as `table.column`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Differences {
    /// Columns that are not declared.
    pub undeclared: Vec<String>,
    /// Declared columns that the database does not have, of the schemas it has.
    pub absent: Vec<String>,
}

impl Differences {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.undeclared.is_empty() && self.absent.is_empty()
    }
}

/// The declaration of a column.
#[must_use]
pub fn column(table: &str, column: &str) -> Option<&'static Element> {
    COLUMNS.iter().find(|e| place(e) == Some((table, column)))
}

fn place(element: &Element) -> Option<(&'static str, &'static str)> {
    match element.place {
        Place::Column { table, column } => Some((table, column)),
        _ => None,
    }
}

/// Compares the declaration with a database.
///
/// # Errors
/// Any [`StorageError`].
pub async fn check(db: &Db) -> Result<Differences, StorageError> {
    let engine = db.engine();
    let (found, schemas) = db.read("datamap.check", |tx| Box::pin(found(tx, engine))).await?;
    let expected = |table: &str| match table {
        BOOK_TABLE => true,
        t if KEYRING_TABLES.contains(&t) => schemas.contains(KEYRING.name),
        _ => schemas.contains(MAIN.name),
    };
    let declared: BTreeSet<(&str, &str)> = COLUMNS.iter().filter_map(place).collect();
    let name = |(table, column): (&str, &str)| format!("{table}.{column}");
    let undeclared = found.iter().map(|(t, c)| (t.as_str(), c.as_str())).filter(|c| !declared.contains(c));
    let absent = declared.iter().filter(|(t, c)| expected(t) && !found.contains(&((*t).to_owned(), (*c).to_owned())));
    Ok(Differences { undeclared: undeclared.map(name).collect(), absent: absent.copied().map(name).collect() })
}

/// The columns of a database that are not declared.
///
/// # Errors
/// Any [`StorageError`].
pub async fn undeclared(db: &Db) -> Result<Vec<String>, StorageError> {
    Ok(check(db).await?.undeclared)
}

type Found = (BTreeSet<(String, String)>, BTreeSet<String>);

async fn found(tx: &mut ReadTx<'_>, engine: Engine) -> Result<Found, StorageError> {
    let columns = match engine {
        Engine::Sqlite => tx.all(&SQLITE_COLUMNS, &[]).await?,
        Engine::Postgres => tx.all(&POSTGRES_COLUMNS, &[]).await?,
    };
    let columns: Result<_, StorageError> =
        columns.iter().map(|row| Ok((row.get("table_name")?, row.get("column_name")?))).collect();
    let schemas = tx.all(&SCHEMAS, &[]).await?;
    let schemas: Result<_, StorageError> = schemas.iter().map(|row| row.get("schema")).collect();
    Ok((columns?, schemas?))
}

#[cfg(test)]
mod tests;
