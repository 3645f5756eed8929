//! A row of a result.

use crate::error::{StorageError, StorageErrorKind};
use crate::sqlite::{Cell, FromCell, SqliteRow};
use crate::value::Value;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::{Column as _, Row as _, TypeInfo as _};
use std::fmt;
use tacit_kernel::{Nano, Ppm, Timestamp};
use uuid::Uuid;

/// A row of a result. It cannot be printed.
pub struct Row(pub(crate) Inner);

pub(crate) enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[row]")
    }
}

/// A type that a column can be read as; `Option` of it where the column may be NULL.
pub trait FromColumn: Sized {
    /// Reads the column; `None` if it is NULL.
    ///
    /// # Errors
    /// `Inconsistent` if it holds something else, `Other` if there is no such column.
    fn from_nullable(row: &Row, column: &'static str) -> Result<Option<Self>, StorageError>;
}

impl Row {
    /// Reads a column.
    ///
    /// # Errors
    /// `Inconsistent` if it is NULL or holds something else, `Other` if there is no such column.
    pub fn get<T: FromColumn>(&self, column: &'static str) -> Result<T, StorageError> {
        T::from_nullable(self, column)?.ok_or_else(|| bad(column))
    }

    /// Reads a column that holds a word of a closed vocabulary.
    ///
    /// # Errors
    /// As [`Row::get`]; also if `parse` does not know the word.
    pub fn word<T>(&self, column: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StorageError> {
        parse(&self.get::<String>(column)?).ok_or_else(|| bad(column))
    }

    /// Reads a column that holds JSON.
    ///
    /// # Errors
    /// As [`Row::get`]; also if it is not the JSON of a `T`.
    pub fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StorageError> {
        serde_json::from_str(&self.get::<String>(column)?).map_err(|_| bad(column))
    }
}

impl Row {
    /// Reads a column as it is, whatever it holds. On SQLite an id is bytes.
    pub(crate) fn any(&self, column: &'static str) -> Result<Value, StorageError> {
        match &self.0 {
            Inner::Sqlite(row) => of_sqlite(row.cell(column).ok_or_else(|| absent(column))?.clone()),
            Inner::Postgres(row) => {
                let place = row.columns().iter().position(|found| found.name() == column);
                of_postgres(row, place.ok_or_else(|| absent(column))?)
            }
        }
    }

    /// Every value, in the order of the statement.
    pub(crate) fn values(self) -> Result<Vec<Value>, StorageError> {
        match self.0 {
            Inner::Sqlite(row) => row.into_cells().into_iter().map(of_sqlite).collect(),
            Inner::Postgres(row) => (0..row.len()).map(|place| of_postgres(&row, place)).collect(),
        }
    }
}

fn strange() -> StorageError {
    StorageError::new(StorageErrorKind::Other, "a column has a type that none of ours has")
}

fn of_sqlite(cell: Cell) -> Result<Value, StorageError> {
    match cell {
        Cell::Null => Ok(Value::Null),
        Cell::Integer(n) => Ok(Value::I64(n)),
        Cell::Text(text) => Ok(Value::Text(text.into())),
        Cell::Bytes16(bytes) => Ok(Value::Bytes(bytes.to_vec())),
        Cell::Bytes(bytes) => Ok(Value::Bytes(bytes.into())),
        Cell::Other => Err(strange()),
    }
}

fn of_postgres(row: &PgRow, place: usize) -> Result<Value, StorageError> {
    fn got<'r, T>(row: &'r PgRow, place: usize) -> Result<Value, StorageError>
    where
        T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
        Option<T>: Into<Value>,
    {
        Ok(row.try_get::<Option<T>, _>(place)?.into())
    }
    match row.column(place).type_info().name() {
        "INT8" => got::<i64>(row, place),
        "TEXT" => got::<String>(row, place),
        "BYTEA" => got::<Vec<u8>>(row, place),
        "UUID" => got::<Uuid>(row, place),
        _ => Err(strange()),
    }
}

fn bad(column: &'static str) -> StorageError {
    StorageError::inconsistent("result", column)
}

fn absent(column: &'static str) -> StorageError {
    StorageError::new(StorageErrorKind::Other, format!("the result has no column {column}"))
}

macro_rules! native {
    ($($t:ty),*) => {$(
        impl FromColumn for $t {
            fn from_nullable(row: &Row, column: &'static str) -> Result<Option<Self>, StorageError> {
                match &row.0 {
                    Inner::Sqlite(row) => match row.cell(column).ok_or_else(|| absent(column))? {
                        Cell::Null => Ok(None),
                        cell => FromCell::from_cell(cell).map(Some).ok_or_else(|| bad(column)),
                    },
                    Inner::Postgres(row) => sqlx::Row::try_get(row, column).map_err(|e| match e {
                        sqlx::Error::ColumnNotFound(_) => absent(column),
                        _ => bad(column),
                    }),
                }
            }
        }
    )*};
}

macro_rules! through {
    ($($native:ty => $t:ty: |$it:ident| $out:expr;)*) => {$(
        impl FromColumn for $t {
            fn from_nullable(row: &Row, column: &'static str) -> Result<Option<Self>, StorageError> {
                match <$native>::from_nullable(row, column)? {
                    None => Ok(None),
                    Some($it) => $out.map(Some).ok_or_else(|| bad(column)),
                }
            }
        }
    )*};
}

macro_rules! ids {
    ($($(#[$doc:meta])* $id:ident = $prefix:literal;)*) => { through! { $(Uuid => tacit_kernel::ids::$id: |u| Some(u.into());)* } };
}

native!(i64, String, Vec<u8>, Uuid);
through! {
    i64 => u64: |n| u64::try_from(n).ok();
    i64 => u32: |n| u32::try_from(n).ok();
    i64 => bool: |n| match n { 0 => Some(false), 1 => Some(true), _ => None };
    i64 => Nano: |n| Some(Nano(n));
    i64 => Ppm: |n| Some(Ppm(n));
    i64 => Timestamp: |n| Some(Timestamp(n));
    Vec<u8> => [u8; 32]: |b| <[u8; 32]>::try_from(b).ok();
}
tacit_kernel::every_id!(ids);

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_nullable(row: &Row, column: &'static str) -> Result<Option<Self>, StorageError> {
        T::from_nullable(row, column).map(Some)
    }
}
