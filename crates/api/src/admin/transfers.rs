//! `/v1/transfers`: how many people's calls went to which country in a year.

use super::forms::transfers::TransferReport;
use super::input::Params;
use super::{Admin, Answer};
use axum::extract::State;
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};

/// Of which year.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferQuery {
    /// The year; this one if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<u16>,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/transfers", get(report))
}

async fn report(State(admin): State<Admin>, Params(query): Params<TransferQuery>) -> Answer<TransferReport> {
    Ok(Json(TransferReport::of(&admin.receivers.transfers, &admin.catalog, query.year).await?))
}
