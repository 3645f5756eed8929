//! `/api/v1/roles`: the roles of staff. So far: those that every platform has.

use super::{Access, Answer, Routes};
use axum::Json;
use serde::Serialize;
use tacit_identity::access::{BuiltInRole, Permission, Permissions};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A role.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Role {
    /// Its name.
    name: String,
    /// What it is for.
    meaning: String,
    /// What it allows.
    #[schema(value_type = Vec<String>)]
    permissions: Permissions,
}

/// All roles.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Roles {
    /// Each of them.
    items: Vec<Role>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Needs(Permission::RolesRead), routes!(roles_list))
}

/// The roles of staff and what they allow.
#[utoipa::path(get, path = "/api/v1/roles", tag = "staff", responses(
    (status = 200, description = "All roles.", body = Roles),
))]
async fn roles_list() -> Answer<Roles> {
    let shown = |role: BuiltInRole| Role {
        name: role.as_str().to_owned(),
        meaning: role.meaning().to_owned(),
        permissions: role.permissions(),
    };
    Ok(Json(Roles { items: BuiltInRole::ALL.into_iter().map(shown).collect() }))
}
