//! A wrapper that keeps personal data out of logs and error texts.

use std::fmt;

/// A value about a person. It cannot be printed or serialised by accident; [`Personal::reveal`] is the one way to it
/// and is easy to search for.
#[derive(Clone, PartialEq, Eq)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for a purpose that the data map allows.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// The value, taken out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}
