//! Errors on the wire: problem+json (RFC 9457) with the stable code of the fault, for every interface of this crate.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_kernel::{ErrorKind, Fault};
use utoipa::ToSchema;

/// The media type of [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The body of an error answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status and the code tell what it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// Stable code, such as `account.not_found`.
    pub code: String,
    /// What is wrong and what to do.
    pub detail: String,
    /// Path to the field of the request that is wrong, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
}

/// A fault as an HTTP answer.
#[derive(Debug)]
pub struct Refusal {
    fault: Fault,
    field: Option<String>,
    status: Option<StatusCode>,
}

impl<E: Into<Fault>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self { fault: error.into(), field: None, status: None }
    }
}

impl Refusal {
    /// A refusal whose status is more precise than that of an error kind, such as 412 or 415.
    #[must_use]
    pub fn with_status(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        let kind = if status.is_server_error() { ErrorKind::Unavailable } else { ErrorKind::Invalid };
        Self { fault: Fault::new(kind, code, message), field: None, status: Some(status) }
    }

    /// About this field of the request.
    #[must_use]
    pub fn about(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// The same, of a form within that field.
    #[must_use]
    pub fn within(self, outer: &str) -> Self {
        let field = self.field.map_or_else(|| outer.to_owned(), |field| format!("{outer}.{field}"));
        Self { field: Some(field), ..self }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.fault.code
    }

    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| status(self.fault.kind))
    }
}

/// The stable code of a refusal, kept beside the answer for whoever records it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefusalCode(pub(crate) &'static str);

/// The status that an error kind has.
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
        let status = self.status();
        let Self { fault, field, .. } = self;
        if matches!(fault.kind, ErrorKind::Internal | ErrorKind::Unavailable) {
            let detail = fault.detail.as_deref().unwrap_or("");
            tracing::error!(event = "api.request_failed", error.code = fault.code, detail);
        }
        let retry_after = fault.retry_after.map(HeaderValue::from);
        let body = Problem {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("error").into(),
            status: status.as_u16(),
            code: fault.code.into(),
            detail: fault.message.into_owned(),
            field,
        };
        let mut response = (status, Json(body)).into_response();
        response.extensions_mut().insert(RefusalCode(fault.code));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
