//! The body of an answer to a client.

use crate::forward::Forwarded;
use crate::memory::Room;
use crate::stream::Streamed;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::SizeHint;
use std::task::{Context, Poll};
use tacit_protocol::Chunks;

/// See the module.
pub(crate) enum Reply {
    /// Our own words.
    Ours(Option<Bytes>),
    /// A provider's words about a request that it refused.
    Refused(Chunks),
    /// A provider's whole answer, and the room it takes.
    Whole { chunks: Chunks, _room: Room },
    /// A streamed answer.
    Stream(Box<Streamed>),
    /// An answer of the control plane.
    Forwarded(Box<Forwarded>),
}

impl Reply {
    /// The next bytes.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Poll::Ready(match self {
            Self::Ours(bytes) => bytes.take(),
            Self::Refused(chunks) | Self::Whole { chunks, .. } => chunks.next(),
            Self::Stream(stream) => return stream.poll_next(cx),
            Self::Forwarded(forwarded) => return forwarded.poll_next(cx),
        })
    }

    /// Whether it is known that nothing follows.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Ours(bytes) => bytes.is_none(),
            Self::Refused(chunks) | Self::Whole { chunks, .. } => chunks.remaining() == 0,
            Self::Stream(_) => false,
            Self::Forwarded(forwarded) => forwarded.is_over(),
        }
    }

    /// Whether it ended before its end, which the client must be able to tell. A stream ends with an event that says so.
    pub(crate) const fn is_broken(&self) -> bool {
        matches!(self, Self::Forwarded(forwarded) if forwarded.is_broken())
    }

    /// How much follows, where that is known.
    pub(crate) fn size_hint(&self) -> SizeHint {
        let exact = |len: usize| SizeHint::with_exact(u64::try_from(len).unwrap_or(u64::MAX));
        match self {
            Self::Ours(bytes) => exact(bytes.as_ref().map_or(0, Bytes::len)),
            Self::Refused(chunks) | Self::Whole { chunks, .. } => exact(chunks.remaining()),
            Self::Stream(_) => SizeHint::default(),
            Self::Forwarded(forwarded) => forwarded.size_hint(),
        }
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
