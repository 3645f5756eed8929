//! `/v1/accounts/{account}/wallet`: what an account has, and how money comes in.

use super::forms::money::{moved, wallet};
use super::input::Input;
use super::{Admin, Answer, accounts};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tacit_kernel::Nano;

pub use super::forms::money::{Entry, Moved, Movement, Wallet};

/// A movement to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMovement {
    /// What kind.
    pub kind: Movement,
    /// How much.
    pub amount: Nano,
    /// The same key twice moves money once.
    pub idempotency_key: String,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/accounts/{reference}/wallet", get(show).post(make))
}

async fn show(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<Wallet> {
    let account = accounts::find(&admin, &reference).await?.id;
    Ok(Json(wallet(&admin.ledger, &admin.currency, account).await?))
}

async fn make(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(new): Input<NewMovement>,
) -> Answer<Moved> {
    let account = accounts::find(&admin, &reference).await?.id;
    let what = (new.kind, new.amount, new.idempotency_key.as_str());
    Ok(Json(moved(&admin.ledger, &admin.currency, account, what).await?))
}
