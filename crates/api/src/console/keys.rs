//! `/api/v1/keys`: the caller's own API keys, and how keys are shown and changed wherever they are. A key itself is shown once,
//! in the answer that makes it (and again to whoever sends that very request again within a day).

use super::idempotency::{Replayed, Undone};
use super::{
    Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Member, Params, Reference, Routes, Signed, not_found,
};
use crate::forms::{Moment, Page, Secret, Status, page_of};
use crate::problem::Refusal;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::access;
use tacit_identity::organisations::{OrganisationPermission, OrganisationRole};
use tacit_identity::{ApiKey, KeyAuthority, KeyChange, KeyEnd, Retired};
use tacit_kernel::Personal;
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{AccountId, KeyId, ProjectId};
use tacit_kernel::limits::Limits;
use tacit_storage::{ReadTx, WriteTx};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// A key as it may be shown.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Key {
    /// Its id, `key_…`.
    #[schema(value_type = String)]
    id: KeyId,
    /// Its name, unique within the account; `null` if it can no longer be read.
    name: Option<String>,
    /// In an organisation: the account of the member whose it is; absent if it is a project's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    member: Option<AccountId>,
    /// In an organisation: the project that it belongs to, `proj_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    project: Option<ProjectId>,
    /// `sk-…` and its last four characters.
    hint: String,
    /// In use or not.
    status: Status,
    /// On whose authority it is disabled, if it is: only on the same or a higher one it is taken into use again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    disabled_by: Option<Authority>,
    /// What ended it for good, if anything did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    ended: Option<End>,
    /// What it may do at most.
    #[schema(value_type = LimitsForm)]
    limits: Limits,
    /// On whose authority they were set: only on the same or a higher one they are changed.
    #[serde(default)]
    limits_by: Authority,
    /// When it was made.
    created_at: Moment,
    /// When it last changed.
    updated_at: Moment,
    /// When it was put away, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    retired_at: Option<Moment>,
}

/// Which keys are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct KeysQuery {
    /// Also those that were put away.
    #[serde(default)]
    retired: bool,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[serde(default)]
    #[param(minimum = 0, maximum = 4294967295u32)]
    limit: Option<u32>,
}

impl KeysQuery {
    fn page(&self) -> Result<(Retired, tacit_storage::Page), Refusal> {
        let retired = if self.retired { Retired::Too } else { Retired::Not };
        Ok((retired, page_of(self.after.as_deref(), self.limit)?))
    }
}

/// On whose authority something is done to a key, from the lowest up.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = KeyAuthority)]
#[serde(rename_all = "lowercase")]
pub(super) enum Authority {
    /// Its owner's; in an organisation that of the member whose it is.
    #[default]
    Owner,
    /// That of who may change the keys of all members.
    Admin,
    /// The platform's.
    Staff,
}

impl From<KeyAuthority> for Authority {
    fn from(authority: KeyAuthority) -> Self {
        match authority {
            KeyAuthority::Owner => Self::Owner,
            KeyAuthority::Admin => Self::Admin,
            KeyAuthority::Staff => Self::Staff,
        }
    }
}

/// What ended a key for good.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = KeyEnd)]
#[serde(rename_all = "lowercase")]
pub(super) enum End {
    /// It was deleted, or its project was archived, whose alone it was.
    Revoked,
    /// It was found where it does not belong.
    Leaked,
}

impl From<KeyEnd> for End {
    fn from(end: KeyEnd) -> Self {
        match end {
            KeyEnd::Revoked => Self::Revoked,
            KeyEnd::Leaked => Self::Leaked,
        }
    }
}

/// A key that was just made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct CreatedKey {
    /// The key itself, shown this once.
    #[schema(value_type = String)]
    pub(super) secret: Secret,
    /// All else about it.
    pub(super) key: Key,
}

/// A key to create.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// A name to tell it from others: 1 to 200 bytes without `/`.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may do at most; nothing is limited if absent.
    #[serde(default)]
    #[schema(value_type = LimitsForm, required = false)]
    limits: Limits,
}

/// What to change; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeyPatch {
    /// Another name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Other limits; they replace all that were set.
    #[schema(value_type = Option<LimitsForm>)]
    limits: Option<Limits>,
    /// In use or not.
    status: Option<Status>,
}

/// What a key may do at most. Each limit that is absent does not hold. Amounts are decimal numbers in the settlement
/// currency, as text.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes the form of another type")]
pub(super) struct LimitsForm {
    /// Calls begun per minute.
    requests_per_minute: Option<u32>,
    /// Tokens, in and out, per minute.
    tokens_per_minute: Option<u64>,
    /// Calls at the same time.
    concurrency: Option<u32>,
    /// Charges per UTC day.
    spend_per_day: Option<String>,
    /// Charges per UTC calendar month.
    spend_per_month: Option<String>,
    /// Charges over its whole life.
    spend_total: Option<String>,
    /// From this moment on nothing is served.
    expires_at: Option<Moment>,
    /// Names of the models it may use, at most 256.
    models: Option<Vec<String>>,
    /// Networks it may call from, such as `10.0.0.0/8`, at most 256.
    ip_ranges: Option<Vec<String>>,
}

impl From<ApiKey> for Key {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name.map(Personal::into_inner),
            member: key.belongs.member,
            project: key.belongs.project,
            hint: key.hint,
            status: Status::of(key.enabled),
            disabled_by: (!key.enabled).then_some(key.disabled_by.into()),
            ended: key.ended.map(End::from),
            limits: key.limits,
            limits_by: key.limits_by.into(),
            created_at: key.created_at.into(),
            updated_at: key.updated_at.into(),
            retired_at: key.retired_at.map(Moment::from),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    let (read, write) = (Access::own(access::Scope::KeysRead), Access::own(access::Scope::KeysWrite));
    routes
        .add(read, routes!(keys_list))
        .add(write, routes!(keys_create))
        .add(read, routes!(keys_show))
        .add(write, routes!(keys_update, keys_revoke))
        .add(write, routes!(keys_retire))
}

/// Whose keys a route is about.
#[derive(Clone, Copy)]
pub(super) enum Scope {
    /// Those of an account.
    Own(AccountId),
    /// Those of an organisation: the member's own, or all of them to who may see them.
    Of(Member),
}

/// What the keys of a scope have in common.
#[derive(Clone, Copy)]
struct Reach {
    account: AccountId,
    member: Option<AccountId>,
    /// What a change counts as.
    authority: KeyAuthority,
}

impl Scope {
    fn reach(self) -> Reach {
        match self {
            Self::Own(account) => Reach { account, member: None, authority: KeyAuthority::Owner },
            Self::Of(member) => Reach::of(member, member.role),
        }
    }

    /// As it is now, asked in the transaction that changes a key.
    async fn reach_in_tx(self, console: &Console, tx: &mut ReadTx<'_>) -> Result<Reach, Undone> {
        let Self::Of(member) = self else { return Ok(self.reach()) };
        let may = console.identity.member_may_in_tx(tx, member.by(), OrganisationPermission::KeysOwn).await?;
        Ok(Reach::of(member, may))
    }
}

impl Reach {
    /// That of a member with that role: their own keys, or all.
    fn of(member: Member, role: OrganisationRole) -> Self {
        let (only, authority) = match role.has(OrganisationPermission::KeysAll) {
            true => (None, KeyAuthority::Admin),
            false => (Some(member.account), KeyAuthority::Owner),
        };
        Self { account: member.organisation, member: only, authority }
    }
}

/// A key that is within reach.
async fn within(console: &Console, tx: &mut ReadTx<'_>, reach: Reach, id: KeyId) -> Result<ApiKey, Undone> {
    let found = console.identity.key_by_ref_in_tx(tx, &id.to_string()).await?;
    let own = found.filter(|key| {
        key.account == reach.account && reach.member.is_none_or(|member| key.belongs.member == Some(member))
    });
    own.ok_or_else(|| not_found("key.not_found", "key").into())
}

/// A page of keys.
pub(super) async fn list(console: &Console, scope: Scope, query: &KeysQuery) -> Answer<Page<Key>> {
    let (retired, page) = query.page()?;
    let Reach { account, member, .. } = scope.reach();
    let keys = match member {
        Some(member) => console.identity.key_list_of_member(account, member, (retired, page)).await?,
        None => console.identity.key_list(Some(account), retired, page).await?,
    };
    Ok(Json(Page::of(keys, Key::from)))
}

/// A page of the keys of a project, to who may see all keys of its organisation.
pub(super) async fn list_of_project(
    console: &Console,
    organisation: AccountId,
    project: ProjectId,
    query: &KeysQuery,
) -> Answer<Page<Key>> {
    let keys = console.identity.key_list_of_project(organisation, project, query.page()?).await?;
    Ok(Json(Page::of(keys, Key::from)))
}

/// The answer to who made a key.
pub(super) fn created(console: &Console, created: CreatedKey, replayed: bool) -> Result<Response, Refusal> {
    let tag = ETag::of(console, &created.key)?;
    Ok((StatusCode::CREATED, tag, Replayed(replayed), Json(created)).into_response())
}

/// A key, or that the caller has this version of it.
pub(super) async fn show(console: &Console, scope: Scope, id: KeyId, versions: &IfMatch) -> Result<Response, Refusal> {
    let reach = scope.reach();
    let found: Result<ApiKey, Undone> =
        console.db.read("console.key.show", |tx| Box::pin(within(console, tx, reach, id))).await;
    let key = Key::from(found?);
    Ok(versions.shown(ETag::of(console, &key)?, Json(key)))
}

/// Changes a key, and shows it as it is now.
pub(super) async fn update(
    console: &Console,
    scope: Scope,
    id: KeyId,
    versions: &IfMatch,
    patch: KeyPatch,
) -> Result<Response, Refusal> {
    let change = KeyChange {
        name: patch.name.map(Personal::new),
        limits: patch.limits,
        enabled: patch.status.map(Status::enabled),
        revoke: false,
    };
    let key = changed(console, scope, id, versions, &change).await?;
    Ok((ETag::of(console, &key)?, Json(key)).into_response())
}

/// Revokes a key.
pub(super) async fn revoke(
    console: &Console,
    scope: Scope,
    id: KeyId,
    versions: &IfMatch,
) -> Result<StatusCode, Refusal> {
    let change = KeyChange { revoke: true, ..KeyChange::default() };
    changed(console, scope, id, versions, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a key away.
pub(super) async fn retire(console: &Console, scope: Scope, id: KeyId) -> Result<StatusCode, Refusal> {
    let retire = async |tx: &mut WriteTx<'_>| {
        let reach = scope.reach_in_tx(console, tx).await?;
        within(console, tx, reach, id).await?;
        Ok::<_, Undone>(console.identity.key_retire_in_tx(tx, id).await?)
    };
    let retire = &retire;
    console.db.write("console.key.retire", |tx| Box::pin(retire(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes a key that is within reach, if it is as the caller has seen it.
async fn changed(
    console: &Console,
    scope: Scope,
    id: KeyId,
    versions: &IfMatch,
    change: &KeyChange,
) -> Result<Key, Refusal> {
    let changed: Result<ApiKey, Undone> = console
        .db
        .write("console.key.update", |tx| {
            Box::pin(async move {
                let reach = scope.reach_in_tx(console, tx).await?;
                let before = Key::from(within(console, tx, reach, id).await?);
                versions.check(&ETag::of(console, &before)?)?;
                Ok(console.identity.key_update_in_tx(tx, (id, reach.authority), change).await?)
            })
        })
        .await;
    Ok(changed?.into())
}

/// The caller's API keys, oldest first.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", params(KeysQuery), responses(
    (status = 200, description = "A page of keys.", body = Page<Key>),
))]
async fn keys_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<KeysQuery>,
) -> Answer<Page<Key>> {
    list(&console, Scope::Own(caller.account), &query).await
}

/// Makes an API key.
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewKey, responses(
    (status = 201, description = "The key, with its secret.", body = CreatedKey, headers(
        ("etag" = String, description = "The version of the key."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "The account has another key of that name.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
))]
async fn keys_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<NewKey>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "keys.create", &new)?;
    let (console, name, limits) = (&console, &Personal::new(new.name), &new.limits);
    let account = caller.account;
    let (made, replayed): (CreatedKey, bool) = console
        .db
        .write("console.key.create", |tx| {
            Box::pin(async move {
                if let Some(created) = once.stored(console, tx).await? {
                    return Ok::<_, Undone>((created, true));
                }
                let made = {
                    let (identity, owner) = (&console.identity, (account, KeyAuthority::Owner));
                    identity.key_create_in_tx(tx, owner, name, CallSource::Api, limits).await?
                };
                let created = CreatedKey { secret: Secret(made.1), key: made.0.into() };
                once.keep(console, tx, &created).await?;
                Ok((created, false))
            })
        })
        .await?;
    created(console, made, replayed)
}

/// An API key of the caller.
#[utoipa::path(get, path = "/api/v1/keys/{key}", tag = "keys", params(
    ("key" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The key.", body = Key, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
    (status = 404, description = "The caller has no such key.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
))]
async fn keys_show(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<KeyId>,
) -> Result<Response, Refusal> {
    show(&console, Scope::Own(caller.account), id, &versions).await
}

/// Changes an API key of the caller.
#[utoipa::path(patch, path = "/api/v1/keys/{key}", tag = "keys", params(
    ("key" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = KeyPatch, responses(
    (status = 200, description = "The key as it is now.", body = Key,
        headers(("etag" = String, description = "The version."))),
    (status = 404, description = "The caller has no such key.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "The account has another key of that name.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
))]
async fn keys_update(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<KeyId>,
    Input(patch): Input<KeyPatch>,
) -> Result<Response, Refusal> {
    update(&console, Scope::Own(caller.account), id, &versions, patch).await
}

/// Revokes an API key of the caller: it serves no call any more. Its record stays, for bills name it.
#[utoipa::path(delete, path = "/api/v1/keys/{key}", tag = "keys", params(
    ("key" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Revoke it only if this is its version."),
), responses(
    (status = 204, description = "It is revoked."),
    (status = 404, description = "The caller has no such key.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
))]
async fn keys_revoke(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<KeyId>,
) -> Result<StatusCode, Refusal> {
    revoke(&console, Scope::Own(caller.account), id, &versions).await
}

/// Puts an API key of the caller away that is not in use, for good: it is in no list and counts for no limit, and its name is
/// free. Its record stays, for bills name it.
#[utoipa::path(post, path = "/api/v1/keys/{key}/retire", tag = "keys", params(
    ("key" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is put away, or was."),
    (status = 404, description = "The caller has no such key.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "It is in use.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
))]
async fn keys_retire(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<KeyId>,
) -> Result<StatusCode, Refusal> {
    retire(&console, Scope::Own(caller.account), id).await
}
