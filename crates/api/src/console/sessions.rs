//! `/api/v1/sessions`: where the caller is signed in.

use super::{Access, Answer, Console, Params, Reference, Routes, Signed};
use crate::forms::{Moment, Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tacit_identity::access::Via;
use tacit_identity::sessions::Session;
use tacit_kernel::Personal;
use tacit_kernel::ids::SignInId;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A session of the caller.
#[derive(Serialize, ToSchema)]
struct OwnSession {
    /// Its id.
    #[schema(value_type = String)]
    id: SignInId,
    /// Whether it is the one that asks.
    current: bool,
    /// How it began: `password`, `code`, `identity` or `passkey`.
    method: String,
    /// What the device calls itself.
    device: String,
    /// From which address it was opened.
    address: String,
    /// When it was opened.
    created_at: Moment,
    /// When it was last used, to some minutes.
    seen_at: Moment,
    /// When it ends at the latest.
    expires_at: Moment,
}

/// How many sessions ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Ended {
    /// How many.
    pub(super) ended: u64,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::PERSON, routes!(sessions_list, sessions_end_others)).add(Access::PERSON, routes!(sessions_end))
}

fn current(caller: &Signed) -> Option<SignInId> {
    match caller.via {
        Via::Session(id) => Some(id),
        Via::ManagementKey(..) => None,
    }
}

/// Where the caller is signed in, oldest first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "account", params(PageQuery), responses(
    (status = 200, description = "A page of sessions.", body = Page<OwnSession>),
))]
async fn sessions_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<OwnSession>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let sessions = console.identity.session_list(caller.account, page).await?;
    let current = current(&caller);
    let shown = |session: Session| OwnSession {
        id: session.id,
        current: current == Some(session.id),
        method: session.method.word().to_owned(),
        device: Personal::into_inner(session.device),
        address: Personal::into_inner(session.address),
        created_at: session.created_at.into(),
        seen_at: session.seen_at.into(),
        expires_at: session.expires_at.into(),
    };
    Ok(Json(Page::of(sessions, shown)))
}

/// Ends all sessions of the caller but the one that asks.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "account", responses(
    (status = 200, description = "They have ended.", body = Ended),
))]
async fn sessions_end_others(State(console): State<Console>, caller: Signed) -> Answer<Ended> {
    let ended = console.identity.sessions_end(caller.account, current(&caller)).await?;
    Ok(Json(Ended { ended }))
}

/// Ends a session of the caller.
#[utoipa::path(delete, path = "/api/v1/sessions/{session}", tag = "account", params(
    ("session" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It has ended."),
    (status = 404, description = "The caller has no such session.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn sessions_end(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<SignInId>,
) -> Result<StatusCode, Refusal> {
    console.identity.session_end(caller.account, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
