//! `/api/v1/groups`: pricing groups of accounts.

use super::idempotency::{Replayed, Undone};
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Routes, Signed};
use super::{not_found, taken};
use crate::forms::groups::{Group, GroupPatch, NewGroup};
use crate::forms::{Page, PageQuery, page_of, paged};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tacit_identity::access::Permission;
use tacit_kernel::ids::GroupId;
use tacit_kernel::{ErrorKind, Fault};
use tacit_storage::{ReadTx, WriteTx};
use utoipa_axum::routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::AccountsRead), routes!(groups_list))
        .add(Access::Needs(Permission::PricesWrite), routes!(groups_create))
        .add(Access::Needs(Permission::AccountsRead), routes!(groups_show))
        .add(Access::Needs(Permission::PricesWrite), routes!(groups_update, groups_delete))
}

async fn found(console: &Console, tx: &mut ReadTx<'_>, id: GroupId) -> Result<tacit_identity::Group, Undone> {
    let found = console.identity.group_list_in_tx(tx).await?.into_iter().find(|group| group.id == id);
    found.ok_or_else(|| not_found("group.not_found", "group").into())
}

/// Pricing groups, oldest first.
#[utoipa::path(get, path = "/api/v1/groups", tag = "catalogue", params(PageQuery), responses(
    (status = 200, description = "A page of groups.", body = Page<Group>),
))]
async fn groups_list(State(console): State<Console>, Params(query): Params<PageQuery>) -> Answer<Page<Group>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let groups = paged(console.identity.group_list().await?, page, |group| group.id.0);
    Ok(Json(Page::of(groups, Group::from)))
}

/// Makes a pricing group.
#[utoipa::path(post, path = "/api/v1/groups", tag = "catalogue", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewGroup, responses(
    (status = 201, description = "The group.", body = Group, headers(
        ("etag" = String, description = "The version of the group."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "There is a group of that name.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn groups_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<NewGroup>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "groups.create", &new)?;
    let (console, new) = (&console, &new);
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(group) = once.stored::<Group>(console, tx).await? {
            return Ok::<_, Undone>((group, true));
        }
        if console.identity.group_list_in_tx(tx).await?.iter().any(|group| group.name == new.name) {
            return Err(taken("group.name_taken", "group").into());
        }
        let group = Group::from(console.identity.group_put_in_tx(tx, &new.name, new.multiplier).await?);
        once.keep(console, tx, &group).await?;
        Ok((group, false))
    };
    let create = &create;
    let (group, replayed) = console.db.write("console.group.create", |tx| Box::pin(create(tx))).await?;
    Ok((StatusCode::CREATED, ETag::of(console, &group)?, Replayed(replayed), Json(group)).into_response())
}

/// A pricing group.
#[utoipa::path(get, path = "/api/v1/groups/{group}", tag = "catalogue", params(
    ("group" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The group.", body = Group, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn groups_show(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<GroupId>,
) -> Result<Response, Refusal> {
    let console = &console;
    let found: Result<_, Undone> = console.db.read("console.group.show", |tx| Box::pin(found(console, tx, id))).await;
    let group = Group::from(found?);
    Ok(versions.shown(ETag::of(console, &group)?, Json(group)))
}

/// Gives a pricing group another multiplier, for calls from now on.
#[utoipa::path(patch, path = "/api/v1/groups/{group}", tag = "catalogue", params(
    ("group" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = GroupPatch, responses(
    (status = 200, description = "The group as it is now.", body = Group,
        headers(("etag" = String, description = "The version."))),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn groups_update(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<GroupId>,
    Input(patch): Input<GroupPatch>,
) -> Result<Response, Refusal> {
    let (console, versions) = (&console, &versions);
    let update = async |tx: &mut WriteTx<'_>| {
        let before = found(console, tx, id).await?;
        let name = before.name.clone();
        versions.check(&ETag::of(console, &Group::from(before))?)?;
        Ok::<_, Undone>(console.identity.group_put_in_tx(tx, &name, patch.multiplier).await?)
    };
    let update = &update;
    let group = Group::from(console.db.write("console.group.update", |tx| Box::pin(update(tx))).await?);
    Ok((ETag::of(console, &group)?, Json(group)).into_response())
}

/// Deletes a pricing group in which no account is.
#[utoipa::path(delete, path = "/api/v1/groups/{group}", tag = "catalogue", params(
    ("group" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Delete it only if this is its version."),
), responses(
    (status = 204, description = "It is deleted."),
    (status = 409, description = "Accounts are in it, or whoever registers comes into it.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn groups_delete(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<GroupId>,
) -> Result<StatusCode, Refusal> {
    let (console, versions) = (&console, &versions);
    let delete = async |tx: &mut WriteTx<'_>| {
        let before = found(console, tx, id).await?;
        if before.name == console.registration_group {
            let message = "whoever registers comes into this group: see the setting registration.group";
            return Err(Undone::from(Fault::new(ErrorKind::Conflict, "group.in_use", message)));
        }
        versions.check(&ETag::of(console, &Group::from(before))?)?;
        Ok(console.identity.group_delete_in_tx(tx, id).await?)
    };
    let delete = &delete;
    console.db.write("console.group.delete", |tx| Box::pin(delete(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}
