//! `/v1/keys`: API keys. The key itself is shown once, in the answer that makes it; only a keyed hash is kept.

use super::forms::{Moment, Page, Secret, Status, page_of};
use super::input::{Input, Params};
use super::problem::Refusal;
use super::{Admin, Answer, accounts, not_found};
use crate::restricted::{change as changed, left_out};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tacit_identity::{ApiKey, KeyChange, Retired};
use tacit_kernel::Personal;
use tacit_kernel::call::CallSource;
use tacit_kernel::datamap::Purpose;
use tacit_kernel::ids::{AccountId, KeyId};
use tacit_kernel::limits::Limits;

/// A key to create.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// The account, by name or id.
    pub account: String,
    /// A name to tell it from others. It is personal: sealed at rest.
    pub name: String,
    /// What its calls count as.
    #[serde(default = "api")]
    pub source: CallSource,
    /// What it may do at most.
    #[serde(default)]
    pub limits: Limits,
}

const fn api() -> CallSource {
    CallSource::Api
}

/// What to change; what is not given stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyPatch {
    /// Another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Other limits; they replace all that were set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// In use or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// Which keys to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyQuery {
    /// Of this account only.
    pub account: Option<String>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// A key as it may be shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// `sk-…` and its last four characters.
    pub hint: String,
    /// What its calls count as.
    pub source: CallSource,
    /// In use or not.
    pub status: Status,
    /// What it may do at most.
    pub limits: Limits,
    /// When it was made.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
    /// When its owner put it away, if that was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Moment>,
}

/// A key that was just made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreatedKey {
    /// The key, shown this once.
    pub secret: Secret,
    /// All else about it.
    #[serde(flatten)]
    pub key: Key,
}

impl From<ApiKey> for Key {
    fn from(k: ApiKey) -> Self {
        Self {
            id: k.id,
            account: k.account,
            name: k.name.map_or_else(|| accounts::ERASED.to_owned(), Personal::into_inner),
            hint: k.hint,
            source: k.source,
            status: Status::of(k.enabled),
            limits: k.limits,
            created_at: k.created_at.into(),
            updated_at: k.updated_at.into(),
            retired_at: k.retired_at.map(Moment::from),
        }
    }
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/keys", get(list).post(create)).route("/v1/keys/{*reference}", get(show).patch(update))
}

async fn list(State(admin): State<Admin>, Params(query): Params<KeyQuery>) -> Answer<Page<Key>> {
    let account = match &query.account {
        Some(reference) => Some(accounts::find(&admin, reference).await?.id),
        None => None,
    };
    let page = admin.identity.key_list(account, Retired::Too, page_of(query.after.as_deref(), query.limit)?).await?;
    let page = left_out(&admin.identity, page, |key| Some(key.account)).await?;
    Ok(Json(Page::of(page, Key::from)))
}

async fn find(admin: &Admin, reference: &str) -> Result<ApiKey, Refusal> {
    let found = admin.identity.key_by_ref(reference).await?;
    Ok(found.ok_or_else(|| not_found("key.not_found", "key"))?)
}

async fn show(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<Key> {
    Ok(Json(find(&admin, &reference).await?.into()))
}

async fn create(State(admin): State<Admin>, Input(new): Input<NewKey>) -> Answer<CreatedKey> {
    let account = accounts::find(&admin, &new.account).await?;
    let (key, secret) =
        admin.identity.key_create(account.id, &Personal::new(new.name), new.source, &new.limits).await?;
    Ok(Json(CreatedKey { secret: Secret(secret), key: key.into() }))
}

async fn update(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(patch): Input<KeyPatch>,
) -> Answer<Key> {
    let found = find(&admin, &reference).await?;
    let restricted = admin.identity.refused(found.account, Purpose::Support).await?.is_some();
    let more = patch.name.is_some() || patch.limits.is_some() || patch.status == Some(Status::Active);
    changed(restricted, more)?;
    let change = KeyChange {
        name: patch.name.map(Personal::new),
        limits: patch.limits,
        enabled: patch.status.map(Status::enabled),
        revoke: false,
    };
    let key = Key::from(admin.identity.key_update(found.id, &change).await?);
    if restricted {
        let name = accounts::RESTRICTED.to_owned();
        return Ok(Json(Key { name, hint: String::new(), limits: Limits::default(), ..key }));
    }
    Ok(Json(key))
}
