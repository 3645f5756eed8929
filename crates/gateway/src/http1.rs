//! Clients that speak HTTP/1.1, on a codec of our own.
//!
//! A general server reads ahead into buffers of its own, hands a body over in a channel and keeps a timer for each
//! request. Here the task of a connection does everything itself: a request and its body stay in the buffer that they
//! were read into, an answer leaves in one write with its head, and a connection that waits holds no memory but its
//! task. Towards providers it is the same: see `upstream`.
//!
//! It speaks the part of HTTP/1.1 that an API needs (RFC 9112), and is strict about where a request ends: what two
//! parties could read differently is refused, and the connection closed.

mod answer;
mod body;
mod head;
#[cfg(test)]
mod tests;

use crate::http1::answer::Outgoing;
use crate::http1::body::{Asking, RequestBody};
use crate::http1::head::{Head, Unreadable};
use crate::lane::Lane;
use crate::serve;
use bytes::BytesMut;
use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Bytes that one read takes at most.
const READ: usize = 16 * 1024;
/// How long, and how many bytes, a client may go on to send when it was told that its connection is closed.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;
/// What may arrive ahead of its turn; more is not read before.
const EARLY: usize = 64 * 1024;

/// A connection.
struct Connection<S> {
    io: S,
    /// What has arrived and is not used yet.
    arrived: BytesMut,
    /// Of that, what was searched for the end of a head.
    seen: usize,
    outgoing: Outgoing,
}

/// What came instead of the head of a request.
enum NoHead {
    /// Nothing more will come, or nothing came in time.
    Over,
    Unreadable(Unreadable),
}

/// Serves a connection until its end. `arrived` is what was read of it already.
pub(crate) async fn serve<S>(lane: Arc<Lane>, io: S, arrived: BytesMut, peer: IpAddr, draining: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut connection = Connection { io, arrived, seen: 0, outgoing: Outgoing::default() };
    // One for the whole life of the connection: it is set anew only when it runs out.
    let mut timer = pin!(tokio::time::sleep(lane.config.timeouts.head));
    let mut drained = pin!(draining.cancelled());
    loop {
        let patience = Instant::now() + lane.config.timeouts.head;
        let next = poll_fn(|cx| connection.poll_head(cx, timer.as_mut(), patience, drained.as_mut()));
        let (head, last) = match next.await {
            Ok(head) => (head, None),
            Err(NoHead::Over) => break,
            Err(NoHead::Unreadable(why)) => (Head::default(), Some(why.answer())),
        };
        let Head { parts, framing, kept, expects_continue } = head;
        let form = answer::Form::of(&parts);
        let mut body = RequestBody::new(framing, expects_continue);
        let response = match last {
            Some(response) => response,
            None => {
                let mut asking = Asking { connection: &mut connection, body: &mut body };
                match pin!(serve::serve(&lane, peer, parts, &mut asking)).await {
                    Some(response) => response,
                    None => break,
                }
            }
        };
        let stays = kept && body.is_over() && !lane.draining.load(Relaxed);
        if pin!(connection.answer(response, form, stays, &lane)).await.is_err() || !stays {
            break;
        }
    }
    connection.leave().await;
}

/// Takes what has arrived; ready with how many bytes that were, 0 at the end.
pub(crate) fn poll_arrive<S: AsyncRead + Unpin>(
    io: &mut S,
    cx: &mut Context<'_>,
    arrived: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    // On the stack: while nothing comes, nothing is held.
    let mut space = [MaybeUninit::uninit(); READ];
    let mut read = ReadBuf::uninit(&mut space);
    ready!(Pin::new(io).poll_read(cx, &mut read))?;
    arrived.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        poll_arrive(&mut self.io, cx, &mut self.arrived)
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        patience: Instant,
        drained: Pin<&mut WaitForCancellationFuture<'_>>,
    ) -> Poll<Result<Head, NoHead>> {
        loop {
            match head::take(&mut self.arrived, &mut self.seen) {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(why) => return Poll::Ready(Err(NoHead::Unreadable(why))),
            }
            match self.poll_more(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(Err(NoHead::Over)),
                Poll::Pending => break,
            }
        }
        if self.arrived.is_empty() {
            self.arrived = BytesMut::new();
            if drained.poll(cx).is_ready() {
                return Poll::Ready(Err(NoHead::Over));
            }
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= patience {
                return Poll::Ready(Err(NoHead::Over));
            }
            timer.as_mut().reset(patience);
        }
        Poll::Pending
    }

    /// Closes our side, and takes for a moment what still comes: a client that is cut off while it writes may never see what
    /// it was answered.
    async fn leave(mut self) {
        let closed = poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await;
        if closed.is_err() {
            return;
        }
        let rest = async {
            let mut seen = 0;
            while let Ok(more @ 1..) = poll_fn(|cx| self.poll_more(cx)).await {
                self.arrived.clear();
                seen += more;
                if seen > LINGER_BYTES {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(LINGER, rest).await;
    }

    /// Ready when the client has gone. What it sends ahead of its turn is kept.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.arrived.len() < EARLY {
            match ready!(self.poll_more(cx)) {
                Ok(1..) => {}
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }
}
