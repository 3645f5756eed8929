//! Checkpoints: origin, size and root of a log, as C2SP tlog-checkpoint (<https://c2sp.org/tlog-checkpoint>) writes them.

use data_encoding::BASE64;
use std::fmt;
use tacit_vault::merkle::TreeHash;
use tacit_vault::{NoteError, NoteVerifier};

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: TreeHash,
}

impl fmt::Display for Checkpoint {
    /// The text that is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root))
    }
}

impl Checkpoint {
    /// Reads a signed checkpoint of the log whose key this is.
    ///
    /// # Errors
    /// [`NoteError`]; `Malformed` also if the text is no checkpoint of that log.
    pub fn open(note: &str, verifier: &NoteVerifier) -> Result<Self, NoteError> {
        let read = Self::parse(verifier.open(note)?).filter(|c| c.origin == verifier.name());
        read.ok_or(NoteError::Malformed)
    }

    /// Reads the text of a checkpoint; lines after the third are extensions, which say nothing here.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let number: u64 = size.parse().ok()?;
        let root = BASE64.decode(root.as_bytes()).ok()?.try_into().ok()?;
        let whole = !origin.is_empty() && number.to_string() == size && lines.all(|line| !line.is_empty());
        whole.then(|| Self { origin: origin.to_owned(), size: number, root })
    }
}
