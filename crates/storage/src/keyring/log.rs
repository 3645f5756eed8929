//! The erasure log: every tombstone once more, in a file outside both databases. An older copy of the keyring knows nothing
//! of the erasures since; from this log it learns of them before it can be opened.
//!
//! A line names the keyring, then each tombstone is a line, in the chain that the keyring has. The file only grows, and is on
//! the disk before an erasure is said to be done. It holds keyed hashes and times, no id.

use super::belonging::older;
use super::{ErasuresHead, KeyStore, store};
use crate::sqlite::blocking;
use data_encoding::HEXLOWER;
use parking_lot::Mutex;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tacit_kernel::{ErrorKind, Fault, Timestamp};
use tacit_vault::keyed_hash;

const MAGIC: &str = "tacit erasure log 1";
const KEYRING: &str = "keyring-erasures-log";
/// Tombstones written at once.
const PAGE: i64 = 1000;

/// A tombstone with all that its link of the chain is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tombstone {
    pub(super) seq: i64,
    pub(super) tomb: [u8; 32],
    pub(super) epoch: i64,
    pub(super) at: Timestamp,
    pub(super) chain: [u8; 32],
}

impl Tombstone {
    fn line(&self) -> String {
        let [tomb, chain] = [&self.tomb, &self.chain].map(|hash| HEXLOWER.encode(hash));
        format!("{} {tomb} {} {} {chain}\n", self.seq, self.epoch, self.at.0)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let hash = |word: &str| <[u8; 32]>::try_from(HEXLOWER.decode(word.as_bytes()).ok()?).ok();
        let seq = words.next()?.parse().ok()?;
        let tomb = hash(words.next()?)?;
        let epoch = words.next()?.parse().ok()?;
        let at = Timestamp(words.next()?.parse().ok()?);
        let chain = hash(words.next()?)?;
        words.next().is_none().then_some(Self { seq, tomb, epoch, at, chain })
    }
}

/// The file, and how far it goes.
pub(super) struct ErasureLog {
    path: PathBuf,
    first: String,
    written: Mutex<()>,
}

impl KeyStore {
    /// Which keyring it is: the same in every copy of it, whatever was done with it since.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        keyed_hash(&self.tombs, KEYRING, b"")
    }

    fn first_line(&self) -> String {
        format!("{MAGIC} {}\n", HEXLOWER.encode(&self.fingerprint()))
    }

    /// Writes erasures into that file too from now on, those first that it lacks.
    ///
    /// # Errors
    /// `keyring.erasure_log` if it cannot be read or written, is damaged, or is that of another keyring; `keyring.older` if it
    /// knows of erasures that the keyring does not; storage faults.
    pub async fn log_to(&self, path: &Path) -> Result<(), Fault> {
        let log = ErasureLog { path: path.to_owned(), first: self.first_line(), written: Mutex::new(()) };
        let known = blocking(|| {
            let tombstones = read(path, &log.first, Torn::Repaired)?;
            self.check_chain(path, &tombstones)
        })?;
        if !self.knows(&known).await? {
            return Err(older(&known));
        }
        // Given twice, it is the first.
        let _ = self.log.set(log);
        self.log_erasures().await
    }

    /// Writes into the log what it lacks, as when another process destroyed keys. Nothing without a log.
    ///
    /// # Errors
    /// `keyring.erasure_log` if it cannot be written; storage faults.
    pub async fn log_erasures(&self) -> Result<(), Fault> {
        let Some(log) = self.log.get() else { return Ok(()) };
        loop {
            let end = blocking(|| log.append(&[]))?;
            let more = self.db.read("keyring.log", |tx| Box::pin(store::erasures_logged(tx, end, PAGE))).await?;
            if more.is_empty() {
                return Ok(());
            }
            blocking(|| log.append(&more))?;
        }
    }

    /// The tombstones of a log that is given for a restored keyring.
    pub(super) fn read_log(&self, path: &Path) -> Result<Vec<Tombstone>, Fault> {
        let tombstones = read(path, &self.first_line(), Torn::Refused)?;
        self.check_chain(path, &tombstones)?;
        Ok(tombstones)
    }

    /// How far a log goes whose every line follows from the one before.
    fn check_chain(&self, path: &Path, tombstones: &[Tombstone]) -> Result<ErasuresHead, Fault> {
        let mut head = ErasuresHead::NONE;
        for found in tombstones {
            let chain = self.chained(&head.chain, &found.tomb, found.epoch, found.at);
            if u64::try_from(found.seq).ok() != Some(head.count + 1) || chain != found.chain {
                return Err(broken(path, format!("line {} does not follow from the one before", head.count + 2)));
            }
            head = ErasuresHead { count: head.count + 1, chain };
        }
        Ok(head)
    }
}

impl ErasureLog {
    /// Appends those that it does not have; the number of its last tombstone then.
    fn append(&self, tombstones: &[Tombstone]) -> Result<i64, Fault> {
        let _alone = self.written.lock();
        self.append_locked(tombstones).map_err(|error| unwritable(&self.path, &error))
    }

    fn append_locked(&self, tombstones: &[Tombstone]) -> io::Result<i64> {
        let is_new = !self.path.exists();
        let mut file = fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        // Of other processes with the same file.
        file.lock()?;
        let before = last(&mut file)?;
        let end = before.unwrap_or_default();
        let mut text = before.map_or_else(|| self.first.clone(), |_| String::new());
        text.extend(tombstones.iter().filter(|tombstone| tombstone.seq > end).map(Tombstone::line));
        if !text.is_empty() {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
        }
        if is_new && let Some(directory) = self.path.parent().filter(|path| !path.as_os_str().is_empty()) {
            File::open(directory)?.sync_all()?;
        }
        Ok(tombstones.last().map_or(end, |last| last.seq.max(end)))
    }
}

/// The number of the last tombstone; `None` in an empty file. A line that a crash cut off is taken away: its erasure was not
/// said to be done, and the keyring has it.
fn last(file: &mut File) -> io::Result<Option<i64>> {
    let length = file.metadata()?.len();
    // A line is shorter than 200 bytes.
    file.seek(SeekFrom::Start(length.saturating_sub(1000)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    if whole < tail.len() {
        let torn = u64::try_from(tail.len() - whole).unwrap_or_default();
        file.set_len(length.saturating_sub(torn))?;
        file.sync_all()?;
    }
    let text = String::from_utf8_lossy(tail.get(..whole).unwrap_or_default()).into_owned();
    let Some(line) = text.lines().last() else { return Ok(None) };
    Ok(Some(Tombstone::parse(line).map_or(0, |tombstone| tombstone.seq)))
}

/// What to do with a last line that is not whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Torn {
    /// It is passed over: the keyring has what it said.
    Repaired,
    /// Nobody can tell what it said.
    Refused,
}

fn read(path: &Path, first: &str, torn: Torn) -> Result<Vec<Tombstone>, Fault> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        // It is written anew from the keyring, which knows of all erasures.
        Err(error) if error.kind() == io::ErrorKind::NotFound && torn == Torn::Repaired => String::new(),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let whole = text.rfind('\n').map_or("", |end| text.get(..=end).unwrap_or_default());
    if whole.len() < text.len() && torn == Torn::Refused {
        return Err(broken(
            path,
            "its last line is cut off; give another copy. If the machine stopped while it was written and there is no \
             better one, take that line away by hand"
                .to_owned(),
        ));
    }
    // Nothing is there, or what a crash left of the first line; whatever else it is is not ours to take away.
    if whole.is_empty() && torn == Torn::Repaired && first.starts_with(&text) {
        return Ok(Vec::new());
    }
    let Some(lines) = whole.strip_prefix(first) else {
        let is_log = whole.starts_with(MAGIC);
        let why = if is_log { "it is that of another keyring" } else { "it is not an erasure log" };
        return Err(broken(path, why.to_owned()));
    };
    let parsed = lines.lines().zip(2..).map(|(line, number)| {
        Tombstone::parse(line).ok_or_else(|| broken(path, format!("line {number} cannot be read")))
    });
    parsed.collect()
}

fn broken(path: &Path, why: String) -> Fault {
    Fault::new(ErrorKind::Invalid, "keyring.erasure_log", format!("the erasure log {}: {why}", path.display()))
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    broken(path, format!("it cannot be read ({error}); without it nobody knows who was erased since"))
}

fn unwritable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(
        ErrorKind::Unavailable,
        "keyring.erasure_log",
        format!(
            "the erasure log {} cannot be written ({error}): no erasure is done before it is there",
            path.display()
        ),
    )
}
