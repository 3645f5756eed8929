//! `/api/v1/account/looks`: who looked at what is held about the caller: when, in which role, at what and why. Made from the
//! audit log, into which every look is written before it happens. Never who it was.

use super::{Access, Answer, Console, Params, Routes, Signed};
use crate::forms::audit::{newest_first, parts, place};
use crate::forms::{Moment, Page, PageQuery, not_a_next};
use crate::problem::Refusal;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tacit_identity::access::Scope;
use tacit_kernel::Personal;
use tacit_storage::audit;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A look at the caller's data.
#[derive(Serialize, ToSchema)]
struct Look {
    /// When.
    at: Moment,
    /// In which roles of staff: their names; `operator` for somebody at the machine, `staff` if it is not known.
    roles: Vec<String>,
    /// What was looked at, such as `account.read`, where what is personal is masked, or `account.unmask`.
    action: String,
    /// What was shown in clear; with `for_security` or `for_law` if it was for that.
    fields: Vec<String>,
    /// Why, if that was said.
    reason: Option<String>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::own(Scope::AccountRead), routes!(looks_list))
}

fn shown(look: audit::Look) -> Look {
    let roles = match (look.actor_role, look.actor_kind.as_str()) {
        (Some(roles), _) => parts(&roles),
        (None, kind @ ("operator" | "system")) => vec![kind.to_owned()],
        (None, _) => vec!["staff".to_owned()],
    };
    Look {
        at: look.at.into(),
        roles,
        action: look.action,
        fields: parts(&look.fields),
        reason: look.reason.map(Personal::into_inner),
    }
}

/// Looks at the caller's data by staff, newest first. Lists of many accounts, in which everything is masked, are not among
/// them.
#[utoipa::path(get, path = "/api/v1/account/looks", tag = "account", params(PageQuery), responses(
    (status = 200, description = "A page of looks.", body = Page<Look>),
))]
async fn looks_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<Look>> {
    let before = query.after.as_deref().map(|text| place(text).ok_or_else(not_a_next)).transpose();
    let before = before.map_err(|fault| Refusal::from(fault).about("after"))?;
    let limit = query.limit.unwrap_or(100).clamp(1, 500);
    let looks = console.audit.looks(caller.account, before, limit + 1).await?;
    Ok(Json(newest_first(looks, limit, |look| look.seq, shown)))
}
