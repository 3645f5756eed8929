//! `/v1/keyring`: how the keyring is, a turn of its epoch, another master key.

use super::forms::Moment;
use super::{Admin, Answer};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tacit_kernel::Fault;
use tacit_storage::keyring::Rekeyed;

/// How the keyring is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keyring {
    /// The newest epoch.
    pub epoch: i64,
    /// Whether a turn is under way.
    pub turning: bool,
    /// Bunches of subject keys.
    pub bunches: u64,
    /// Those that are to be turned still, in this turn or in one that is due.
    pub waiting: u64,
    /// Whether the bytes of what was wrapped before are gone from the files.
    pub swept: bool,
    /// Accounts that were erased so far.
    pub erasures: u64,
    /// Whether `keyring.next_master_key` is set.
    pub next_master_key: bool,
    /// What wraps the keyring: `keyring.master_key` or `keyring.next_master_key`.
    pub wrapped_by: String,
    /// When it got another master key last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rekeyed_at: Option<Moment>,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/keyring", get(show))
        .route("/v1/keyring/rotate", post(rotate))
        .route("/v1/keyring/rekey", post(rekey))
}

async fn shown(admin: &Admin) -> Result<Keyring, Fault> {
    let status = admin.keys.status().await?;
    let by = if status.next_wraps { "keyring.next_master_key" } else { "keyring.master_key" };
    Ok(Keyring {
        epoch: status.epoch,
        turning: status.turning,
        bunches: status.bunches,
        waiting: status.waiting,
        swept: status.swept,
        erasures: status.erasures,
        next_master_key: status.next_known,
        wrapped_by: by.to_owned(),
        rekeyed_at: status.rekeyed_at.map(Moment),
    })
}

async fn show(State(admin): State<Admin>) -> Answer<Keyring> {
    Ok(Json(shown(&admin).await?))
}

/// Begins it; the control plane goes on with it by itself.
async fn rotate(State(admin): State<Admin>) -> Answer<Keyring> {
    admin.keys.rotate_begin().await?;
    Ok(Json(shown(&admin).await?))
}

async fn rekey(State(admin): State<Admin>) -> Answer<Keyring> {
    match admin.keys.rekey().await? {
        Rekeyed::Done | Rekeyed::Before => Ok(Json(shown(&admin).await?)),
    }
}
