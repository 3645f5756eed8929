//! What is read from requests. Unknown fields are refused and the wrong field is named, by its place in our own form;
//! nothing that was sent is quoted. (So no form here has free keys: a path would quote them.)

use super::{BODY_MAX, not_found, shield};
use crate::problem::Refusal;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// A JSON body.
pub struct Input<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        if !request.headers().get(header::CONTENT_TYPE).is_some_and(shield::is_json) {
            return Err(shield::unsupported());
        }
        read(&whole(request).await?).map(Self)
    }
}

/// The whole body of a request.
///
/// # Errors
/// 413 if it is too large, 400 if it breaks off.
pub(super) async fn whole(request: Request) -> Result<Bytes, Refusal> {
    upload(request.into_body(), BODY_MAX).await
}

/// So much of what is too large is read and let go before it is refused: who still sends would not read the answer.
const LET_GO: usize = 16 << 20;

/// The whole body of a request that is no form, of at most so many bytes.
///
/// # Errors
/// As [`whole`].
pub(super) async fn upload(mut body: Body, most: usize) -> Result<Bytes, Refusal> {
    let (mut bytes, mut seen) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| broken())?.into_data() else { continue };
        seen = seen.saturating_add(piece.len());
        if seen <= most {
            bytes.extend_from_slice(&piece);
        } else if seen > most + LET_GO {
            break;
        }
    }
    if seen > most { Err(too_large()) } else { Ok(bytes.into()) }
}

fn too_large() -> Refusal {
    let message = "the body is larger than this interface takes";
    Refusal::with_status(StatusCode::PAYLOAD_TOO_LARGE, "request.too_large", message)
}

fn broken() -> Refusal {
    Refusal::with_status(StatusCode::BAD_REQUEST, "request.broken", "the body did not arrive")
}

/// The form that those bytes hold.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // A form is an object; its fields in a row, without names, would be taken too.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Refusal::with_status(StatusCode::UNPROCESSABLE_ENTITY, "request.invalid", NOT_OBJECT));
    }
    if has_nul(bytes) {
        return Err(Refusal::with_status(StatusCode::UNPROCESSABLE_ENTITY, "request.invalid", NUL));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        if !error.inner().is_data() {
            return Refusal::with_status(StatusCode::UNPROCESSABLE_ENTITY, "request.invalid", NOT_JSON);
        }
        wrong("request.invalid", &error)
    })?;
    let rest = reader.end();
    rest.map_err(|_| Refusal::with_status(StatusCode::UNPROCESSABLE_ENTITY, "request.invalid", NOT_JSON))?;
    Ok(value)
}

/// Whether a string of that JSON holds U+0000, which a backslash must stand for; it stands for one byte, or for what follows `u`.
fn has_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let escaped = rest.get(at + 1..).unwrap_or_default();
        if escaped.starts_with(b"u0000") {
            return true;
        }
        rest = escaped.get(1..).unwrap_or_default();
    }
    false
}

/// PostgreSQL keeps no text with it, and nobody types it.
const NUL: &str = "a text has the character U+0000: leave it out";
const NOT_JSON: &str = "the body is not JSON";
const NOT_OBJECT: &str = "the body must be a JSON object";

/// Query parameters.
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        if pairs.into_iter().any(|(_, value)| value.contains('\0')) {
            return Err(Refusal::with_status(StatusCode::UNPROCESSABLE_ENTITY, "request.query", NUL));
        }
        let read = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs));
        read.map(Self).map_err(|error| wrong("request.query", &error))
    }
}

/// The one parameter of a path, as an id. A text that is no such id names nothing that is there.
pub struct Reference<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Reference<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let none = || not_found("request.reference", "thing");
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| none())?;
        text.parse().map(Self).map_err(|_| none())
    }
}

/// The second parameter of a path, as an id; as [`Reference`].
pub struct Inner<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Inner<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let none = || not_found("request.reference", "thing");
        let Path((_, text)) = Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| none())?;
        text.parse().map(Self).map_err(|_| none())
    }
}

/// Both parameters of a path, as ids; as [`Reference`].
pub struct Both<T, U>(pub T, pub U);

impl<S: Send + Sync, T: FromStr, U: FromStr> FromRequestParts<S> for Both<T, U> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let none = || not_found("request.reference", "thing");
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((first, second)) = path.map_err(|_| none())?;
        Ok(Self(first.parse().map_err(|_| none())?, second.parse().map_err(|_| none())?))
    }
}

/// What is wrong, in our own words. The words of the deserialiser begin with what kind of mistake it is; only of a
/// missing field they hold nothing but a name of ours.
fn wrong<E: std::error::Error>(code: &'static str, error: &serde_path_to_error::Error<E>) -> Refusal {
    let refusal = |message| Refusal::with_status(StatusCode::UNPROCESSABLE_ENTITY, code, message);
    let (path, words) = (error.path().to_string(), error.inner().to_string());
    let inner = |name: &str| if path == "." { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(rest) = words.strip_prefix("missing field `") {
        let name = rest.split('`').next().unwrap_or_default();
        return refusal("a field is missing").about(inner(name));
    }
    if words.starts_with("unknown field `") {
        // The last part of the path is the unknown name, which is not ours.
        let refusal = refusal("there is a field that is not known here");
        return match path.rsplit_once('.') {
            Some((parent, _)) if !parent.is_empty() => refusal.about(parent),
            _ => refusal,
        };
    }
    let refusal = refusal("a field has a value that it cannot have");
    if path == "." { refusal } else { refusal.about(path) }
}
