//! `tacit backup` and `tacit restore`: copies of both databases, encrypted, and databases made of them. They work on the
//! databases themselves, whether the platform runs or not.

use super::{Global, Usage, block_on};
use crate::config::Config;
use crate::config::source::{DatabaseUrl, read_private, write_private};
use crate::control::{Stores, detailed, open};
use crate::output::{Output, Row, remark};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tacit_kernel::{Clock, Personal, SystemClock};
use tacit_privacy::backup::{self, By, Identities, Kind, Restored};
use tacit_storage::Db;
use tacit_storage::audit::Actor;
use tacit_storage::backup::{check_current, is_empty};
use tacit_storage::keyring::KeyStore;

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Make a key for backups: its file opens them and belongs on another machine; what is printed goes into
    /// backup.recipients.
    Key {
        /// Where to write it; it must not be there yet.
        file: PathBuf,
    },
    /// Back up the data, while the platform serves.
    Data,
    /// Back up the keyring, while the platform serves.
    Keyring,
    /// Back up both, each in its own place.
    All,
    /// The backups that there are.
    List,
    /// Read a backup to its end: whether all of it is there and as it was. Needs no database.
    Verify(FileArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum RestoreCommand {
    /// Restore the data into the empty database that database.url names. The keyring must be there. Whoever was erased since
    /// is erased again before the platform serves.
    Data(FileArgs),
    /// Restore the keyring into the empty database that keyring.url names. Keys of who was erased since are deleted first.
    Keyring {
        #[command(flatten)]
        file: FileArgs,
        /// The newest copy of the erasure log (keyring.erasure_log).
        #[arg(long, value_name = "FILE")]
        erasures: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The backup.
    file: PathBuf,
    /// The file with the key that opens it.
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
}

pub(crate) fn run(global: &Global, command: &BackupCommand) -> anyhow::Result<()> {
    let out = global.output();
    match command {
        BackupCommand::Key { file } => key(out, file),
        BackupCommand::Data => block_on(make(global, &[Kind::Data])),
        BackupCommand::Keyring => block_on(make(global, &[Kind::Keyring])),
        BackupCommand::All => block_on(make(global, Kind::ALL)),
        BackupCommand::List => list(&global.resolve()?.config, out),
        BackupCommand::Verify(args) => {
            let mut progress = Progress::new(out);
            let verified = backup::verify(&args.file, &args.identities()?, &mut |t, n| progress.tell(t, n));
            progress.over();
            out.one(&verified.map_err(detailed)?)
        }
    }
}

pub(crate) fn restore(global: &Global, command: &RestoreCommand) -> anyhow::Result<()> {
    let config = global.resolve()?.config;
    crate::control::private_data_dir(&config.data_dir)?;
    let by = by(global)?;
    let restored = match command {
        RestoreCommand::Data(args) => block_on(restore_data(&config, args, &by, global.output()))?,
        RestoreCommand::Keyring { file, erasures } => {
            block_on(restore_keyring(&config, file, erasures, &by, global.output()))?
        }
    };
    let text = match restored.kind {
        Kind::Data => format!(
            "The data is as it was at {}: {} rows. {} accounts in it were erased since; they are erased again before \
             anybody is served.\nNext: tacit serve\n",
            restored.made_at, restored.rows, restored.erased_since
        ),
        Kind::Keyring => format!(
            "The keyring is as it was at {}, and knows of the {} erasures since: {} keys went.\nPut the newest erasure log \
             at {} if it is not there.\n",
            restored.made_at,
            restored.erased_since,
            restored.keys_gone,
            config.keyring.erasure_log.display()
        ),
    };
    if !restored.recorded {
        remark("There is no data yet whose audit log could say so: restoring the data is recorded in it.");
    }
    global.output().either(&restored, &text)
}

impl FileArgs {
    fn identities(&self) -> anyhow::Result<Identities> {
        let text = read_private(&self.identity).context("the key of the backup cannot be read")?;
        Identities::parse(&text).map_err(|why| anyhow::anyhow!("{}: {why}", self.identity.display()))
    }
}

fn by(global: &Global) -> anyhow::Result<By> {
    if global.reason.as_ref().is_some_and(|reason| reason.contains(['\n', '\r'])) {
        return Err(Usage("--reason takes one line of text".to_owned()).into());
    }
    let actor = Actor::Operator(nix::unistd::getuid().as_raw());
    Ok(By { actor, reason: global.reason.clone().map(Personal::new) })
}

#[derive(Serialize)]
struct Key<'k> {
    file: &'k Path,
    recipient: String,
}

fn key(out: Output, file: &Path) -> anyhow::Result<()> {
    let (text, recipient) = Identities::generate(SystemClock.now());
    write_private(file, text.expose_secret()).with_context(|| format!("{} cannot be written", file.display()))?;
    let text = format!(
        "The key is in {}. Keep it on another machine, and a copy of it in a safe: without it no backup opens.\nIts \
         recipient, for backup.recipients or backup.keyring_recipients:\n{recipient}\n",
        file.display()
    );
    out.either(&Key { file, recipient }, &text)
}

async fn make(global: &Global, kinds: &[Kind]) -> anyhow::Result<()> {
    let config = global.resolve()?.config;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // Opening would bring them up to date, which a running platform that is older would not survive.
    let settings =
        [(Kind::Data, "database.url", &config.database.url), (Kind::Keyring, "keyring.url", &config.keyring.url)];
    for (kind, key, url) in settings {
        let db = existing(&config, key, url).await?;
        let db = db.with_context(|| format!("{key} names no database yet: `tacit setup` makes it"))?;
        check_current(&db, kind).await.map_err(detailed)?;
        db.close().await;
    }
    let stores = Stores::open(&config, &clock).await?;
    let backups = stores.backups(&config, &clock)?;
    let out = global.output();
    let mut all = Vec::new();
    for kind in kinds {
        let mut progress = Progress::new(out);
        let made = backups.make(*kind, by(global)?, &mut |t, n| progress.tell(t, n)).await;
        progress.over();
        let made = made.map_err(detailed)?;
        out.text(&format!("{}  {} rows, {} bytes\n", made.file.display(), made.rows, made.bytes))?;
        all.push(made);
    }
    stores.db.close().await;
    if out.json() { out.either(&all, "") } else { Ok(()) }
}

/// A backup, as it is listed.
#[derive(Serialize)]
struct Listed {
    kind: Kind,
    made_at: String,
    until: String,
    bytes: u64,
    file: String,
}

impl Row for Listed {
    const HEAD: &'static [&'static str] = &["of", "made", "until", "bytes", "file"];

    fn cells(&self) -> Vec<String> {
        let kind = self.kind.as_str().to_owned();
        vec![kind, self.made_at.clone(), self.until.clone(), self.bytes.to_string(), self.file.clone()]
    }
}

fn list(config: &Config, out: Output) -> anyhow::Result<()> {
    let mut listed = Vec::new();
    for shelf in config.backup.shelves()? {
        listed.extend(shelf.list().map_err(detailed)?.into_iter().map(|stored| Listed {
            kind: shelf.kind(),
            made_at: stored.made_at.to_string(),
            until: shelf.until(stored.made_at).to_string(),
            bytes: stored.bytes,
            file: stored.file.display().to_string(),
        }));
    }
    out.list(&listed)
}

async fn restore_data(config: &Config, args: &FileArgs, by: &By, out: Output) -> anyhow::Result<Restored> {
    let identities = args.identities()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keyring = existing(config, "keyring.url", &config.keyring.url).await?;
    let keyring = match keyring {
        Some(keyring) if !is_empty(&keyring, Kind::Keyring).await.map_err(detailed)? => keyring,
        _ => anyhow::bail!("keyring.url names no keyring: restore that first (`tacit restore keyring`)"),
    };
    let keys =
        KeyStore::open(keyring, crate::master::read(&config.keyring)?, Arc::clone(&clock)).await.map_err(detailed)?;
    keys.log_to(&config.keyring.erasure_log).await.map_err(detailed)?;
    let db = open("database.url", &config.database.url, config.database.max_connections).await?;
    let mut progress = Progress::new(out);
    let told = &mut |table: &str, rows| progress.tell(table, rows);
    let restored = backup::restore_data((&db, &keys, &clock), (&args.file, &identities), by, told).await;
    progress.over();
    db.close().await;
    restored.map_err(detailed)
}

async fn restore_keyring(
    config: &Config,
    args: &FileArgs,
    erasures: &Path,
    by: &By,
    out: Output,
) -> anyhow::Result<Restored> {
    let identities = args.identities()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let masters = crate::master::read(&config.keyring)?;
    let db = open("keyring.url", &config.keyring.url, config.database.max_connections).await?;
    let data = match existing(config, "database.url", &config.database.url).await? {
        Some(data) if !is_empty(&data, Kind::Data).await.map_err(detailed)? => {
            check_current(&data, Kind::Data).await.map_err(detailed).context("database.url")?;
            Some(data)
        }
        _ => None,
    };
    let mut progress = Progress::new(out);
    let told = &mut |table: &str, rows| progress.tell(table, rows);
    let parts = (&db, masters, &clock);
    let restored = backup::restore_keyring(parts, (&args.file, &identities), erasures, data.as_ref(), by, told).await;
    progress.over();
    db.close().await;
    restored.map_err(detailed)
}

/// Opens a database if there is one: SQLite would make the file.
async fn existing(config: &Config, key: &str, url: &DatabaseUrl) -> anyhow::Result<Option<Db>> {
    let text = url.read().with_context(|| format!("{key} cannot be read"))?;
    let path = text.expose_secret().strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
    if path.is_some_and(|path| !Path::new(path).exists()) {
        return Ok(None);
    }
    open(key, url, config.database.max_connections).await.map(Some)
}

/// Says on a terminal how far it is.
struct Progress {
    shown: bool,
    on: bool,
}

impl Progress {
    fn new(out: Output) -> Self {
        Self { shown: false, on: !out.json() && std::io::stderr().is_terminal() }
    }

    fn tell(&mut self, table: &str, rows: u64) -> ControlFlow<()> {
        if self.on {
            self.shown = true;
            drop(write!(std::io::stderr().lock(), "\r\x1b[K{table}: {rows} rows"));
        }
        ControlFlow::Continue(())
    }

    fn over(&self) {
        if self.shown {
            drop(write!(std::io::stderr().lock(), "\r\x1b[K"));
        }
    }
}
