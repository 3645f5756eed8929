//! `/v1/calls/set-aside`: events of calls that could not be settled, and what becomes of them.

use super::forms::set_aside::{given_up, resolved, shown};
use super::forms::{Page, page_of};
use super::input::Params;
use super::problem::Refusal;
use super::{Admin, Answer, not_found};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use tacit_kernel::Fault;
use tacit_kernel::ids::EventId;

/// Settles an event of that id: the control plane reads what it said, and knows the prices.
pub type Settle = dyn Fn(EventId) -> Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>> + Send + Sync;

/// Which events to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AsideQuery {
    /// Those that were settled or dropped too.
    pub all: bool,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

pub use super::forms::set_aside::AsideEvent;

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/calls/set-aside", get(list))
        .route("/v1/calls/set-aside/{id}/settle", post(settle))
        .route("/v1/calls/set-aside/{id}/drop", post(give_up))
}

async fn list(State(admin): State<Admin>, Params(query): Params<AsideQuery>) -> Answer<Page<AsideEvent>> {
    let page = admin.ledger.aside_list(query.all, page_of(query.after.as_deref(), query.limit)?).await?;
    Ok(Json(Page::of(page, shown)))
}

async fn settle(State(admin): State<Admin>, Path(id): Path<String>) -> Answer<AsideEvent> {
    let id = parsed(&id)?;
    (admin.settle)(id).await?;
    Ok(Json(resolved(&admin.ledger, id).await?))
}

async fn give_up(State(admin): State<Admin>, Path(id): Path<String>) -> Answer<AsideEvent> {
    Ok(Json(given_up(&admin.ledger, parsed(&id)?).await?))
}

fn parsed(id: &str) -> Result<EventId, Refusal> {
    Ok(id.parse().map_err(|_| not_found("event.unknown", "event"))?)
}
