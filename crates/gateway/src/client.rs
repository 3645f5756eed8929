//! The client of a request, as far as its call has to do with it: what it still sends, and whether it is still there.

use bytes::Bytes;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The client has gone.
#[derive(Debug)]
pub(crate) struct Gone;

/// Why a body does not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The client has gone.
    Gone,
    /// What it sends is not coded as it says.
    Malformed,
}

/// See the module.
pub(crate) trait Client: Send {
    /// How many bytes of the body follow at least.
    fn announced(&self) -> u64;

    /// Whether it sends the body only when it is asked to, and was not: asking is reading.
    fn waits_to_be_asked(&self) -> bool {
        false
    }

    /// The next piece of the body. Nothing follows an error.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>>;

    /// Ready when the client has gone. Asked once the body is read.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl dyn Client + '_ {
    /// The next piece of the body.
    pub(crate) async fn data(&mut self) -> Option<Result<Bytes, Cut>> {
        poll_fn(|cx| self.poll_data(cx)).await
    }

    /// Does some work for as long as the client stays.
    ///
    /// # Errors
    /// It has gone; the work is to be dropped.
    pub(crate) async fn stays_for<F: Future>(&mut self, mut work: Pin<&mut F>) -> Result<F::Output, Gone> {
        let mut begun = false;
        poll_fn(|cx| {
            // What nobody waits for any more is not even begun.
            if !std::mem::replace(&mut begun, true) && self.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Gone));
            }
            match work.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Ok(done)),
                Poll::Pending => self.poll_gone(cx).map(|()| Err(Gone)),
            }
        })
        .await
    }
}
