//! `/api/v1/organisations/{organisation}/members`: who is in an organisation, as what, and what their keys may spend.

use super::idempotency::Undone;
use super::organisation_notices::Step;
use super::organisations::RoleForm;
use super::{Access, Answer, Console, ETag, IfMatch, Inner, Input, Member, Params, Routes};
use crate::forms::{Moment, Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::access::Scope;
use tacit_identity::organisations::{self, MemberChange, OrganisationPermission, OrganisationRole};
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Budget;
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A member of an organisation.
#[derive(Serialize, ToSchema)]
#[schema(as = OrganisationMember)]
struct View {
    /// The account.
    #[schema(value_type = String)]
    account: AccountId,
    /// Its name; `null` if it can no longer be read.
    name: Option<String>,
    /// What they are.
    #[schema(value_type = RoleForm)]
    role: OrganisationRole,
    /// What all their keys in the organisation may spend together.
    #[schema(value_type = BudgetForm)]
    budget: Budget,
    /// Since when.
    joined_at: Moment,
    /// When it last changed.
    updated_at: Moment,
}

/// What several keys may spend together. Each limit that is absent does not hold. Amounts are decimal numbers in the settlement
/// currency, as text.
#[derive(Deserialize, ToSchema)]
#[schema(as = Budget)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the form of another type")]
pub(super) struct BudgetForm {
    /// Charges per UTC day.
    spend_per_day: Option<String>,
    /// Charges per UTC calendar month.
    spend_per_month: Option<String>,
}

/// What to change; what is absent stays.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = MemberPatch)]
#[serde(deny_unknown_fields, default)]
struct Patch {
    /// Another role, within the caller's own. Who becomes owner is told by a hand-over.
    #[schema(value_type = Option<RoleForm>)]
    role: Option<OrganisationRole>,
    /// Another budget; it replaces all that was set. Only a role above the member's sets it, and nobody their own.
    #[schema(value_type = Option<BudgetForm>)]
    budget: Option<Budget>,
}

impl From<organisations::Member> for View {
    fn from(member: organisations::Member) -> Self {
        Self {
            account: member.account,
            name: member.name.map(Personal::into_inner),
            role: member.role,
            budget: member.budget,
            joined_at: member.joined_at.into(),
            updated_at: member.updated_at.into(),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Member(OrganisationPermission::MembersRead, Scope::OrganisationsRead), routes!(members_list))
        .add(Access::Member(OrganisationPermission::MembersRead, Scope::OrganisationsRead), routes!(members_show))
        .add(
            Access::Member(OrganisationPermission::MembersWrite, Scope::OrganisationsWrite),
            routes!(members_update, members_remove),
        )
}

/// The members of an organisation.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/members", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."), PageQuery,
), responses(
    (status = 200, description = "A page of members.", body = inline(Page<View>)),
))]
async fn members_list(
    State(console): State<Console>,
    member: Member,
    Params(query): Params<PageQuery>,
) -> Answer<Page<View>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    Ok(Json(Page::of(console.identity.member_list(member.organisation, page).await?, View::from)))
}

/// A member of an organisation.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/members/{member}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("member" = String, Path, description = "The account of the member."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The member.", body = View, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn members_show(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
    Inner(account): Inner<AccountId>,
) -> Result<Response, Refusal> {
    let (identity, organisation) = (&console.identity, member.organisation);
    let found =
        console.db.read("console.member.show", |tx| Box::pin(identity.member_in_tx(tx, organisation, account))).await?;
    let found = View::from(found);
    Ok(versions.shown(ETag::of(&console, &found)?, Json(found)))
}

/// Changes role or budget of a member whose role is within the caller's own. The keys of who may have none any more are disabled.
#[utoipa::path(patch, path = "/api/v1/organisations/{organisation}/members/{member}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("member" = String, Path, description = "The account of the member."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = Patch, responses(
    (status = 200, description = "The member as they are now.", body = View,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "Nobody becomes or stops being the owner so.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn members_update(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
    Inner(account): Inner<AccountId>,
    Input(patch): Input<Patch>,
) -> Result<Response, Refusal> {
    let (console, versions) = (&console, &versions);
    let change = MemberChange { role: patch.role, budget: patch.budget };
    let update = async |tx: &mut WriteTx<'_>| {
        let identity = &console.identity;
        let before = View::from(identity.member_in_tx(tx, member.organisation, account).await?);
        versions.check(&ETag::of(console, &before)?)?;
        let now = View::from(identity.member_update_in_tx(tx, member.by(), account, change).await?);
        let whom = (member.organisation, account);
        if now.role != before.role {
            console.tell_member_in_tx(tx, whom, Step::Role(now.role)).await?;
        }
        if now.budget != before.budget {
            console.tell_member_in_tx(tx, whom, Step::Budget).await?;
        }
        Ok::<_, Undone>(now)
    };
    let update = &update;
    let updated = console.db.write("console.member.update", |tx| Box::pin(update(tx))).await?;
    Ok((ETag::of(console, &updated)?, Json(updated)).into_response())
}

/// Removes a member whose role is within the caller's own. Their keys in the organisation are disabled.
#[utoipa::path(delete, path = "/api/v1/organisations/{organisation}/members/{member}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("member" = String, Path, description = "The account of the member."),
    ("if-match" = Option<String>, Header, description = "Remove them only if this is the version."),
), responses(
    (status = 204, description = "They are no member any more."),
    (status = 409, description = "They are the owner.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn members_remove(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
    Inner(account): Inner<AccountId>,
) -> Result<StatusCode, Refusal> {
    let (console, versions) = (&console, &versions);
    let remove = async |tx: &mut WriteTx<'_>| {
        let identity = &console.identity;
        let before = View::from(identity.member_in_tx(tx, member.organisation, account).await?);
        versions.check(&ETag::of(console, &before)?)?;
        identity.member_remove_in_tx(tx, member.by(), account).await?;
        console.tell_member_in_tx(tx, (member.organisation, account), Step::Removed).await
    };
    let remove = &remove;
    console.db.write("console.member.remove", |tx| Box::pin(remove(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}
