//! `/api/v1/me`: who the caller is.

use super::{Access, Answer, KeyMay, Routes, Signed};
use axum::Json;
use serde::Serialize;
use tacit_identity::access::{Permissions, Scopes, Via};
use tacit_kernel::ids::AccountId;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// The caller.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Me {
    /// The account that acts.
    #[schema(value_type = String)]
    account: AccountId,
    /// What it showed.
    via: Shown,
    /// What it may do with what is its own, by the same names; `null` if it is a person, who may do all of it.
    #[schema(value_type = Option<Vec<String>>)]
    scopes: Option<Scopes>,
    /// What it may do beyond what is its own, by the names in docs/reference/permissions.md.
    #[schema(value_type = Vec<String>)]
    permissions: Permissions,
    /// Whether it proved anew, a moment ago, who it is.
    stepped_up: bool,
}

/// What a caller showed.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Shown {
    /// A sign-in.
    Session,
    /// A management key.
    ManagementKey,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::SignedIn(KeyMay::Always), routes!(me_show))
}

/// Who the caller is and what it may do.
#[utoipa::path(get, path = "/api/v1/me", tag = "account", responses(
    (status = 200, description = "The caller.", body = Me),
))]
async fn me_show(caller: Signed) -> Answer<Me> {
    Ok(Json(Me {
        account: caller.account,
        via: match caller.via {
            Via::Session(_) => Shown::Session,
            Via::ManagementKey(..) => Shown::ManagementKey,
        },
        scopes: match caller.via {
            Via::Session(_) => None,
            Via::ManagementKey(_, scopes) => Some(scopes),
        },
        permissions: caller.permissions,
        stepped_up: caller.stepped_up,
    }))
}
