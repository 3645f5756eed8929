//! `/api/v1/management-keys`: keys with which programs use this interface.

use super::account::session;
use super::idempotency::{Replayed, Undone};
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Routes, Signed};
use crate::forms::{Moment, Page, PageQuery, Secret, Status, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use tacit_identity::access::{Permissions, Scopes};
use tacit_identity::management_keys::{ManagementKey, ManagementKeyChange};
use tacit_kernel::Personal;
use tacit_kernel::ids::ManagementKeyId;
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A management key as it may be shown.
#[derive(Serialize, Deserialize, ToSchema)]
struct Key {
    /// Its id, `mkey_…`.
    #[schema(value_type = String)]
    id: ManagementKeyId,
    /// Its name; `null` if it can no longer be read.
    name: Option<String>,
    /// `tm-…` and its last four characters.
    hint: String,
    /// What it may do with what is its owner's own, by the names in docs/reference/permissions.md.
    #[schema(value_type = Vec<String>)]
    scopes: Scopes,
    /// What it may do beyond that, as far as its owner may.
    #[schema(value_type = Vec<String>)]
    permissions: Permissions,
    /// In use or not.
    status: Status,
    /// From when on it is void.
    expires_at: Option<Moment>,
    /// When it was made.
    created_at: Moment,
}

/// A key that was just made.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = CreatedManagementKey)]
struct Created {
    /// The key itself, shown this once.
    #[schema(value_type = String)]
    secret: Secret,
    /// All else about it.
    #[schema(inline)]
    key: Key,
}

/// A key to create.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = NewManagementKey)]
#[serde(deny_unknown_fields)]
struct New {
    /// A name to tell it from others.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may do with what is the owner's own, by the names in docs/reference/permissions.md; nothing if absent.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = false)]
    scopes: Scopes,
    /// What it may do beyond that, by the names in docs/reference/permissions.md; nothing if absent.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = false)]
    permissions: Permissions,
    /// From when on it is void; never if absent.
    expires_at: Option<Moment>,
}

/// What to change; what is absent stays.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = ManagementKeyPatch)]
#[serde(deny_unknown_fields, default)]
struct Patch {
    /// Another name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Other scopes; they replace all that it had.
    #[schema(value_type = Option<Vec<String>>)]
    scopes: Option<Scopes>,
    /// Other permissions; they replace all that it had.
    #[schema(value_type = Option<Vec<String>>)]
    permissions: Option<Permissions>,
    /// Another moment from when on it is void; `null`: never.
    #[serde(deserialize_with = "told")]
    #[schema(value_type = Option<Moment>)]
    expires_at: Option<Option<Moment>>,
}

/// What is there, be it `null`.
fn told<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Moment>>, D::Error> {
    Option::<Moment>::deserialize(deserializer).map(Some)
}

impl From<ManagementKey> for Key {
    fn from(key: ManagementKey) -> Self {
        Self {
            id: key.id,
            name: key.name.map(Personal::into_inner),
            hint: key.hint,
            scopes: key.scopes,
            permissions: key.permissions,
            status: Status::of(key.enabled),
            expires_at: key.expires_at.map(Into::into),
            created_at: key.created_at.into(),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::PERSON, routes!(management_keys_list))
        .add(Access::PERSON.stepped_up(), routes!(management_keys_create))
        .add(Access::PERSON, routes!(management_keys_show, management_keys_revoke))
        .add(Access::PERSON.stepped_up(), routes!(management_keys_update))
}

/// The caller's management keys, oldest first.
#[utoipa::path(get, path = "/api/v1/management-keys", tag = "keys", params(PageQuery), responses(
    (status = 200, description = "A page of keys.", body = inline(Page<Key>)),
))]
async fn management_keys_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<Key>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let keys = console.identity.management_key_list(caller.account, page).await?;
    Ok(Json(Page::of(keys, Key::from)))
}

/// Makes a management key. Only a person can: a key makes no keys.
#[utoipa::path(post, path = "/api/v1/management-keys", tag = "keys", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = New, responses(
    (status = 201, description = "The key, with its secret.", body = Created, headers(
        ("etag" = String, description = "The version of the key."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "There are too many.", body = Problem, content_type = "application/problem+json"),
))]
async fn management_keys_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<New>,
) -> Result<Response, Refusal> {
    session(&console, &caller).await?;
    let once = &idempotent.of(&console, &caller, "management_keys.create", &new)?;
    let (console, account, name) = (&console, caller.account, &Personal::new(new.name));
    let expires_at = new.expires_at.map(|at| at.0);
    let create = async |tx: &mut WriteTx<'_>| -> Result<(Created, bool), Undone> {
        if let Some(created) = once.stored(console, tx).await? {
            return Ok((created, true));
        }
        let identity = &console.identity;
        let may = (new.scopes, new.permissions);
        let made = identity.management_key_create_in_tx(tx, account, name, may, expires_at).await?;
        let created = Created { secret: Secret(made.1), key: made.0.into() };
        once.keep(console, tx, &created).await?;
        Ok((created, false))
    };
    let create = &create;
    let made = console.db.write("console.management_key.create", |tx| Box::pin(create(tx))).await;
    let (created, replayed) = made?;
    let tag = ETag::of(console, &created.key)?;
    Ok((StatusCode::CREATED, tag, Replayed(replayed), Json(created)).into_response())
}

/// A management key of the caller.
#[utoipa::path(get, path = "/api/v1/management-keys/{key}", tag = "keys", params(
    ("key" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The key.", body = inline(Key), headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
    (status = 404, description = "The caller has no such key.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn management_keys_show(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<ManagementKeyId>,
) -> Result<Response, Refusal> {
    let (console, account) = (&console, caller.account);
    let show = async |tx: &mut ReadTx<'_>| console.identity.management_key_in_tx(tx, account, id).await;
    let show = &show;
    let key = Key::from(console.db.read("console.management_key.show", |tx| Box::pin(show(tx))).await?);
    Ok(versions.shown(ETag::of(console, &key)?, Json(key)))
}

/// Changes a management key of the caller. What it may do then is held to the rules of making one.
#[utoipa::path(patch, path = "/api/v1/management-keys/{key}", tag = "keys", params(
    ("key" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = Patch, responses(
    (status = 200, description = "The key as it is now.", body = inline(Key),
        headers(("etag" = String, description = "The version."))),
    (status = 404, description = "The caller has no such key.", body = Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "It was revoked.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn management_keys_update(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<ManagementKeyId>,
    Input(patch): Input<Patch>,
) -> Result<Response, Refusal> {
    session(&console, &caller).await?;
    let change = &ManagementKeyChange {
        name: patch.name.map(Personal::new),
        scopes: patch.scopes,
        permissions: patch.permissions,
        expires_at: patch.expires_at.map(|at| at.map(|at| at.0)),
    };
    let (console, of, versions) = (&console, (caller.account, id), &versions);
    let update = async |tx: &mut WriteTx<'_>| -> Result<ManagementKey, Undone> {
        let before = Key::from(console.identity.management_key_in_tx(tx, of.0, id).await?);
        versions.check(&ETag::of(console, &before)?)?;
        Ok(console.identity.management_key_update_in_tx(tx, of, change).await?)
    };
    let update = &update;
    let key = Key::from(console.db.write("console.management_key.update", |tx| Box::pin(update(tx))).await?);
    Ok((ETag::of(console, &key)?, Json(key)).into_response())
}

/// Revokes a management key of the caller.
#[utoipa::path(delete, path = "/api/v1/management-keys/{key}", tag = "keys", params(
    ("key" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Revoke it only if this is its version."),
), responses(
    (status = 204, description = "It is revoked."),
    (status = 404, description = "The caller has no such key.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn management_keys_revoke(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<ManagementKeyId>,
) -> Result<StatusCode, Refusal> {
    let (console, account, versions) = (&console, caller.account, &versions);
    let revoke = async |tx: &mut WriteTx<'_>| -> Result<(), Undone> {
        let before = Key::from(console.identity.management_key_in_tx(tx, account, id).await?);
        versions.check(&ETag::of(console, &before)?)?;
        Ok(console.identity.management_key_revoke_in_tx(tx, account, id).await?)
    };
    let revoke = &revoke;
    console.db.write("console.management_key.revoke", |tx| Box::pin(revoke(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}
