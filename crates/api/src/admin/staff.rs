//! `/v1/staff`: who has which role of staff. The operator at the machine may give and take any of them; so the first owner
//! is made.

use super::accounts::find;
use super::forms::{Moment, Page};
use super::input::{Input, Params};
use super::{Admin, Answer};
use crate::forms::staff_after;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tacit_identity::roles::Acting;
use tacit_kernel::ids::AccountId;

/// Most on one page.
const PAGE: u32 = 500;

/// Somebody who has a role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// The role.
    pub role: String,
    /// Since when.
    pub granted_at: Moment,
}

/// Which page is wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffQuery {
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A role and who is to have it, or no longer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The account, by id or name.
    pub account: String,
    /// The role, by name.
    pub role: String,
}

/// What was done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Granted {
    /// The account.
    pub account: AccountId,
    /// The roles that it has now.
    pub roles: Vec<String>,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/staff", get(list))
        .route("/v1/staff/grant", post(grant))
        .route("/v1/staff/revoke", post(revoke))
}

async fn list(State(admin): State<Admin>, Params(query): Params<StaffQuery>) -> Answer<Page<Member>> {
    let rows = admin.identity.staff(staff_after(query.after.as_deref())?, PAGE).await?;
    let full = rows.len() >= PAGE as usize;
    let next = rows.last().filter(|_| full).map(|(account, role, _)| format!("{account}/{role}"));
    let items = rows.into_iter().map(|(account, role, at)| Member { account, role, granted_at: at.into() }).collect();
    Ok(Json(Page { items, next }))
}

async fn grant(State(admin): State<Admin>, Input(wanted): Input<Grant>) -> Answer<Granted> {
    let account = find(&admin, &wanted.account).await?.id;
    admin.identity.role_grant(Acting::Operator, account, &wanted.role).await?;
    Ok(Json(Granted { account, roles: admin.identity.roles_of(account).await? }))
}

async fn revoke(State(admin): State<Admin>, Input(wanted): Input<Grant>) -> Answer<Granted> {
    let account = find(&admin, &wanted.account).await?.id;
    admin.identity.role_revoke(Acting::Operator, account, &wanted.role).await?;
    Ok(Json(Granted { account, roles: admin.identity.roles_of(account).await? }))
}
