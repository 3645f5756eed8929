//! The body of a request, as it arrives.

use crate::client::{Client, Cut};
use crate::http1::head::Framing;
use crate::http1::{Connection, READ};
use bytes::{BufMut, Bytes, BytesMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

/// What a client waits for that wants to know whether its body is welcome (RFC 9110, 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// The room that is made for what follows: as much as has come, within these bounds. A client that announces much and
/// sends little gets little.
const LEAST: usize = 4 * 1024;
const MOST: usize = 64 * 1024;

/// How far the body of a request has come.
pub(crate) struct RequestBody {
    framing: Framing,
    over: bool,
    /// Of [`CONTINUE`], what the client has not been sent.
    unsent: &'static [u8],
    /// What the next pieces are read into.
    room: BytesMut,
    came: usize,
}

impl RequestBody {
    pub(crate) fn new(framing: Framing, expects_continue: bool) -> Self {
        let over = matches!(framing, Framing::Length(0));
        let unsent = if expects_continue && !over { CONTINUE } else { &[] };
        Self { framing, over, unsent, room: BytesMut::new(), came: 0 }
    }

    /// Whether all of it was read.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    fn is_broken(&mut self, why: Cut) -> Poll<Option<Result<Bytes, Cut>>> {
        // What follows on this connection is no request.
        self.framing = Framing::Length(u64::MAX);
        Poll::Ready(Some(Err(why)))
    }
}

/// A client whose request is being served.
pub(crate) struct Asking<'c, S> {
    pub(crate) connection: &'c mut Connection<S>,
    pub(crate) body: &'c mut RequestBody,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Asking<'_, S> {
    /// Invites the body, if the client waits for that.
    fn poll_invited(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cut>> {
        if self.body.unsent.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.body.unsent.is_empty() && self.connection.arrived.is_empty() {
            let written = ready!(Pin::new(&mut self.connection.io).poll_write(cx, self.body.unsent));
            let written = written.ok().filter(|n| *n > 0).ok_or(Cut::Gone)?;
            self.body.unsent = self.body.unsent.get(written..).unwrap_or_default();
        }
        ready!(Pin::new(&mut self.connection.io).poll_flush(cx)).map_err(|_| Cut::Gone)?;
        // Either it was sent, or the client did not wait for it.
        self.body.unsent = &[];
        Poll::Ready(Ok(()))
    }

    /// What is left of a body whose length is known.
    fn poll_counted(&mut self, cx: &mut Context<'_>, left: u64) -> Poll<Option<Result<Bytes, Cut>>> {
        let (connection, body) = (&mut *self.connection, &mut *self.body);
        let within = |n: usize| usize::try_from(left).map_or(n, |left| left.min(n));
        let piece = if connection.arrived.is_empty() {
            if body.room.capacity() == 0 {
                body.room.reserve(within(body.came.clamp(LEAST, MOST)));
            }
            // The room may be larger than was asked for; what follows the body is not its own.
            let mut room = (&mut body.room).limit(within(usize::MAX));
            match ready!(poll_read_buf(Pin::new(&mut connection.io), cx, &mut room)) {
                Ok(1..) => body.room.split().freeze(),
                _ => return body.is_broken(Cut::Gone),
            }
        } else {
            // What came with the head, where it is.
            connection.arrived.split_to(within(connection.arrived.len())).freeze()
        };
        body.came = body.came.saturating_add(piece.len());
        let left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        body.framing = Framing::Length(left);
        if left == 0 {
            body.over = true;
            body.room = BytesMut::new();
        }
        Poll::Ready(Some(Ok(piece)))
    }

    fn poll_chunked(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        loop {
            if self.connection.arrived.is_empty() && !matches!(ready!(self.connection.poll_more(cx)), Ok(1..)) {
                return self.body.is_broken(Cut::Gone);
            }
            let Framing::Chunked(decoder) = &mut self.body.framing else { return Poll::Ready(None) };
            let most = self.connection.arrived.len().min(READ);
            let mut piece = self.connection.arrived.split_to(most);
            let Ok((data, used)) = decoder.decode(&mut piece) else { return self.body.is_broken(Cut::Malformed) };
            if decoder.over() {
                self.body.over = true;
                // The start of the next request.
                let mut next = piece.split_off(used);
                next.unsplit(std::mem::take(&mut self.connection.arrived));
                self.connection.arrived = next;
            }
            piece.truncate(data);
            if !piece.is_empty() {
                // Little data among much coding must not hold the memory of both.
                let sparse = data.saturating_mul(2) < most;
                let data = if sparse { Bytes::copy_from_slice(&piece) } else { piece.freeze() };
                return Poll::Ready(Some(Ok(data)));
            }
            if self.body.over {
                return Poll::Ready(None);
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client for Asking<'_, S> {
    fn announced(&self) -> u64 {
        match self.body.framing {
            Framing::Length(left) => left,
            Framing::Chunked(_) => 0,
        }
    }

    fn waits_to_be_asked(&self) -> bool {
        self.body.unsent.len() == CONTINUE.len() && self.connection.arrived.is_empty()
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if self.body.over {
            return Poll::Ready(None);
        }
        if ready!(self.poll_invited(cx)).is_err() {
            return self.body.is_broken(Cut::Gone);
        }
        match self.body.framing {
            // Broken before.
            Framing::Length(u64::MAX) => Poll::Ready(None),
            Framing::Length(left) => self.poll_counted(cx, left),
            Framing::Chunked(_) => self.poll_chunked(cx),
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A body that nobody reads says nothing about its client.
        if self.body.over { self.connection.poll_gone(cx) } else { Poll::Pending }
    }
}
