//! `/api/v1/organisations/{organisation}/keys`: the API keys of an organisation. Who may see all of them sees all; others see and
//! change their own, as they would at `/api/v1/keys`.

use super::idempotency::Undone;
use super::keys::{self, CreatedKey, Key, KeyPatch, KeysQuery, LimitsForm, Scope};
use super::{Access, Answer, Console, Idempotent, IfMatch, Inner, Input, Member, Params, Routes, Signed};
use crate::forms::{Page, Secret};
use crate::problem::{Problem, Refusal};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tacit_identity::access;
use tacit_identity::organisations::OrganisationPermission;
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, KeyId, ProjectId};
use tacit_kernel::limits::Limits;
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A key to create.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = NewOrganisationKey)]
#[serde(deny_unknown_fields)]
struct New {
    /// A name to tell it from others of the organisation: 1 to 200 bytes without `/`.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may do at most; nothing is limited if absent.
    #[serde(default)]
    #[schema(value_type = LimitsForm, required = false)]
    limits: Limits,
    /// The account of the member whose it is; the caller's if absent. It never changes.
    #[schema(value_type = Option<String>)]
    member: Option<AccountId>,
    /// The project that it belongs to; none if absent. It never changes.
    #[schema(value_type = Option<String>)]
    project: Option<ProjectId>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Access::Member(OrganisationPermission::KeysOwn, access::Scope::OrganisationKeysRead);
    let write = Access::Member(OrganisationPermission::KeysOwn, access::Scope::OrganisationKeysWrite);
    routes
        .add(read, routes!(organisation_keys_list))
        .add(write, routes!(organisation_keys_create))
        .add(read, routes!(organisation_keys_show))
        .add(write, routes!(organisation_keys_update, organisation_keys_revoke))
        .add(write, routes!(organisation_keys_retire))
}

/// The API keys of an organisation that the caller may see, oldest first.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/keys", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."), KeysQuery,
), responses(
    (status = 200, description = "A page of keys.", body = Page<Key>),
))]
async fn organisation_keys_list(
    State(console): State<Console>,
    member: Member,
    Params(query): Params<KeysQuery>,
) -> Answer<Page<Key>> {
    keys::list(&console, Scope::Of(member), &query).await
}

/// Makes an API key of an organisation.
#[utoipa::path(post, path = "/api/v1/organisations/{organisation}/keys", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = New, responses(
    (status = 201, description = "The key, with its secret.", body = CreatedKey, headers(
        ("etag" = String, description = "The version of the key."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "There is another key of that name, the member may have none or has too many, or the project \
        is archived.", body = Problem, content_type = "application/problem+json"),
))]
async fn organisation_keys_create(
    State(console): State<Console>,
    caller: Signed,
    member: Member,
    idempotent: Idempotent,
    Input(new): Input<New>,
) -> Result<Response, Refusal> {
    let request = (member.organisation, &new);
    let once = &idempotent.of(&console, &caller, "organisations.keys.create", &request)?;
    let (console, name, limits) = (&console, &Personal::new(new.name), &new.limits);
    let belongs = (new.member, new.project);
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(made) = once.stored::<CreatedKey>(console, tx).await? {
            return Ok((made, true));
        }
        let identity = &console.identity;
        let (key, secret) = identity.organisation_key_create_in_tx(tx, member.by(), belongs, name, limits).await?;
        let made = CreatedKey { secret: Secret(secret), key: key.into() };
        once.keep(console, tx, &made).await?;
        Ok::<_, Undone>((made, false))
    };
    let create = &create;
    let (made, replayed) = console.db.write("console.organisation_key.create", |tx| Box::pin(create(tx))).await?;
    keys::created(console, made, replayed)
}

/// An API key of an organisation.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/keys/{key}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("key" = String, Path, description = "The key's id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The key.", body = Key, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn organisation_keys_show(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
    Inner(id): Inner<KeyId>,
) -> Result<Response, Refusal> {
    keys::show(&console, Scope::Of(member), id, &versions).await
}

/// Changes an API key of an organisation.
#[utoipa::path(patch, path = "/api/v1/organisations/{organisation}/keys/{key}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("key" = String, Path, description = "The key's id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = KeyPatch, responses(
    (status = 200, description = "The key as it is now.", body = Key,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "There is another key of that name; or it cannot be in use: its member may have none or has too \
        many, or its project is archived.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn organisation_keys_update(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
    Inner(id): Inner<KeyId>,
    Input(patch): Input<KeyPatch>,
) -> Result<Response, Refusal> {
    keys::update(&console, Scope::Of(member), id, &versions, patch).await
}

/// Revokes an API key of an organisation: it serves no call any more. Its record stays, for bills name it.
#[utoipa::path(delete, path = "/api/v1/organisations/{organisation}/keys/{key}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("key" = String, Path, description = "The key's id."),
    ("if-match" = Option<String>, Header, description = "Revoke it only if this is its version."),
), responses(
    (status = 204, description = "It is revoked."),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn organisation_keys_revoke(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
    Inner(id): Inner<KeyId>,
) -> Result<StatusCode, Refusal> {
    keys::revoke(&console, Scope::Of(member), id, &versions).await
}

/// Puts an API key of an organisation away that is not in use, for good: it is in no list and counts for no limit, and its name
/// is free. Its record stays, for bills name it.
#[utoipa::path(post, path = "/api/v1/organisations/{organisation}/keys/{key}/retire", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("key" = String, Path, description = "The key's id."),
), responses(
    (status = 204, description = "It is put away, or was."),
    (status = 409, description = "It is in use.", body = Problem, content_type = "application/problem+json"),
))]
async fn organisation_keys_retire(
    State(console): State<Console>,
    member: Member,
    Inner(id): Inner<KeyId>,
) -> Result<StatusCode, Refusal> {
    keys::retire(&console, Scope::Of(member), id).await
}
