//! `/v1/platform`: the platform as one file.

use super::input::{Input, Params};
use super::{Admin, Answer};
use crate::platform_file::{Applied, ApplyRequest, Plan, PlatformFiles};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// How to export.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportQuery {
    /// Accounts and keys too, which name people.
    pub accounts: bool,
}

/// The platform as a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Exported {
    /// Its text, TOML.
    pub file: String,
}

fn files(admin: &Admin) -> PlatformFiles {
    PlatformFiles::new(admin.db.clone(), admin.identity.clone(), admin.catalog.clone(), admin.clock.clone())
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/platform/diff", post(diff))
        .route("/v1/platform/apply", post(apply))
        .route("/v1/platform/export", get(export))
}

async fn diff(State(admin): State<Admin>, Input(request): Input<ApplyRequest>) -> Answer<Plan> {
    Ok(Json(files(&admin).diff(&request).await?))
}

async fn apply(State(admin): State<Admin>, Input(request): Input<ApplyRequest>) -> Answer<Applied> {
    Ok(Json(files(&admin).apply(&request).await?))
}

async fn export(State(admin): State<Admin>, Params(query): Params<ExportQuery>) -> Answer<Exported> {
    Ok(Json(Exported { file: files(&admin).export(query.accounts).await?.to_toml()? }))
}
