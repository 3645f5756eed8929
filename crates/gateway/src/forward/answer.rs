//! The control plane's answer on its way to the client.

use bytes::Bytes;
use http_body::{Body as _, SizeHint};
use hyper::body::Incoming;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

/// See the module.
pub(crate) struct Forwarded {
    body: Incoming,
    /// What a HEAD would be told.
    length: Option<u64>,
    head_only: bool,
    /// It ended before its end.
    broken: bool,
    patience: Duration,
    silence: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Forwarded {
    pub(super) fn new(
        body: Incoming,
        length: Option<u64>,
        head_only: bool,
        patience: Duration,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let silence = Box::pin(tokio::time::sleep(patience));
        Self { body, length, head_only, broken: false, patience, silence, _place: place }
    }

    /// The next bytes.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.broken || self.head_only {
            return Poll::Ready(None);
        }
        loop {
            return match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers have no meaning here.
                    let Ok(data) = frame.into_data() else { continue };
                    self.silence.as_mut().reset(Instant::now() + self.patience);
                    Poll::Ready(Some(data))
                }
                Poll::Ready(Some(Err(_))) => {
                    self.broken = true;
                    Poll::Ready(None)
                }
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => {
                    let patience_ended = self.silence.as_mut().poll(cx).is_ready();
                    self.broken |= patience_ended;
                    if patience_ended { Poll::Ready(None) } else { Poll::Pending }
                }
            };
        }
    }

    pub(crate) const fn is_broken(&self) -> bool {
        self.broken
    }

    pub(crate) fn is_over(&self) -> bool {
        self.head_only || (self.body.is_end_stream() && !self.broken)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match (self.head_only, self.length) {
            (true, Some(length)) => SizeHint::with_exact(length),
            (true, None) => SizeHint::default(),
            (false, _) => self.body.size_hint(),
        }
    }
}
