//! `/v1/accounts`: who pays.

use super::forms::{Moment, Page, PageQuery, Status, page_of};
use super::input::{Input, Params};
use super::problem::Refusal;
use super::{Admin, Answer, groups, not_found};
use crate::restricted::{self, restricting};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tacit_identity::{AccountChange, AccountFilter};
use tacit_kernel::Personal;
use tacit_kernel::datamap::Purpose;
use tacit_kernel::ids::AccountId;
use tacit_kernel::ids::GroupId;
use tacit_kernel::limits::Limits;

/// An account to create.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Unique name. It is personal: sealed at rest.
    pub name: String,
    /// The pricing group.
    pub group: String,
    /// What it may do at most.
    #[serde(default)]
    pub limits: Limits,
}

/// What to change; what is not given stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountPatch {
    /// Another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Another group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Other limits; they replace all that were set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// In use or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// An account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name; `[erased]` if its key was destroyed.
    pub name: String,
    /// The name of its group.
    pub group: String,
    /// In use or not.
    pub status: Status,
    /// What it may do at most.
    pub limits: Limits,
    /// When it was made.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
    /// Who it is restricts the use of their data: name, group and limits are not shown.
    #[serde(default, skip_serializing_if = "is_not")]
    pub restricted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_not(restricted: &bool) -> bool {
    !*restricted
}

/// What stands for a name whose key was destroyed.
pub(super) const ERASED: &str = "[erased]";
/// What stands for what is not shown of who restricts the use of their data.
pub(super) const RESTRICTED: &str = "[restricted]";

type GroupNames = HashMap<GroupId, String>;

async fn group_names(admin: &Admin) -> Result<GroupNames, Refusal> {
    Ok(admin.identity.group_list().await?.into_iter().map(|g| (g.id, g.name)).collect())
}

fn shown(account: tacit_identity::Account, groups: &GroupNames) -> Account {
    Account {
        id: account.id,
        name: account.name.map_or_else(|| ERASED.to_owned(), Personal::into_inner),
        group: groups.get(&account.group).cloned().unwrap_or_else(|| account.group.to_string()),
        status: Status::of(account.enabled),
        limits: account.limits,
        created_at: account.created_at.into(),
        updated_at: account.updated_at.into(),
        restricted: false,
    }
}

/// Of who restricts the use of their data: what is needed to take the account out of use, and back.
fn withheld(account: Account) -> Account {
    let (name, group) = (RESTRICTED.to_owned(), RESTRICTED.to_owned());
    Account { name, group, limits: Limits::default(), restricted: true, ..account }
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/accounts", get(list).post(create))
        .route("/v1/accounts/{reference}", get(show).patch(update))
}

async fn list(State(admin): State<Admin>, Params(query): Params<PageQuery>) -> Answer<Page<Account>> {
    let groups = group_names(&admin).await?;
    let page =
        admin.identity.account_list(&AccountFilter::default(), page_of(query.after.as_deref(), query.limit)?).await?;
    let restricting = restricting(&admin.identity, page.items.iter().map(|account| account.id)).await?;
    Ok(Json(Page::of(page, |account| {
        let account = shown(account, &groups);
        if restricting.contains(&account.id) { withheld(account) } else { account }
    })))
}

/// The account of that name or id.
pub(super) async fn find(admin: &Admin, reference: &str) -> Result<tacit_identity::Account, Refusal> {
    let found = admin.identity.account_by_ref(reference).await?;
    Ok(found.ok_or_else(|| not_found("account.not_found", "account"))?)
}

async fn show(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<Account> {
    Ok(Json(shown(find(&admin, &reference).await?, &group_names(&admin).await?)))
}

async fn create(State(admin): State<Admin>, Input(new): Input<NewAccount>) -> Answer<Account> {
    let group = groups::find(&admin, &new.group).await?;
    let account = admin.identity.account_create(&Personal::new(new.name), group.id, &new.limits).await?;
    Ok(Json(shown(account, &group_names(&admin).await?)))
}

async fn update(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(patch): Input<AccountPatch>,
) -> Answer<Account> {
    let found = find(&admin, &reference).await?;
    let restricted = admin.identity.refused(found.id, Purpose::Support).await?.is_some();
    restricted::change(restricted, patch.name.is_some() || patch.group.is_some() || patch.limits.is_some())?;
    let group = match &patch.group {
        Some(reference) => Some(groups::find(&admin, reference).await?.id),
        None => None,
    };
    let change = AccountChange {
        name: patch.name.map(Personal::new),
        group,
        limits: patch.limits,
        enabled: patch.status.map(Status::enabled),
    };
    let account = admin.identity.account_update(found.id, &change).await?;
    let account = shown(account, &group_names(&admin).await?);
    Ok(Json(if restricted { withheld(account) } else { account }))
}
