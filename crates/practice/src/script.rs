//! A response body that is played step by step: bytes, pauses, and the ways a connection can end.

use bytes::Bytes;
use http_body::{Body, Frame};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// One step of a body.
pub(crate) enum Step {
    Bytes(Bytes),
    Pause(Duration),
    Hang,
    /// The connection closes without the end of the body.
    Cut,
    /// The same, with a TCP reset.
    Reset,
}

/// What the provider counts about its answers.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    /// Answers of which the client took the last byte.
    pub(crate) completed: AtomicU64,
    /// Answers that the client left before their end.
    pub(crate) abandoned: AtomicU64,
}

/// A handle on the connection that can only make its end a reset.
#[derive(Clone, Default)]
pub(crate) struct Line(pub(crate) Option<Arc<std::net::TcpStream>>);

impl Line {
    pub(crate) fn reset_at_close(&self) {
        if let Some(stream) = &self.0 {
            let _ = socket2::SockRef::from(stream.as_ref()).set_linger(Some(Duration::ZERO));
        }
    }
}

/// The body itself.
pub(crate) struct Script {
    steps: std::vec::IntoIter<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    line: Line,
    counters: Arc<Counters>,
    ended: bool,
}

impl Script {
    pub(crate) fn new(steps: Vec<Step>, line: Line, counters: Arc<Counters>) -> Self {
        Self { steps: steps.into_iter(), sleep: None, line, counters, ended: false }
    }

    fn complete(&mut self) {
        if !self.ended {
            self.ended = true;
            self.counters.completed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if let Some(sleep) = &mut this.sleep {
            match sleep.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => this.sleep = None,
            }
        }
        loop {
            match this.steps.next() {
                Some(Step::Bytes(bytes)) => {
                    if this.steps.as_slice().is_empty() {
                        this.complete();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Pause(time)) => {
                    let mut sleep = Box::pin(tokio::time::sleep(time));
                    if sleep.as_mut().poll(cx).is_pending() {
                        this.sleep = Some(sleep);
                        return Poll::Pending;
                    }
                }
                // Nobody wakes this body again; only the client's leaving ends it.
                Some(Step::Hang) => {
                    this.steps = vec![Step::Hang].into_iter();
                    return Poll::Pending;
                }
                Some(step @ (Step::Cut | Step::Reset)) => {
                    if matches!(step, Step::Reset) {
                        this.line.reset_at_close();
                    }
                    this.ended = true;
                    return Poll::Ready(Some(Err(io::Error::other("cut on request"))));
                }
                None => {
                    this.complete();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.steps.as_slice().is_empty()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if !self.ended {
            self.counters.abandoned.fetch_add(1, Ordering::Relaxed);
        }
    }
}
