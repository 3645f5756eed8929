//! The values a statement is given: five types, the same on both engines.

use crate::error::{StorageError, StorageErrorKind};
use sqlx::encode::{Encode, IsNull};
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo};
use sqlx::{Arguments as _, Postgres, Type};
use std::fmt;
use tacit_kernel::{Nano, Ppm, Timestamp};
use uuid::Uuid;

/// One parameter. Its `Debug` tells the type only.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// BIGINT.
    I64(i64),
    /// TEXT.
    Text(String),
    /// TEXT that the program itself knows, such as the word of an enum: no copy is made of it.
    Word(&'static str),
    /// BYTEA.
    Bytes(Vec<u8>),
    /// UUID.
    Uuid(Uuid),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::I64(_) => "I64",
            Self::Text(_) | Self::Word(_) => "Text",
            Self::Bytes(_) => "Bytes",
            Self::Uuid(_) => "Uuid",
        })
    }
}

macro_rules! from {
    ($($from:ty => |$it:ident| $value:expr;)*) => {$(
        impl From<$from> for Value { fn from($it: $from) -> Self { $value } }
    )*};
}

macro_rules! from_ids {
    ($($(#[$doc:meta])* $id:ident = $prefix:literal;)*) => {$(
        impl From<tacit_kernel::ids::$id> for Value {
            fn from(id: tacit_kernel::ids::$id) -> Self { Self::Uuid(id.0) }
        }
    )*};
}

from! {
    i64 => |n| Self::I64(n);
    u32 => |n| Self::I64(i64::from(n));
    bool => |b| Self::I64(i64::from(b));
    Nano => |n| Self::I64(n.0);
    Ppm => |n| Self::I64(n.0);
    Timestamp => |t| Self::I64(t.0);
    String => |s| Self::Text(s);
    &str => |s| Self::Text(s.to_owned());
    Vec<u8> => |b| Self::Bytes(b);
    &[u8] => |b| Self::Bytes(b.to_vec());
    [u8; 32] => |b| Self::Bytes(b.to_vec());
    &[u8; 32] => |b| Self::Bytes(b.to_vec());
    Uuid => |u| Self::Uuid(u);
}
tacit_kernel::every_id!(from_ids);

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// NULL without a type: PostgreSQL takes the type from where it stands.
struct Untyped;

impl Type<Postgres> for Untyped {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Untyped {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, sqlx::error::BoxDynError> {
        Ok(IsNull::Yes)
    }
}

fn refused(_: sqlx::error::BoxDynError) -> StorageError {
    StorageError::new(StorageErrorKind::Other, "a parameter could not be encoded")
}

pub(crate) fn postgres_arguments(values: &[Value]) -> Result<PgArguments, StorageError> {
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), values.len() * 20);
    for value in values {
        match value {
            Value::Null => arguments.add(Untyped),
            Value::I64(n) => arguments.add(*n),
            Value::Text(s) => arguments.add(s.as_str()),
            Value::Word(s) => arguments.add(*s),
            Value::Bytes(b) => arguments.add(b.as_slice()),
            Value::Uuid(u) => arguments.add(*u),
        }
        .map_err(refused)?;
    }
    Ok(arguments)
}
