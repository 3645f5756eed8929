//! Bodies on their way: a request's to a provider, an answer's from it.

use crate::upstream::connect::Io;
use crate::upstream::head::{self, Framing};
use crate::upstream::pool::Conn;
use crate::upstream::{Failure, READ, Request};
use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tacit_protocol::Chunks;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Pieces that one write takes at most.
const PIECES: usize = 64;
/// How long the end of an answer that nobody needs is waited for, so that its connection can be used again, and how
/// many bytes may come before it.
const END: Duration = Duration::from_secs(1);
const END_BYTES: usize = 16 * 1024;

/// A request as far as it is not written: its head, then the caller's own bytes.
pub(crate) struct Unsent {
    rest: Chain<Bytes, Chunks>,
}

impl Unsent {
    pub(crate) fn new(request: &Request<'_>, body: Chunks) -> Self {
        let head = head::write(request, body.remaining());
        Self { rest: head.chain(body) }
    }

    /// Writes on. Ready when all is written.
    pub(crate) fn poll_write(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.rest.has_remaining() {
            let mut slices = [IoSlice::new(&[]); PIECES];
            let count = self.rest.chunks_vectored(&mut slices);
            let slices = slices.get(..count).unwrap_or_default();
            let written = ready!(Pin::new(&mut *io).poll_write_vectored(cx, slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.advance(written);
        }
        Pin::new(io).poll_flush(cx)
    }
}

/// The body of an answer. Its connection is closed with it unless it was read to a clean end; see also
/// [`AnswerBody::leave`].
pub(crate) struct AnswerBody {
    /// Gone when the body is over.
    conn: Option<Conn>,
    framing: Framing,
    /// What came together with the head.
    first: Bytes,
    unsent: Option<Box<Unsent>>,
    reusable: bool,
}

impl AnswerBody {
    pub(crate) fn new(
        conn: Conn,
        framing: Framing,
        mut arrived: Vec<u8>,
        unsent: Option<Box<Unsent>>,
        reusable: bool,
    ) -> Result<Self, Failure> {
        let mut body = Self { conn: Some(conn), framing, first: Bytes::new(), unsent, reusable };
        let (data, over) = body.take(&mut arrived).ok_or(Failure::Broken)?;
        arrived.truncate(data);
        body.first = Bytes::copy_from_slice(&arrived);
        if over {
            body.end();
        }
        Ok(body)
    }

    /// Finds the data in what has arrived and moves it to the start: its length, and whether the body is over.
    /// `None` if it is malformed.
    fn take(&mut self, arrived: &mut [u8]) -> Option<(usize, bool)> {
        let (data, used, over) = match &mut self.framing {
            Framing::Length(left) => {
                let data = usize::try_from(*left).map_or(arrived.len(), |l| l.min(arrived.len()));
                *left = left.saturating_sub(u64::try_from(data).unwrap_or(u64::MAX));
                (data, data, *left == 0)
            }
            Framing::Chunked(decoder) => {
                let (data, used) = decoder.decode(arrived).ok()?;
                (data, used, decoder.over())
            }
            Framing::Close => (arrived.len(), arrived.len(), false),
        };
        // Bytes after the end belong to no answer that was asked for.
        self.reusable &= used == arrived.len();
        Some((data, over))
    }

    /// It is over; the connection may be used again.
    fn end(&mut self) {
        if let Some(conn) = self.conn.take().filter(|_| self.reusable && self.unsent.is_none()) {
            conn.give_back();
        }
    }

    /// The next data: all that one read brings in one piece. Nothing follows an error.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        let broken = |body: &mut Self| {
            body.conn = None;
            Poll::Ready(Some(Err(Failure::Broken)))
        };
        loop {
            let Some(conn) = &mut self.conn else { return Poll::Ready(None) };
            if let Some(unsent) = &mut self.unsent
                && let Poll::Ready(written) = unsent.poll_write(&mut conn.io, cx)
            {
                self.reusable &= written.is_ok();
                self.unsent = None;
            }
            // On the stack: while nothing comes, nothing is held.
            let mut space = [MaybeUninit::uninit(); READ];
            let mut read = ReadBuf::uninit(&mut space);
            let Ok(()) = ready!(Pin::new(&mut conn.io).poll_read(cx, &mut read)) else { return broken(self) };
            let arrived = read.filled_mut();
            if arrived.is_empty() {
                if matches!(self.framing, Framing::Close) {
                    self.conn = None;
                    return Poll::Ready(None);
                }
                return broken(self);
            }
            let Some((data, over)) = self.take(arrived) else { return broken(self) };
            let data = Bytes::copy_from_slice(arrived.get(..data).unwrap_or_default());
            if over {
                self.end();
            }
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }

    /// The next data.
    pub(crate) async fn data(&mut self) -> Option<Result<Bytes, Failure>> {
        poll_fn(|cx| self.poll_data(cx)).await
    }

    /// Nobody needs what still comes, which is no more than the end of the coding: with it the connection goes back to
    /// the pool. Only for an answer that is whole; one that is not wanted any more is dropped.
    pub(crate) fn leave(mut self) {
        let mut seen = 0_usize;
        let mut cx = Context::from_waker(Waker::noop());
        match self.poll_end(&mut seen, &mut cx) {
            Poll::Ready(()) => {}
            Poll::Pending => {
                tokio::spawn(async move {
                    let end = poll_fn(|cx| self.poll_end(&mut seen, cx));
                    let _ = tokio::time::timeout(END, end).await;
                });
            }
        }
    }

    fn poll_end(&mut self, seen: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
        while self.reusable && *seen < END_BYTES {
            match ready!(self.poll_data(cx)) {
                Some(Ok(data)) => *seen = seen.saturating_add(data.len()),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}
