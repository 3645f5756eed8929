//! What a copy of somebody's data is made of: the columns that are declared as given, of the rows that lead to them, and
//! nothing else; so that whatever is declared later is in it too.

use super::erasing::leads;
use super::{COLUMNS, OWNERS, Owner};
use crate::error::{StorageError, StorageErrorKind};
use crate::row::Row;
use crate::sql::SqlText;
use crate::tx::ReadTx;
use crate::value::Value;
use tacit_kernel::datamap::{Copying, Element, Place, Subject};
use tacit_kernel::ids::AccountId;

/// By what the rows of a table are told apart, where that is not `id`.
const KEYS: &[(&str, &[&str])] = &[
    ("account_contacts", &["account_id", "kind"]),
    ("account_profiles", &["account_id"]),
    ("account_roles", &["account_id", "role"]),
    ("audit_entries", &["seq"]),
    ("call_attempts", &["call_id", "attempt"]),
    ("development_outbox", &["message_id"]),
    ("incident_subjects", &["incident_id", "account_id"]),
    ("known_devices", &["device_hash"]),
    ("forgotten_entries", &["ledger_account_id"]),
    ("leases", &["session_id", "account_id"]),
    ("ledger_entries", &["transaction_id", "line"]),
    ("organisation_members", &["organisation_id", "account_id"]),
    ("organisation_offers", &["organisation_id"]),
    ("organisations", &["account_id"]),
    ("usage_daily", &["account_id", "key_id", "day"]),
    ("verification_checks", &["case_id"]),
    ("verification_pieces", &["paper_id", "place"]),
];

/// Rows that lead to nobody themselves, and are of whom those of another table lead to that refer to them: the table, that table,
/// and its column that refers to `id`.
const REFERRED: &[(&str, &str, &str)] = &[("ledger_transactions", "ledger_entries", "transaction_id")];

/// Rows that somebody is given only once a column of them says something: the table, and that column. Until then whoever they are
/// of must not know of them.
const UNTIL: &[(&str, &str)] = &[("disclosures", "told_at")];

/// The columns of a table that whoever its rows lead to is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The table.
    pub table: &'static str,
    /// The columns, as they are declared.
    pub columns: Vec<&'static Element>,
    way: &'static Owner,
    referred: Option<&'static str>,
    key: &'static [&'static str],
}

/// A row of what is given: its cells in the order of the columns, and its key, which the next page begins after.
#[derive(Clone, Debug)]
pub struct GivenRow {
    /// In the order of [`Given::columns`].
    pub cells: Vec<Value>,
    /// Of its key.
    pub key: Vec<Value>,
}

/// Everything that is given, in the order of the declarations.
///
/// # Errors
/// `Other` if a declaration leads to nobody or rows cannot be told apart, which a test sees to.
pub fn given() -> Result<Vec<Given>, StorageError> {
    let mut given: Vec<Given> = Vec::new();
    for element in COLUMNS.iter().filter(|element| element.copying == Copying::Given) {
        let (Place::Column { table, .. }, Subject::Account(path)) = (element.place, element.subject) else { continue };
        if let Some(known) = given.iter_mut().find(|given| given.table == table && given.way.path == path) {
            known.columns.push(element);
            continue;
        }
        let wrong = |what| StorageError::new(StorageErrorKind::Other, format!("{what} {path}"));
        let way = OWNERS.iter().find(|owner| owner.path == path).ok_or_else(|| wrong("no way to a person:"))?;
        let key = KEYS.iter().find(|(of, _)| *of == table).map(|(_, key)| *key);
        let key = match key {
            Some(key) => key,
            None if super::column(table, "id").is_some() => &["id"],
            None => return Err(wrong("rows that cannot be told apart:")),
        };
        let referred = REFERRED.iter().find(|(of, by, _)| *of == table && *by == way.table());
        let referred = referred.map(|(_, _, column)| *column);
        if way.table() != table && referred.is_none() {
            return Err(wrong("a way that begins elsewhere:"));
        }
        given.push(Given { table, columns: vec![element], way, referred, key });
    }
    Ok(given)
}

impl Given {
    /// The name of a column.
    #[must_use]
    pub const fn column(element: &Element) -> &'static str {
        match element.place {
            Place::Column { column, .. } => column,
            _ => "",
        }
    }

    /// The columns that its rows are told apart by.
    #[must_use]
    pub const fn key(&self) -> &'static [&'static str] {
        self.key
    }

    /// Whether its rows are found by that way.
    #[must_use]
    pub fn is_by(&self, way: &Owner) -> bool {
        self.way == way
    }

    /// How many rows of somebody there are.
    ///
    /// # Errors
    /// Any [`StorageError`].
    pub async fn count(&self, tx: &mut ReadTx<'_>, account: AccountId) -> Result<u64, StorageError> {
        let sql = self.of(SqlText::new("SELECT COUNT(*) AS n FROM ").push(self.table).push(" WHERE "), account);
        tx.query(sql).await?.first().map_or(Ok(0), |row| row.get("n"))
    }

    /// That a row is somebody's.
    fn of(&self, sql: SqlText, account: AccountId) -> SqlText {
        let sql = match UNTIL.iter().find(|(table, _)| *table == self.table) {
            Some((_, column)) => sql.push(column).push(" IS NOT NULL AND "),
            None => sql,
        };
        let Some(column) = self.referred else { return leads(sql, self.way, account) };
        let sql = sql.push("id IN (SELECT ").push(column).push(" FROM ").push(self.way.table()).push(" WHERE ");
        leads(sql, self.way, account).push(")")
    }

    /// The next rows of somebody, in the order of their keys.
    ///
    /// # Errors
    /// Any [`StorageError`].
    pub async fn page(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        after: Option<&[Value]>,
        limit: u32,
    ) -> Result<Vec<GivenRow>, StorageError> {
        let names: Vec<&'static str> = self.columns.iter().map(|element| Self::column(element)).collect();
        let mut columns = names.clone();
        columns.extend(self.key.iter().filter(|key| !names.contains(key)));
        let sql = listed(SqlText::new("SELECT "), &columns).push(" FROM ").push(self.table).push(" WHERE ");
        let mut sql = self.of(sql, account);
        if let Some(after) = after {
            sql = listed(sql.push(" AND ("), self.key).push(") > (");
            for (place, value) in after.iter().enumerate() {
                sql = sql.bind(if place == 0 { "" } else { ", " }, value.clone());
            }
            sql = sql.push(")");
        }
        let sql = listed(sql.push(" ORDER BY "), self.key).bind(" LIMIT ", limit);
        let rows = tx.query(sql).await?;
        let cells = |row: &Row, names: &[&'static str]| -> Result<Vec<Value>, StorageError> {
            names.iter().map(|name| row.any(name)).collect()
        };
        rows.iter().map(|row| Ok(GivenRow { cells: cells(row, &names)?, key: cells(row, self.key)? })).collect()
    }
}

fn listed(sql: SqlText, names: &[&'static str]) -> SqlText {
    let mut sql = sql;
    for (place, name) in names.iter().enumerate() {
        sql = sql.push(if place == 0 { "" } else { ", " }).push(name);
    }
    sql
}
