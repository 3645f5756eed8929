//! The client of a request, as far as its call has to do with it: what it still sends, and whether it is still there.

use bytes::Bytes;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The client has gone, or what it sends is no request.
#[derive(Debug)]
pub(crate) struct Gone;

/// See the module.
pub(crate) trait Client: Send {
    /// How many bytes of the body follow at least.
    fn announced(&self) -> u64;

    /// Whether it sends the body only when it is asked to, and was not: asking is reading.
    fn waits_to_be_asked(&self) -> bool {
        false
    }

    /// The next piece of the body. Nothing follows an error.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Gone>>>;

    /// Ready when the client has gone. Asked once the body is read.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl dyn Client + '_ {
    /// The next piece of the body.
    pub(crate) async fn data(&mut self) -> Option<Result<Bytes, Gone>> {
        poll_fn(|cx| self.poll_data(cx)).await
    }

    /// Does some work for as long as the client stays.
    ///
    /// # Errors
    /// It has gone; the work is to be dropped.
    pub(crate) async fn stays_for<F: Future>(&mut self, mut work: Pin<&mut F>) -> Result<F::Output, Gone> {
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll_gone(cx).map(|()| Err(Gone)),
        })
        .await
    }
}
