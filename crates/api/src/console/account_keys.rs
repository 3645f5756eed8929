//! `/api/v1/accounts/{account}/keys`: the API keys of all accounts, for staff. Names are masked, for people name keys after
//! themselves and their employers; the key itself nobody can see.

use super::idempotency::{Replayed, Undone};
use super::keys::{Authority, End, LimitsForm};
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Routes, Signed, not_found};
use crate::forms::{Moment, Page, PageQuery, Secret, Status, page_of};
use crate::problem::{Problem, Refusal};
use crate::restricted;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::access::Permission;
use tacit_identity::roles::Acting;
use tacit_identity::{ApiKey, KeyAuthority, KeyChange, Retired};
use tacit_kernel::call::CallSource;
use tacit_kernel::datamap::Purpose;
use tacit_kernel::ids::{AccountId, KeyId};
use tacit_kernel::limits::Limits;
use tacit_kernel::{Fault, Masked, Personal};
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A key of somebody, its name masked.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct AccountKey {
    /// Its id, `key_…`.
    #[schema(value_type = String)]
    id: KeyId,
    /// Its name, masked; `null` if it can no longer be read.
    #[schema(value_type = Option<String>)]
    name: Option<Masked>,
    /// `sk-…` and its last four characters.
    hint: String,
    /// What its calls count as.
    #[schema(value_type = String)]
    source: CallSource,
    /// In use or not.
    status: Status,
    /// On whose authority it is disabled, if it is.
    disabled_by: Option<Authority>,
    /// What ended it for good.
    ended: Option<End>,
    /// What it may do at most.
    #[schema(value_type = LimitsForm)]
    limits: Limits,
    /// On whose authority they were set.
    limits_by: Authority,
    /// When it was made.
    created_at: Moment,
    /// When it last changed.
    updated_at: Moment,
    /// When its owner put it away, if that was done.
    retired_at: Option<Moment>,
}

/// A key that was changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum AccountKeyChanged {
    Shown(Box<AccountKey>),
    Restricted(RestrictedKey),
}

/// What is shown of a key of who restricts the use of their data.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RestrictedAccountKey)]
struct RestrictedKey {
    /// Its id, `key_…`.
    #[schema(value_type = String)]
    id: KeyId,
    /// In use or not.
    status: Status,
    /// That it is so: always `true`.
    restricted: bool,
}

/// A key to make for somebody.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccountKey {
    /// A name to tell it from others: 1 to 200 bytes without `/`.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may do at most, which only staff changes then; nothing is limited if absent.
    #[serde(default)]
    #[schema(value_type = LimitsForm, required = false)]
    limits: Limits,
    /// Why; kept sealed in the audit log.
    #[schema(max_length = 1000)]
    #[serde(default, rename = "reason")]
    reason: Option<String>,
}

/// A key that was just made for somebody.
#[derive(Serialize, ToSchema)]
struct CreatedAccountKey {
    /// The key itself, shown this once.
    #[schema(value_type = String)]
    secret: Secret,
    /// All else about it.
    #[schema(inline)]
    key: AccountKey,
}

/// What to change; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct AccountKeyPatch {
    /// Other limits; they replace all that were set.
    #[schema(value_type = Option<LimitsForm>)]
    limits: Option<Limits>,
    /// In use or not.
    status: Option<Status>,
    /// Why; kept sealed in the audit log.
    #[schema(max_length = 1000)]
    #[serde(rename = "reason")]
    _reason: Option<String>,
}

impl From<ApiKey> for AccountKey {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name.as_ref().map(Masked::name),
            hint: key.hint,
            source: key.source,
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
    routes
        .add(Access::Needs(Permission::KeysRead), routes!(account_keys_list))
        .add(Access::Needs(Permission::KeysCreate), routes!(account_keys_create))
        .add(Access::Needs(Permission::KeysRead), routes!(account_keys_show))
        .add(Access::Needs(Permission::KeysWrite), routes!(account_keys_update))
}

fn account_of(text: &str) -> Result<AccountId, Refusal> {
    text.parse().map_err(|_| not_found("account.not_found", "account"))
}

/// The account and the key that a path names.
fn both(path: &(String, String)) -> Result<(AccountId, KeyId), Refusal> {
    let key = path.1.parse().map_err(|_| not_found("key.not_found", "key"))?;
    Ok((account_of(&path.0)?, key))
}

async fn found(console: &Console, tx: &mut ReadTx<'_>, (account, id): (AccountId, KeyId)) -> Result<ApiKey, Undone> {
    let found = console.identity.key_by_ref_in_tx(tx, &id.to_string()).await?;
    found.filter(|key| key.account == account).ok_or_else(|| not_found("key.not_found", "key").into())
}

/// The API keys of an account, oldest first, also those that its owner put away.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/keys", tag = "accounts", params(
    ("account" = String, Path, description = "The account's id."), PageQuery,
), responses(
    (status = 200, description = "A page of keys.", body = Page<AccountKey>),
))]
async fn account_keys_list(
    State(console): State<Console>,
    Path(account): Path<String>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<AccountKey>> {
    let account = account_of(&account)?;
    let page = page_of(query.after.as_deref(), query.limit)?;
    let known =
        console.db.read("console.account.known", |tx| Box::pin(console.identity.account_by_id_in_tx(tx, account)));
    known.await?.ok_or_else(|| not_found("account.not_found", "account"))?;
    let keys = console.identity.key_list(Some(account), Retired::Too, page).await?;
    Ok(Json(Page::of(keys, AccountKey::from)))
}

/// Makes an API key for an account, whose owner is told. Who acts gives it to the owner.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/keys", tag = "accounts", params(
    ("account" = String, Path, description = "The account's id."),
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewAccountKey, responses(
    (status = 201, description = "The key, with its secret.", body = CreatedAccountKey, headers(
        ("etag" = String, description = "The version of the key."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "The account has another key of that name or too many, or is an organisation.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn account_keys_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Path(account): Path<String>,
    Input(new): Input<NewAccountKey>,
) -> Result<Response, Refusal> {
    let account = account_of(&account)?;
    let once = &idempotent.of(&console, &caller, "accounts.keys.create", &(account, &new))?;
    let (console, acting) = (&console, (Acting::With(caller.permissions), caller.account));
    let (name, limits) = (&Personal::new(new.name), &new.limits);
    let create = async |tx: &mut WriteTx<'_>| {
        // As it was shown: what is masked cannot be read back into its type.
        if let Some(made) = once.stored::<(String, serde_json::Value)>(console, tx).await? {
            return Ok((made, true));
        }
        let identity = &console.identity;
        let (key, secret) = identity.key_create_by_staff_in_tx(tx, acting, account, (name, limits)).await?;
        let created = CreatedAccountKey { secret: Secret(secret), key: key.into() };
        let shown = serde_json::to_value(&created).map_err(|e| Fault::internal("request.unwritable", e))?;
        let made = (ETag::of(console, &created.key)?.text().to_owned(), shown);
        once.keep(console, tx, &made).await?;
        Ok::<_, Undone>((made, false))
    };
    let create = &create;
    let ((tag, made), replayed) = console.db.write("console.account_key.create", |tx| Box::pin(create(tx))).await?;
    Ok((StatusCode::CREATED, [(header::ETAG, tag)], Replayed(replayed), Json(made)).into_response())
}

/// An API key of an account.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/keys/{key}", tag = "accounts", params(
    ("account" = String, Path, description = "The account's id."),
    ("key" = String, Path, description = "The key's id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The key.", body = AccountKey,
        headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn account_keys_show(
    State(console): State<Console>,
    versions: IfMatch,
    Path(path): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (console, ids) = (&console, both(&path)?);
    let found: Result<ApiKey, Undone> =
        console.db.read("console.account_key.show", |tx| Box::pin(found(console, tx, ids))).await;
    let key = AccountKey::from(found?);
    Ok(versions.shown(ETag::of(console, &key)?, Json(key)))
}

/// Changes limits or status of an API key of an account; disabled, it serves no call any more. Of who restricts the use of their
/// data a key can be disabled, and nothing else.
#[utoipa::path(patch, path = "/api/v1/accounts/{account}/keys/{key}", tag = "accounts", params(
    ("account" = String, Path, description = "The account's id."),
    ("key" = String, Path, description = "The key's id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = AccountKeyPatch, responses(
    (status = 200, description = "The key as it is now.", body = AccountKeyChanged,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "Who it belongs to restricts the use of their data.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn account_keys_update(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Path(path): Path<(String, String)>,
    Input(patch): Input<AccountKeyPatch>,
) -> Result<Response, Refusal> {
    let ids = both(&path)?;
    let change =
        &KeyChange { limits: patch.limits, enabled: patch.status.map(Status::enabled), ..KeyChange::default() };
    let (console, versions, acting) = (&console, &versions, Acting::With(caller.permissions));
    let update = async |tx: &mut WriteTx<'_>| {
        console.identity.within_reach_in_tx(tx, acting, ids.0).await?;
        console.identity.not_their_own_in_tx(tx, caller.account, ids.0).await?;
        let before = AccountKey::from(found(console, tx, ids).await?);
        versions.check(&ETag::of(console, &before)?)?;
        let restricted = console.identity.refused_in_tx(tx, ids.0, Purpose::Support).await?.is_some();
        restricted::change(restricted, change.limits.is_some() || change.enabled == Some(true))?;
        let key = console.identity.key_update_in_tx(tx, (ids.1, KeyAuthority::Staff), change).await?;
        Ok::<_, Undone>((key, restricted))
    };
    let update = &update;
    let (key, restricted) = console.db.write("console.account_key.update", |tx| Box::pin(update(tx))).await?;
    let key = AccountKey::from(key);
    let tag = ETag::of(console, &key)?;
    let changed = match restricted {
        true => AccountKeyChanged::Restricted(RestrictedKey { id: key.id, status: key.status, restricted }),
        false => AccountKeyChanged::Shown(Box::new(key)),
    };
    Ok((tag, Json(changed)).into_response())
}
