//! Calls to model providers: HTTP/1.1 on a codec of our own.
//!
//! A general client drives each connection in a task of its own, so that a request and each piece of its answer cross a
//! channel and wake another task. Here the task that serves the caller reads the provider's socket itself: one wake for
//! what has arrived, one piece for all that one read brought, and no memory for a connection that waits. Dropping an
//! answer closes its connection, which is how a provider learns that nobody waits any more.
//!
//! It speaks the part of HTTP/1.1 that calls need (RFC 9112), always as `POST` with a known length, and is strict about
//! where an answer ends: what two parties could read differently is an error and is never passed on.

mod body;
mod connect;
mod head;
mod pool;
#[cfg(test)]
mod tests;

use crate::chunked::Malformed;
use crate::upstream::body::Unsent;
use crate::upstream::connect::Connector;
use crate::upstream::pool::{Conn, Hosts};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, Uri};
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tacit_protocol::Chunks;
use tokio::io::{AsyncRead, ReadBuf};

pub(crate) use crate::upstream::body::AnswerBody;
pub(crate) use crate::upstream::head::END;

/// Bytes that one read takes at most.
const READ: usize = 32 * 1024;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection, or it was closed before the first byte of an answer.
    Unreachable,
    /// What came is no answer.
    Broken,
}

/// What is asked of a provider.
pub(crate) struct Request<'a> {
    pub(crate) target: &'a Uri,
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    /// Takes the place of a header of the same name.
    pub(crate) credential: Option<&'a (HeaderName, HeaderValue)>,
    pub(crate) allow_private: bool,
}

/// The beginning of an answer, and the rest to come.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: AnswerBody,
}

/// All connections to providers.
pub(crate) struct Upstream {
    hosts: Hosts,
    connector: Connector,
}

impl Upstream {
    /// `connect`: how long a connection may take, TLS included.
    pub(crate) fn new(connect: Duration) -> io::Result<Self> {
        Ok(Self { hosts: Hosts::default(), connector: Connector::new(connect)? })
    }

    /// Closes connections that have been idle for long.
    pub(crate) fn sweep(&self) {
        self.hosts.sweep();
    }

    /// Sends a request and waits for the head of its answer. `body` makes the body once more if a connection from the
    /// pool turns out to be closed, which a provider may do at any time: without a byte of an answer the request is sent
    /// again on a new connection.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) async fn send(&self, request: Request<'_>, body: impl Fn() -> Chunks) -> Result<Answer, Failure> {
        let host = self.hosts.find(request.target, request.allow_private).ok_or(Failure::Unreachable)?;
        if let Some(conn) = pool::take(&host) {
            match pin!(exchange(conn, Unsent::new(&request, body()))).await {
                Err(Failure::Unreachable) => {}
                done => return done,
            }
        }
        let conn = self.connector.connect(host).await.map_err(|_| Failure::Unreachable)?;
        pin!(exchange(conn, Unsent::new(&request, body()))).await
    }
}

/// Writes the request and reads until the head of the answer is there, which may be before all is written: a provider
/// that does not want the body says so early.
async fn exchange(conn: Conn, unsent: Unsent) -> Result<Answer, Failure> {
    let (mut conn, mut unsent) = (Some(conn), Some(unsent));
    let (mut reader, mut torn) = (head::Reader::default(), false);
    let head = poll_fn(|cx| {
        let Some(conn) = &mut conn else { return Poll::Ready(Err(Failure::Broken)) };
        if let Some(rest) = &mut unsent
            && let Poll::Ready(written) = rest.poll_write(&mut conn.io, cx)
        {
            // A provider that closed its side may still have answered.
            torn |= written.is_err();
            unsent = None;
        }
        poll_head(conn, &mut reader, cx)
    })
    .await?;
    let conn = conn.take().ok_or(Failure::Broken)?;
    // A provider that refuses does not need the rest; one that accepts shall get it.
    let refused = !head.status.is_success();
    let reusable = head.keep_alive && !torn && !(refused && unsent.is_some());
    let unsent = unsent.filter(|_| !refused).map(Box::new);
    let body = AnswerBody::new(conn, head.framing, reader.rest(), unsent, reusable)?;
    Ok(Answer { status: head.status, headers: head.headers, body })
}

fn poll_head(conn: &mut Conn, reader: &mut head::Reader, cx: &mut Context<'_>) -> Poll<Result<head::Head, Failure>> {
    loop {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut read = ReadBuf::uninit(&mut space);
        let result = ready!(Pin::new(&mut conn.io).poll_read(cx, &mut read));
        if result.is_err() || read.filled().is_empty() {
            let failure = if reader.untouched() { Failure::Unreachable } else { Failure::Broken };
            return Poll::Ready(Err(failure));
        }
        match reader.push(read.filled()) {
            Ok(Some(head)) => return Poll::Ready(Ok(head)),
            Ok(None) => {}
            Err(Malformed) => return Poll::Ready(Err(Failure::Broken)),
        }
    }
}
