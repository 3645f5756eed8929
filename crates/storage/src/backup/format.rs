//! The stream: a line that names the format, then frames of a kind, a length and a body. A row is a frame; a table ends
//! with its number of rows and a sum over them, and so does the whole.

use super::{Header, Kind, Summary, TELL, Told, damaged, tell, unreadable, unwritable};
use crate::sqlite::blocking;
use crate::value::Value;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use tacit_kernel::{ErrorKind, Fault};
use tacit_vault::{HashKey, keyed_hash};

const MAGIC: &[u8] = b"tacit backup ";
/// Another number when an older program could not read it any more.
const FORMAT: &[u8] = b"0001\n";
/// A body is not longer: no column of ours comes near to it.
const LONGEST: u32 = 1 << 28;
/// Collected before it is given to whoever compresses it.
const PIECE: usize = 1 << 18;

const HEADER: u8 = b'H';
const TABLE: u8 = b'T';
const ROW: u8 = b'R';
const TABLE_END: u8 = b't';
const END: u8 = b'E';

/// A value of a row, the same for both engines: an id is its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::I64(n) => Self::Integer(n),
            Value::Text(text) => Self::Text(text),
            Value::Word(word) => Self::Text(word.to_owned()),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            // Its bytes, as the other engine has it.
            Value::Uuid(id) => Self::Bytes(id.as_bytes().to_vec()),
        }
    }
}

/// A table of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in the order of their names.
    pub columns: Vec<String>,
}

/// Rows counted and summed, in whatever order they come: two tables with the same rows have the same tally. A check against
/// damage and mistakes, not against who could write a backup: that is what encryption with a key of the operator is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) rows: u64,
    sum: [u64; 4],
}

impl Tally {
    fn mix(&mut self, hash: &[u8; 32]) {
        for (sum, part) in self.sum.iter_mut().zip(hash.as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*part));
        }
    }
}

/// Tallies one table.
pub(super) struct Tallying {
    key: HashKey,
    tally: Tally,
}

impl Tallying {
    /// Of a table of that form.
    pub(super) fn of(table: &Table) -> Result<Self, Fault> {
        let form = encoded(table, Vec::new())?;
        // A checksum, not a secret.
        let key = HashKey::from_bytes(keyed_hash(&HashKey::from_bytes([0; 32]), "backup-table", &form));
        let mut tally = Tally::default();
        // Of a table without rows too.
        tally.mix(&keyed_hash(&key, "backup-table", b""));
        Ok(Self { key, tally })
    }

    /// Counts a row in its encoded form.
    pub(super) fn row(&mut self, row: &[u8]) {
        self.tally.rows += 1;
        self.tally.mix(&keyed_hash(&self.key, "backup-row", row));
    }

    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }
}

/// A value in its binary form, in that buffer.
pub(super) fn encoded<T: Serialize>(value: &T, buffer: Vec<u8>) -> Result<Vec<u8>, Fault> {
    postcard::to_extend(value, buffer).map_err(|error| Fault::internal("backup.encode", error))
}

fn decoded<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Fault> {
    postcard::from_bytes(body).map_err(|_| damaged("a record cannot be read"))
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
struct End {
    tables: u64,
    rows: u64,
    sum: [u64; 4],
}

impl End {
    fn add(&mut self, tally: &Tally) {
        self.tables += 1;
        self.rows += tally.rows;
        for (sum, part) in self.sum.iter_mut().zip(tally.sum) {
            *sum = sum.wrapping_add(part);
        }
    }

    const fn summary(&self) -> Summary {
        Summary { tables: self.tables, rows: self.rows }
    }
}

/// Writes a stream.
pub(super) struct Writer<'o> {
    out: &'o mut (dyn Write + Send),
    pending: Vec<u8>,
    end: End,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut (dyn Write + Send)) -> Self {
        Self { out, pending: [MAGIC, FORMAT].concat(), end: End::default() }
    }

    fn frame(&mut self, kind: u8, body: &[u8]) -> Result<(), Fault> {
        let length = u32::try_from(body.len()).ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or_else(|| Fault::internal("backup.encode", "a row is too long"))?;
        self.pending.push(kind);
        self.pending.extend_from_slice(&length.to_le_bytes());
        self.pending.extend_from_slice(body);
        Ok(())
    }

    pub(super) fn header(&mut self, header: &Header) -> Result<(), Fault> {
        self.frame(HEADER, &encoded(header, Vec::new())?)
    }

    pub(super) fn table(&mut self, table: &Table) -> Result<(), Fault> {
        self.frame(TABLE, &encoded(table, Vec::new())?)
    }

    /// True if it is time to [`Self::flush`].
    pub(super) fn row(&mut self, row: &[u8]) -> Result<bool, Fault> {
        self.frame(ROW, row)?;
        Ok(self.pending.len() >= PIECE)
    }

    pub(super) fn table_end(&mut self, tally: &Tally) -> Result<(), Fault> {
        self.end.add(tally);
        self.frame(TABLE_END, &encoded(tally, Vec::new())?)
    }

    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        // Whoever compresses, encrypts and writes takes a moment.
        blocking(|| self.out.write_all(&self.pending)).map_err(|error| unwritable(&error))?;
        self.pending.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Summary, Fault> {
        self.frame(END, &encoded(&self.end, Vec::new())?)?;
        self.flush()?;
        Ok(self.end.summary())
    }
}

/// What a stream goes on with.
pub(super) enum Next<'r> {
    /// A table begins.
    Table(Table),
    /// A row of it, in its encoded form.
    Row(&'r [u8]),
    /// It ends, and was whole.
    TableEnd(Tally),
    /// All of it ends, and was whole.
    End(Summary),
}

pub(super) fn cells(row: &[u8]) -> Result<Vec<Cell>, Fault> {
    decoded(row)
}

/// Reads a stream, and checks it as it goes.
pub struct Reader {
    input: Box<dyn Read + Send>,
    header: Header,
    kind: Kind,
    body: Vec<u8>,
    /// The table that is being read.
    open: Option<(usize, Tallying)>,
    end: End,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.header)
    }
}

impl Reader {
    /// Reads the head of a stream.
    ///
    /// # Errors
    /// `backup.foreign` if it is none of ours, `backup.newer` if only a newer program can read it, `backup.damaged`.
    pub fn open(mut input: Box<dyn Read + Send>) -> Result<Self, Fault> {
        let mut first = [0; MAGIC.len() + FORMAT.len()];
        input.read_exact(&mut first).map_err(|error| unreadable(&error))?;
        let format = first.strip_prefix(MAGIC).ok_or_else(|| {
            Fault::new(ErrorKind::Invalid, "backup.foreign", "this is not a backup of Tacit: give a file that it made")
        })?;
        if format != FORMAT {
            return Err(Fault::new(
                ErrorKind::Invalid,
                "backup.newer",
                "the backup has a format that this program does not know: use the newer program that made it",
            ));
        }
        let mut body = Vec::new();
        if frame(&mut *input, &mut body)? != HEADER {
            return Err(damaged("it does not begin with a header"));
        }
        let header: Header = decoded(&body)?;
        let kind = Kind::parse(&header.kind).ok_or_else(|| damaged("it is of no known database"))?;
        Ok(Self { input, header, kind, body, open: None, end: End::default() })
    }

    /// What it says about itself.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Which database it is a copy of.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Reads it to its end: every count and every sum is right, or it is an error.
    ///
    /// # Errors
    /// `backup.damaged`.
    pub fn verify(mut self, told: Told<'_>) -> Result<Summary, Fault> {
        let (mut table, mut rows) = (String::new(), 0_u64);
        loop {
            match self.next()? {
                Next::Table(begun) => (table, rows) = (begun.name, 0),
                Next::Row(row) => {
                    cells(row)?;
                    rows += 1;
                    if rows.is_multiple_of(TELL) {
                        tell(told, &table, rows)?;
                    }
                }
                Next::TableEnd(tally) => tell(told, &table, tally.rows)?,
                Next::End(summary) => return Ok(summary),
            }
        }
    }

    /// What comes next. After [`Next::End`] there is nothing.
    pub(super) fn next(&mut self) -> Result<Next<'_>, Fault> {
        let kind = frame(&mut *self.input, &mut self.body)?;
        match (kind, &mut self.open) {
            (TABLE, None) => {
                let table: Table = decoded(&self.body)?;
                self.open = Some((table.columns.len(), Tallying::of(&table)?));
                Ok(Next::Table(table))
            }
            (ROW, Some((_, tallying))) => {
                tallying.row(&self.body);
                Ok(Next::Row(&self.body))
            }
            (TABLE_END, Some((_, tallying))) => {
                let said: Tally = decoded(&self.body)?;
                if said != tallying.tally() {
                    return Err(damaged("a table has not the rows that it had"));
                }
                self.open = None;
                self.end.add(&said);
                Ok(Next::TableEnd(said))
            }
            (END, None) => {
                let said: End = decoded(&self.body)?;
                let more = self.input.read(&mut [0]).map_err(|error| unreadable(&error))?;
                if said != self.end || more > 0 {
                    return Err(damaged("its end does not fit"));
                }
                Ok(Next::End(said.summary()))
            }
            _ => Err(damaged("its parts are in disorder")),
        }
    }
}

/// Reads a frame into the buffer; its kind.
fn frame(input: &mut (dyn Read + Send), body: &mut Vec<u8>) -> Result<u8, Fault> {
    let mut head = [0; 5];
    input.read_exact(&mut head).map_err(|error| unreadable(&error))?;
    let [kind, length @ ..] = head;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(damaged("a record is too long"));
    }
    body.clear();
    // Not all at once: a length that is wrong would take memory for nothing.
    let read = input.take(u64::from(length)).read_to_end(body).map_err(|error| unreadable(&error))?;
    if u32::try_from(read).ok() != Some(length) {
        return Err(damaged("it is cut off"));
    }
    Ok(kind)
}
