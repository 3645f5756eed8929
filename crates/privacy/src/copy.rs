//! A copy of everything that is held about somebody, in one archive: every set of rows as JSON and as CSV, papers as the files
//! they were, and a page for people. What is in it is told by the data map, and so is what is not, with the reason (GDPR
//! articles 15 and 20; PIPL articles 45).
//!
//! It is streamed while it is read, from one snapshot of the database, and kept nowhere.

mod archive;
mod held;
mod page;
mod shown;
#[cfg(test)]
mod tests;

pub use held::{Held, HeldColumn, HeldSet, NotGiven};

use crate::{Language, Policy, PolicyError};
use archive::Archive;
use parking_lot::Mutex;
use serde_json::Value as Json;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Clock;
use tacit_kernel::ids::AccountId;
use tacit_storage::datamap::copying::{Given, GivenRow, given};
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, ReadTx, StorageError};
use tacit_vault::SealKey;
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

/// Rows that are read at once.
const PAGE: u32 = 1000;
/// Rows of a set that the page for people shows; the rest is in the files.
const SHOWN: usize = 50;
/// Copies that are made at once: each holds a connection to the database.
const AT_ONCE: usize = 2;
/// How long whoever is given a copy may take nothing of it. A snapshot is held as long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a copy takes at most: a snapshot that is held keeps the database from being swept.
const LONGEST: Duration = Duration::from_secs(600);
/// The table of papers, and that of their bytes, which are files and no rows.
const PAPERS: &str = "verification_papers";
const PIECES: &str = "verification_pieces";

/// A copy that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Nobody is there, or not any more.
    #[error("there is no such account")]
    NotFound,
    /// Others are being made.
    #[error("other copies are being made: try again in a minute")]
    Busy,
    /// Whoever asked does not take it.
    #[error("the copy is not taken")]
    NotTaken,
    /// The archive.
    #[error("archive: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// The archive.
    #[error("archive: {0}")]
    Csv(#[from] csv::Error),
    /// The archive.
    #[error("archive: {0}")]
    Json(#[from] serde_json::Error),
    /// The page for people.
    #[error(transparent)]
    Page(#[from] PolicyError),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The keyring.
    #[error("{0}")]
    Keyring(tacit_kernel::Fault),
}

/// Pieces of an archive as they come. One that ends with an error is not whole.
pub type Pieces = mpsc::Receiver<io::Result<Vec<u8>>>;

/// Makes copies.
pub struct Copies {
    db: Db,
    keys: Arc<KeyStore>,
    policy: Arc<Policy>,
    clock: Arc<dyn Clock>,
    at_once: Arc<Semaphore>,
    /// Whose are being made.
    under_way: Mutex<HashSet<AccountId>>,
}

/// A set as it went into the archive, for the page.
struct Written {
    given: Given,
    rows: u64,
    first: Vec<Vec<Json>>,
}

/// One copy while it is made.
struct Making {
    archive: Archive,
    out: mpsc::Sender<io::Result<Vec<u8>>>,
    account: AccountId,
    key: SealKey,
    /// The case that each paper belongs to.
    cases: HashMap<Uuid, Uuid>,
}

impl std::fmt::Debug for Copies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[copies]")
    }
}

impl Copies {
    /// Copies of what is in that database, told in the words of the policy that is published.
    #[must_use]
    pub fn new(db: Db, keys: Arc<KeyStore>, policy: Arc<Policy>, clock: Arc<dyn Clock>) -> Self {
        Self { db, keys, policy, clock, at_once: Arc::new(Semaphore::new(AT_ONCE)), under_way: Mutex::default() }
    }

    /// Begins a copy of what is held about that account.
    ///
    /// # Errors
    /// [`CopyError::NotFound`], [`CopyError::Busy`]; keyring.
    pub async fn begin(self: &Arc<Self>, account: AccountId, language: Language) -> Result<Pieces, CopyError> {
        let key = self.keys.get(account.0).await.map_err(CopyError::Keyring)?.ok_or(CopyError::NotFound)?;
        let permit = Arc::clone(&self.at_once).try_acquire_owned().map_err(|_| CopyError::Busy)?;
        // One that is not taken is not to keep others from theirs.
        if !self.under_way.lock().insert(account) {
            return Err(CopyError::Busy);
        }
        let (out, pieces) = mpsc::channel(4);
        let copies = Arc::clone(self);
        let task = async move {
            let failing = out.clone();
            // A transaction that only reads is not begun anew.
            let mut begun = Some(Making { archive: Archive::new(), out, account, key, cases: HashMap::new() });
            let making = copies.db.read("privacy.copy", |tx| {
                let (copies, begun) = (&copies, begun.take());
                Box::pin(async move {
                    let making = begun.ok_or(CopyError::NotTaken)?;
                    Box::pin(copies.gather(tx, making, language)).await
                })
            });
            let made = tokio::time::timeout(LONGEST, making).await.unwrap_or(Err(CopyError::NotTaken));
            if let Err(error) = made {
                let detail = error.to_string();
                tracing::warn!(event = "privacy.copy_failed", error.code = error.code(), detail);
                let cut = io::Error::other("the copy could not be made to its end");
                let _ = tokio::time::timeout(PATIENCE, failing.send(Err(cut))).await;
            }
            copies.under_way.lock().remove(&account);
            drop(permit);
        };
        tokio::spawn(task);
        Ok(pieces)
    }

    async fn gather(&self, tx: &mut ReadTx<'_>, mut making: Making, language: Language) -> Result<(), CopyError> {
        let mut written = Vec::new();
        for given in given()? {
            if given.table == PIECES {
                making.papers(tx, &given, &self.keys).await?;
                continue;
            }
            let (rows, first) = making.json(tx, &given).await?;
            if rows > 0 {
                making.csv(tx, &given).await?;
            }
            written.push(Written { given, rows, first });
        }
        let withheld = held::withheld(&self.policy, language)?;
        making.archive.begin("withheld.json")?;
        making.archive.json(&withheld)?;
        let page = page::made(&self.policy, language, self.clock.now(), (&written, &withheld))?;
        making.archive.begin("index.html")?;
        making.archive.write(page.as_bytes())?;
        let rest = making.archive.finish()?;
        send(&making.out, rest).await
    }
}

impl Making {
    /// A set as JSON; how many rows it has, and the first of them. Nothing is written of a set without rows.
    async fn json(&mut self, tx: &mut ReadTx<'_>, given: &Given) -> Result<(u64, Vec<Vec<Json>>), CopyError> {
        let (mut rows, mut first, mut after) = (0, Vec::new(), None);
        loop {
            let page = given.page(tx, self.account, after.as_deref(), PAGE).await?;
            if rows == 0 && !page.is_empty() {
                self.archive.begin(&format!("json/{}.json", given.table))?;
                self.archive.write(b"[")?;
            }
            for row in &page {
                let cells = self.cells(given, row);
                self.archive.write(if rows == 0 { b"\n" } else { b",\n" })?;
                self.archive.json(&shown::object(given, &cells))?;
                rows += 1;
                if first.len() < SHOWN {
                    first.push(cells);
                }
            }
            self.flush().await?;
            after = page.last().map(|row| row.key.clone());
            if page.len() < PAGE as usize {
                break;
            }
        }
        if rows > 0 {
            self.archive.write(b"\n]\n")?;
        }
        Ok((rows, first))
    }

    async fn csv(&mut self, tx: &mut ReadTx<'_>, given: &Given) -> Result<(), CopyError> {
        self.archive.begin(&format!("csv/{}.csv", given.table))?;
        self.archive.record(given.columns.iter().map(|element| shown::name(element).to_owned()))?;
        let mut after = None;
        loop {
            let page = given.page(tx, self.account, after.as_deref(), PAGE).await?;
            for row in &page {
                let cells = self.cells(given, row);
                self.archive.record(cells.iter().map(shown::cell))?;
            }
            self.flush().await?;
            after = page.last().map(|row| row.key.clone());
            if page.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// Papers, each as the file that it was. They are sealed with a key of their case, which goes when its time is over.
    async fn papers(&mut self, tx: &mut ReadTx<'_>, given: &Given, keys: &KeyStore) -> Result<(), CopyError> {
        let (mut after, mut open) = (None, None);
        loop {
            // One piece is a quarter of a megabyte.
            let page = given.page(tx, self.account, after.as_deref(), 4).await?;
            for row in &page {
                let Some(case) = self.cases.get(&row.key.first().and_then(shown::place).unwrap_or_default()) else {
                    continue;
                };
                let Some(key) = keys.get_fleeting(*case).await.map_err(CopyError::Keyring)? else { continue };
                let Some(piece) = shown::piece(given, row, &key) else { continue };
                if open != Some(piece.paper) {
                    self.archive.begin(&format!("papers/{}", piece.file()))?;
                    open = Some(piece.paper);
                }
                self.archive.write(&piece.bytes)?;
                self.flush().await?;
            }
            after = page.last().map(|row| row.key.clone());
            if page.is_empty() {
                return Ok(());
            }
        }
    }

    fn cells(&mut self, given: &Given, row: &GivenRow) -> Vec<Json> {
        if given.table == PAPERS {
            let at = |name| given.columns.iter().position(|element| Given::column(element) == name);
            let cell = |name| at(name).and_then(|at| row.cells.get(at)).and_then(shown::place);
            if let (Some(paper), Some(case)) = (cell("id"), cell("case_id")) {
                self.cases.insert(paper, case);
            }
        }
        shown::cells(given, row, &self.key)
    }

    async fn flush(&mut self) -> Result<(), CopyError> {
        match self.archive.ready() {
            Some(piece) => send(&self.out, piece).await,
            None => Ok(()),
        }
    }
}

async fn send(out: &mpsc::Sender<io::Result<Vec<u8>>>, piece: Vec<u8>) -> Result<(), CopyError> {
    match tokio::time::timeout(PATIENCE, out.send(Ok(piece))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(CopyError::NotTaken),
    }
}

impl CopyError {
    /// Its stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "account.not_found",
            Self::Busy => "copy.busy",
            Self::NotTaken => "copy.not_taken",
            Self::Archive(_) | Self::Csv(_) | Self::Json(_) | Self::Page(_) => "copy.archive",
            Self::Storage(_) => "storage",
            Self::Keyring(fault) => fault.code,
        }
    }
}
