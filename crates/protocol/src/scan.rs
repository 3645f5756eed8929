//! Skipping JSON at the speed of memory: the end of a string, and 64 bytes at a time with vector instructions where a
//! value is nested. The bit arithmetic is that of simdjson (Langdale and Lemire, "Parsing Gigabytes of JSON per
//! Second", VLDB Journal 28, 2019), without its index: we only need to know where a value ends.

use memchr::memchr;
use wide::u8x16;

/// Finds the quote that ends a string. `escaped` says whether the first byte is escaped by a backslash before it, and
/// afterwards, if there is no end yet, whether the byte that follows is.
pub(crate) fn string_end(bytes: &[u8], escaped: &mut bool) -> Option<usize> {
    let start = usize::from(*escaped && !bytes.is_empty());
    let mut from = start;
    loop {
        let Some(quote) = bytes.get(from..).and_then(|rest| memchr(b'"', rest)).map(|i| from + i) else {
            let open = bytes.get(start..).unwrap_or_default();
            *escaped = if bytes.is_empty() { *escaped } else { ends_in_odd_backslashes(open) };
            return None;
        };
        if !ends_in_odd_backslashes(bytes.get(start..quote).unwrap_or_default()) {
            *escaped = false;
            return Some(quote);
        }
        from = quote + 1;
    }
}

fn ends_in_odd_backslashes(bytes: &[u8]) -> bool {
    bytes.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

/// A block of 64 bytes in vector registers. Masks of it have the first byte as their lowest bit.
struct Block([u8x16; 4]);

impl Block {
    fn load(bytes: &[u8; 64]) -> Self {
        let (lanes, _) = bytes.as_chunks::<16>();
        match lanes {
            &[a, b, c, d] => Self([a, b, c, d].map(u8x16::new)),
            _ => Self([u8x16::splat(0); 4]),
        }
    }

    #[inline]
    fn equal(&self, byte: u8) -> u64 {
        let wanted = u8x16::splat(byte);
        let [a, b, c, d] = self.0.map(|lane| u64::from(lane.simd_eq(wanted).to_bitmask()));
        a | b << 16 | c << 32 | d << 48
    }

    /// The same block with the bit 0x20 set everywhere, in which `[` and `{`, like `]` and `}`, are the same.
    fn folded(&self) -> Self {
        Self(self.0.map(|lane| lane | u8x16::splat(0x20)))
    }
}

/// Each bit becomes the exclusive or of itself and all lower ones: from quotes, the inside of strings.
const fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ bits << 32
}

/// Bits of the characters that are escaped, and whether the character after the block is.
const fn escaped_bits(backslash: u64, first_escaped: bool) -> (u64, bool) {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let carry = first_escaped as u64;
    if backslash == 0 {
        return (carry, false);
    }
    let backslash = backslash & !carry;
    let follows = backslash << 1 | carry;
    let odd_starts = backslash & !EVEN & !follows;
    let (on_even, overflow) = odd_starts.overflowing_add(backslash);
    ((EVEN ^ (on_even << 1)) & follows, overflow)
}

/// What a request holds besides text, and how much of it is not text. Counted while skipping, for the token estimates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// Parts whose `type` says image, and those whose `type` was written with escapes and might.
    pub images: u32,
    /// Parts whose `type` says document or file.
    pub files: u32,
    /// Bytes of long strings that are base64, or an address of base64 data, from their start to their end.
    pub opaque_bytes: u64,
}

/// How much of the start of a string is looked at.
const PREFIX: usize = 16;
/// A string must be longer than this to be taken for base64.
const OPAQUE_FROM: u64 = 1024;
/// The head of a `data:` address lies within so many bytes.
const DATA_HEAD: u64 = 128;

const fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

const fn data_head(byte: u8) -> bool {
    matches!(byte, b':' | b';' | b',' | b'.')
}

/// Whether the bytes of a string, given in pieces, can be base64. One byte that cannot makes the whole string text.
#[derive(Clone, Copy, Default)]
struct Opaque {
    text: bool,
    seen: u64,
    /// The last byte was a backslash; base64 is written with `\/` by some.
    slash_due: bool,
}

impl Opaque {
    fn push(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(256) {
            // Text shows itself at its first space, so that only base64 is looked at to its end.
            if self.text {
                return;
            }
            // Without a branch, so that it is done with vector instructions.
            let plain = !self.slash_due && chunk.iter().fold(true, |all, b| all & base64(*b));
            if plain {
                self.seen += chunk.len() as u64;
            } else {
                chunk.iter().for_each(|b| self.byte(*b));
            }
        }
    }

    const fn byte(&mut self, byte: u8) {
        let head = self.seen < DATA_HEAD && data_head(byte);
        let fits = if self.slash_due { byte == b'/' } else { base64(byte) || head || byte == b'\\' };
        self.slash_due = !self.slash_due && byte == b'\\';
        self.text |= !fits;
        self.seen += 1;
    }
}

/// Where a nested value stands.
pub(crate) enum Nested {
    /// The whole piece belongs to it.
    Goes,
    /// It ended; so many bytes belong to it.
    Ended(usize),
    /// More levels than [`Skipper::MAX_DEPTH`].
    TooDeep,
    /// Not JSON, near this byte.
    Syntax(usize),
}

/// Skips one array or object, given in pieces, and looks at the starts of its strings.
#[derive(Default)]
pub(crate) struct Skipper {
    /// Open brackets of this value.
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Whether to count the elements of the outermost array.
    count: bool,
    commas: u64,
    first: Option<u8>,
    /// Bytes of the value before the present piece.
    before: u64,
    string_at: u64,
    prefix: [u8; PREFIX],
    prefix_len: usize,
    /// The prefix was not complete when the piece ended.
    prefix_open: bool,
    after_type: bool,
    /// What is known of the string that began last.
    opaque: Opaque,
    media: Media,
}

impl Skipper {
    /// Levels below the outermost object.
    pub(crate) const MAX_DEPTH: u32 = 512;

    /// Begins a value; the first byte pushed is its opening bracket.
    pub(crate) fn begin(&mut self, count_elements: bool) {
        let media = self.media;
        *self = Self { media, count: count_elements, ..Self::default() };
    }

    pub(crate) const fn media(&self) -> Media {
        self.media
    }

    /// Elements of the array that ended, when they are strings or arrays; numbers are tokens of one element.
    pub(crate) const fn elements(&self) -> u64 {
        match self.first {
            Some(b'"' | b'[' | b'{') => self.commas + 1,
            Some(_) => 1,
            None => 0,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Nested {
        if self.prefix_open {
            self.complete_prefix(bytes);
        }
        let outcome = self.blocks(bytes);
        if matches!(outcome, Nested::Goes) {
            if self.in_string && self.string_at >= self.before {
                self.keep_prefix(bytes);
            }
            self.before += bytes.len() as u64;
        }
        outcome
    }

    fn blocks(&mut self, bytes: &[u8]) -> Nested {
        let mut at = 0_usize;
        let mut quiet = false;
        while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) {
            if quiet {
                // Most of a prompt is the inside of long strings, where looking for a quote alone is fastest.
                let skipped = memchr(b'"', rest).unwrap_or(rest.len());
                if skipped > 0 {
                    let from = usize::from(self.escaped);
                    self.escaped = ends_in_odd_backslashes(rest.get(from..skipped).unwrap_or_default());
                    self.opaque.push(rest.get(..skipped).unwrap_or_default());
                }
                at += skipped;
                quiet = false;
                continue;
            }
            let mut padded = [b' '; 64];
            let (block, len) = match rest.first_chunk::<64>() {
                Some(block) => (block, 64),
                None => {
                    padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    (&padded, rest.len())
                }
            };
            match self.block(block, len, at, bytes) {
                Ok(Step::Next) => at += len,
                Ok(Step::Quiet) => {
                    at += len;
                    quiet = true;
                }
                Ok(Step::Ended(end)) => return Nested::Ended(at + end),
                Err(error) => return error,
            }
        }
        Nested::Goes
    }

    fn block(&mut self, raw: &[u8; 64], len: usize, at: usize, bytes: &[u8]) -> Result<Step, Nested> {
        let block = Block::load(raw);
        let backslash = block.equal(b'\\');
        let (escaped, carry) = escaped_bits(backslash, self.escaped);
        let quotes = block.equal(b'"');
        let quote = quotes & !escaped;
        // A padded block shows in its own bits whether the byte after the last real one is escaped.
        let carry = if len == 64 { carry } else { escaped >> len & 1 == 1 };
        if self.in_string {
            let end = if quote == 0 { len } else { quote.trailing_zeros() as usize };
            self.opaque.push(raw.get(..end).unwrap_or_default());
            if quote == 0 {
                self.escaped = carry;
                return Ok(if quotes == 0 { Step::Quiet } else { Step::Next });
            }
            self.string_closed(bytes, self.before + (at + end) as u64);
        }
        let inside = if self.in_string { !prefix_xor(quote) } else { prefix_xor(quote) };
        let folded = block.folded();
        let (open, close) = (folded.equal(b'{') & !inside, folded.equal(b'}') & !inside);
        // Brackets one by one only where the value may end, or when its elements are counted.
        let end = if self.count || close.count_ones() >= self.depth {
            let commas = if self.count { block.equal(b',') & !inside } else { 0 };
            self.one_by_one(commas, open, close, raw, len)?
        } else {
            if self.depth + open.count_ones() > Self::MAX_DEPTH {
                return Err(Nested::TooDeep);
            }
            self.depth = self.depth + open.count_ones() - close.count_ones();
            None
        };
        let valid = end.map_or(u64::MAX, |end| u64::MAX >> (64 - end.clamp(1, 64)));
        // A backslash outside of a string is no JSON, and what follows it could be read in two ways.
        if backslash & !inside & valid != 0 {
            return Err(Nested::Syntax(at));
        }
        let starts = quote & inside & valid;
        if starts != 0 {
            // Only these begin the word `type`, or hide what they begin.
            let telling = (block.equal(b't') | backslash) >> 1 | 1 << 63;
            self.strings_begin(starts, telling, at, bytes);
        }
        if let Some(end) = end {
            return Ok(Step::Ended(end));
        }
        self.in_string = inside >> 63 == 1;
        if self.in_string && starts != 0 {
            self.opaque = Opaque::default();
            self.opaque.push(raw.get(64 - starts.leading_zeros() as usize..len).unwrap_or_default());
        }
        self.escaped = self.in_string && carry;
        Ok(Step::Next)
    }

    fn strings_begin(&mut self, mut starts: u64, telling: u64, at: usize, bytes: &[u8]) {
        let last = 63 - starts.leading_zeros() as usize;
        self.string_at = self.before + (at + last) as u64;
        loop {
            let next = if self.after_type { starts } else { starts & telling };
            if next == 0 {
                return;
            }
            let bit = next.trailing_zeros();
            starts &= u64::MAX.checked_shl(bit + 1).unwrap_or(0);
            self.string_begins(bytes.get(at + bit as usize + 1..).unwrap_or_default());
        }
    }

    fn one_by_one(
        &mut self,
        commas: u64,
        open: u64,
        close: u64,
        block: &[u8; 64],
        len: usize,
    ) -> Result<Option<usize>, Nested> {
        if self.count && self.first.is_none() && self.depth <= 1 {
            let skip = usize::from(self.depth == 0);
            self.first = block.iter().take(len).skip(skip).find(|b| !b.is_ascii_whitespace()).copied();
            if self.first == Some(b']') {
                self.first = None;
            }
        }
        let mut all = open | close | commas;
        while all != 0 {
            let bit = all.trailing_zeros();
            all &= all - 1;
            if open >> bit & 1 == 1 {
                self.depth += 1;
                if self.depth > Self::MAX_DEPTH {
                    return Err(Nested::TooDeep);
                }
            } else if close >> bit & 1 == 1 {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Ok(Some(bit as usize + 1));
                }
            } else if self.depth == 1 {
                self.commas += 1;
            }
        }
        Ok(None)
    }

    /// `rest` is what follows the opening quote in this piece.
    fn string_begins(&mut self, rest: &[u8]) {
        match rest.first() {
            None => (),
            Some(b't' | b'\\') => (),
            Some(_) if self.after_type => (),
            Some(_) => return,
        }
        match rest.get(..PREFIX) {
            Some(prefix) => self.look_at(prefix),
            None if memchr(b'"', rest).is_some() => self.look_at(rest),
            // It goes on in the next piece; `push` keeps what there is.
            None => (),
        }
    }

    fn keep_prefix(&mut self, bytes: &[u8]) {
        let start = usize::try_from(self.string_at - self.before).unwrap_or(usize::MAX).saturating_add(1);
        let rest = bytes.get(start..).unwrap_or_default();
        self.prefix_len = 0;
        self.add_to_prefix(rest);
        self.prefix_open = self.prefix_len < PREFIX;
    }

    fn add_to_prefix(&mut self, more: &[u8]) {
        for (to, from) in self.prefix.iter_mut().skip(self.prefix_len).zip(more) {
            *to = *from;
            self.prefix_len += 1;
        }
    }

    fn complete_prefix(&mut self, bytes: &[u8]) {
        self.add_to_prefix(bytes);
        let prefix = self.prefix;
        let known = prefix.get(..self.prefix_len).unwrap_or_default();
        if self.prefix_len == PREFIX || memchr(b'"', known).is_some() {
            self.prefix_open = false;
            // The first look was skipped exactly when these conditions did not rule it out at once.
            if self.after_type || matches!(known.first(), Some(b't' | b'\\')) {
                self.look_at(known);
            }
        }
    }

    /// `start` is the first bytes of a string, possibly with what follows its end.
    fn look_at(&mut self, start: &[u8]) {
        let start = start.get(..PREFIX).unwrap_or(start);
        let is_value = std::mem::take(&mut self.after_type);
        match start {
            [b't', b'y', b'p', b'e', b'"', ..] => self.after_type = true,
            [b'i', b'm', b'a', b'g', b'e', b'"', ..]
            | [b'i', b'm', b'a', b'g', b'e', b'_', b'u', b'r', b'l', b'"', ..]
            | [b'i', b'n', b'p', b'u', b't', b'_', b'i', b'm', b'a', b'g', b'e', b'"', ..]
                if is_value =>
            {
                self.media.images += 1;
            }
            [b'f', b'i', b'l', b'e', b'"', ..]
            | [b'd', b'o', b'c', b'u', b'm', b'e', b'n', b't', b'"', ..]
            | [b'i', b'n', b'p', b'u', b't', b'_', b'f', b'i', b'l', b'e', b'"', ..]
                if is_value =>
            {
                self.media.files += 1;
            }
            _ if !hides_ascii(start) => (),
            _ if is_value => self.media.images += 1,
            _ => self.after_type = true,
        }
    }

    /// A string that began in an earlier block ended at `end`.
    fn string_closed(&mut self, bytes: &[u8], end: u64) {
        let len = end.saturating_sub(self.string_at);
        if len <= OPAQUE_FROM || self.opaque.text {
            return;
        }
        let kept = self.prefix;
        let start = match self.string_at.checked_sub(self.before).and_then(|i| usize::try_from(i).ok()) {
            Some(at) => bytes.get(at + 1..at + 1 + PREFIX).unwrap_or_default(),
            None => kept.get(..self.prefix_len).unwrap_or_default(),
        };
        if start.starts_with(b"data:") || !start.iter().copied().any(data_head) {
            self.media.opaque_bytes += len;
        }
    }
}

/// Whether a string that starts so has an escape for an ASCII character, which hides a word that a plain spelling would
/// show. Nobody writes that by need.
fn hides_ascii(start: &[u8]) -> bool {
    if start.iter().fold(true, |none, b| none & (*b != b'\\')) {
        return false;
    }
    let word = start.split(|b| *b == b'"').next().unwrap_or_default();
    word.windows(4).any(|w| w == br"\u00")
}

/// What a block came to.
enum Step {
    Next,
    /// It lies in a string and holds no quote.
    Quiet,
    /// The value ended; so many bytes of the block belong to it.
    Ended(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_where_they_end() {
        for (text, end) in [("abc\"", Some(3)), (r#"a\"b""#, Some(4)), (r#"a\\"x""#, Some(3)), (r#"a\\\"x"#, None)] {
            for cut in 0..=text.len() {
                let (a, b) = text.as_bytes().split_at(cut);
                let mut escaped = false;
                let found = string_end(a, &mut escaped).or_else(|| string_end(b, &mut escaped).map(|i| i + cut));
                assert_eq!(found, end, "{text} cut at {cut}");
            }
        }
    }

    #[test]
    fn escapes_by_bits_are_escapes_by_hand() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..2000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bits = if round % 2 == 0 { seed } else { seed | seed << 1 | seed << 2 };
            for first in [false, true] {
                let (mut wanted, mut next) = (0_u64, first);
                for bit in 0..64 {
                    let now = next;
                    wanted |= u64::from(now) << bit;
                    next = !now && bits >> bit & 1 == 1;
                }
                assert_eq!(escaped_bits(bits, first), (wanted, next), "{bits:#x} {first}");
            }
        }
    }
}
