//! Versions of resources: `ETag` on what is shown, `If-Match` on what is changed (RFC 9110, 8.8 and 13.1), so that
//! nobody overwrites what they have not seen.

use super::Console;
use crate::problem::Refusal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};
use serde::Serialize;
use std::convert::Infallible;
use std::fmt::Write as _;
use tacit_kernel::Fault;
use tacit_vault::keyed_hash;

/// Label and domain of the keyed hash.
const HASH: &str = "etag";

/// The version of a resource: a keyed hash of how it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The version of what is shown so.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn of(console: &Console, shown: &impl Serialize) -> Result<Self, Refusal> {
        let text = serde_json::to_vec(shown).map_err(|e| Fault::internal("etag.unwritable", e))?;
        let hash = keyed_hash(&console.keys.hash_key(HASH), HASH, &text);
        let mut tag = String::from("\"");
        for byte in hash.iter().take(16) {
            // Writing to a String does not fail.
            let _ = write!(tag, "{byte:02x}");
        }
        tag.push('"');
        Ok(Self(tag))
    }
}

impl ETag {
    /// As it is sent; to be kept with an answer that is sent again.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl IntoResponseParts for ETag {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            parts.headers_mut().insert(header::ETAG, value);
        }
        Ok(parts)
    }
}

/// What a request says of the versions it knows: `If-Match`, and `If-None-Match` for reading.
#[derive(Clone, Debug, Default)]
pub struct IfMatch {
    wanted: Option<Vec<String>>,
    known: Vec<String>,
}

impl IfMatch {
    /// Goes on only if the resource is as the caller has seen it, or the caller did not say. To be asked within the
    /// transaction that changes it.
    ///
    /// # Errors
    /// 412 `request.changed`.
    pub fn check(&self, now: &ETag) -> Result<(), Refusal> {
        let matches = |tags: &Vec<String>| tags.iter().any(|tag| tag == "*" || *tag == now.0);
        if self.wanted.as_ref().is_none_or(matches) {
            return Ok(());
        }
        let message = "it was changed since you have read it; read it again";
        Err(Refusal::with_status(StatusCode::PRECONDITION_FAILED, "request.changed", message))
    }

    /// What is shown with its version, or 304 if the caller has it.
    pub fn shown(&self, tag: ETag, shown: impl IntoResponse) -> Response {
        let weak = |text: &String| text.strip_prefix("W/").unwrap_or(text) == tag.0 || text == "*";
        if self.known.iter().any(weak) {
            (StatusCode::NOT_MODIFIED, tag, ()).into_response()
        } else {
            (tag, shown).into_response()
        }
    }
}

/// The entity tags of a header. Ours hold no comma.
fn tags(headers: &HeaderMap, name: header::HeaderName) -> Option<Vec<String>> {
    headers.contains_key(&name).then(|| {
        let values = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|text| text.split(',')).map(|tag| tag.trim().to_owned()).collect()
    })
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            wanted: tags(&parts.headers, header::IF_MATCH),
            known: tags(&parts.headers, header::IF_NONE_MATCH).unwrap_or_default(),
        })
    }
}
