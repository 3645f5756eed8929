//! One forward pass over a JSON text that is there as a whole, such as the data of one event: members and elements
//! are visited in place, the rest is skipped. Whatever is not JSON ends the walk with `None`.

use crate::scan::string_end;
use memchr::memchr;

pub(crate) struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// The next byte that is not white space, which is not consumed.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }

    fn bump(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.bump())
    }

    /// The raw inside of a string.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        self.eat(b'"')?;
        let end = match self.rest.iter().take(24).position(|b| matches!(b, b'"' | b'\\')) {
            Some(i) if self.rest.get(i) == Some(&b'"') => i,
            _ => string_end(self.rest, &mut false)?,
        };
        let (inside, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(inside)
    }

    /// Skips a value of any kind and gives back its bytes.
    pub(crate) fn value(&mut self) -> Option<&'a [u8]> {
        let first = self.peek()?;
        let start = self.rest;
        match first {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => {
                let mut depth = 0_usize;
                loop {
                    match self.rest.first()? {
                        b'"' => {
                            self.string()?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth = depth.checked_sub(1)?,
                        _ => (),
                    }
                    self.bump();
                    if depth == 0 {
                        break;
                    }
                }
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                let end =
                    self.rest.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')));
                self.rest = self.rest.get(end.unwrap_or(self.rest.len())..)?;
            }
            _ => return None,
        }
        start.get(..start.len() - self.rest.len())
    }

    /// Visits the members of an object; `visit` must consume the value.
    pub(crate) fn members(&mut self, mut visit: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.eat(b'{')?;
        if self.peek()? == b'}' {
            self.bump();
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.eat(b':')?;
            visit(self, key)?;
            match self.peek()? {
                b',' => self.bump(),
                b'}' => {
                    self.bump();
                    return Some(());
                }
                _ => return None,
            }
            self.peek()?;
        }
    }

    /// Visits the elements of an array; `visit` must consume the value. Gives back how many there were.
    pub(crate) fn elements(&mut self, mut visit: impl FnMut(&mut Self) -> Option<()>) -> Option<usize> {
        self.eat(b'[')?;
        if self.peek()? == b']' {
            self.bump();
            return Some(0);
        }
        let mut count = 0_usize;
        loop {
            visit(self)?;
            count += 1;
            match self.peek()? {
                b',' => self.bump(),
                b']' => {
                    self.bump();
                    return Some(count);
                }
                _ => return None,
            }
        }
    }
}

/// A string without escapes; `None` for one with. Enough for the fixed words of a dialect.
pub(crate) fn plain(inside: &[u8]) -> Option<&[u8]> {
    memchr(b'\\', inside).is_none().then_some(inside)
}
