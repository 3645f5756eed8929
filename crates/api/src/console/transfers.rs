//! `/api/v1/transfers`: how many people's calls went to which country in a year.

use super::{Access, Answer, Console, Params, Routes};
use crate::forms::transfers::TransferReport;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tacit_identity::access::Permission;
use utoipa::IntoParams;
use utoipa_axum::routes;

/// Of which year.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TransferQuery {
    /// The year, in UTC; this one if it is not given.
    #[serde(default)]
    #[param(minimum = 0, maximum = 65535)]
    year: Option<u16>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Needs(Permission::PrivacyRead), routes!(transfers_report))
}

/// How many people's calls went to which provider and country in a year, and how near that is to what a law asks for. It is
/// counted from call records, a quarter of an hour after a call begins.
#[utoipa::path(get, path = "/api/v1/transfers", tag = "privacy", params(TransferQuery), responses(
    (status = 200, description = "The transfers of the year.", body = TransferReport),
))]
async fn transfers_report(
    State(console): State<Console>,
    Params(query): Params<TransferQuery>,
) -> Answer<TransferReport> {
    Ok(Json(TransferReport::of(&console.receivers.transfers, &console.catalog, query.year).await?))
}
