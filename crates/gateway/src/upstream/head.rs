//! Heads of requests and answers.

use crate::chunked::{Decoder, Malformed};
use crate::framing::{content_length, has_lone_line_feed, names};
use crate::upstream::Request;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING,
};
use http::{StatusCode, Uri};
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Longest head of an answer.
const HEAD: usize = 64 * 1024;
/// Most headers in it.
const HEADERS: usize = 100;
/// Most interim answers before the real one.
const INTERIM: u32 = 16;

/// The headers of an answer that are looked at here or by `tacit_protocol::headers`. Nothing is kept of the others.
const KEPT: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, TRANSFER_ENCODING];

/// What ends a head.
pub(crate) static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));

/// The head of a request.
pub(crate) fn write(request: &Request<'_>, length: usize) -> Bytes {
    let mut out = Vec::with_capacity(512);
    let path = request.target.path_and_query().map_or("/", |p| p.as_str());
    out.extend_from_slice(b"POST ");
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(host(request.target).as_bytes());
    let own = |name: &HeaderName| [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name);
    let replaced = |name: &HeaderName| request.credential.is_some_and(|(n, _)| n == name);
    let kept = request.headers.iter().filter(|(name, _)| !own(name) && !replaced(name));
    for (name, value) in kept.chain(request.credential) {
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(b"\r\ncontent-length: ");
    out.extend_from_slice(length.to_string().as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    out.into()
}

/// The host as a request names it: with its port where the URL does, and never with a user's name.
fn host(target: &Uri) -> &str {
    let authority = target.authority().map_or("", |a| a.as_str());
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// How the end of an answer is found.
#[derive(Debug)]
pub(crate) enum Framing {
    /// After that many bytes.
    Length(u64),
    Chunked(Decoder),
    /// When the connection is closed.
    Close,
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// Whether the connection stays open after it.
    pub(crate) keep_alive: bool,
}

/// Collects bytes until a head is whole.
#[derive(Default)]
pub(crate) struct Reader {
    bytes: Vec<u8>,
    /// What was searched for the end of the head.
    seen: usize,
    interim: u32,
}

impl Reader {
    /// Whether no byte has come.
    pub(crate) fn untouched(&self) -> bool {
        self.bytes.is_empty() && self.interim == 0
    }

    /// Takes what has arrived. Interim answers (1xx) are passed over.
    ///
    /// # Errors
    /// [`Malformed`].
    pub(crate) fn push(&mut self, arrived: &[u8]) -> Result<Option<Head>, Malformed> {
        self.bytes.extend_from_slice(arrived);
        loop {
            let from = self.seen.saturating_sub(3);
            let Some(end) = END.find(self.bytes.get(from..).unwrap_or_default()) else {
                self.seen = self.bytes.len();
                return if self.seen > HEAD { Err(Malformed) } else { Ok(None) };
            };
            let end = from + end + 4;
            let head = parse(self.bytes.get(..end).filter(|h| h.len() <= HEAD).ok_or(Malformed)?)?;
            self.bytes.drain(..end);
            self.seen = 0;
            if !head.status.is_informational() {
                return Ok(Some(head));
            }
            self.interim += 1;
            // Nobody asked to switch protocols.
            if head.status == StatusCode::SWITCHING_PROTOCOLS || self.interim > INTERIM {
                return Err(Malformed);
            }
        }
    }

    /// What came after the head.
    pub(crate) fn rest(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads one whole head.
fn parse(bytes: &[u8]) -> Result<Head, Malformed> {
    let mut space = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut space);
    let parsed = response.parse(bytes).map_err(|_| Malformed)?;
    if has_lone_line_feed(bytes) || parsed != httparse::Status::Complete(bytes.len()) {
        return Err(Malformed);
    }
    let status = StatusCode::from_u16(response.code.ok_or(Malformed)?).map_err(|_| Malformed)?;
    let mut headers = HeaderMap::with_capacity(KEPT.len());
    for header in response.headers.iter() {
        let known = KEPT.iter().find(|kept| header.name.eq_ignore_ascii_case(kept.as_str()));
        if let Some(name) = known {
            headers.append(name, HeaderValue::from_bytes(header.value).map_err(|_| Malformed)?);
        }
    }
    let modern = response.version == Some(1);
    let framing = framing(status, &headers, modern)?;
    let said = |token: &str| names(&headers, CONNECTION, token);
    let stays = !said("close") && (modern || said("keep-alive"));
    let keep_alive = stays && !matches!(framing, Framing::Close);
    Ok(Head { status, headers, framing, keep_alive })
}

/// Where the answer ends (RFC 9112, 6.3), more strictly: what could be read in two ways is refused.
fn framing(status: StatusCode, headers: &HeaderMap, modern: bool) -> Result<Framing, Malformed> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    let length = content_length(headers)?;
    if let Some(coding) = coding {
        let chunked = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
        if !chunked || codings.next().is_some() || length.is_some() || !modern {
            return Err(Malformed);
        }
    }
    if status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return Ok(Framing::Length(0));
    }
    Ok(match (coding, length) {
        (Some(_), _) => Framing::Chunked(Decoder::new()),
        (None, Some(length)) => Framing::Length(length),
        (None, None) => Framing::Close,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<Option<Head>, Malformed> {
        Reader::default().push(head.as_bytes())
    }

    fn kind(head: &str) -> Option<String> {
        let head = read(&format!("HTTP/1.1 {head}\r\n\r\n")).ok()??;
        let framing = match head.framing {
            Framing::Length(length) => length.to_string(),
            Framing::Chunked(_) => "chunked".to_owned(),
            Framing::Close => "close".to_owned(),
        };
        Some(format!("{framing}{}", if head.keep_alive { "+" } else { "" }))
    }

    #[test]
    fn the_end_of_an_answer_is_known_or_the_answer_is_refused() {
        let cases = [
            ("200 OK\r\ncontent-length: 5", Some("5+")),
            ("200 \r\nContent-Length:5 ", Some("5+")),
            ("200 OK\r\ncontent-length: 5\r\ncontent-length: 5", Some("5+")),
            ("200 OK\r\ntransfer-encoding: Chunked", Some("chunked+")),
            ("200 OK\r\ntransfer-encoding: chunked\r\nconnection: a, Close", Some("chunked")),
            ("200 OK", Some("close")),
            ("204 No Content", Some("0+")),
            ("304 Not Modified\r\ncontent-length: 9", Some("0+")),
            ("200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked", None),
            ("200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 0", None),
            ("204 No Content\r\ntransfer-encoding: chunked\r\ncontent-length: 0", None),
            ("200 OK\r\ncontent-length: 5\r\ncontent-length: 6", None),
            ("200 OK\r\ncontent-length: 5, 5", None),
            ("200 OK\r\ncontent-length: -1", None),
            ("200 OK\r\ncontent-length: +1", None),
            ("200 OK\r\ncontent-length: 0x5", None),
            ("200 OK\r\ncontent-length: 5 5", None),
            ("200 OK\r\ncontent-length:", None),
            ("200 OK\r\ncontent-length: 99999999999999999999", None),
            ("200 OK\r\ntransfer-encoding: gzip, chunked", None),
            ("200 OK\r\ntransfer-encoding: identity", None),
            ("200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked", None),
            ("200 OK\r\ntransfer-encoding: \x0bchunked", None),
            ("200 OK\r\ntransfer-encoding : chunked", None),
            ("200 OK\r\ncontent-length: 5\r\n folded: x", None),
            ("200 OK\r\na: b\ncontent-length: 5", None),
            ("200 OK\ncontent-length: 5", None),
            ("200 OK\r\na: b\rcontent-length: 5", None),
            ("200 OK\r\na: b\0", None),
            ("200 OK\r\n: b", None),
            ("200 OK\r\nno colon", None),
            ("20 OK", None),
            ("101 Switching Protocols", None),
        ];
        for (head, want) in cases {
            assert_eq!(kind(head).as_deref(), want, "{head:?}");
        }
        for head in ["HTTP/2.0 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "{}\r\n\r\n"] {
            assert!(read(head).is_err(), "{head:?}");
        }
        assert!(read("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(!read("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n").unwrap().unwrap().keep_alive);
    }

    #[test]
    fn a_head_may_come_in_pieces_and_after_interim_ones() {
        let wire =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\na: b\r\n\r\nrest";
        for cut in 1..wire.len() {
            let mut reader = Reader::default();
            let head = match reader.push(&wire[..cut]).unwrap() {
                Some(head) => {
                    reader.bytes.extend_from_slice(&wire[cut..]);
                    head
                }
                None => reader.push(&wire[cut..]).unwrap().unwrap(),
            };
            assert_eq!((head.status.as_u16(), reader.rest()), (200, b"rest".to_vec()), "{cut}");
        }
        let mut reader = Reader::default();
        assert!(wire.iter().filter_map(|b| reader.push(&[*b]).unwrap()).next().is_some());
    }

    #[test]
    fn heads_are_bounded() {
        let mut reader = Reader::default();
        reader.push(b"HTTP/1.1 200 OK\r\na: ").unwrap();
        let endless = (0..100).find(|_| reader.push(&[b'x'; 1024]).is_err());
        assert!(endless.is_some());
        let many = |count: usize| kind(&format!("200 OK{}", "\r\na: b".repeat(count)));
        assert!(many(HEADERS).is_some());
        assert!(many(HEADERS + 1).is_none());
        assert!(read(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(17)).is_err());
    }

    #[test]
    fn a_request_is_written_as_the_target_says() {
        let target: Uri = "https://user:secret@api.example:8443/v1/chat?x=1".parse().unwrap();
        let headers = [
            ("accept", "*/*"),
            ("authorization", "the caller's"),
            ("content-length", "99"),
            ("transfer-encoding", "chunked"),
        ];
        let headers = headers.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
        let credential = (http::header::AUTHORIZATION, HeaderValue::from_static("Bearer ours"));
        let request =
            Request { target: &target, headers: &headers, credential: Some(&credential), allow_private: false };
        let want = "POST /v1/chat?x=1 HTTP/1.1\r\nhost: api.example:8443\r\naccept: */*\r\n\
                    authorization: Bearer ours\r\ncontent-length: 7\r\n\r\n";
        assert_eq!(write(&request, 7), want);
    }
}
