//! The body of an answer to a client.

use crate::stream::Streamed;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tacit_protocol::Chunks;

/// See the module.
pub(crate) enum Reply {
    /// Our own words.
    Ours(Option<Bytes>),
    /// A provider's whole answer.
    Chunks(Chunks),
    /// A streamed answer.
    Stream(Box<Streamed>),
}

impl Reply {
    pub(crate) fn chunks(chunks: Chunks) -> Self {
        Self::Chunks(chunks)
    }
}

/// Our own JSON.
pub(crate) fn json(status: StatusCode, body: Bytes) -> Response<Reply> {
    of_kind(status, "application/json", body)
}

/// Our own text.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Reply> {
    of_kind(status, "text/plain; charset=utf-8", body.into())
}

fn of_kind(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Reply> {
    let mut response = Response::new(Reply::Ours((!body.is_empty()).then_some(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Ours(bytes) => bytes.take(),
            Self::Chunks(chunks) => chunks.next(),
            Self::Stream(stream) => match stream.poll_next(cx) {
                Poll::Ready(next) => next,
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Ours(bytes) => bytes.is_none(),
            Self::Chunks(chunks) => chunks.remaining() == 0,
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let exact = |len: usize| SizeHint::with_exact(u64::try_from(len).unwrap_or(u64::MAX));
        match self {
            Self::Ours(bytes) => exact(bytes.as_ref().map_or(0, Bytes::len)),
            Self::Chunks(chunks) => exact(chunks.remaining()),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
