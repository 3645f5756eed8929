//! Errors on the wire: problem+json (RFC 9457) with the stable code of the fault.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tacit_kernel::{ErrorKind, Fault};

/// The body of an error answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Always `about:blank`: the status and the code tell what it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable code, such as `account.not_found`.
    pub code: String,
    /// What is wrong and what to do.
    pub detail: String,
}

/// A fault as an HTTP answer.
#[derive(Debug)]
pub struct Refusal(pub Fault);

impl<E: Into<Fault>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The stable code of a refusal, kept beside the answer for whoever records it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefusalCode(pub(super) &'static str);

/// The status that an error kind has on this interface.
#[must_use]
pub const fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Limited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::InsufficientFunds => StatusCode::PAYMENT_REQUIRED,
        ErrorKind::Upstream => StatusCode::BAD_GATEWAY,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let fault = self.0;
        if matches!(fault.kind, ErrorKind::Internal | ErrorKind::Unavailable) {
            let detail = fault.detail.as_deref().unwrap_or("");
            tracing::error!(event = "admin.request_failed", error.code = fault.code, detail);
        }
        let status = status(fault.kind);
        let body = Problem {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("error").into(),
            status: status.as_u16(),
            code: fault.code.into(),
            detail: fault.message.into_owned(),
        };
        let mut response = (status, Json(body)).into_response();
        response.extensions_mut().insert(RefusalCode(fault.code));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// A JSON body whose mistakes are reported with the path to the wrong field.
pub struct Input<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|_| {
            Fault::new(ErrorKind::Invalid, "request.body", "the body is larger than 1 MiB or broke off")
        })?;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        serde_path_to_error::deserialize(&mut reader).map(Self).map_err(|e| {
            // The socket is the operator's own; what is quoted back is what the operator has just typed.
            let text = format!("{}: {}", e.path(), e.inner());
            Fault::new(ErrorKind::Invalid, "request.invalid", text).into()
        })
    }
}

/// Query parameters, with mistakes as problem+json.
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|q| Self(q.0))
            .map_err(|e| Fault::new(ErrorKind::Invalid, "request.query", e.body_text()).into())
    }
}
