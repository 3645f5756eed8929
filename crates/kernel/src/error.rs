//! What can go wrong, without a word about HTTP: the edge decides the status and the shape.

use std::borrow::Cow;
use std::fmt;

/// The kind of a failure, from which each edge derives its own status code and error shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller sent something that cannot be accepted; sending it again unchanged cannot help.
    Invalid,
    /// No credential, or one that is not known.
    Unauthenticated,
    /// Known, but not allowed.
    Forbidden,
    /// No such thing.
    NotFound,
    /// Clashes with the present state.
    Conflict,
    /// A limit was reached; waiting helps.
    Limited,
    /// The balance does not cover it.
    InsufficientFunds,
    /// A provider failed.
    Upstream,
    /// We cannot serve now; trying later helps.
    Unavailable,
    /// Our own fault.
    Internal,
}

/// A failure with a stable code, a message that is safe to show to the caller, and a private detail for the log of
/// the operator. Neither text may hold a string that came from a client.
pub struct Fault {
    /// See [`ErrorKind`].
    pub kind: ErrorKind,
    /// Stable, dotted, e.g. `key.unknown`; documented, part of the interface.
    pub code: &'static str,
    /// For the caller: what is wrong and what to do.
    pub message: Cow<'static, str>,
    /// For the operator only; never leaves the process but in a log.
    pub detail: Option<String>,
    /// After how many seconds it may be tried again, where waiting helps and that is known.
    pub retry_after: Option<u64>,
}

impl Fault {
    /// A fault without private detail.
    pub fn new(kind: ErrorKind, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, code, message: message.into(), detail: None, retry_after: None }
    }

    /// Our own fault: the caller only learns that it was.
    pub fn internal(code: &'static str, detail: impl fmt::Display) -> Self {
        Self {
            kind: ErrorKind::Internal,
            code,
            message: "the platform failed; the operator has been told, try again later".into(),
            detail: Some(detail.to_string()),
            retry_after: None,
        }
    }

    /// The same, to be tried again after so many seconds.
    #[must_use]
    pub const fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same with a private detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.kind, self.code, self.message)?;
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}
