//! `/api/v1/organisations`: making, renaming and closing organisations, and which ones the caller is in.

use super::idempotency::{Replayed, Undone};
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Member, Params, Reference, Routes, Signed};
use crate::forms::{Moment, Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::access::{Permission, Scope};
use tacit_identity::organisations::{Membership, Organisation, OrganisationPermission, OrganisationRole};
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// What the operator says of organisations.
#[derive(Clone, Debug, Default)]
pub struct Organisations {
    /// Whether people may make them.
    pub open: bool,
    /// Where people reach this platform (`https://…`, without a slash at its end): links in messages begin with it.
    pub url: Option<String>,
}

/// An organisation, as a member sees it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Organisation)]
pub(super) struct View {
    /// Its id, which is that of the account that owns its keys and its wallet.
    #[schema(value_type = String)]
    id: AccountId,
    /// What it is called; `null` if that can no longer be read.
    name: Option<String>,
    /// Whether it is open.
    status: Openness,
    /// What the caller is in it.
    #[schema(value_type = RoleForm)]
    role: OrganisationRole,
    /// When it was made.
    created_at: Moment,
    /// When it last changed.
    updated_at: Moment,
}

/// Whether an organisation is open.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Openness {
    /// It is.
    Open,
    /// Its keys are refused and nothing of it can be changed, until staff opens it again.
    Closed,
}

/// A role in an organisation.
#[derive(Deserialize, ToSchema)]
#[schema(as = OrganisationRole)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleForm {
    /// Everything. There is always one, and one only.
    Owner,
    /// Members, projects and keys; not the wallet.
    Admin,
    /// The wallet, and what was used.
    Billing,
    /// Keys of their own.
    Developer,
    /// Sees members, projects and what was used; changes nothing.
    Viewer,
}

/// What an organisation is to be called.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = NewOrganisation)]
#[serde(deny_unknown_fields)]
struct Name {
    /// 1 to 200 bytes; it need not be unique.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

impl View {
    pub(super) fn of(organisation: Organisation, role: OrganisationRole) -> Self {
        Self {
            id: organisation.id,
            name: organisation.name.map(Personal::into_inner),
            status: if organisation.open { Openness::Open } else { Openness::Closed },
            role,
            created_at: organisation.created_at.into(),
            updated_at: organisation.updated_at.into(),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::own(Scope::OrganisationsRead), routes!(organisations_list))
        .add(Access::own(Scope::OrganisationsWrite), routes!(organisations_create))
        .add(
            Access::Member(OrganisationPermission::OrganisationRead, Scope::OrganisationsRead),
            routes!(organisations_show),
        )
        .add(
            Access::Member(OrganisationPermission::OrganisationWrite, Scope::OrganisationsWrite),
            routes!(organisations_update),
        )
        .add(
            Access::Member(OrganisationPermission::OrganisationClose, Scope::OrganisationsWrite),
            routes!(organisations_close),
        )
        .add(
            Access::Member(OrganisationPermission::MembershipLeave, Scope::OrganisationsWrite),
            routes!(organisations_leave),
        )
        .add(Access::Needs(Permission::AccountsWrite), routes!(organisations_reopen))
}

/// The organisations of which the caller is a member, oldest first.
#[utoipa::path(get, path = "/api/v1/organisations", tag = "organisations", params(PageQuery), responses(
    (status = 200, description = "A page of organisations.", body = inline(Page<View>)),
))]
async fn organisations_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<View>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let found = console.identity.organisation_list(caller.account, page).await?;
    Ok(Json(Page::of(found, |Membership { organisation, role }| View::of(organisation, role))))
}

/// Makes an organisation, of which the caller is the owner.
#[utoipa::path(post, path = "/api/v1/organisations", tag = "organisations", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = Name, responses(
    (status = 201, description = "The organisation.", body = View, headers(
        ("etag" = String, description = "The version."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "The caller owns as many as one may.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn organisations_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<Name>,
) -> Result<Response, Refusal> {
    if !console.organisations.open {
        return Err(IdentityError::OrganisationsOff.into());
    }
    let once = &idempotent.of(&console, &caller, "organisations.create", &new)?;
    let (console, account, name) = (&console, caller.account, &Personal::new(new.name));
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(made) = once.stored::<View>(console, tx).await? {
            return Ok((made, true));
        }
        let made = console.identity.organisation_create_in_tx(tx, account, name).await?;
        let made = View::of(made, OrganisationRole::Owner);
        once.keep(console, tx, &made).await?;
        Ok::<_, Undone>((made, false))
    };
    let create = &create;
    let (made, replayed) = console.db.write("console.organisation.create", |tx| Box::pin(create(tx))).await?;
    let tag = ETag::of(console, &made)?;
    Ok((StatusCode::CREATED, tag, Replayed(replayed), Json(made)).into_response())
}

/// The organisation as that member sees it.
async fn seen(console: &Console, tx: &mut ReadTx<'_>, member: Member) -> Result<View, IdentityError> {
    Ok(View::of(console.identity.organisation_in_tx(tx, member.organisation).await?, member.role))
}

/// An organisation of which the caller is a member.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The organisation.", body = View,
        headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn organisations_show(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
) -> Result<Response, Refusal> {
    let console = &console;
    let found = console.db.read("console.organisation.show", |tx| Box::pin(seen(console, tx, member))).await?;
    Ok(versions.shown(ETag::of(console, &found)?, Json(found)))
}

/// Renames an organisation.
#[utoipa::path(patch, path = "/api/v1/organisations/{organisation}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = Name, responses(
    (status = 200, description = "The organisation as it is now.", body = View,
        headers(("etag" = String, description = "The version."))),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn organisations_update(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
    Input(new): Input<Name>,
) -> Result<Response, Refusal> {
    let (console, name, versions) = (&console, &Personal::new(new.name), &versions);
    let rename = async |tx: &mut WriteTx<'_>| {
        versions.check(&ETag::of(console, &seen(console, tx, member).await?)?)?;
        let renamed = console.identity.organisation_rename_in_tx(tx, member.by(), name).await?;
        Ok::<_, Undone>(View::of(renamed, member.role))
    };
    let rename = &rename;
    let renamed = console.db.write("console.organisation.rename", |tx| Box::pin(rename(tx))).await?;
    Ok((ETag::of(console, &renamed)?, Json(renamed)).into_response())
}

/// Closes an organisation: its keys are refused at once, and only staff opens it again.
#[utoipa::path(delete, path = "/api/v1/organisations/{organisation}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Close it only if this is its version."),
), responses(
    (status = 204, description = "It is closed."),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn organisations_close(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
) -> Result<StatusCode, Refusal> {
    let (console, versions) = (&console, &versions);
    let close = async |tx: &mut WriteTx<'_>| {
        versions.check(&ETag::of(console, &seen(console, tx, member).await?)?)?;
        Ok::<_, Undone>(console.identity.organisation_close_in_tx(tx, member.by()).await?)
    };
    let close = &close;
    console.db.write("console.organisation.close", |tx| Box::pin(close(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leaves an organisation; the caller's keys there are disabled. The owner hands it over before.
#[utoipa::path(post, path = "/api/v1/organisations/{organisation}/leave", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "The caller is no member any more."),
    (status = 409, description = "The caller is the owner.", body = Problem, content_type = "application/problem+json"),
))]
async fn organisations_leave(State(console): State<Console>, member: Member) -> Result<StatusCode, Refusal> {
    let console = &console;
    let leave =
        async |tx: &mut WriteTx<'_>| console.identity.member_leave_in_tx(tx, member.organisation, member.account).await;
    let leave = &leave;
    console.db.write("console.organisation.leave", |tx| Box::pin(leave(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Opens an organisation again that was closed; for staff.
#[utoipa::path(post, path = "/api/v1/organisations/{organisation}/reopen", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is open."),
))]
async fn organisations_reopen(
    State(console): State<Console>,
    Reference(organisation): Reference<AccountId>,
) -> Result<StatusCode, Refusal> {
    console.identity.organisation_reopen(organisation).await?;
    Ok(StatusCode::NO_CONTENT)
}
