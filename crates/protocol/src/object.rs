//! The members of one JSON object by name, read chunk by chunk: where each wanted value stands and, if it is small
//! enough, its bytes. Everything else is skipped, strings and brackets balanced but not otherwise checked: whoever gets
//! the whole body checks that.

use crate::scan::{Media, Nested, Skipper, string_end};
use memchr::memchr;
use std::ops::Range;

/// A member that is looked for.
pub(crate) struct Wanted {
    pub(crate) name: &'static str,
    /// The value may have at most so many bytes; 0: it is not kept, and may have any length.
    pub(crate) limit: usize,
    /// Whether the elements of an array are counted.
    pub(crate) count: bool,
}

/// A member that was found.
pub(crate) struct Found {
    /// Of the value, from the start of the text.
    pub(crate) span: Range<usize>,
    /// The value's bytes, empty if they are not kept.
    pub(crate) raw: Vec<u8>,
    /// Elements of an array, if counted; otherwise 1.
    pub(crate) elements: u64,
}

/// What is wrong with the text; positions count bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanError {
    NotAnObject,
    Syntax { at: usize },
    TooDeep { at: usize },
    Duplicate { name: &'static str },
    TooLong { name: &'static str },
    Trailing { at: usize },
    Unterminated,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    FirstKey,
    NextKey,
    Key,
    Colon,
    Value,
    Text,
    Scalar,
    Nested,
    AfterValue,
    Done,
}

/// Longest spelling of a wanted name: 25 characters, each written as `\uXXXX`.
const KEY_LIMIT: usize = 160;

pub(crate) struct ObjectScanner<const N: usize> {
    wanted: &'static [Wanted; N],
    found: [Option<Found>; N],
    state: State,
    /// Position of the present chunk.
    base: usize,
    open: usize,
    value_at: usize,
    key: Vec<u8>,
    key_too_long: bool,
    current: Option<usize>,
    raw: Vec<u8>,
    escaped: bool,
    skipper: Skipper,
    failed: Option<ScanError>,
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

impl<const N: usize> ObjectScanner<N> {
    pub(crate) fn new(wanted: &'static [Wanted; N]) -> Self {
        Self {
            wanted,
            found: [const { None }; N],
            state: State::Start,
            base: 0,
            open: 0,
            value_at: 0,
            key: Vec::new(),
            key_too_long: false,
            current: None,
            raw: Vec::new(),
            escaped: false,
            skipper: Skipper::default(),
            failed: None,
        }
    }

    /// Takes the next chunk. After an error everything further is ignored and the error comes again.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), ScanError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let outcome = self.scan(chunk);
        self.failed = outcome.err();
        self.base += chunk.len();
        outcome
    }

    /// The members, in the order of the wanted names.
    pub(crate) fn finish(self) -> Result<Members<N>, ScanError> {
        match (self.failed, self.state) {
            (Some(error), _) => Err(error),
            (None, State::Done) => Ok(Members {
                found: self.found,
                after_brace: self.open + 1,
                len: self.base,
                media: self.skipper.media(),
            }),
            (None, State::Start) => Err(ScanError::NotAnObject),
            (None, _) => Err(ScanError::Unterminated),
        }
    }

    fn scan(&mut self, chunk: &[u8]) -> Result<(), ScanError> {
        let mut at = 0_usize;
        while let Some(rest) = chunk.get(at..) {
            let Some(&byte) = rest.first() else { break };
            match self.state {
                State::Key => {
                    let end = string_end(rest, &mut self.escaped);
                    self.add_to_key(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
                    let Some(end) = end else { break };
                    self.current = self.name_of_key(self.base + at)?;
                    self.state = State::Colon;
                    at += end + 1;
                }
                State::Text => {
                    let end = string_end(rest, &mut self.escaped).map(|i| i + 1);
                    at += self.take(rest, at, end)?;
                }
                State::Scalar => {
                    let end = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')));
                    at += self.take(rest, at, end)?;
                }
                State::Nested => match self.skipper.push(rest) {
                    Nested::Goes => at += self.take(rest, at, None)?,
                    Nested::Ended(end) => at += self.take(rest, at, Some(end))?,
                    Nested::TooDeep => return Err(ScanError::TooDeep { at: self.base + at }),
                    Nested::Syntax(near) => return Err(ScanError::Syntax { at: self.base + at + near }),
                },
                _ if is_space(byte) => at += 1,
                _ => at += self.punctuation(byte, self.base + at)?,
            }
        }
        Ok(())
    }

    /// One byte outside of keys and values; gives back how many bytes were used.
    fn punctuation(&mut self, byte: u8, at: usize) -> Result<usize, ScanError> {
        let (state, used) = match (self.state, byte) {
            (State::Start, b'{') => {
                self.open = at;
                (State::FirstKey, 1)
            }
            (State::Start, _) => return Err(ScanError::NotAnObject),
            (State::FirstKey, b'}') | (State::AfterValue, b'}') => (State::Done, 1),
            (State::FirstKey | State::NextKey, b'"') => {
                self.key.clear();
                self.key_too_long = false;
                self.escaped = false;
                (State::Key, 1)
            }
            (State::Colon, b':') => (State::Value, 1),
            (State::AfterValue, b',') => (State::NextKey, 1),
            (State::Value, _) => {
                self.value_at = at;
                self.begin_value(byte).ok_or(ScanError::Syntax { at })?
            }
            (State::Done, _) => return Err(ScanError::Trailing { at }),
            _ => return Err(ScanError::Syntax { at }),
        };
        self.state = state;
        Ok(used)
    }

    fn begin_value(&mut self, byte: u8) -> Option<(State, usize)> {
        self.raw.clear();
        match byte {
            b'"' => {
                self.escaped = false;
                if self.current.and_then(|i| self.wanted.get(i)).is_some_and(|w| w.limit > 0) {
                    self.raw.push(b'"');
                }
                Some((State::Text, 1))
            }
            b'{' | b'[' => {
                let count = byte == b'[' && self.current.and_then(|i| self.wanted.get(i)).is_some_and(|w| w.count);
                self.skipper.begin(count);
                Some((State::Nested, 0))
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Some((State::Scalar, 0)),
            _ => None,
        }
    }

    /// The value goes on for `end` bytes of `rest` and ends there, or fills it. Gives back how many were used.
    fn take(&mut self, rest: &[u8], at: usize, end: Option<usize>) -> Result<usize, ScanError> {
        let used = end.unwrap_or(rest.len());
        if let Some(wanted) = self.current.and_then(|i| self.wanted.get(i)).filter(|w| w.limit > 0) {
            if self.raw.len() + used > wanted.limit {
                return Err(ScanError::TooLong { name: wanted.name });
            }
            self.raw.extend_from_slice(rest.get(..used).unwrap_or_default());
        }
        if end.is_some() {
            let elements = if self.state == State::Nested { self.skipper.elements() } else { 1 };
            self.state = State::AfterValue;
            if let Some(found) = self.current.and_then(|i| self.found.get_mut(i)) {
                let span = self.value_at..self.base + at + used;
                *found = Some(Found { span, raw: std::mem::take(&mut self.raw), elements });
            }
        }
        Ok(used)
    }

    fn add_to_key(&mut self, piece: &[u8]) {
        if self.key.len() + piece.len() > KEY_LIMIT {
            self.key_too_long = true;
        } else {
            self.key.extend_from_slice(piece);
        }
    }

    /// Which wanted name the key is, however it is spelled.
    fn name_of_key(&self, at: usize) -> Result<Option<usize>, ScanError> {
        if self.key_too_long {
            return Ok(None);
        }
        let index = if memchr(b'\\', &self.key).is_none() {
            self.wanted.iter().position(|w| w.name.as_bytes() == self.key)
        } else {
            let mut quoted = Vec::with_capacity(self.key.len() + 2);
            quoted.push(b'"');
            quoted.extend_from_slice(&self.key);
            quoted.push(b'"');
            let name: String = serde_json::from_slice(&quoted).map_err(|_| ScanError::Syntax { at })?;
            self.wanted.iter().position(|w| w.name == name)
        };
        match index.and_then(|i| Some((self.wanted.get(i)?, self.found.get(i)?))) {
            Some((wanted, Some(_))) => Err(ScanError::Duplicate { name: wanted.name }),
            _ => Ok(index),
        }
    }
}

/// The outcome of a scan.
pub(crate) struct Members<const N: usize> {
    pub(crate) found: [Option<Found>; N],
    /// Position right after the opening brace.
    pub(crate) after_brace: usize,
    /// Length of the text.
    pub(crate) len: usize,
    pub(crate) media: Media,
}
