//! `/v1/status`: how the platform is.

use super::forms::Moment;
use super::{Admin, Answer};
use axum::extract::State;
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tacit_kernel::ids::SessionId;

/// A gateway's session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The gateway's configured name.
    pub gateway: String,
    /// Version of its program.
    pub version: String,
    /// Whether it has locked itself in.
    pub sandbox: bool,
    /// Highest batch of call events that is durable.
    pub acknowledged: u64,
    /// When it began.
    pub started_at: Moment,
    /// When a control plane last found it connected, give or take half a minute.
    pub seen_at: Moment,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
}

/// How the platform is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlatformStatus {
    /// Version of the control plane.
    pub version: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// Settlement currency.
    pub currency: String,
    /// When the control plane started.
    pub started_at: Moment,
    /// Sessions of gateways that have not ended.
    pub gateways: Vec<Session>,
    /// What needs attention, such as a gateway without its sandbox.
    pub warnings: Vec<String>,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/status", get(show))
}

async fn show(State(admin): State<Admin>) -> Answer<PlatformStatus> {
    let mut warnings = Vec::new();
    let mut gateways = Vec::new();
    for session in admin.ledger.session_list_open().await? {
        if !session.sandbox {
            warnings.push(format!("gateway {} runs without its sandbox (gateway.sandbox = \"off\")", session.gateway));
        }
        if session.version != admin.version {
            warnings.push(format!("gateway {} is of another version than the control plane", session.gateway));
        }
        gateways.push(Session {
            id: session.id,
            gateway: session.gateway,
            version: session.version,
            sandbox: session.sandbox,
            acknowledged: session.acknowledged,
            started_at: session.started_at.into(),
            seen_at: session.seen_at.into(),
            ended_at: session.ended_at.map(Moment),
        });
    }
    if gateways.is_empty() {
        warnings.push("no gateway is connected".into());
    }
    let waiting = admin.ledger.aside_count().await?;
    if waiting > 0 {
        warnings.push(format!("{waiting} events of calls could not be settled: see `tacit calls set-aside list`"));
    }
    let database = match admin.db.engine() {
        tacit_storage::Engine::Sqlite => "sqlite",
        tacit_storage::Engine::Postgres => "postgres",
    };
    Ok(Json(PlatformStatus {
        version: admin.version.into(),
        database: database.into(),
        currency: admin.currency,
        started_at: admin.started_at.into(),
        gateways,
        warnings,
    }))
}
