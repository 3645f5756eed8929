//! The head of a request: what is asked, and where its body ends.

use crate::chunked::Decoder;
use crate::framing::{content_length, has_lone_line_feed, names};
use crate::reply::{self, Reply};
use crate::upstream::END;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use std::mem::MaybeUninit;

/// Longest head of a request.
const HEAD: usize = 64 * 1024;
/// Most headers in it.
const HEADERS: usize = 100;

/// How the end of a request's body is found.
#[derive(Debug)]
pub(crate) enum Framing {
    /// After that many bytes.
    Length(u64),
    Chunked(Decoder),
}

/// The head of a request.
pub(crate) struct Head {
    pub(crate) parts: Parts,
    pub(crate) framing: Framing,
    /// The client means to send another request after this one.
    pub(crate) kept: bool,
    /// The client waits to be told to send the body.
    pub(crate) expects_continue: bool,
}

impl Default for Head {
    /// Of a request that could not be read: nothing follows it.
    fn default() -> Self {
        let parts = Request::new(()).into_parts().0;
        Self { parts, framing: Framing::Length(0), kept: false, expects_continue: false }
    }
}

/// Why a head cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Malformed,
    /// Head or number of headers.
    TooLarge,
    /// Neither HTTP/1.1 nor HTTP/1.0.
    Version,
    /// A transfer coding other than chunked.
    Coding,
}

impl Unreadable {
    /// How the client is told. In which dialect it would like to hear it nobody knows.
    pub(crate) fn answer(self) -> Response<Reply> {
        let (status, body) = match self {
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                r#"{"error":{"message":"this is not a request that HTTP/1.1 allows","type":"invalid_request_error","param":null,"code":"malformed_request"}}"#,
            ),
            Self::TooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                r#"{"error":{"message":"the headers of a request may have 64 KiB, and there may be 100 of them","type":"invalid_request_error","param":null,"code":"headers_too_large"}}"#,
            ),
            Self::Version => (
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                r#"{"error":{"message":"speak HTTP/1.1 or HTTP/2","type":"invalid_request_error","param":null,"code":"http_version"}}"#,
            ),
            Self::Coding => (
                StatusCode::NOT_IMPLEMENTED,
                r#"{"error":{"message":"the only transfer coding of a request is chunked","type":"invalid_request_error","param":null,"code":"transfer_encoding"}}"#,
            ),
        };
        reply::json(status, Bytes::from_static(body.as_bytes()))
    }
}

/// Takes the next head out of what has arrived, if it is whole. `seen` is what was searched for its end before.
///
/// # Errors
/// [`Unreadable`].
pub(crate) fn take(arrived: &mut BytesMut, seen: &mut usize) -> Result<Option<Head>, Unreadable> {
    // Empty lines before a request are passed over (RFC 9112, 2.2).
    let empty = arrived.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    arrived.advance(empty);
    let before = std::mem::replace(seen, arrived.len());
    let from = before.saturating_sub(empty).saturating_sub(3);
    let Some(end) = END.find(arrived.get(from..).unwrap_or_default()).map(|at| from + at) else {
        return match arrived.len() {
            0..=HEAD if before == 0 => early(arrived),
            0..=HEAD => Ok(None),
            _ => Err(Unreadable::TooLarge),
        };
    };
    *seen = 0;
    if end > HEAD {
        return Err(Unreadable::TooLarge);
    }
    parse(&arrived.split_to(end + 4).freeze()).map(Some)
}

/// What cannot become a request any more is refused at once, without waiting for its end.
fn early(arrived: &[u8]) -> Result<Option<Head>, Unreadable> {
    let line = arrived.get(..memchr::memchr(b'\n', arrived).map_or(arrived.len(), |at| at + 1)).unwrap_or_default();
    let mut none = [httparse::EMPTY_HEADER; 0];
    match httparse::Request::new(&mut none).parse(line) {
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Ok(None),
        Err(why) => Err(unreadable(why)),
    }
}

const fn unreadable(why: httparse::Error) -> Unreadable {
    match why {
        httparse::Error::TooManyHeaders => Unreadable::TooLarge,
        httparse::Error::Version => Unreadable::Version,
        _ => Unreadable::Malformed,
    }
}

/// Reads one whole head. Values share its memory.
fn parse(bytes: &Bytes) -> Result<Head, Unreadable> {
    let mut space = [const { MaybeUninit::uninit() }; HEADERS];
    let mut read = httparse::Request::new(&mut []);
    let parsed = read.parse_with_uninit_headers(bytes, &mut space).map_err(unreadable)?;
    if has_lone_line_feed(bytes) || parsed != httparse::Status::Complete(bytes.len()) {
        return Err(Unreadable::Malformed);
    }
    let (Some(method), Some(target)) = (read.method, read.path) else { return Err(Unreadable::Malformed) };
    let modern = read.version == Some(1);
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| Unreadable::Malformed)?;
    *request.uri_mut() =
        Uri::from_maybe_shared(bytes.slice_ref(target.as_bytes())).map_err(|_| Unreadable::Malformed)?;
    *request.version_mut() = if modern { Version::HTTP_11 } else { Version::HTTP_10 };
    let mut headers = HeaderMap::with_capacity(read.headers.len());
    for header in read.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| Unreadable::Malformed)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value));
        headers.append(name, value.map_err(|_| Unreadable::Malformed)?);
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if (modern && host.is_none()) || hosts.next().is_some() {
        return Err(Unreadable::Malformed);
    }
    let framing = framing(&headers, modern)?;
    let kept = !names(&headers, CONNECTION, "close") && (modern || names(&headers, CONNECTION, "keep-alive"));
    let expects_continue = modern && names(&headers, EXPECT, "100-continue");
    *request.headers_mut() = headers;
    Ok(Head { parts: request.into_parts().0, framing, kept, expects_continue })
}

/// Where the body ends (RFC 9112, 6.3), more strictly: what could be read in two ways is refused.
fn framing(headers: &HeaderMap, modern: bool) -> Result<Framing, Unreadable> {
    let length = content_length(headers).map_err(|_| Unreadable::Malformed)?;
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(Framing::Length(length.unwrap_or(0))) };
    if length.is_some() || !modern || codings.next().is_some() {
        return Err(Unreadable::Malformed);
    }
    if !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Err(Unreadable::Coding);
    }
    Ok(Framing::Chunked(Decoder::new()))
}
