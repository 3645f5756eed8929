//! `/v1/calls/set-aside`: events of calls that could not be settled, and what becomes of them.

use super::forms::{Moment, Page, page_of};
use super::input::Params;
use super::problem::Refusal;
use super::{Admin, Answer, not_found};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use tacit_kernel::call::CallEvent;
use tacit_kernel::ids::{AccountId, CallId, EventId, KeyId, SessionId};
use tacit_kernel::{Fault, Nano};
use tacit_ledger::aside::AsideView;

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

/// An event of a call that could not be settled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AsideEvent {
    /// Its id.
    pub id: EventId,
    /// When it was set aside.
    pub set_aside_at: Moment,
    /// That a call has begun, or that it has ended.
    pub event: CallEvent,
    /// The call, if it said so.
    pub call: Option<CallId>,
    /// Who would pay.
    pub account: Option<AccountId>,
    /// With which key.
    pub key: Option<KeyId>,
    /// What the gateway held for the charge, or had reserved.
    pub amount: Nano,
    /// Why it was refused: `field.…` for what cannot be read, `storage.…` for what the database refused,
    /// `control.panic` for a fault of the program.
    pub reason: String,
    /// The gateway's session.
    pub session: SessionId,
    /// When it was settled or dropped; absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Moment>,
}

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
    resolved(&admin, id).await
}

async fn give_up(State(admin): State<Admin>, Path(id): Path<String>) -> Answer<AsideEvent> {
    let id = parsed(&id)?;
    admin.ledger.aside_drop(id).await?;
    let answer = resolved(&admin, id).await?;
    let call = answer.call.map(|id| id.to_string()).unwrap_or_default();
    tracing::warn!(event = "call.aside_dropped", call.id = call);
    Ok(answer)
}

fn parsed(id: &str) -> Result<EventId, Refusal> {
    Ok(id.parse().map_err(|_| not_found("event.unknown", "event"))?)
}

async fn resolved(admin: &Admin, id: EventId) -> Answer<AsideEvent> {
    let event = admin.ledger.aside(id).await?.ok_or_else(|| not_found("event.unknown", "event"))?;
    Ok(Json(shown(event)))
}

fn shown(event: AsideView) -> AsideEvent {
    AsideEvent {
        id: event.id,
        set_aside_at: event.created_at.into(),
        event: event.event,
        call: event.call,
        account: event.account,
        key: event.key,
        amount: event.amount,
        reason: event.reason,
        session: event.session,
        resolved_at: event.resolved_at.map(Moment),
    }
}
