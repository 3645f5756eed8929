//! What is read from requests to the admin socket.

use crate::problem::Refusal;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tacit_kernel::{ErrorKind, Fault};

/// A JSON body whose mistakes are reported with the path to the wrong field.
pub(super) struct Input<T>(pub(super) T);

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
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|q| Self(q.0))
            .map_err(|e| Fault::new(ErrorKind::Invalid, "request.query", e.body_text()).into())
    }
}
