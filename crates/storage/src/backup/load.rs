//! Filling an empty database from a stream.

use super::catalog::{self, Found};
use super::dump::scan;
use super::format::{Cell, Next, Reader, Tally, cells};
use super::{Kind, Summary, TELL, Told, damaged, is_empty, tell};
use crate::db::Db;
use crate::migrations;
use crate::tx::ReadTx;
use crate::value::Value;
use tacit_kernel::{ErrorKind, Fault, Timestamp};
use uuid::Uuid;

/// Rows and bytes of a transaction, at most and about.
const ROWS: u64 = 2000;
const BYTES: usize = 1 << 20;

/// Fills an empty database: makes the schema that the copy had, loads every table, reads all of it again and compares. From
/// its first statement on the database cannot be opened until [`open_restored`]; one that was cut off never can.
///
/// # Errors
/// `backup.not_empty` if there are tables; `backup.newer` or `backup.foreign` if the schema is not one of this program;
/// `backup.damaged`; storage faults.
pub async fn load(db: &Db, mut reader: Reader, now: Timestamp, told: Told<'_>) -> Result<Summary, Fault> {
    let (kind, header) = (reader.kind(), reader.header().clone());
    let list = kind.migrations();
    let version = usize::try_from(header.schema).unwrap_or(usize::MAX);
    match list.hash(version) {
        None => {
            return Err(Fault::new(
                ErrorKind::Invalid,
                "backup.newer",
                "the backup was made by a newer program: restore it with that program, or a newer one",
            ));
        }
        Some(hash) if hash != header.schema_hash => {
            return Err(Fault::new(
                ErrorKind::Invalid,
                "backup.foreign",
                "the backup was made by another build, whose schema this one does not have: restore it with that build",
            ));
        }
        Some(_) => {}
    }
    if !is_empty(db, kind).await? {
        return Err(Fault::new(
            ErrorKind::Conflict,
            "backup.not_empty",
            "the database to restore into holds tables: name an empty one in the configuration (a file that is not there \
             yet, or a new database of PostgreSQL)",
        ));
    }
    migrations::begin_restore(db, list, version, now).await?;
    let tables = db.read("backup.tables", |tx| Box::pin(catalog::tables(tx, kind))).await?;
    let mut loaded: Vec<(&Found, Tally)> = Vec::with_capacity(tables.len());
    let mut filling = None;
    let summary = loop {
        match reader.next()? {
            Next::Table(table) => {
                let found = tables.iter().find(|found| found.table == table);
                let found = found.ok_or_else(|| damaged("a table is not one of its schema"))?;
                if loaded.iter().any(|(done, _)| done.table == table) {
                    return Err(damaged("a table is there twice"));
                }
                tell(told, &table.name, 0)?;
                filling = Some(Filling::new(db, found));
            }
            Next::Row(row) => {
                let filling = filling.as_mut().ok_or_else(|| damaged("a row without a table"))?;
                filling.row(row).await?;
                if filling.done.is_multiple_of(TELL) {
                    tell(told, &filling.found.table.name, filling.done)?;
                }
            }
            Next::TableEnd(tally) => {
                let mut filling = filling.take().ok_or_else(|| damaged("the end of no table"))?;
                filling.write().await?;
                tell(told, &filling.found.table.name, filling.done)?;
                loaded.push((filling.found, tally));
            }
            Next::End(summary) => break summary,
        }
    };
    if loaded.len() != tables.len() {
        return Err(damaged("a table of its schema is missing"));
    }
    compare(db, &loaded, told).await?;
    Ok(summary)
}

/// Reads everything that was loaded: it is what was copied.
async fn compare(db: &Db, loaded: &[(&Found, Tally)], told: Told<'_>) -> Result<(), Fault> {
    let mut told = Some(told);
    db.read("backup.compare", |tx| {
        let told = told.take();
        Box::pin(async move {
            let Some(told) = told else { return Err(Fault::internal("backup.compare", "it began twice")) };
            for (found, tally) in loaded {
                same(tx, found, tally, &mut *told).await?;
            }
            Ok(())
        })
    })
    .await
}

async fn same(tx: &mut ReadTx<'_>, found: &Found, tally: &Tally, told: Told<'_>) -> Result<(), Fault> {
    if scan(tx, found, told, |_| Ok(())).await? == *tally {
        return Ok(());
    }
    let table = &found.table.name;
    Err(Fault::internal(
        "backup.differs",
        format!("the rows that were loaded into {table} are not those of the backup"),
    ))
}

/// Brings a database that was loaded to the schema of this program, while nobody can open it yet.
///
/// # Errors
/// Storage faults.
pub async fn bring_up_to_date(db: &Db, kind: Kind, now: Timestamp) -> Result<(), Fault> {
    Ok(migrations::finish_restore(db, kind.migrations(), now).await?)
}

/// Lets a database that was loaded be opened.
///
/// # Errors
/// Storage faults.
pub async fn open_restored(db: &Db) -> Result<(), Fault> {
    Ok(migrations::end_restore(db).await?)
}

/// A table that is being filled.
struct Filling<'t> {
    db: &'t Db,
    found: &'t Found,
    head: String,
    values: Vec<Value>,
    bytes: usize,
    /// Rows that wait to be written, and those taken so far.
    waiting: u64,
    done: u64,
}

impl<'t> Filling<'t> {
    fn new(db: &'t Db, found: &'t Found) -> Self {
        let head = format!("INSERT INTO \"{}\" ({}) VALUES", found.table.name, found.columns());
        Self { db, found, head, values: Vec::new(), bytes: 0, waiting: 0, done: 0 }
    }

    async fn row(&mut self, row: &[u8]) -> Result<(), Fault> {
        let cells = cells(row)?;
        if cells.len() != self.found.is_uuid.len() {
            return Err(damaged("a row has another form than its table"));
        }
        for (cell, is_uuid) in cells.into_iter().zip(&self.found.is_uuid) {
            self.values.push(match cell {
                Cell::Null => Value::Null,
                Cell::Integer(n) => Value::I64(n),
                Cell::Text(text) => Value::Text(text),
                Cell::Bytes(bytes) if *is_uuid => {
                    Value::Uuid(Uuid::from_slice(&bytes).map_err(|_| damaged("an id has another form"))?)
                }
                Cell::Bytes(bytes) => Value::Bytes(bytes),
            });
        }
        self.bytes += row.len();
        self.waiting += 1;
        self.done += 1;
        if self.waiting >= ROWS || self.bytes >= BYTES { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), Fault> {
        let (head, columns, values) = (&self.head, self.found.is_uuid.len(), &self.values);
        if !values.is_empty() {
            let written = self.db.write("backup.load", |tx| Box::pin(tx.insert(head, columns, values)));
            written.await.map_err(Fault::from)?;
        }
        self.values.clear();
        (self.bytes, self.waiting) = (0, 0);
        Ok(())
    }
}
