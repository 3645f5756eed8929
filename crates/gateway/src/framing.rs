//! Where a message of HTTP/1.1 ends (RFC 9112, 6.3), as far as it is the same for requests and answers.

use crate::chunked::Malformed;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName};

/// Whether a line feed stands alone. Lines end with CR LF; httparse would let one pass.
pub(crate) fn has_lone_line_feed(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head.get(at - 1) != Some(&b'\r'))
}

/// The length that a head announces, if it does. It may say so twice, but not differently.
///
/// # Errors
/// [`Malformed`]: what two parties could read in two ways.
pub(crate) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        let digits = value.as_bytes();
        if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
            return Err(Malformed);
        }
        let said: u64 = value.to_str().ok().and_then(|v| v.parse().ok()).ok_or(Malformed)?;
        if length.replace(said).is_some_and(|before| before != said) {
            return Err(Malformed);
        }
    }
    Ok(length)
}

/// Whether a header with a list names that token.
pub(crate) fn names(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).any(|t| t.trim().eq_ignore_ascii_case(token))
}
