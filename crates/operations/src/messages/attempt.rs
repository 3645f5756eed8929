//! How an attempt to send ends, whichever way the message takes.

use super::model::Failure;
use std::error::Error;
use std::io;

/// Who was given the message has taken it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The number of the answer: of SMTP, such as 250, or of HTTP.
    pub status: u16,
    /// What the other side calls the message. It is kept as a keyed hash only.
    pub reference: Option<String>,
}

/// It was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// The class of it.
    pub failure: Failure,
    /// The number of the answer, if there was one.
    pub status: Option<u16>,
    /// The provider's own code, if its answer had one that looks like a code. It is shown to an operator who tries the
    /// channel, and neither kept nor logged.
    pub code: Option<String>,
}

impl NotTaken {
    pub(crate) const fn without_answer(failure: Failure) -> Self {
        Self { failure, status: None, code: None }
    }

    pub(crate) const fn status(failure: Failure, status: u16) -> Self {
        Self { failure, status: Some(status), code: None }
    }

    /// With the provider's code, unless it is more than a code.
    pub(super) fn with_code(mut self, code: &str) -> Self {
        let fine =
            (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        self.code = fine.then(|| code.to_owned());
        self
    }
}

/// The end of an attempt.
pub type Attempt = Result<Taken, NotTaken>;

/// Whether a failed connection failed for its encryption, however deep that lies; else whether for want of time.
pub(super) fn cause(error: &(dyn Error + 'static)) -> Option<Failure> {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return Some(Failure::Tls);
        }
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) {
            return Some(Failure::Timeout);
        }
        // What an I/O error holds is not its source, but that of which its source would be asked.
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
