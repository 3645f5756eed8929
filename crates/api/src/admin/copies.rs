//! `/v1/copies`: a copy of what is held about somebody, for whoever cannot take it themselves; the operator hands it over.

use super::Admin;
use super::accounts;
use super::input::Input;
use super::recording::reason;
use crate::console::own_data::refused;
use crate::problem::Refusal;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use tacit_kernel::{ErrorKind, Fault};
use tacit_privacy::Language;
use tokio_stream::wrappers::ReceiverStream;

/// Of whom a copy is to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCopy {
    /// The account, by id or name.
    pub account: String,
    /// The language of its texts: `en` or `zh`.
    pub language: String,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/copies", post(make))
}

async fn make(State(admin): State<Admin>, headers: HeaderMap, Input(new): Input<NewCopy>) -> Result<Response, Refusal> {
    if reason(&headers)?.is_none() {
        let message =
            "say why: a copy of what is held about somebody is made for a reason, which they are shown (--reason)";
        return Err(Fault::new(ErrorKind::Invalid, "request.reason", message).into());
    }
    let language = Language::parse(&new.language);
    let language =
        language.ok_or_else(|| Fault::new(ErrorKind::Invalid, "request.language", "the languages are en and zh"))?;
    let account = accounts::find(&admin, &new.account).await?.id;
    let pieces = admin.copies.begin(account, language).await.map_err(refused)?;
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"))];
    Ok((headers, Body::from_stream(ReceiverStream::new(pieces))).into_response())
}
