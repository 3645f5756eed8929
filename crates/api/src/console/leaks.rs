//! `/api/v1/leaked-keys`: a key was found where it does not belong. Whoever shows it ends it; its owner is told.

use super::idempotency::Undone;
use super::people::From;
use super::recording::Concerns;
use super::{Access, Console, Input, Routes};
use crate::problem::Refusal;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::Deserialize;
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A key that was found.
#[derive(Deserialize, ToSchema)]
#[schema(as = FoundKey)]
#[serde(deny_unknown_fields)]
struct Found {
    /// The key, `sk-…` or `tm-…`.
    #[schema(max_length = 200)]
    key: String,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Public, routes!(leaked_keys_report))
}

/// Ends a key that was found. The answer is the same whether it was one.
#[utoipa::path(post, path = "/api/v1/leaked-keys", tag = "keys", request_body = Found, responses(
    (status = 202, description = "If it was a key of this platform, it is void now, and its owner is told."),
))]
async fn leaked_keys_report(
    State(console): State<Console>,
    From(origin): From,
    Input(found): Input<Found>,
) -> Result<Response, Refusal> {
    let key = &SecretString::from(found.key);
    let identity = &console.identity;
    let report = async |tx: &mut WriteTx<'_>| Ok(identity.leak_report_in_tx(tx, key, origin.address).await?);
    let report = &report;
    let owner: Result<_, Undone> = console.db.write("console.leak", |tx| Box::pin(report(tx))).await;
    if let Some(account) = owner? {
        return Ok((StatusCode::ACCEPTED, Extension(Concerns(account))).into_response());
    }
    Ok(StatusCode::ACCEPTED.into_response())
}
