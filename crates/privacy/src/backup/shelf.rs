//! A directory with backups of one kind. What is not named as we name them, or is no file of age, is not touched.

use super::Kind;
use super::envelope::{MAGIC, Recipients, Sealing};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use tacit_kernel::{ErrorKind, Fault, Timestamp};

const DAY: i64 = 86_400_000_000;
/// A file that is not whole and that nobody can be writing any more.
const LEFT: i64 = 2 * DAY;
const PART: &str = ".part";

/// Where backups of a kind lie, to whom they are encrypted, and for how long.
#[derive(Clone, Debug)]
pub struct Shelf {
    kind: Kind,
    directory: PathBuf,
    recipients: Recipients,
    days: u32,
}

/// A backup that lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The file.
    pub file: PathBuf,
    /// When it was begun.
    pub made_at: Timestamp,
    /// Its size.
    pub bytes: u64,
}

impl Shelf {
    /// A shelf. The directory is made when it is needed.
    #[must_use]
    pub const fn new(kind: Kind, directory: PathBuf, recipients: Recipients, days: u32) -> Self {
        Self { kind, directory, recipients, days }
    }

    /// What lies on it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// For how many days.
    #[must_use]
    pub const fn days(&self) -> u32 {
        self.days
    }

    /// When a backup of that moment goes.
    #[must_use]
    pub fn until(&self, made_at: Timestamp) -> Timestamp {
        made_at.plus_micros(i64::from(self.days).saturating_mul(DAY))
    }

    fn failed(&self, error: &io::Error) -> Fault {
        let what = format!("the directory of backups {} cannot be used: {error}", self.directory.display());
        Fault::new(ErrorKind::Unavailable, "backup.unwritable", what)
    }

    /// The whole backups, oldest first.
    ///
    /// # Errors
    /// `backup.unwritable` if the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Stored>, Fault> {
        let mut found = self.entries("").map_err(|error| self.failed(&error))?;
        found.sort_by_key(|stored| stored.made_at);
        Ok(found)
    }

    fn entries(&self, suffix: &str) -> io::Result<Vec<Stored>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let named = name.to_str().and_then(|name| name.strip_suffix(suffix)).and_then(|name| self.moment(name));
            let (Some(made_at), true) = (named, entry.file_type()?.is_file()) else { continue };
            let file = entry.path();
            match is_of_age(&file) {
                // Another process has just taken it away; or another user made it, which keeps nobody from the rest.
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {}
                // One that is being written may be empty still.
                is_ours => {
                    if is_ours? || !suffix.is_empty() {
                        found.push(Stored { bytes: entry.metadata()?.len(), file, made_at });
                    }
                }
            }
        }
        Ok(found)
    }

    fn head(&self) -> String {
        format!("tacit-{}-", self.kind.as_str())
    }

    /// `tacit-data-20261126T161124.123456Z.age`
    fn name(&self, made_at: Timestamp) -> String {
        format!("{}{}.age", self.head(), made_at.to_string().replace(['-', ':'], ""))
    }

    /// The moment in a name; `None` if it is not exactly one of ours.
    fn moment(&self, name: &str) -> Option<Timestamp> {
        let text = name.strip_prefix(&self.head())?.strip_suffix(".age")?;
        let made_at = Timestamp::parse(text).ok()?;
        (self.name(made_at) == name).then_some(made_at)
    }

    /// Those that are due when what is older than that goes.
    pub(crate) fn due(&self, before: Timestamp) -> Result<Vec<Stored>, Fault> {
        let mut due = self.list()?;
        let left = self.entries(PART).map_err(|error| self.failed(&error))?;
        // A part is due when its own time is over, or when whoever wrote it is surely gone.
        let is_left = |stored: &Stored| before.micros_since(stored.made_at) > LEFT - i64::from(self.days) * DAY;
        due.retain(|stored| stored.made_at < before);
        due.extend(left.into_iter().filter(|stored| stored.made_at < before || is_left(stored)));
        Ok(due)
    }

    /// Deletes what is due; how many files went.
    pub(crate) fn take_away(&self, due: &[Stored]) -> Result<u64, Fault> {
        let mut gone = 0;
        for stored in due {
            match fs::remove_file(&stored.file) {
                // Another process did it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => {
                    removed.map_err(|error| self.failed(&error))?;
                    gone += 1;
                }
            }
        }
        if gone > 0 {
            sync(&self.directory).map_err(|error| self.failed(&error))?;
        }
        Ok(gone)
    }

    /// Begins a backup of that moment.
    pub(super) fn begin(&self, made_at: Timestamp) -> Result<Pending, Fault> {
        let begin = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
            let whole = self.directory.join(self.name(made_at));
            let part = self.directory.join(format!("{}{PART}", self.name(made_at)));
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
            // From here on it goes by itself if it does not become whole.
            let part = Part(part);
            Ok(Pending { sealing: Sealing::begin(file, &self.recipients)?, part, whole })
        };
        begin().map_err(|error| self.failed(&error))
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn is_of_age(file: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    let length = u64::try_from(MAGIC.len()).unwrap_or(u64::MAX);
    File::open(file)?.take(length).read_to_end(&mut head)?;
    Ok(head == MAGIC)
}

/// A file that is not whole: removed when this is dropped.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A backup that is being written.
pub(super) struct Pending {
    sealing: Sealing,
    part: Part,
    whole: PathBuf,
}

impl Pending {
    /// Puts it where whole backups are, once it is on the disk; the file and its size.
    pub(super) fn finish(self) -> Result<(PathBuf, u64), Fault> {
        let Self { sealing, part, whole } = self;
        let finish = || {
            let file = sealing.finish()?;
            file.sync_all()?;
            // Not over another one, which a second process began in the same microsecond.
            fs::hard_link(&part.0, &whole)?;
            sync(whole.parent().unwrap_or(Path::new(".")))?;
            file.metadata().map(|metadata| metadata.len())
        };
        let bytes = finish().map_err(|error| {
            let what = format!("the backup {} cannot be written: {error}", whole.display());
            Fault::new(ErrorKind::Unavailable, "backup.unwritable", what)
        })?;
        Ok((whole, bytes))
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sealing.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sealing.flush()
    }
}
