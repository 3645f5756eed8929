//! The tables of a database, as it says itself: with their columns, and each after those that it refers to.

use super::{Kind, Table};
use crate::datamap::{BOOK_TABLE, KEYRING_TABLES};
use crate::db::Engine;
use crate::error::{StorageError, StorageErrorKind};
use crate::sql::Sql;
use crate::tx::ReadTx;
use std::collections::{BTreeMap, BTreeSet};

const SQLITE_COLUMNS: Sql = Sql::new(
    "SELECT t.name AS table_name, c.name AS column_name, c.type AS data_type FROM sqlite_schema AS t, \
     pragma_table_xinfo(t.name) AS c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
);
const POSTGRES_COLUMNS: Sql = Sql::new(
    "SELECT CAST(c.table_name AS TEXT) AS table_name, CAST(c.column_name AS TEXT) AS column_name, \
     CAST(c.data_type AS TEXT) AS data_type FROM information_schema.columns AS c \
     JOIN information_schema.tables AS t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
     WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'",
);
const SQLITE_REFERENCES: Sql = Sql::new(
    "SELECT t.name AS here, f.\"table\" AS there FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f \
     WHERE t.type = 'table'",
);
const POSTGRES_REFERENCES: Sql = Sql::new(
    "SELECT CAST(here.relname AS TEXT) AS here, CAST(there.relname AS TEXT) AS there FROM pg_constraint AS c \
     JOIN pg_class AS here ON here.oid = c.conrelid JOIN pg_class AS there ON there.oid = c.confrelid \
     WHERE c.contype = 'f' AND c.connamespace = CAST(current_schema() AS regnamespace)",
);

/// A table of a database.
pub(super) struct Found {
    pub(super) table: Table,
    /// For each of its columns, whether it holds ids that the engine has a type of its own for.
    pub(super) is_uuid: Vec<bool>,
}

impl Found {
    pub(super) fn columns(&self) -> String {
        let quoted: Vec<String> = self.table.columns.iter().map(|column| format!("\"{column}\"")).collect();
        quoted.join(", ")
    }
}

/// The tables of that kind, in an order in which they can be filled.
pub(super) async fn tables(tx: &mut ReadTx<'_>, kind: Kind) -> Result<Vec<Found>, StorageError> {
    let (columns, references) = match tx.engine() {
        Engine::Sqlite => (&SQLITE_COLUMNS, &SQLITE_REFERENCES),
        Engine::Postgres => (&POSTGRES_COLUMNS, &POSTGRES_REFERENCES),
    };
    let mut found: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    for row in tx.all(columns, &[]).await? {
        let (table, data_type): (String, String) = (row.get("table_name")?, row.get("data_type")?);
        if is_of(kind, &table) {
            found.entry(table).or_default().insert(row.get("column_name")?, data_type == "uuid");
        }
    }
    let mut waiting: BTreeMap<String, BTreeSet<String>> = found.keys().map(|t| (t.clone(), BTreeSet::new())).collect();
    for row in tx.all(references, &[]).await? {
        let (here, there): (String, String) = (row.get("here")?, row.get("there")?);
        if let Some(before) = waiting.get_mut(&here)
            && found.contains_key(&there)
        {
            before.insert(there);
        }
    }
    let mut ordered = Vec::with_capacity(found.len());
    while !waiting.is_empty() {
        let Some(next) = waiting.iter().find(|(_, before)| before.is_empty()).map(|(table, _)| table.clone()) else {
            let circle: Vec<&str> = waiting.keys().map(String::as_str).collect();
            let detail = format!("tables refer to each other in a circle: {}", circle.join(", "));
            return Err(StorageError::new(StorageErrorKind::Schema, detail));
        };
        waiting.remove(&next);
        waiting.values_mut().for_each(|before| {
            before.remove(&next);
        });
        let columns = found.remove(&next).unwrap_or_default();
        let is_uuid = columns.values().copied().collect();
        ordered.push(Found { table: Table { name: next, columns: columns.into_keys().collect() }, is_uuid });
    }
    Ok(ordered)
}

/// The book of migrations is written by the migrations themselves.
fn is_of(kind: Kind, table: &str) -> bool {
    match kind {
        Kind::Keyring => KEYRING_TABLES.contains(&table),
        Kind::Data => table != BOOK_TABLE && !KEYRING_TABLES.contains(&table),
    }
}
