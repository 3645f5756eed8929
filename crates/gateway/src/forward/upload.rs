//! The body of a request on its way to the control plane.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// The client was cut off before the end: what was sent so far is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client's request broke off")]
pub(crate) struct BrokenOff;

/// See the module. Whoever drops its [`Sender`] before [`Sender::end`] breaks it off.
pub(crate) struct Upload {
    pieces: Option<mpsc::Receiver<Option<Bytes>>>,
    left: Option<u64>,
}

/// Where its pieces are put in.
pub(crate) struct Sender(mpsc::Sender<Option<Bytes>>);

/// Nobody wants more.
pub(crate) struct Unwanted;

impl Sender {
    /// The next piece; waits until there is room for it.
    pub(crate) async fn piece(&self, piece: Bytes) -> Result<(), Unwanted> {
        self.0.send(Some(piece)).await.map_err(|_| Unwanted)
    }

    /// There is no more.
    pub(crate) async fn end(self) -> Result<(), Unwanted> {
        self.0.send(None).await.map_err(|_| Unwanted)
    }
}

impl Upload {
    /// A request without a body.
    pub(crate) const fn none() -> Self {
        Self { pieces: None, left: Some(0) }
    }

    /// A body, of that length if it is known.
    pub(crate) fn of(length: Option<u64>) -> (Self, Option<Sender>) {
        let (sender, pieces) = mpsc::channel(1);
        (Self { pieces: Some(pieces), left: length }, Some(Sender(sender)))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let Some(pieces) = &mut self.pieces else { return Poll::Ready(None) };
        Poll::Ready(match ready!(pieces.poll_recv(cx)) {
            Some(Some(piece)) => {
                let len = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                self.left = self.left.map(|left| left.saturating_sub(len));
                Some(Ok(Frame::data(piece)))
            }
            Some(None) => {
                self.pieces = None;
                None
            }
            None => {
                self.pieces = None;
                Some(Err(BrokenOff))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
