//! Statements: constants, texts with many rows, texts with filters. Values are always parameters.

use crate::db::Engine;
use crate::value::Value;
use std::fmt;
use std::slice::ChunksExact;
use std::sync::{Arc, OnceLock};

/// A constant statement with parameters `$1 … $n`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sql {
    text: &'static str,
    arity: usize,
}

/// Another name for [`Sql`].
pub type Statement = Sql;

impl Sql {
    /// Takes the text; the number of parameters is the highest `$n` in it.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        let (mut rest, mut arity) = (text.as_bytes(), 0);
        while let [first, tail @ ..] = rest {
            rest = tail;
            let mut number = 0;
            while let (b'$', [digit @ b'0'..=b'9', tail @ ..]) = (*first, rest) {
                number = number * 10 + (*digit - b'0') as usize;
                rest = tail;
            }
            if number > arity {
                arity = number;
            }
        }
        Self { text, arity }
    }

    /// The text.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// How many parameters it takes.
    #[must_use]
    pub const fn arity(&self) -> usize {
        self.arity
    }
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// How many rows one text writes: few sizes, and yet most counts of rows take one or two of them.
const SIZES: [usize; 14] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];

/// A statement over many rows: `head ($1, $2), ($3, $4), … tail`. PostgreSQL is given rows in groups of a few fixed sizes up
/// to 128, so that few distinct texts exist and each stays prepared; so is SQLite where it answers with rows. What only
/// writes it does row by row. So no row may depend on another of the same statement. Make it a `static`.
///
/// For an insert the head ends with `VALUES`; for an update of many rows write `UPDATE t SET x = x + v.column2 FROM
/// (VALUES` … `) AS v WHERE t.id = v.column1`.
pub struct Bulk {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    sqlite: Texts,
    postgres: Texts,
}

type Texts = [OnceLock<Arc<str>>; SIZES.len()];

const fn no_texts() -> Texts {
    [const { OnceLock::new() }; SIZES.len()]
}

impl Bulk {
    /// A statement over rows of `columns` values; head and tail have no parameters.
    #[must_use]
    pub const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { head, columns, tail, sqlite: no_texts(), postgres: no_texts() }
    }

    /// How many values a row has.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Splits the flat list of values into groups, each with its text; `None` if it is not whole rows.
    pub(crate) fn groups<'v>(&self, engine: Engine, values: &'v [Value]) -> Option<Vec<(Arc<str>, &'v [Value])>> {
        if self.columns == 0 || !values.len().is_multiple_of(self.columns) {
            return None;
        }
        // SQLite takes at most 32,766 parameters a statement, PostgreSQL 65,535.
        let fits = 32_766 / self.columns;
        let (mut rest, mut groups) = (values, Vec::new());
        while !rest.is_empty() {
            let most = fits.min(rest.len() / self.columns);
            let size = SIZES.iter().rposition(|rows| *rows <= most)?;
            let (group, later) = rest.split_at_checked(self.columns * SIZES.get(size)?)?;
            groups.push((self.text(engine, size)?, group));
            rest = later;
        }
        Some(groups)
    }

    /// The text of one row for SQLite, and the rows; `None` if it is not whole rows.
    pub(crate) fn each<'v>(&self, values: &'v [Value]) -> Option<(Arc<str>, ChunksExact<'v, Value>)> {
        if self.columns == 0 || !values.len().is_multiple_of(self.columns) {
            return None;
        }
        Some((self.text(Engine::Sqlite, 0)?, values.chunks_exact(self.columns)))
    }

    /// The text of that many rows, by the place of their number in [`SIZES`].
    ///
    /// SQLite gets `?` without numbers: it would look up every numbered parameter in a list, one after the other, at
    /// each execution.
    pub(crate) fn text(&self, engine: Engine, size: usize) -> Option<Arc<str>> {
        let rows = *SIZES.get(size)?;
        let texts = match engine {
            Engine::Sqlite => &self.sqlite,
            Engine::Postgres => &self.postgres,
        };
        let make = || {
            let mut text = String::from(self.head);
            for row in 0..rows {
                text.push_str(if row == 0 { " (" } else { ", (" });
                for column in 1..=self.columns {
                    text.push_str(if column == 1 { "" } else { ", " });
                    match engine {
                        Engine::Sqlite => text.push('?'),
                        Engine::Postgres => text.push_str(&format!("${}", row * self.columns + column)),
                    }
                }
                text.push(')');
            }
            text.push(' ');
            text.push_str(self.tail);
            Arc::from(text)
        };
        texts.get(size).map(|cell| Arc::clone(cell.get_or_init(make)))
    }
}

/// A statement whose text depends on what is asked: a list with optional filters. Pieces of text are constants of the
/// program; values become parameters.
pub struct SqlText {
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
}

impl SqlText {
    /// Begins with a piece of text that has no parameters.
    #[must_use]
    pub fn new(head: &'static str) -> Self {
        Self { text: head.to_owned(), values: Vec::new() }
    }

    /// Adds text.
    #[must_use]
    pub fn push(mut self, text: &'static str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds text and behind it a parameter: `.bind(" LIMIT ", 10)`.
    #[must_use]
    pub fn bind(mut self, text: &'static str, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self.text.push_str(text);
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// Adds text and a parameter if there is a value: `.bind_some(" AND account_id = ", filter.account)`.
    #[must_use]
    pub fn bind_some<T: Into<Value>>(self, text: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.bind(text, value),
            None => self,
        }
    }

    /// Adds text and behind it a list in parentheses: `.list(" AND id IN ", ids)`. The list is filled up to a power of
    /// two with its last value, so that few distinct texts exist. An empty list matches nothing.
    #[must_use]
    pub fn list<T: Into<Value>>(mut self, text: &'static str, values: impl IntoIterator<Item = T>) -> Self {
        let mut values: Vec<Value> = values.into_iter().map(Into::into).collect();
        let last = values.last().cloned().unwrap_or(Value::Null);
        values.resize(values.len().max(1).next_power_of_two(), last);
        self.text.push_str(text);
        for (i, value) in values.into_iter().enumerate() {
            self = self.bind(if i == 0 { "(" } else { ", " }, value);
        }
        self.push(")")
    }
}

impl fmt::Debug for SqlText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
