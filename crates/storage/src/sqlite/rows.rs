//! Rows of a result of SQLite, copied out of it.

use crate::error::{StorageError, StorageErrorKind};
use rusqlite::Rows;
use rusqlite::types::ValueRef;
use std::sync::Arc;
use uuid::Uuid;

pub(crate) struct SqliteRow {
    /// Shared by all rows of a result.
    names: Arc<[Box<str>]>,
    cells: Box<[Cell]>,
}

/// A value of a row.
#[derive(Clone)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Text(Box<str>),
    /// Most are: the bytes of an id.
    Bytes16([u8; 16]),
    Bytes(Box<[u8]>),
    /// What no column of ours holds.
    Other,
}

impl Cell {
    fn new(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(n) => Self::Integer(n),
            ValueRef::Text(text) => std::str::from_utf8(text).map_or(Self::Other, |s| Self::Text(s.into())),
            ValueRef::Blob(bytes) => {
                <[u8; 16]>::try_from(bytes).map_or_else(|_| Self::Bytes(bytes.into()), Self::Bytes16)
            }
            ValueRef::Real(_) => Self::Other,
        }
    }
}

/// A type that a cell can hold.
pub(crate) trait FromCell: Sized {
    /// `None` if it holds another.
    fn from_cell(cell: &Cell) -> Option<Self>;
}

impl FromCell for i64 {
    fn from_cell(cell: &Cell) -> Option<Self> {
        if let Cell::Integer(n) = cell { Some(*n) } else { None }
    }
}

impl FromCell for String {
    fn from_cell(cell: &Cell) -> Option<Self> {
        if let Cell::Text(s) = cell { Some(Self::from(&**s)) } else { None }
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Bytes16(b) => Some(b.to_vec()),
            Cell::Bytes(b) => Some(b.to_vec()),
            _ => None,
        }
    }
}

impl FromCell for Uuid {
    fn from_cell(cell: &Cell) -> Option<Self> {
        if let Cell::Bytes16(b) = cell { Some(Self::from_bytes(*b)) } else { None }
    }
}

impl SqliteRow {
    /// All of its cells, in the order of the statement.
    pub(crate) fn into_cells(self) -> Box<[Cell]> {
        self.cells
    }

    /// The cell of a column; `None` if there is no such column.
    pub(crate) fn cell(&self, column: &str) -> Option<&Cell> {
        self.names.iter().position(|name| **name == *column).and_then(|i| self.cells.get(i))
    }
}

/// Reads a result to its end.
pub(crate) fn read(rows: Rows<'_>) -> Result<Vec<SqliteRow>, StorageError> {
    let mut read = Vec::new();
    each(rows, |row| {
        read.push(row);
        Ok::<_, StorageError>(())
    })?;
    Ok(read)
}

/// Gives each row of a result as it comes.
pub(crate) fn each<E: From<StorageError>>(
    mut rows: Rows<'_>,
    mut take: impl FnMut(SqliteRow) -> Result<(), E>,
) -> Result<(), E> {
    let mut names = None::<Arc<[Box<str>]>>;
    while let Some(row) = rows.next().map_err(StorageError::from)? {
        // Only a step makes sure that the statement knows the columns as they are now.
        let names = names.get_or_insert_with(|| row.as_ref().column_names().into_iter().map(Box::from).collect());
        let cells: Result<_, rusqlite::Error> = (0..names.len()).map(|i| row.get_ref(i).map(Cell::new)).collect();
        let cells = cells.map_err(|_| StorageError::new(StorageErrorKind::Other, "the result changed its columns"))?;
        take(SqliteRow { names: Arc::clone(names), cells })?;
    }
    Ok(())
}
