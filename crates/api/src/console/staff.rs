//! `/api/v1/staff` and the roles of the operator's own: who may do what. Nobody gives more than they have.

use super::{Access, Answer, Console, Input, Params, Routes, Signed, not_found};
use crate::forms::{Moment, staff_after};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tacit_identity::access::{Permission, Permissions};
use tacit_identity::roles::Acting;
use tacit_kernel::ids::AccountId;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// Most on one page.
const PAGE: u32 = 500;

/// Somebody who has a role.
#[derive(Serialize, ToSchema)]
struct Member {
    /// The account.
    #[schema(value_type = String)]
    account: AccountId,
    /// The role.
    role: String,
    /// Since when.
    granted_at: Moment,
}

/// A page of staff.
#[derive(Serialize, ToSchema)]
struct Staff {
    /// One line for each role that somebody has.
    items: Vec<Member>,
    /// Give this as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Which page is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StaffQuery {
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// What a role allows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoleForm {
    /// Permissions, by name.
    #[schema(value_type = Vec<String>)]
    permissions: Permissions,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::RolesRead), routes!(staff_list))
        .add(Access::Needs(Permission::RolesWrite), routes!(roles_put, roles_delete))
        .add(Access::Needs(Permission::RolesWrite), routes!(staff_grant, staff_revoke))
}

/// Who has which role.
#[utoipa::path(get, path = "/api/v1/staff", tag = "staff", params(StaffQuery), responses(
    (status = 200, description = "A page of staff.", body = Staff),
))]
async fn staff_list(State(console): State<Console>, Params(query): Params<StaffQuery>) -> Answer<Staff> {
    let after = staff_after(query.after.as_deref()).map_err(|fault| Refusal::from(fault).about("after"))?;
    let rows = console.identity.staff(after, PAGE).await?;
    let full = rows.len() >= PAGE as usize;
    let next = rows.last().filter(|_| full).map(|(account, role, _)| format!("{account}/{role}"));
    let member = |(account, role, at): (AccountId, String, tacit_kernel::Timestamp)| Member {
        account,
        role,
        granted_at: at.into(),
    };
    Ok(Json(Staff { items: rows.into_iter().map(member).collect(), next }))
}

/// Makes or changes a role of the operator's own. Whoever has it is signed out.
#[utoipa::path(put, path = "/api/v1/roles/{role}", tag = "staff", params(
    ("role" = String, Path, description = "Its name."),
), request_body = RoleForm, responses(
    (status = 204, description = "It is as it was sent."),
    (status = 409, description = "There are too many.", body = Problem, content_type = "application/problem+json"),
))]
async fn roles_put(
    State(console): State<Console>,
    caller: Signed,
    Path(role): Path<String>,
    Input(form): Input<RoleForm>,
) -> Result<StatusCode, Refusal> {
    console.identity.role_put(Acting::With(caller.permissions), &role, form.permissions).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a role of the operator's own that nobody has.
#[utoipa::path(delete, path = "/api/v1/roles/{role}", tag = "staff", params(
    ("role" = String, Path, description = "Its name."),
), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "There is no such role.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Somebody has it.", body = Problem, content_type = "application/problem+json"),
))]
async fn roles_delete(
    State(console): State<Console>,
    caller: Signed,
    Path(role): Path<String>,
) -> Result<StatusCode, Refusal> {
    console.identity.role_delete(Acting::With(caller.permissions), &role).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn account_of(text: &str) -> Result<AccountId, Refusal> {
    text.parse().map_err(|_| not_found("account.not_found", "account"))
}

/// Gives a role to an account, which is signed out.
#[utoipa::path(put, path = "/api/v1/staff/{account}/roles/{role}", tag = "staff", params(
    ("account" = String, Path, description = "The account's id."),
    ("role" = String, Path, description = "The role's name."),
), responses(
    (status = 204, description = "It has the role."),
    (status = 404, description = "There is no such account or role.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn staff_grant(
    State(console): State<Console>,
    caller: Signed,
    Path((account, role)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    console.identity.role_grant(Acting::With(caller.permissions), account_of(&account)?, &role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a role from an account, which is signed out.
#[utoipa::path(delete, path = "/api/v1/staff/{account}/roles/{role}", tag = "staff", params(
    ("account" = String, Path, description = "The account's id."),
    ("role" = String, Path, description = "The role's name."),
), responses(
    (status = 204, description = "It has the role no more."),
    (status = 404, description = "There is no such account or role.", body = Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "It is the last owner.", body = Problem, content_type = "application/problem+json"),
))]
async fn staff_revoke(
    State(console): State<Console>,
    caller: Signed,
    Path((account, role)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    console.identity.role_revoke(Acting::With(caller.permissions), account_of(&account)?, &role).await?;
    Ok(StatusCode::NO_CONTENT)
}
