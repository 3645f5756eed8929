//! `/v1/groups`: pricing groups of accounts.

use super::input::Input;
use super::problem::Refusal;
use super::{Admin, Answer, not_found, taken};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};

pub use super::forms::groups::{Group, GroupPatch, NewGroup};

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/groups", get(list).post(create)).route("/v1/groups/{reference}", get(show).patch(update))
}

async fn list(State(admin): State<Admin>) -> Answer<Vec<Group>> {
    Ok(Json(admin.identity.group_list().await?.into_iter().map(Group::from).collect()))
}

/// The group of that name or id.
pub(super) async fn find(admin: &Admin, reference: &str) -> Result<tacit_identity::Group, Refusal> {
    let found = admin.identity.group_by_ref(reference).await?;
    Ok(found.ok_or_else(|| not_found("group.not_found", "group"))?)
}

async fn show(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<Group> {
    Ok(Json(find(&admin, &reference).await?.into()))
}

async fn create(State(admin): State<Admin>, Input(new): Input<NewGroup>) -> Answer<Group> {
    if admin.identity.group_by_ref(&new.name).await?.is_some() {
        return Err(taken("group.name_taken", "group").into());
    }
    Ok(Json(admin.identity.group_put(&new.name, new.multiplier).await?.into()))
}

async fn update(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(patch): Input<GroupPatch>,
) -> Answer<Group> {
    let found = find(&admin, &reference).await?;
    Ok(Json(admin.identity.group_put(&found.name, patch.multiplier).await?.into()))
}
