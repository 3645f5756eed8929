//! Small edits of a body by position: what lies between them stays the caller's own bytes, shared and not copied.

use crate::body::Chunks;
use bytes::Bytes;
use std::ops::Range;

/// Replacements of byte ranges, in ascending order and without overlap. An empty range inserts.
#[derive(Default)]
pub struct Edits {
    list: Vec<(Range<usize>, Bytes)>,
}

impl Edits {
    /// Whether the body goes out as it came in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds an edit; the order of calls does not matter, overlap is not allowed and the later edit is then left out.
    pub(crate) fn replace(&mut self, span: Range<usize>, with: impl Into<Bytes>) {
        let place = self.list.partition_point(|(s, _)| s.start < span.start);
        let clear_before = place.checked_sub(1).and_then(|i| self.list.get(i)).is_none_or(|(s, _)| s.end <= span.start);
        let clear_after = self.list.get(place).is_none_or(|(s, _)| span.end <= s.start);
        debug_assert!(span.start <= span.end && clear_before && clear_after, "edits overlap");
        if span.start <= span.end && clear_before && clear_after {
            self.list.insert(place, (span, with.into()));
        }
    }

    pub(crate) fn apply(&self, chunks: &[Bytes]) -> Chunks {
        let mut out = Vec::with_capacity(chunks.len() + 2 * self.list.len());
        let mut source = Source { chunks: chunks.iter(), rest: Bytes::new(), at: 0 };
        for (span, with) in &self.list {
            source.copy_until(span.start, Some(&mut out));
            if !with.is_empty() {
                out.push(with.clone());
            }
            source.copy_until(span.end, None);
        }
        source.copy_until(usize::MAX, Some(&mut out));
        Chunks::from_vec(out)
    }
}

struct Source<'a> {
    chunks: std::slice::Iter<'a, Bytes>,
    rest: Bytes,
    at: usize,
}

impl Source<'_> {
    /// Moves on to position `end` of the body; what is passed goes to `out`, if there is one.
    fn copy_until(&mut self, end: usize, mut out: Option<&mut Vec<Bytes>>) {
        while self.at < end {
            if self.rest.is_empty() {
                match self.chunks.next() {
                    Some(chunk) => self.rest = chunk.clone(),
                    None => return,
                }
            }
            let take = self.rest.len().min(end - self.at);
            let piece = self.rest.split_to(take);
            self.at += take;
            if let Some(out) = out.as_mut().filter(|_| !piece.is_empty()) {
                out.push(piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn edits_hit_their_place_in_any_chunking(
            text in "[a-z]{0,40}", cuts in proptest::collection::vec(0..40_usize, 0..6),
            a in 0..40_usize, b in 0..40_usize, c in 0..40_usize,
        ) {
            let mut points = [a.min(text.len()), b.min(text.len()), c.min(text.len())];
            points.sort_unstable();
            let [a, b, c] = points;
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<Bytes> =
                cuts.windows(2).map(|w| Bytes::copy_from_slice(&text.as_bytes()[w[0]..w[1]])).collect();
            let mut edits = Edits::default();
            if c > b {
                edits.replace(c..c, "<C>");
            }
            edits.replace(a..b, "<AB>");
            let out: Vec<u8> = edits.apply(&chunks).flat_map(|b| b.to_vec()).collect();
            let tail = if c > b { format!("{}<C>{}", &text[b..c], &text[c..]) } else { text[b..].to_owned() };
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{}<AB>{tail}", &text[..a]));
        }
    }
}
