//! `/api/v1/management-keys`: keys with which programs use this interface.

use super::account::session;
use super::{Access, Answer, Console, Input, Params, Reference, Routes, Signed};
use crate::forms::{Moment, Page, PageQuery, Secret, Status, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::access::Permissions;
use tacit_identity::management_keys::ManagementKey;
use tacit_kernel::Personal;
use tacit_kernel::ids::ManagementKeyId;
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A management key as it may be shown.
#[derive(Serialize, ToSchema)]
struct Key {
    /// Its id, `mkey_…`.
    #[schema(value_type = String)]
    id: ManagementKeyId,
    /// Its name; `null` if it can no longer be read.
    name: Option<String>,
    /// `tm-…` and its last four characters.
    hint: String,
    /// What it may do beyond what is its owner's own.
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
#[derive(Serialize, ToSchema)]
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
#[derive(Deserialize, ToSchema)]
#[schema(as = NewManagementKey)]
#[serde(deny_unknown_fields)]
struct New {
    /// A name to tell it from others.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may do beyond what is the owner's own, by the names in docs/reference/permissions.md; nothing if absent.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = false)]
    permissions: Permissions,
    /// From when on it is void; never if absent.
    expires_at: Option<Moment>,
}

impl From<ManagementKey> for Key {
    fn from(key: ManagementKey) -> Self {
        Self {
            id: key.id,
            name: key.name.map(Personal::into_inner),
            hint: key.hint,
            permissions: key.permissions,
            status: Status::of(key.enabled),
            expires_at: key.expires_at.map(Into::into),
            created_at: key.created_at.into(),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::SignedIn, routes!(management_keys_list))
        .add(Access::SignedIn.stepped_up(), routes!(management_keys_create))
        .add(Access::SignedIn, routes!(management_keys_revoke))
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
#[utoipa::path(post, path = "/api/v1/management-keys", tag = "keys", request_body = New, responses(
    (status = 201, description = "The key, with its secret.", body = Created),
    (status = 409, description = "There are too many.", body = Problem, content_type = "application/problem+json"),
))]
async fn management_keys_create(
    State(console): State<Console>,
    caller: Signed,
    Input(new): Input<New>,
) -> Result<(StatusCode, Json<Created>), Refusal> {
    session(&console, &caller).await?;
    let (console, account, name) = (&console, caller.account, &Personal::new(new.name));
    let expires_at = new.expires_at.map(|at| at.0);
    let create = async |tx: &mut WriteTx<'_>| {
        let identity = &console.identity;
        identity.management_key_create_in_tx(tx, account, name, new.permissions, expires_at).await
    };
    let create = &create;
    let made: Result<_, IdentityError> = console.db.write("console.management_key", |tx| Box::pin(create(tx))).await;
    let (key, secret) = made?;
    Ok((StatusCode::CREATED, Json(Created { secret: Secret(secret), key: key.into() })))
}

/// Revokes a management key of the caller.
#[utoipa::path(delete, path = "/api/v1/management-keys/{key}", tag = "keys", params(
    ("key" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is revoked."),
    (status = 404, description = "The caller has no such key.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn management_keys_revoke(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<ManagementKeyId>,
) -> Result<StatusCode, Refusal> {
    console.identity.management_key_revoke(caller.account, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
