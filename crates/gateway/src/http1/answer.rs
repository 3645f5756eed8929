//! An answer on its way to the client: its head and all that is there of its body in one write, what comes later piece
//! by piece as it comes.

use crate::http1::{Connection, EARLY};
use crate::lane::Lane;
use crate::reply::Reply;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};

/// Pieces that one write takes at most.
const PIECES: usize = 64;
/// What is taken of an answer before the client has to take some of it.
const AHEAD: usize = EARLY;

/// What the form of an answer depends on in its request.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    modern: bool,
    /// The head alone is asked for.
    head_only: bool,
}

impl Form {
    pub(crate) fn of(parts: &Parts) -> Self {
        Self { modern: parts.version != Version::HTTP_10, head_only: parts.method == Method::HEAD }
    }
}

/// How the client finds the end of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Length(u64),
    Chunked,
    Close,
    /// There is no body.
    None,
}

/// Bytes that the socket has not taken.
#[derive(Default)]
pub(super) struct Outgoing {
    pieces: VecDeque<Bytes>,
    len: usize,
}

impl Outgoing {
    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.len = self.len.saturating_add(piece.len());
            self.pieces.push_back(piece);
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.len = self.len.saturating_sub(written);
        while let Some(piece) = self.pieces.front_mut().filter(|_| written > 0) {
            let done = piece.len().min(written);
            piece.advance(done);
            written -= done;
            if piece.is_empty() {
                self.pieces.pop_front();
            }
        }
    }

    fn poll_write<S: AsyncWrite + Unpin>(&mut self, io: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.len > 0 {
            let mut slices = [IoSlice::new(&[]); PIECES];
            let filled = slices.iter_mut().zip(&self.pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count();
            let slices = slices.get(..filled).unwrap_or_default();
            let written = ready!(Pin::new(&mut *io).poll_write_vectored(cx, slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        Pin::new(io).poll_flush(cx)
    }
}

/// Whether an answer of that status has no body, whatever its headers say (RFC 9112, 6.3).
fn is_bare(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Sends an answer. `stays`: another request may follow.
    ///
    /// # Errors
    /// The client has gone, or did not read.
    pub(super) async fn answer(
        &mut self,
        response: Response<Reply>,
        form: Form,
        stays: bool,
        lane: &Lane,
    ) -> io::Result<()> {
        if self.arrived.is_empty() {
            // The request is served; its memory need not stay as long as its answer.
            self.arrived = BytesMut::new();
        }
        let (parts, mut reply) = response.into_parts();
        let end = match reply.size_hint().exact() {
            _ if is_bare(parts.status) => End::None,
            Some(length) => End::Length(length),
            None if form.modern => End::Chunked,
            None => End::Close,
        };
        let stays = stays && end != End::Close;
        self.outgoing.push(head(parts.status, &parts.headers, end, form, stays, lane));
        if form.head_only || end == End::None {
            return poll_fn(|cx| self.outgoing.poll_write(&mut self.io, cx)).await;
        }
        let sent = self.send(&mut reply, end).await;
        // A queue that was long once need not stay so.
        self.outgoing.pieces.shrink_to(PIECES);
        if end == End::Close { sent.and(Err(io::ErrorKind::ConnectionAborted.into())) } else { sent }
    }

    /// Sends what follows the head, in as few writes as it comes.
    async fn send(&mut self, reply: &mut Reply, end: End) -> io::Result<()> {
        let mut over = false;
        loop {
            poll_fn(|cx| self.poll_some(cx, reply, end, &mut over)).await?;
            if !over {
                // A stream, or much. A write costs more than all that its bytes do on their way here, and where others wait for
                // this thread more of it may have come once they had their turn. Where nobody does it is not held up.
                tokio::task::yield_now().await;
                poll_fn(|cx| {
                    self.take(cx, reply, end, &mut over);
                    Poll::Ready(())
                })
                .await;
            }
            if over && reply.is_broken() {
                // Closed before its end, so that nobody takes it for whole.
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            poll_fn(|cx| self.outgoing.poll_write(&mut self.io, cx)).await?;
            if over {
                return Ok(());
            }
        }
    }

    /// Ready when there is something to send, or nothing follows.
    fn poll_some(
        &mut self,
        cx: &mut Context<'_>,
        reply: &mut Reply,
        end: End,
        over: &mut bool,
    ) -> Poll<io::Result<()>> {
        self.take(cx, reply, end, over);
        if self.outgoing.len > 0 || *over {
            return Poll::Ready(Ok(()));
        }
        // A client that has gone is not seen by writing while there is nothing to write.
        ready!(self.poll_gone(cx));
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    /// Takes what is there of an answer.
    fn take(&mut self, cx: &mut Context<'_>, reply: &mut Reply, end: End, over: &mut bool) {
        let (from, before) = (self.outgoing.pieces.len(), self.outgoing.len);
        while !*over && self.outgoing.len < AHEAD {
            match reply.poll_next(cx) {
                Poll::Ready(Some(piece)) => self.outgoing.push(piece),
                Poll::Ready(None) => *over = true,
                Poll::Pending => break,
            }
        }
        if end == End::Chunked {
            let taken = self.outgoing.len - before;
            if taken > 0 {
                // All of it is one chunk.
                let size = Bytes::from(format!("{taken:x}\r\n"));
                self.outgoing.len += size.len();
                self.outgoing.pieces.insert(from, size);
                self.outgoing.push(Bytes::from_static(if *over { b"\r\n0\r\n\r\n" } else { b"\r\n" }));
            } else if *over {
                self.outgoing.push(Bytes::from_static(b"0\r\n\r\n"));
            }
        }
    }
}

fn head(status: StatusCode, headers: &HeaderMap, end: End, form: Form, stays: bool, lane: &Lane) -> Bytes {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\ndate: ");
    out.extend_from_slice(&lane.date());
    let own = |name| [CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING].contains(name);
    for (name, value) in headers.iter().filter(|(name, _)| !own(name)) {
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
    }
    match end {
        End::Length(length) => {
            // Writing to memory does not fail.
            let _ = write!(out, "\r\ncontent-length: {length}");
        }
        End::Chunked => out.extend_from_slice(b"\r\ntransfer-encoding: chunked"),
        End::Close | End::None => {}
    }
    if !stays {
        out.extend_from_slice(b"\r\nconnection: close");
    } else if !form.modern {
        out.extend_from_slice(b"\r\nconnection: keep-alive");
    }
    out.extend_from_slice(b"\r\n\r\n");
    out.into()
}
