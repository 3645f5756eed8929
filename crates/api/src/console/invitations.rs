//! `/api/v1/invitations`: what the caller invites people with to register.

use super::idempotency::{Replayed, Undone};
use super::{Access, Answer, Console, Idempotent, Params, Reference, Routes, Signed};
use crate::forms::{Moment, Page, PageQuery, Secret, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::access::Scope;
use tacit_identity::registration::{Invitation, Inviter};
use tacit_kernel::Masked;
use tacit_kernel::ids::{AccountId, InvitationId};
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// Who invited somebody, masked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct InvitedBy {
    /// The account.
    #[schema(value_type = String)]
    account: AccountId,
    /// Its name, masked; `null` if it can no longer be read.
    #[schema(value_type = Option<String>)]
    name: Option<Masked>,
    /// Its e-mail address, masked; `null` if it has none.
    #[schema(value_type = Option<String>)]
    email: Option<Masked>,
}

impl From<Inviter> for InvitedBy {
    fn from(inviter: Inviter) -> Self {
        Self { account: inviter.account, name: inviter.name, email: inviter.email }
    }
}

/// An invitation that was just made.
#[derive(Serialize, Deserialize, ToSchema)]
struct NewInvitation {
    /// Its id.
    #[schema(value_type = String)]
    id: InvitationId,
    /// What the invited person gives when they register; shown this once.
    #[schema(value_type = String)]
    code: Secret,
    /// When it is void.
    expires_at: Moment,
}

/// An invitation of the caller.
#[derive(Serialize, ToSchema)]
struct OwnInvitation {
    /// Its id.
    #[schema(value_type = String)]
    id: InvitationId,
    /// When it was made.
    created_at: Moment,
    /// When it is void.
    expires_at: Moment,
    /// When somebody registered with it.
    used_at: Option<Moment>,
}

impl From<Invitation> for OwnInvitation {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id,
            created_at: invitation.created_at.into(),
            expires_at: invitation.expires_at.into(),
            used_at: invitation.used_at.map(Moment::from),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::own(Scope::AccountRead), routes!(invitations_list))
        .add(Access::own(Scope::AccountWrite), routes!(invitations_create))
        .add(Access::own(Scope::AccountWrite), routes!(invitations_withdraw))
}

/// The caller's invitations, oldest first; those that were used or are void for thirty days more.
#[utoipa::path(get, path = "/api/v1/invitations", tag = "account", params(PageQuery), responses(
    (status = 200, description = "A page of invitations.", body = Page<OwnInvitation>),
))]
async fn invitations_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<OwnInvitation>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let made = console.identity.invitation_list(caller.account, page).await?;
    Ok(Json(Page::of(made, OwnInvitation::from)))
}

/// Makes an invitation for one person.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "account", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), responses(
    (status = 201, description = "The invitation.", body = NewInvitation, headers(
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "The caller has as many that nobody used.", body = Problem,
        content_type = "application/problem+json"),
    (status = 422, description = "The idempotency key has a wrong form.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn invitations_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "invitations.create", &())?;
    let console = &console;
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(made) = once.stored::<NewInvitation>(console, tx).await? {
            return Ok((made, true));
        }
        let (made, code) = console.identity.invitation_create_in_tx(tx, Some(caller.account)).await?;
        let made = NewInvitation { id: made.id, code: Secret(code), expires_at: made.expires_at.into() };
        once.keep(console, tx, &made).await?;
        Ok::<_, Undone>((made, false))
    };
    let create = &create;
    let (made, replayed) = console.db.write("console.invitation.create", |tx| Box::pin(create(tx))).await?;
    Ok((StatusCode::CREATED, Replayed(replayed), Json(made)).into_response())
}

/// Withdraws an invitation of the caller that nobody used.
#[utoipa::path(delete, path = "/api/v1/invitations/{invitation}", tag = "account", params(
    ("invitation" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is void."),
    (status = 404, description = "The caller has no such invitation, or it was used.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn invitations_withdraw(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<InvitationId>,
) -> Result<StatusCode, Refusal> {
    console.identity.invitation_withdraw(caller.account, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
