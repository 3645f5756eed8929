//! A call that is not answered as asked: why, and how the caller is told.

use crate::reply::{self, Reply};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use std::borrow::Cow;
use tacit_kernel::Dialect;
use tacit_kernel::call::ErrorCode;
use tacit_protocol::{Body, errors};

/// See the module. No text in it comes from a client.
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    message: Cow<'static, str>,
    param: Option<&'static str>,
    retry_after: Option<u32>,
    /// A provider's own words about the caller's request: status, kind and body.
    relayed: Option<Box<(StatusCode, HeaderMap, Body)>>,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: errors::message(code).into(), param: None, retry_after: None, relayed: None }
    }
}

impl Refusal {
    /// With a more precise text.
    pub(crate) fn saying(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..code.into() }
    }

    /// With the field at fault.
    pub(crate) fn about(self, param: Option<&'static str>) -> Self {
        Self { param, ..self }
    }

    /// With the wait after which it may be tried again, in nanoseconds.
    pub(crate) fn after(self, nanos: i64) -> Self {
        let seconds = u64::try_from(nanos).unwrap_or(0).div_ceil(1_000_000_000).max(1);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        Self { retry_after: Some(seconds), ..self }
    }

    /// With the wait that a provider asked for.
    pub(crate) fn after_seconds(self, retry_after: Option<u32>) -> Self {
        Self { retry_after: retry_after.or(self.retry_after), ..self }
    }

    /// A provider's own answer for the caller.
    pub(crate) fn relaying(status: StatusCode, headers: HeaderMap, body: Body) -> Self {
        Self { relayed: Some(Box::new((status, headers, body))), ..ErrorCode::ProviderRejected.into() }
    }

    /// The status it is answered with.
    pub(crate) fn status(&self, dialect: Dialect) -> u16 {
        match &self.relayed {
            Some(relayed) => relayed.0.as_u16(),
            None => errors::status(dialect, self.code),
        }
    }

    /// The answer.
    pub(crate) fn into_response(self, dialect: Dialect, request_id: &str) -> Response<Reply> {
        if let Some(relayed) = self.relayed {
            let (status, headers, body) = *relayed;
            let mut response = Response::new(Reply::Refused(body.into_chunks_for_client()));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            return response;
        }
        let error = errors::reply(dialect, self.code, &self.message, self.param, request_id);
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = reply::json(status, error.body);
        if let Some(seconds) = self.retry_after.or(errors::retry_after(self.code)) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// The same as the last event of a stream that has begun.
    pub(crate) fn into_event(self, dialect: Dialect, request_id: &str) -> bytes::Bytes {
        errors::stream_error(dialect, self.code, &self.message, request_id)
    }
}
