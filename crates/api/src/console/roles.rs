//! `/api/v1/roles`: the roles of staff: those that every platform has, and those of the operator's own (`staff`).

use super::{Access, Answer, Console, Routes};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tacit_identity::access::{BuiltInRole, Permission, Permissions};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A role.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Role {
    /// Its name.
    name: String,
    /// What it is for; `null` for one of the operator's own.
    meaning: Option<String>,
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
async fn roles_list(State(console): State<Console>) -> Answer<Roles> {
    let shown = |role: BuiltInRole| Role {
        name: role.as_str().to_owned(),
        meaning: Some(role.meaning().to_owned()),
        permissions: role.permissions(),
    };
    let own = console.identity.custom_roles().await?;
    let own = own.into_iter().map(|role| Role { name: role.name, meaning: None, permissions: role.permissions });
    Ok(Json(Roles { items: BuiltInRole::ALL.into_iter().map(shown).chain(own).collect() }))
}
