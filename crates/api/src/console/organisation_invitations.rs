//! `/api/v1/organisations/{organisation}/invitations` and how one is accepted. The token is in the message and nowhere else.

use super::idempotency::{Replayed, Undone};
use super::organisations::{self, RoleForm};
use super::people::{Address, From as Whence, Tongue};
use super::{Access, Answer, Console, Idempotent, Inner, Input, Member, Params, Routes, Signed};
use crate::forms::{Moment, Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::access::Scope;
use tacit_identity::organisations::{Invited, MemberInvitation, OrganisationPermission, OrganisationRole};
use tacit_kernel::ids::{AccountId, MemberInvitationId};
use tacit_kernel::{ErrorKind, Fault, Masked, Personal};
use tacit_operations::messages::{Content, shown_name};
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// An invitation that waits for its answer.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberInvitation)]
struct View {
    /// Its id, `minv_…`.
    #[schema(value_type = String)]
    id: MemberInvitationId,
    /// Where it was sent, masked; `null` if it can no longer be read.
    #[schema(value_type = Option<String>)]
    to: Option<Masked>,
    /// As what.
    #[schema(value_type = RoleForm)]
    role: OrganisationRole,
    /// The account that invited.
    #[schema(value_type = String)]
    inviter: AccountId,
    /// When it was made.
    created_at: Moment,
    /// When it is void.
    expires_at: Moment,
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewMemberInvitation)]
#[serde(deny_unknown_fields)]
struct New {
    /// Where the message goes.
    to: Address,
    /// As what; not as the owner, and within the caller's own.
    #[schema(value_type = RoleForm)]
    role: OrganisationRole,
    /// The language of the message.
    #[serde(default)]
    #[schema(required = false)]
    language: Tongue,
}

/// What was in the message.
#[derive(Deserialize, ToSchema)]
#[schema(as = MemberInvitationToken)]
#[serde(deny_unknown_fields)]
struct Token {
    /// What stands behind `#` in the link.
    #[schema(max_length = 128)]
    token: String,
}

impl From<MemberInvitation> for View {
    fn from(invitation: MemberInvitation) -> Self {
        Self {
            id: invitation.id,
            to: invitation.recipient.map(|to| to.masked()),
            role: invitation.role,
            inviter: invitation.inviter,
            created_at: invitation.created_at.into(),
            expires_at: invitation.expires_at.into(),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(
            Access::Member(OrganisationPermission::MembersRead, Scope::OrganisationsRead),
            routes!(member_invitations_list),
        )
        .add(
            Access::Member(OrganisationPermission::MembersWrite, Scope::OrganisationsWrite),
            routes!(member_invitations_create),
        )
        .add(
            Access::Member(OrganisationPermission::MembersWrite, Scope::OrganisationsWrite),
            routes!(member_invitations_withdraw),
        )
        .add(Access::own(Scope::OrganisationsWrite), routes!(member_invitations_accept))
}

/// The invitations of an organisation that wait for their answer, oldest first.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/invitations", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."), PageQuery,
), responses(
    (status = 200, description = "A page of invitations.", body = inline(Page<View>)),
))]
async fn member_invitations_list(
    State(console): State<Console>,
    member: Member,
    Params(query): Params<PageQuery>,
) -> Answer<Page<View>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    Ok(Json(Page::of(console.identity.member_invitation_list(member.organisation, page).await?, View::from)))
}

/// Invites somebody by e-mail or text message. An earlier invitation to the same address is void.
#[utoipa::path(post, path = "/api/v1/organisations/{organisation}/invitations", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = New, responses(
    (status = 201, description = "The invitation; its message is on its way.", body = View, headers(
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "There are too many, or nobody is invited as that.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn member_invitations_create(
    State(console): State<Console>,
    Whence(origin): Whence,
    caller: Signed,
    member: Member,
    idempotent: Idempotent,
    Input(new): Input<New>,
) -> Result<Response, Refusal> {
    let to = new.to.contact().map_err(|refusal| refusal.within("to"))?;
    let unset = || {
        let message = "no link can be sent, since the operator has not set console.url";
        Fault::new(ErrorKind::Unavailable, "member_invitation.no_link", message)
    };
    let url = &console.organisations.url.clone().ok_or_else(unset)?;
    let request = (member.organisation, to.text(), new.role, new.language);
    let once = &idempotent.of(&console, &caller, "organisations.invitations.create", &request)?;
    let (console, to, language) = (&console, &to, new.language.into());
    let invite = async |tx: &mut WriteTx<'_>| {
        // As it was shown: what is masked cannot be read back into its type.
        if let Some(made) = once.stored::<serde_json::Value>(console, tx).await? {
            return Ok((made, true));
        }
        let identity = &console.identity;
        let by = member.by();
        let Invited { invitation, token, organisation, inviter } =
            identity.member_invite_in_tx(tx, by, (to, new.role), origin.address).await?;
        let content = Content::Invitation {
            inviter: named(inviter.as_ref()),
            organisation: named(organisation.name.as_ref()),
            // Behind `#`, where no server and no log sees it.
            url: SecretString::from(format!("{url}/organisations/join#{}", token.expose_secret())),
        };
        // Sealed with the organisation's key: whom it is for may have no account.
        let until = invitation.expires_at;
        console.write_to(tx, (to, language), Some(member.organisation), content, until).await?;
        let made = serde_json::to_value(View::from(invitation));
        let made = made.map_err(|e| Fault::internal("member_invitation.unwritable", e))?;
        once.keep(console, tx, &made).await?;
        Ok::<_, Undone>((made, false))
    };
    let invite = &invite;
    let (made, replayed) = console.db.write("console.member.invite", |tx| Box::pin(invite(tx))).await?;
    Ok((StatusCode::CREATED, Replayed(replayed), Json(made)).into_response())
}

/// A name as strangers may be shown it.
fn named(name: Option<&Personal<String>>) -> Personal<String> {
    Personal::new(shown_name(name.map_or("", |name| name.reveal())))
}

/// Withdraws an invitation.
#[utoipa::path(delete, path = "/api/v1/organisations/{organisation}/invitations/{invitation}", tag = "organisations",
    params(
        ("organisation" = String, Path, description = "Its id."),
        ("invitation" = String, Path, description = "The invitation's id."),
    ), responses(
        (status = 204, description = "It is void."),
    ))]
async fn member_invitations_withdraw(
    State(console): State<Console>,
    member: Member,
    Inner(id): Inner<MemberInvitationId>,
) -> Result<StatusCode, Refusal> {
    let identity = &console.identity;
    let withdraw = async |tx: &mut WriteTx<'_>| identity.member_invitation_withdraw_in_tx(tx, member.by(), id).await;
    let withdraw = &withdraw;
    console.db.write("console.member.withdraw", |tx| Box::pin(withdraw(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Becomes a member of the organisation that the caller was invited to.
#[utoipa::path(post, path = "/api/v1/member-invitations/accept", tag = "organisations", request_body = Token, responses(
    (status = 200, description = "The organisation.", body = organisations::View),
    (status = 409, description = "The caller is a member already, or there are too many.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn member_invitations_accept(
    State(console): State<Console>,
    Whence(origin): Whence,
    caller: Signed,
    Input(token): Input<Token>,
) -> Answer<organisations::View> {
    let (identity, account, token) = (&console.identity, caller.account, &SecretString::from(token.token));
    let join = async |tx: &mut WriteTx<'_>| identity.member_join_in_tx(tx, account, token, origin.address).await;
    let join = &join;
    let joined: Option<_> = console.db.write("console.member.join", |tx| Box::pin(join(tx))).await?;
    let (organisation, role) = joined.ok_or(IdentityError::MemberInvitationInvalid)?;
    Ok(Json(organisations::View::of(organisation, role)))
}
