//! `/api/v1/sent-messages` and `/api/v1/set-aside`: what became of messages to people, and of calls that could not be settled.

use super::{Access, Answer, Console, Params, Reference, Routes};
use crate::forms::messages::{self, Message};
use crate::forms::set_aside::{self, AsideEvent, given_up, resolved};
use crate::forms::{Page, PageQuery, page_of};
use crate::problem::Problem;
use crate::restricted::left_out;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tacit_identity::access::Permission;
use tacit_kernel::ids::EventId;
use utoipa::IntoParams;
use utoipa_axum::routes;

/// Which events to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct SetAsideQuery {
    /// Those that were settled or given up too.
    all: bool,
    /// `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[param(minimum = 0, maximum = 4294967295u32)]
    limit: Option<u32>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::SystemRead), routes!(sent_messages_list))
        .add(Access::Needs(Permission::SystemRead), routes!(set_aside_list))
        .add(Access::Needs(Permission::SystemWrite), routes!(set_aside_settle))
        .add(Access::Needs(Permission::SystemWrite), routes!(set_aside_drop))
}

/// What became of messages to people, newest first: never what they said, nor where they went, and not of
/// who restricts the use of their data.
#[utoipa::path(get, path = "/api/v1/sent-messages", tag = "system", params(PageQuery), responses(
    (status = 200, description = "A page of messages.", body = Page<Message>),
))]
async fn sent_messages_list(State(console): State<Console>, Params(query): Params<PageQuery>) -> Answer<Page<Message>> {
    let page = console.messages.list(page_of(query.after.as_deref(), query.limit)?).await?;
    let page = left_out(&console.identity, page, |message| message.account).await?;
    Ok(Json(Page::of(page, messages::shown)))
}

/// Events of calls that could not be settled, oldest first.
#[utoipa::path(get, path = "/api/v1/set-aside", tag = "system", params(SetAsideQuery), responses(
    (status = 200, description = "A page of events.", body = Page<AsideEvent>),
))]
async fn set_aside_list(
    State(console): State<Console>,
    Params(query): Params<SetAsideQuery>,
) -> Answer<Page<AsideEvent>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    (console.settled)().await;
    Ok(Json(Page::of(console.ledger.aside_list(query.all, page).await?, set_aside::shown)))
}

/// Settles an event that was set aside, if the books take it now.
#[utoipa::path(post, path = "/api/v1/set-aside/{event}/settle", tag = "system", params(
    ("event" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The event, settled.", body = AsideEvent),
    (status = 402, description = "The wallet does not cover it.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The books do not take it.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "It cannot be settled.", body = Problem, content_type = "application/problem+json"),
))]
async fn set_aside_settle(State(console): State<Console>, Reference(id): Reference<EventId>) -> Answer<AsideEvent> {
    (console.settle)(id).await?;
    Ok(Json(resolved(&console.ledger, id).await?))
}

/// Gives an event up that was set aside: it is never settled.
#[utoipa::path(post, path = "/api/v1/set-aside/{event}/drop", tag = "system", params(
    ("event" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The event, given up.", body = AsideEvent),
))]
async fn set_aside_drop(State(console): State<Console>, Reference(id): Reference<EventId>) -> Answer<AsideEvent> {
    Ok(Json(given_up(&console.ledger, id).await?))
}
