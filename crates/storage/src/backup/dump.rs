//! Reading a database into a stream.

use super::catalog::{self, Found};
use super::format::{Cell, Tally, Tallying, Writer, encoded};
use super::{Header, Kind, Summary, TELL, Told, tell};
use crate::db::{Db, Engine};
use crate::keyring::ErasuresHead;
use crate::migrations;
use crate::tx::ReadTx;
use std::io::Write;
use tacit_kernel::{Fault, Timestamp};

/// Copies a database as it is at one moment, while others write. `keyring` is the fingerprint of the keyring, and `erasures`
/// how far its list went before; a copy of the keyring itself tells how far it goes in the copy.
///
/// # Errors
/// `storage.schema` if the database has not the schema of this program; `backup.unwritable`; storage faults.
pub async fn dump(
    db: &Db,
    kind: Kind,
    (program, made_at): (&str, Timestamp),
    (keyring, erasures): ([u8; 32], ErasuresHead),
    out: &mut (dyn Write + Send),
    told: Told<'_>,
) -> Result<(Header, Summary), Fault> {
    let engine = match db.engine() {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    };
    let header = Header {
        kind: kind.as_str().to_owned(),
        schema: 0,
        schema_hash: [0; 32],
        made_at,
        program: program.to_owned(),
        engine: engine.to_owned(),
        keyring,
        erasures,
    };
    let mut given = Some((header, Writer::new(out), told));
    db.read("backup.dump", |tx| {
        let given = given.take();
        Box::pin(async move {
            let Some((header, writer, told)) = given else {
                return Err(Fault::internal("backup.dump", "a read transaction began twice"));
            };
            in_tx(tx, kind, header, writer, told).await
        })
    })
    .await
}

async fn in_tx(
    tx: &mut ReadTx<'_>,
    kind: Kind,
    mut header: Header,
    mut writer: Writer<'_>,
    told: Told<'_>,
) -> Result<(Header, Summary), Fault> {
    let version = migrations::current(tx, kind.migrations()).await?;
    header.schema = u64::try_from(version).unwrap_or(u64::MAX);
    header.schema_hash = kind.migrations().hash(version).unwrap_or_default();
    if kind == Kind::Keyring {
        header.erasures = ErasuresHead::in_tx(tx).await?;
    }
    writer.header(&header)?;
    for found in catalog::tables(tx, kind).await? {
        writer.table(&found.table)?;
        let tally = scan(tx, &found, told, |row| if writer.row(row)? { writer.flush() } else { Ok(()) }).await?;
        writer.table_end(&tally)?;
        writer.flush()?;
    }
    Ok((header, writer.finish()?))
}

/// Reads a table row by row, each in its encoded form; its tally.
pub(super) async fn scan(
    tx: &mut ReadTx<'_>,
    found: &Found,
    told: Told<'_>,
    mut each: impl FnMut(&[u8]) -> Result<(), Fault> + Send,
) -> Result<Tally, Fault> {
    let name = found.table.name.as_str();
    tell(told, name, 0)?;
    let (mut tallying, mut buffer) = (Tallying::of(&found.table)?, Vec::new());
    let sql = format!("SELECT {} FROM \"{name}\"", found.columns());
    tx.each(sql, &mut |row| {
        buffer.clear();
        let cells: Vec<Cell> = row.values()?.into_iter().map(Cell::from).collect();
        buffer = encoded(&cells, std::mem::take(&mut buffer))?;
        tallying.row(&buffer);
        if tallying.tally().rows.is_multiple_of(TELL) {
            tell(told, name, tallying.tally().rows)?;
        }
        each(&buffer)
    })
    .await?;
    tell(told, name, tallying.tally().rows)?;
    Ok(tallying.tally())
}
