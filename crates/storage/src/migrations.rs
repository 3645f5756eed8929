//! Migrations: ordered lists of scripts, written once in PostgreSQL's type words. Forward only.
//!
//! Each script's checksum is kept when it is applied. A database that has more migrations than this program, or other
//! ones, is not touched.

use crate::db::{Db, Engine};
use crate::error::{StorageError, StorageErrorKind};
use crate::sql::Sql;
use crate::tx::{ReadTx, WriteTx};
use crate::value::Value;
use tacit_kernel::Timestamp;
use tacit_vault::{HashKey, keyed_hash};

/// A list of migrations; the position counts from 1.
pub(crate) struct Migrations {
    /// Its name in the book; several may share a database.
    pub(crate) name: &'static str,
    pub(crate) scripts: &'static [&'static str],
}

impl Migrations {
    /// A hash over the first so many scripts; `None` if there are not so many.
    pub(crate) fn hash(&self, version: usize) -> Option<[u8; 32]> {
        Some(checksum(&self.scripts.get(..version)?.join("\0")))
    }

    /// Names this very list; for the template of test databases.
    #[cfg(feature = "testing")]
    pub(crate) fn fingerprint(&self) -> String {
        let whole: Vec<&str> = self.scripts.iter().copied().chain([BOOK]).collect();
        checksum(&whole.join("\0")).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

pub(crate) static MAIN: Migrations = Migrations {
    name: "main",
    scripts: &[
        include_str!("../migrations/0001_backbone.sql"),
        include_str!("../migrations/0002_call_journal.sql"),
        include_str!("../migrations/0003_audit.sql"),
        include_str!("../migrations/0004_sign_in.sql"),
        include_str!("../migrations/0005_messages.sql"),
        include_str!("../migrations/0006_idempotency.sql"),
        include_str!("../migrations/0007_identities.sql"),
        include_str!("../migrations/0008_verification.sql"),
        include_str!("../migrations/0009_organisations.sql"),
        include_str!("../migrations/0010_looks.sql"),
        include_str!("../migrations/0011_sign_in_notices.sql"),
        include_str!("../migrations/0012_held_keys.sql"),
        include_str!("../migrations/0013_scopes.sql"),
        include_str!("../migrations/0014_organisation_offers.sql"),
        include_str!("../migrations/0015_retention.sql"),
        include_str!("../migrations/0016_names.sql"),
        include_str!("../migrations/0018_erasure.sql"),
        include_str!("../migrations/0019_rights_requests.sql"),
        include_str!("../migrations/0020_known_erasures.sql"),
        include_str!("../migrations/0021_choices.sql"),
        include_str!("../migrations/0022_recipients.sql"),
        include_str!("../migrations/0023_incidents.sql"),
        include_str!("../migrations/0024_forgotten_entries.sql"),
    ],
};

pub(crate) static KEYRING: Migrations = Migrations {
    name: "keyring",
    scripts: &[include_str!("../migrations/keyring_0001.sql"), include_str!("../migrations/keyring_0002.sql")],
};

const BOOK: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    schema TEXT NOT NULL,
    version BIGINT NOT NULL,
    checksum BYTEA NOT NULL,
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (schema, version)
);";
pub(crate) const APPLIED: Sql =
    Sql::new("SELECT version, checksum FROM schema_migrations WHERE schema = $1 ORDER BY version");
pub(crate) const RECORD: Sql =
    Sql::new("INSERT INTO schema_migrations (schema, version, checksum, applied_at) VALUES ($1, $2, $3, $4)");
/// A database that is being restored has a row of this name in the book, so that no program opens it.
const RESTORING: &str = "restoring";
const RESTORED: Sql = Sql::new("DELETE FROM schema_migrations WHERE schema = $1");
const BOOK_ON_SQLITE: Sql =
    Sql::new("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'");
const BOOK_ON_POSTGRES: Sql = Sql::new(
    "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
     WHERE table_schema = current_schema() AND table_name = 'schema_migrations'",
);
/// One starter at a time on PostgreSQL; SQLite has one writer anyway.
const LOCK: &str = "LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE";

pub(crate) async fn run(db: &Db, list: &'static Migrations, now: Timestamp) -> Result<(), StorageError> {
    let engine = db.engine();
    // Nothing is locked where nothing is missing: a backup that is read holds the table of the book for as long as it takes.
    if db.read("storage.migrated", |tx| Box::pin(is_current(tx, list))).await? {
        return Ok(());
    }
    // In a transaction of its own: the lock below needs the table, and comes before that transaction's first read.
    create_book(db, engine).await?;
    db.write("storage.migrate", |tx| {
        Box::pin(async move {
            lock(tx).await?;
            whole(tx).await?;
            apply(tx, list, list.scripts.len(), now).await
        })
    })
    .await
}

/// Whether the database has the whole list, and nothing but it.
async fn is_current(tx: &mut ReadTx<'_>, list: &Migrations) -> Result<bool, StorageError> {
    let book = if tx.engine() == Engine::Postgres { &BOOK_ON_POSTGRES } else { &BOOK_ON_SQLITE };
    if tx.all(book, &[]).await?.is_empty() {
        return Ok(false);
    }
    whole(tx).await?;
    Ok(applied(tx, list).await? == list.scripts.len())
}

async fn lock(tx: &mut WriteTx<'_>) -> Result<(), StorageError> {
    if tx.engine() == Engine::Postgres { tx.script(LOCK.to_owned()).await } else { Ok(()) }
}

/// Applies what is missing of the first so many scripts.
async fn apply(tx: &mut WriteTx<'_>, list: &Migrations, most: usize, now: Timestamp) -> Result<(), StorageError> {
    let (engine, applied) = (tx.engine(), applied(tx, list).await?);
    for (index, script) in list.scripts.iter().enumerate().take(most).skip(applied) {
        tx.script(in_dialect(script, engine)).await?;
        let version = Value::I64(i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1));
        let row = [list.name.into(), version, checksum(script).into(), now.into()];
        tx.execute(&RECORD, &row).await?;
    }
    Ok(())
}

/// Refuses a database that is being restored.
async fn whole(tx: &mut ReadTx<'_>) -> Result<(), StorageError> {
    if tx.all(&APPLIED, &[RESTORING.into()]).await?.is_empty() {
        return Ok(());
    }
    let detail = "the database is being restored from a backup, or that was cut off: wait for its end, or restore again \
                  into an empty database";
    Err(StorageError::new(StorageErrorKind::Schema, detail))
}

/// How many of the list a database has: all of it, or it is refused.
pub(crate) async fn current(tx: &mut ReadTx<'_>, list: &Migrations) -> Result<usize, StorageError> {
    whole(tx).await?;
    let applied = applied(tx, list).await?;
    if applied == list.scripts.len() {
        return Ok(applied);
    }
    let detail = format!(
        "the {} schema is at version {applied}, this program is made for {}: use the program that runs on it, or let this \
         one bring it up to date first (`tacit setup`)",
        list.name,
        list.scripts.len()
    );
    Err(StorageError::new(StorageErrorKind::Schema, detail))
}

/// Makes the first so many of the list in a database without any, which then cannot be opened until [`end_restore`].
pub(crate) async fn begin_restore(
    db: &Db,
    list: &'static Migrations,
    version: usize,
    now: Timestamp,
) -> Result<(), StorageError> {
    create_book(db, db.engine()).await?;
    db.write("storage.restore", |tx| {
        Box::pin(async move {
            lock(tx).await?;
            whole(tx).await?;
            let row = [RESTORING.into(), Value::I64(1), checksum(RESTORING).into(), now.into()];
            tx.execute(&RECORD, &row).await?;
            apply(tx, list, version, now).await
        })
    })
    .await
}

/// Brings a database that is being restored up to date.
pub(crate) async fn finish_restore(db: &Db, list: &'static Migrations, now: Timestamp) -> Result<(), StorageError> {
    db.write("storage.restore", |tx| {
        Box::pin(async move {
            lock(tx).await?;
            apply(tx, list, list.scripts.len(), now).await
        })
    })
    .await
}

/// Lets it be opened.
pub(crate) async fn end_restore(db: &Db) -> Result<(), StorageError> {
    db.write("storage.restore", |tx| {
        Box::pin(async move { tx.execute(&RESTORED, &[RESTORING.into()]).await.map(drop) })
    })
    .await
}

async fn create_book(db: &Db, engine: Engine) -> Result<(), StorageError> {
    // IF NOT EXISTS does not guard against another starter that makes it at the same moment.
    let lock = match engine {
        Engine::Sqlite => "",
        Engine::Postgres => "SELECT pg_advisory_xact_lock(7400);\n",
    };
    let script = &format!("{lock}{}", in_dialect(BOOK, engine));
    db.write("storage.migrate", |tx| Box::pin(tx.script(script.clone()))).await
}

/// How many of the list are applied; an error if the database does not fit the list.
async fn applied(tx: &mut ReadTx<'_>, list: &Migrations) -> Result<usize, StorageError> {
    let refuse = |what: String| Err(StorageError::new(StorageErrorKind::Schema, what));
    let rows = tx.all(&APPLIED, &[list.name.into()]).await?;
    for (index, row) in rows.iter().enumerate() {
        let version: i64 = row.get("version")?;
        let Some(script) = list.scripts.get(index) else {
            return refuse(format!(
                "the {} schema is at version {version}, this program knows only {}: start the newer program that \
                 made it, or restore a backup from before the upgrade",
                list.name,
                list.scripts.len()
            ));
        };
        if i64::try_from(index + 1).ok() != Some(version) || row.get::<Vec<u8>>("checksum")? != checksum(script) {
            return refuse(format!(
                "migration {version} of the {} schema is not the one this program has: it was made by another build; \
                 start that build, or restore a backup made by a released version",
                list.name
            ));
        }
    }
    Ok(rows.len())
}

/// A checksum, not a secret: HMAC with a fixed key is the hash the vault offers.
fn checksum(script: &str) -> [u8; 32] {
    keyed_hash(&HashKey::from_bytes([0; 32]), "migration", script.as_bytes())
}

/// A line that ends with `-- PostgreSQL` or `-- SQLite` is for that engine alone. For SQLite the type words are swapped for
/// its own and tables made STRICT. Tables with another key than a number are kept in the order of that key, where SQLite
/// would else number their rows and keep the key in a second tree.
pub(crate) fn in_dialect(script: &str, engine: Engine) -> String {
    if engine == Engine::Postgres {
        return script.lines().filter(|line| !line.ends_with("-- SQLite")).flat_map(|line| [line, "\n"]).collect();
    }
    let mut out = String::with_capacity(script.len() + 256);
    let mut keyed = false;
    let is_ours = |line: &&str| !line.trim_start().starts_with("--") && !line.ends_with("-- PostgreSQL");
    for line in script.lines().filter(is_ours) {
        keyed |= line.contains("UUID PRIMARY KEY") || line.contains("PRIMARY KEY (");
        if line == ");" {
            out.push_str(if std::mem::take(&mut keyed) { ") STRICT, WITHOUT ROWID;\n" } else { ") STRICT;\n" });
            continue;
        }
        for piece in line.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let end = piece.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(piece.len());
            let (word, rest) = piece.split_at(end);
            out.push_str(match word {
                "UUID" | "BYTEA" => "BLOB",
                "BIGINT" => "INTEGER",
                other => other,
            });
            out.push_str(rest);
        }
        out.push('\n');
    }
    out
}
