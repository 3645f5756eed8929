//! Finding canaries in a stream of bytes.

use super::canary::Canary;
use super::encoding::{self, Encoding};
use super::report::Part;
use memchr::memmem::Finder;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

/// Bytes read at a time.
const CHUNK: usize = 2 * 1024 * 1024;
/// Bytes that every needle is searched in before the next ones, so that they stay in the processor's cache.
const BLOCK: usize = 128 * 1024;
/// Shorter needles are not searched: they would be found by chance.
const SHARED: usize = 8;
/// The most that is read out of one compressed stream.
pub(super) const INFLATED: u64 = 4 * 1024 * 1024 * 1024;

/// Where a canary begins in the bytes, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) offset: u64,
    pub(crate) encoding: Encoding,
    pub(crate) canary: String,
    pub(crate) part: Part,
}

/// A kind of compressed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    const ALL: [(Self, &'static [u8]); 2] = [(Self::Gzip, b"\x1f\x8b\x08"), (Self::Zstd, b"\x28\xb5\x2f\xfd")];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The content of the stream that starts there. Nothing is read before it is asked for.
    pub(super) fn open<'a>(self, packed: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(packed)?),
        })
    }
}

/// What is searched: one form of the beginning that several canaries share, or of a half of one.
struct Needle {
    finder: Finder<'static>,
    encoding: Encoding,
    /// Whose beginning it is.
    members: Arc<[(usize, Part)]>,
    /// What can stand there, longest first; made when something is found.
    candidates: OnceLock<Vec<(Vec<u8>, usize, Part)>>,
}

/// A text, the position of the canary it is of, and how much of it that is.
type Piece<'a> = (&'a str, usize, Part);

/// Searches for a set of canaries.
pub(crate) struct Scanner {
    canaries: Vec<Canary>,
    needles: Vec<Needle>,
    packings: Vec<(Packing, Finder<'static>)>,
    /// No form of any canary is longer.
    longest: usize,
}

impl Scanner {
    /// # Errors
    /// If there is no canary to look for.
    pub(crate) fn new(canaries: &[Canary]) -> anyhow::Result<Self> {
        anyhow::ensure!(!canaries.is_empty(), "no canary to look for: give --canary, --canary-file or --drive");
        let parts: Vec<Piece<'_>> = canaries
            .iter()
            .enumerate()
            .flat_map(|(at, canary)| {
                let (first, second) = canary.halves();
                [(canary.text(), at, Part::Whole), (first, at, Part::Half), (second, at, Part::Half)]
            })
            .collect();
        // Texts that begin alike are found by one search; those of one run of a test all do.
        let mut groups: BTreeMap<&str, Vec<Piece<'_>>> = BTreeMap::new();
        for part in parts {
            let end = (SHARED..part.0.len()).find(|at| part.0.is_char_boundary(*at)).unwrap_or(part.0.len());
            groups.entry(part.0.get(..end).unwrap_or_default()).or_default().push(part);
        }
        let mut needles: Vec<Needle> = Vec::new();
        for members in groups.into_values() {
            let anchor = shared_beginning(&members);
            let members: Arc<[(usize, Part)]> = members.into_iter().map(|(_, at, part)| (at, part)).collect();
            for (encoding, form) in encoding::forms(anchor) {
                if form.len() < SHARED || needles.iter().any(|n| n.finder.needle() == form) {
                    continue;
                }
                let (finder, members) = (Finder::new(&form).into_owned(), Arc::clone(&members));
                needles.push(Needle { finder, encoding, members, candidates: OnceLock::new() });
            }
        }
        let longest = canaries.iter().map(|c| c.text().len() * encoding::WIDEST).max().unwrap_or(0);
        let packings = Packing::ALL.iter().map(|(p, magic)| (*p, Finder::new(magic).into_owned())).collect();
        Ok(Self { canaries: canaries.to_vec(), needles, packings, longest })
    }

    pub(crate) fn canaries(&self) -> &[Canary] {
        &self.canaries
    }

    /// Searches all that `read` gives. Returns the number of bytes, the hits, and where compressed streams may start.
    ///
    /// # Errors
    /// If reading fails; with it what had been found until then.
    pub(crate) fn stream(&self, mut read: impl Read) -> (Found, io::Result<()>) {
        let mut found = Found::default();
        let mut buffer = vec![0; CHUNK + self.longest];
        let (mut filled, mut base) = (0, 0_u64);
        // Where each needle may be found next: behind the canary it found last.
        let mut next = vec![0; self.needles.len()];
        let result = loop {
            let room = buffer.get_mut(filled..).unwrap_or_default();
            let (count, end) = match fill(&mut read, room) {
                Ok(count) => (count, if count < room.len() { Some(Ok(())) } else { None }),
                Err((count, error)) => (count, Some(Err(error))),
            };
            found.bytes += u64::try_from(count).unwrap_or(0);
            filled += count;
            let data = buffer.get(..filled).unwrap_or_default();
            // A hit that begins in the last bytes is judged when all of it is there.
            let limit = if end.is_some() { filled } else { filled - self.longest };
            self.search(data, limit, base, &mut next, &mut found);
            if let Some(result) = end {
                break result;
            }
            buffer.copy_within(limit..filled, 0);
            base += u64::try_from(limit).unwrap_or(0);
            filled -= limit;
        };
        (found, result)
    }

    /// Finds everything that begins before `limit`.
    fn search(&self, data: &[u8], limit: usize, base: u64, next: &mut [u64], found: &mut Found) {
        for start in (0..limit).step_by(BLOCK) {
            let end = limit.min(start + BLOCK);
            let window = |needle: usize| data.get(start..data.len().min(end + needle - 1)).unwrap_or_default();
            for (needle, next) in self.needles.iter().zip(next.iter_mut()) {
                let block = window(needle.finder.needle().len());
                for at in needle.finder.find_iter(block) {
                    let at = start + at;
                    let offset = base + u64::try_from(at).unwrap_or(0);
                    if offset < *next {
                        continue;
                    }
                    let (length, hit) = self.judge(needle, data.get(at..).unwrap_or_default());
                    *next = offset + u64::try_from(length).unwrap_or(1);
                    found.hits.push(Hit { offset, ..hit });
                }
            }
            for (packing, finder) in &self.packings {
                for at in finder.find_iter(window(finder.needle().len())) {
                    found.packed.push((*packing, base + u64::try_from(start + at).unwrap_or(0)));
                }
            }
        }
    }

    fn judge(&self, needle: &Needle, here: &[u8]) -> (usize, Hit) {
        let candidates = needle.candidates.get_or_init(|| self.candidates(needle));
        let fitting = candidates.iter().find(|(form, _, _)| here.starts_with(form));
        let (length, canary, part) = match fitting {
            Some((form, at, part)) => (form.len(), self.canaries.get(*at).map(|c| c.name.clone()), *part),
            None => (needle.finder.needle().len(), None, Part::Beginning),
        };
        let canary = canary.unwrap_or_else(|| "one of them".to_owned());
        (length, Hit { offset: 0, encoding: needle.encoding, canary, part })
    }

    fn candidates(&self, needle: &Needle) -> Vec<(Vec<u8>, usize, Part)> {
        let texts = needle.members.iter().filter_map(|(at, part)| {
            let canary = self.canaries.get(*at)?;
            let texts = match part {
                Part::Half => vec![canary.halves().0, canary.halves().1],
                Part::Whole | Part::Beginning => vec![canary.text()],
            };
            Some(texts.into_iter().flat_map(encoding::forms).map(|(_, form)| (form, *at, *part)))
        });
        let mut found: Vec<_> =
            texts.flatten().filter(|(form, _, _)| form.starts_with(needle.finder.needle())).collect();
        found.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        found.dedup();
        found
    }
}

/// What was in one stream of bytes.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) bytes: u64,
    pub(crate) hits: Vec<Hit>,
    pub(crate) packed: Vec<(Packing, u64)>,
}

fn fill(read: &mut impl Read, room: &mut [u8]) -> Result<usize, (usize, io::Error)> {
    let mut count = 0;
    while let Some(rest) = room.get_mut(count..).filter(|r| !r.is_empty()) {
        match read.read(rest) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((count, error)),
        }
    }
    Ok(count)
}

fn shared_beginning<'a>(parts: &[Piece<'a>]) -> &'a str {
    let Some((first, _, _)) = parts.first() else { return "" };
    let alike = |other: &str| first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let mut length = parts.iter().map(|(text, _, _)| alike(text)).min().unwrap_or(0);
    while !first.is_char_boundary(length) {
        length -= 1;
    }
    first.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests;
