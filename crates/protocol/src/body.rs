//! [`Body`]: the bytes of a prompt or an answer, which cannot be looked at by accident.
//!
//! A body is held as the chunks that arrived. It cannot be printed, compared, cloned, dereferenced or serialised; the
//! few ways out are named after where the bytes go. The memory is not overwritten when it is dropped: [`Bytes`] shares
//! its buffers with the connection they were read into, so that could be done neither soundly nor completely. The
//! gateway process keeps bodies from the disk by other means (no core dumps, no swap of its own making, no writable
//! path).

use crate::splice::Edits;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// A request or response body.
///
/// ```compile_fail
/// println!("{:?}", tacit_protocol::Body::new());
/// ```
#[derive(Default)]
pub struct Body {
    chunks: Vec<Bytes>,
    len: usize,
}

impl Body {
    /// An empty body.
    #[must_use]
    pub const fn new() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }

    /// Adds a chunk at the end, without copying it.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.len = self.len.saturating_add(chunk.len());
            self.chunks.push(chunk);
        }
    }

    /// Bytes in all chunks.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The way out to a provider: the bytes with the edits applied. Shares the buffers, so that a body can be sent
    /// again to the next channel when the first one fails.
    #[must_use]
    pub fn for_provider(&self, edits: &Edits) -> Chunks {
        edits.apply(&self.chunks)
    }

    /// The way out to a provider when there is nothing to edit and no second attempt.
    #[must_use]
    pub fn into_chunks_for_provider(self) -> Chunks {
        Chunks::from_vec(self.chunks)
    }

    /// The way out to the caller: a provider's answer, unchanged.
    #[must_use]
    pub fn into_chunks_for_client(self) -> Chunks {
        Chunks::from_vec(self.chunks)
    }

    pub(crate) fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }
}

/// Chunks on their way to a socket. Like [`Body`] it cannot be printed, cloned or compared; iterate it to send it.
#[derive(Default)]
pub struct Chunks {
    chunks: VecDeque<Bytes>,
    len: usize,
}

impl Chunks {
    pub(crate) fn from_vec(chunks: Vec<Bytes>) -> Self {
        let len = chunks.iter().fold(0_usize, |sum, c| sum.saturating_add(c.len()));
        Self { chunks: chunks.into(), len }
    }

    /// Bytes that are still to come; before the first one is taken this is the `content-length`.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.len
    }
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.pop_front()?;
        self.len = self.len.saturating_sub(chunk.len());
        Some(chunk)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.chunks.len(), Some(self.chunks.len()))
    }
}

impl ExactSizeIterator for Chunks {}

/// What a vectored write takes from, without a copy.
impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let each = out.iter_mut().zip(&self.chunks);
        each.map(|(slice, chunk)| *slice = IoSlice::new(chunk)).count()
    }

    fn advance(&mut self, mut count: usize) {
        self.len = self.len.saturating_sub(count);
        while let Some(chunk) = self.chunks.front_mut().filter(|_| count > 0) {
            let done = chunk.len().min(count);
            chunk.advance(done);
            count -= done;
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_keep_order_and_count_down() {
        let mut body = Body::new();
        for part in ["ab", "", "cde"] {
            body.push(Bytes::from_static(part.as_bytes()));
        }
        assert_eq!(body.len(), 5);
        let mut out = body.for_provider(&Edits::default());
        assert_eq!((out.remaining(), out.len()), (5, 2));
        assert_eq!(out.next().unwrap(), "ab");
        assert_eq!(out.remaining(), 3);
        let mut sent = body.for_provider(&Edits::default());
        assert_eq!(sent.chunks_vectored(&mut [IoSlice::new(&[]); 8]), 2);
        sent.advance(1);
        assert_eq!((sent.remaining(), sent.chunk()), (4, b"b".as_slice()));
        sent.advance(2);
        assert_eq!((sent.remaining(), sent.chunk()), (2, b"de".as_slice()));
        sent.advance(2);
        assert_eq!((sent.has_remaining(), sent.chunk()), (false, b"".as_slice()));
        assert_eq!(body.into_chunks_for_client().map(|c| c.len()).sum::<usize>(), 5);
    }
}
