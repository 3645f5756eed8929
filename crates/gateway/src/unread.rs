//! A client that does not read what it is sent is let go: it would hold its call, the money reserved for it, a call at a
//! provider and memory for as long as it likes.
//!
//! Two things can stand still. A **connection** whose socket takes no more ([`Patient`]), with either version of HTTP.
//! And with HTTP/2 a single **stream** whose window the client does not open, while the connection is well: hyper waits
//! for that window in a task of its own and does not ask the body for more, so that the body cannot notice. Therefore the
//! body tells ([`Delivery`]) when it has handed a piece out, and the task ([`Streams`]) ends where none was asked for
//! since. With the task go the body and the call in it, which ends as that of a client that went away.

use crate::reply::Reply;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A connection on which a write that does not go on fails.
pub(crate) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Runs while a write waits.
    standing: Option<Pin<Box<Sleep>>>,
    /// Taken when it is counted, which is once.
    let_go: Option<Counter>,
}

impl<S> Patient<S> {
    pub(crate) const fn new(stream: S, patience: Duration, let_go: Counter) -> Self {
        Self { stream, patience, standing: None, let_go: Some(let_go) }
    }

    fn count(&mut self) {
        if let Some(let_go) = self.let_go.take() {
            let_go.inc();
        }
    }

    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(written) = written {
            self.standing = None;
            // The kernel may have been the first to say so: it looks at what it has taken over itself.
            if written.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::TimedOut) {
                self.count();
            }
            return Poll::Ready(written);
        }
        let patience = self.patience;
        let standing = self.standing.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(standing.as_mut().poll(cx));
        self.count();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Whose turn it is on a stream.
#[derive(Clone, Copy)]
enum Turn {
    /// The body has nothing to hand out.
    Ours,
    /// The client has not taken what was handed out last.
    Clients,
}

tokio::task_local! {
    /// What the body said while the task of its stream was polled; nothing if it was not asked.
    static TURN: Cell<Option<Turn>>;
}

fn now_it_is(turn: Turn) {
    // Nobody listens where the body is polled by the task of the connection, as on the private listener.
    let _ = TURN.try_with(|said| said.set(Some(turn)));
}

/// The body of an answer, up to where the client has it. For hyper, which does HTTP/2 and the private listener.
pub(crate) struct Delivery {
    reply: Reply,
    /// What was handed out and is not sent. The stream must not end before it is, for nobody would watch over the rest
    /// of it.
    unsent: Arc<Unsent>,
    over: bool,
}

#[derive(Default)]
struct Unsent {
    pieces: AtomicUsize,
    sent: AtomicWaker,
}

/// A piece that is counted until it is sent.
struct Piece {
    bytes: Bytes,
    unsent: Arc<Unsent>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if self.unsent.pieces.fetch_sub(1, AcqRel) == 1 {
            self.unsent.sent.wake();
        }
    }
}

/// An answer that ended before its end: the stream is reset, so that nobody takes it for whole.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(crate) struct BrokenOff;

impl Delivery {
    pub(crate) fn new(reply: Reply) -> Self {
        Self { reply, unsent: Arc::default(), over: false }
    }

    fn is_sent(&self) -> bool {
        self.unsent.pieces.load(Acquire) == 0
    }
}

impl Body for Delivery {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        if !this.over {
            match this.reply.poll_next(cx) {
                Poll::Ready(Some(bytes)) => {
                    now_it_is(Turn::Clients);
                    this.unsent.pieces.fetch_add(1, AcqRel);
                    let piece = Piece { bytes, unsent: Arc::clone(&this.unsent) };
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))));
                }
                Poll::Ready(None) if this.reply.is_broken() => return Poll::Ready(Some(Err(BrokenOff))),
                Poll::Ready(None) => {
                    this.over = true;
                    now_it_is(Turn::Clients);
                }
                Poll::Pending => {
                    now_it_is(Turn::Ours);
                    return Poll::Pending;
                }
            }
        }
        this.unsent.sent.register(cx.waker());
        if this.is_sent() { Poll::Ready(None) } else { Poll::Pending }
    }

    fn is_end_stream(&self) -> bool {
        self.reply.is_over() && self.is_sent()
    }

    fn size_hint(&self) -> SizeHint {
        self.reply.size_hint()
    }
}

/// Starts the task of each stream of HTTP/2, and ends it where its client does not read.
#[derive(Clone)]
pub(crate) struct Streams {
    pub(crate) patience: Duration,
    pub(crate) let_go: Counter,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let Self { patience, let_go } = self.clone();
        tokio::spawn(async move {
            if !is_read(stream, patience).await {
                let_go.inc();
            }
        });
    }
}

/// Whether the stream came to its end; false when its client did not read.
async fn is_read<F: Future>(stream: F, patience: Duration) -> bool {
    let mut stream = pin!(stream);
    // Runs while it is the client's turn; begun anew with each piece that is taken.
    let mut standing: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        let polled = |said: &Cell<Option<Turn>>| (stream.as_mut().poll(cx), said.get());
        let (done, said) = TURN.sync_scope(Cell::new(None), || TURN.with(polled));
        if done.is_ready() {
            return Poll::Ready(true);
        }
        match said {
            Some(Turn::Clients) => standing = Some(Box::pin(sleep(patience))),
            Some(Turn::Ours) => standing = None,
            None => {}
        }
        standing.as_mut().map_or(Poll::Pending, |timer| timer.as_mut().poll(cx).map(|()| false))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_write_that_stands_still_fails_and_one_that_goes_on_does_not() {
        let (near, mut far) = tokio::io::duplex(1000);
        let mut near = Patient::new(near, PATIENCE, Counter::default());
        let writing = async {
            // Takes longer than the patience in all, but not for one write.
            near.write_all(&[0; 5000]).await?;
            near.write_all(&[0; 2000]).await
        };
        let reading = async {
            for _ in 0..6 {
                tokio::time::sleep(PATIENCE / 2).await;
                far.read_exact(&mut [0; 1000]).await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        let written = tokio::select! {
            written = writing => written,
            () = reading => unreachable!(),
        };
        written.unwrap();
        let failed = near.write_all(&[0; 2000]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        drop(far);
    }
}
