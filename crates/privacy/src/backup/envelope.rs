//! What a backup lies in: zstd within age (<https://age-encryption.org/v1>), so that `age -d | zstd -d` opens it too.

use age::secrecy::{ExposeSecret as _, SecretString};
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use tacit_kernel::{ErrorKind, Fault, Timestamp};
use tacit_storage::backup::Reader;

/// With what every file of age begins.
pub(super) const MAGIC: &[u8] = b"age-encryption.org/v1\n";
/// The default of zstd: a third of the size at some hundred megabytes a second.
const LEVEL: i32 = 3;

/// To whom backups are encrypted.
#[derive(Clone)]
pub struct Recipients(Vec<Recipient>);

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} recipients", self.0.len())
    }
}

impl Recipients {
    /// Those, each as `age1…`.
    ///
    /// # Errors
    /// If one is none, or there is none.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        // Never the text itself: it may be the key that somebody took for the recipient.
        let parsed = texts.iter().enumerate().map(|(place, text)| {
            text.parse().map_err(|why| {
                format!(
                    "number {} is no recipient of age ({why}): it looks like age1… and is what `tacit backup key` prints",
                    place + 1
                )
            })
        });
        match parsed.collect::<Result<Vec<Recipient>, String>>()? {
            none if none.is_empty() => Err("give at least one recipient: `tacit backup key` makes one".to_owned()),
            some => Ok(Self(some)),
        }
    }
}

/// Who opens backups.
pub struct Identities(Vec<Identity>);

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[keys]")
    }
}

impl Identities {
    /// What a file of identities holds, as `age-keygen` and `tacit backup key` write it.
    ///
    /// # Errors
    /// If there is none in it. No part of the text is in the error.
    pub fn parse(text: &SecretString) -> Result<Self, &'static str> {
        let lines =
            text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let parsed: Result<Vec<Identity>, _> = lines.map(str::parse).collect();
        match parsed {
            Ok(some) if !some.is_empty() => Ok(Self(some)),
            _ => Err(
                "there is no identity of age in it: a line of it begins with AGE-SECRET-KEY-1, and `tacit backup key` \
                      makes one",
            ),
        }
    }

    /// A new one: the text of its file, and its recipient.
    #[must_use]
    pub fn generate(now: Timestamp) -> (SecretString, String) {
        let identity = Identity::generate();
        let recipient = identity.to_public().to_string();
        let secret = identity.to_string();
        let text = format!("# created: {now}\n# public key: {recipient}\n{}", secret.expose_secret());
        (SecretString::from(text), recipient)
    }
}

/// A file that is being written: whatever goes in is compressed and encrypted.
pub(super) struct Sealing(zstd::Encoder<'static, age::stream::StreamWriter<BufWriter<File>>>);

impl Sealing {
    pub(super) fn begin(file: File, recipients: &Recipients) -> io::Result<Self> {
        let each = recipients.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(each).map_err(io::Error::other)?;
        Ok(Self(zstd::Encoder::new(encryptor.wrap_output(BufWriter::new(file))?, LEVEL)?))
    }

    /// Ends it; the file, with everything handed to the system.
    pub(super) fn finish(self) -> io::Result<File> {
        self.0.finish()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Write for Sealing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Opens a backup up to its header.
pub(super) fn open(file: &Path, identities: &Identities) -> Result<Reader, Fault> {
    let refuse = |code, why: String| Fault::new(ErrorKind::Invalid, code, format!("{}: {why}", file.display()));
    let input =
        File::open(file).map_err(|error| refuse("backup.unreadable", format!("it cannot be read ({error})")))?;
    let damaged = |error: DecryptError| match error {
        DecryptError::NoMatchingKeys => refuse(
            "backup.identity",
            "no identity that was given opens it: give the one whose recipient it was made for".to_owned(),
        ),
        DecryptError::Io(error)
            if error.kind() != io::ErrorKind::InvalidData && error.kind() != io::ErrorKind::UnexpectedEof =>
        {
            refuse("backup.unreadable", format!("it cannot be read ({error})"))
        }
        _ => refuse("backup.damaged", "it is no file of age, or damaged at its head: use another one".to_owned()),
    };
    let decryptor = Decryptor::new_buffered(BufReader::new(input)).map_err(damaged)?;
    let each = identities.0.iter().map(|identity| identity as &dyn age::Identity);
    let opened = decryptor.decrypt(each).map_err(damaged)?;
    let plain = zstd::Decoder::new(opened)
        .map_err(|_| refuse("backup.damaged", "it is damaged: use another one".to_owned()))?;
    Reader::open(Box::new(plain))
}
