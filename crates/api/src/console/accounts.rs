//! `/api/v1/accounts`: what staff sees of accounts, masked, and what it does with them. Nobody acts on an account that may do
//! more than they.

use super::account::Kind;
use super::idempotency::{Replayed, Undone};
use super::invitations::InvitedBy;
use super::keys::LimitsForm;
use super::people::Address;
use super::recording::Concerns;
use super::registration::Age;
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Routes, Signed, not_found};
use crate::forms::{Moment, Page, Status, page_of};
use crate::problem::{Problem, Refusal};
use crate::restricted::{self, refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tacit_identity::access::Permission;
use tacit_identity::contacts::HeldContact;
use tacit_identity::registration::ProfileField;
use tacit_identity::roles::Acting;
use tacit_identity::{Account, AccountChange, AccountFilter, IdentityError};
use tacit_kernel::audit::Action;
use tacit_kernel::datamap::Purpose;
use tacit_kernel::ids::{AccountId, GroupId};
use tacit_kernel::limits::Limits;
use tacit_kernel::{ErrorKind, Fault, Masked, Personal};
use tacit_storage::{ReadTx, WriteTx};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// An account in a list. What is personal is masked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AccountLine {
    /// Its id, `acct_…`.
    #[schema(value_type = String)]
    id: AccountId,
    /// Its name, masked; `null` if it can no longer be read.
    #[schema(value_type = Option<String>)]
    name: Option<Masked>,
    /// Its verified addresses, masked.
    contacts: Vec<MaskedContact>,
    /// The name of its pricing group.
    group: String,
    /// In use or not.
    status: Status,
    /// When it was made.
    created_at: Moment,
    /// When it last changed.
    updated_at: Moment,
}

/// What is shown of an account of who restricts the use of their data.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct RestrictedAccount {
    /// Its id, `acct_…`.
    #[schema(value_type = String)]
    id: AccountId,
    /// In use or not.
    status: Status,
    /// That it is so: always `true`.
    restricted: bool,
}

/// An account of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum AccountRow {
    Shown(AccountLine),
    Restricted(RestrictedAccount),
}

/// An account that was changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum AccountChanged {
    Shown(Box<AccountView>),
    Restricted(RestrictedAccount),
}

impl RestrictedAccount {
    const fn of(account: &Account) -> Self {
        Self { id: account.id, status: Status::of(account.enabled), restricted: true }
    }
}

/// An address of somebody, masked.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct MaskedContact {
    /// Its kind.
    kind: Kind,
    /// As much of it as is shown.
    #[schema(value_type = String)]
    value: Masked,
    /// When it was last shown to be theirs.
    verified_at: Moment,
}

/// An account. What is personal is masked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AccountView {
    /// What a list shows of it.
    #[serde(flatten)]
    line: AccountLine,
    /// What all its keys together may do at most.
    #[schema(value_type = LimitsForm)]
    limits: Limits,
    /// Whether a second factor is asked for.
    second_factor: bool,
    /// Its staff roles, by name.
    roles: Vec<String>,
    /// What it said at registration; `null` if the operator made the account.
    profile: Option<MaskedProfile>,
}

/// What is held of a profile, without what it says.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct MaskedProfile {
    /// The fields that are given.
    #[schema(value_type = Vec<String>)]
    fields: Vec<ProfileField>,
    /// How old they said they were.
    age: Age,
    /// Who invited them; `null`: nobody, or the operator.
    invited_by: Option<InvitedBy>,
    /// When they registered.
    registered_at: Moment,
}

/// Which accounts to list; every part given must hold.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct AccountQuery {
    /// Of the pricing group of that name.
    #[param(max_length = 128)]
    group: Option<String>,
    /// In use, or not.
    status: Option<Status>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[param(minimum = 0, maximum = 4294967295u32)]
    limit: Option<u32>,
}

/// Whom to look for: one of these, whole.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Sought {
    /// The account's name.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// An e-mail address.
    #[schema(max_length = 254)]
    email: Option<String>,
    /// A phone number with its country, such as `+8613800138000`.
    #[schema(max_length = 40)]
    phone: Option<String>,
}

/// Who was found: one, or none.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Found {
    /// The account, or nothing.
    items: Vec<AccountLine>,
}

/// An account to create.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCustomer {
    /// A unique name: 1 to 200 bytes.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// The name of its pricing group.
    #[schema(max_length = 128)]
    group: String,
    /// What all its keys together may do at most; nothing is limited if absent.
    #[serde(default)]
    #[schema(value_type = LimitsForm, required = false)]
    limits: Limits,
}

/// What to change; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct AccountPatch {
    /// The name of another pricing group.
    #[schema(max_length = 128)]
    group: Option<String>,
    /// Other limits; they replace all that were set.
    #[schema(value_type = Option<LimitsForm>)]
    limits: Option<Limits>,
    /// In use or not. Taken out of use, its keys are refused and its sessions end.
    status: Option<Status>,
    /// Why; kept sealed in the audit log.
    #[schema(max_length = 1000)]
    #[serde(rename = "reason")]
    _reason: Option<String>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::AccountsRead), routes!(accounts_list))
        .add(Access::Needs(Permission::AccountsWrite), routes!(accounts_create))
        .add(Access::Needs(Permission::AccountsRead), routes!(accounts_search))
        .add(Access::Needs(Permission::AccountsRead), routes!(accounts_show))
        .add(Access::Needs(Permission::AccountsWrite), routes!(accounts_update))
}

fn nobody() -> Refusal {
    not_found("account.not_found", "account")
}

type GroupNames = HashMap<GroupId, String>;

async fn group_names(console: &Console) -> Result<GroupNames, Refusal> {
    Ok(console.identity.group_list().await?.into_iter().map(|group| (group.id, group.name)).collect())
}

/// The group of that name, which a request gives in the field `group`.
async fn group_of(console: &Console, name: &str) -> Result<GroupId, Refusal> {
    let missing = || Fault::new(ErrorKind::Invalid, "group.not_found", "there is no group of that name");
    let found = console.identity.group_by_name(name).await?;
    Ok(found.ok_or_else(|| Refusal::from(missing()).about("group"))?.id)
}

/// The version of an account: of what staff may change of it.
fn version(console: &Console, account: &Account) -> Result<ETag, Refusal> {
    ETag::of(console, &(account.id, account.group, account.enabled, &account.limits, account.updated_at))
}

fn line(account: &Account, contacts: &[HeldContact], groups: &GroupNames) -> AccountLine {
    let contact = |held: &HeldContact| MaskedContact {
        kind: held.contact.kind().into(),
        value: held.contact.masked(),
        verified_at: held.verified_at.into(),
    };
    AccountLine {
        id: account.id,
        name: account.name.as_ref().map(Masked::name),
        contacts: contacts.iter().map(contact).collect(),
        group: groups.get(&account.group).cloned().unwrap_or_else(|| account.group.to_string()),
        status: Status::of(account.enabled),
        created_at: account.created_at.into(),
        updated_at: account.updated_at.into(),
    }
}

/// An account with all that staff sees of it.
async fn view(console: &Console, account: Account) -> Result<AccountView, Refusal> {
    let (identity, id) = (&console.identity, account.id);
    let erased = account.name.is_none();
    let read = async |tx: &mut ReadTx<'_>| {
        let contacts = identity.contacts_of_each_in_tx(tx, &[id]).await?.remove(&id).unwrap_or_default();
        // Of who was erased nothing can be read.
        let profile = if erased { None } else { identity.profile_in_tx(tx, id).await? };
        let inviter = identity.inviter_in_tx(tx, id).await?;
        Ok::<_, IdentityError>((contacts, profile, identity.second_factor_set_in_tx(tx, id).await?, inviter))
    };
    let read = &read;
    let (contacts, profile, second_factor, inviter) =
        console.db.read("console.account.view", |tx| Box::pin(read(tx))).await?;
    let profile = profile.map(|profile| MaskedProfile {
        fields: profile.fields.keys().copied().collect(),
        age: profile.age.into(),
        invited_by: inviter.map(InvitedBy::from),
        registered_at: profile.registered_at.into(),
    });
    Ok(AccountView {
        line: line(&account, &contacts, &group_names(console).await?),
        limits: account.limits,
        second_factor,
        roles: identity.roles_of(id).await?,
        profile,
    })
}

/// Accounts, oldest first. Of who restricts the use of their data no more than id and status is shown.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "accounts", params(AccountQuery), responses(
    (status = 200, description = "A page of accounts.", body = Page<AccountRow>),
))]
async fn accounts_list(
    State(console): State<Console>,
    Params(query): Params<AccountQuery>,
) -> Answer<Page<AccountRow>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let group = match &query.group {
        Some(name) => Some(group_of(&console, name).await?),
        None => None,
    };
    let filter = AccountFilter { group, enabled: query.status.map(Status::enabled) };
    let (identity, filter) = (&console.identity, &filter);
    let read = async |tx: &mut ReadTx<'_>| {
        let accounts = identity.account_list_in_tx(tx, filter, page).await?;
        let ids: Vec<AccountId> = accounts.items.iter().map(|account| account.id).collect();
        let restricting = identity.restricting_in_tx(tx, &ids).await?;
        // What is not shown is not unsealed.
        let ids: Vec<AccountId> = ids.into_iter().filter(|id| !restricting.contains(id)).collect();
        Ok::<_, IdentityError>((accounts, identity.contacts_of_each_in_tx(tx, &ids).await?, restricting))
    };
    let read = &read;
    let (accounts, contacts, restricting) = console.db.read("console.account.list", |tx| Box::pin(read(tx))).await?;
    let groups = group_names(&console).await?;
    let of = |account: &Account| contacts.get(&account.id).map(Vec::as_slice).unwrap_or_default();
    Ok(Json(Page::of(accounts, |account| match restricting.contains(&account.id) {
        true => AccountRow::Restricted(RestrictedAccount::of(&account)),
        false => AccountRow::Shown(line(&account, of(&account), &groups)),
    })))
}

/// Makes an account, without an address or a password: its keys can call models.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "accounts", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewCustomer, responses(
    (status = 201, description = "The account.", body = AccountView, headers(
        ("etag" = String, description = "The version of the account."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "Another account has that name.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn accounts_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<NewCustomer>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "accounts.create", &new)?;
    let group = group_of(&console, &new.group).await?;
    let (console, name, limits) = (&console, &Personal::new(new.name), &new.limits);
    let create = async |tx: &mut WriteTx<'_>| {
        // Of an earlier answer only whom it was about is kept: who that is now is shown anew, masked.
        if let Some(id) = once.stored::<AccountId>(console, tx).await? {
            let found = console.identity.account_by_id_in_tx(tx, id).await?;
            return Ok::<_, Undone>((found.ok_or(IdentityError::AccountNotFound)?, true));
        }
        let made = console.identity.account_create_in_tx(tx, name, group, limits).await?;
        once.keep(console, tx, &made.id).await?;
        Ok((made, false))
    };
    let create = &create;
    let (account, replayed) = console.db.write("console.account.create", |tx| Box::pin(create(tx))).await?;
    let (tag, concerns) = (version(console, &account)?, Concerns(account.id));
    let shown = Json(view(console, account).await?);
    let mut response = (StatusCode::CREATED, tag, Replayed(replayed), shown).into_response();
    response.extensions_mut().insert(concerns);
    Ok(response)
}

/// Looks for an account by its name, or one that looks the same, e-mail address or phone number. Sent as a body, so that none of them stands in an
/// address.
#[utoipa::path(post, path = "/api/v1/accounts/search", tag = "accounts", request_body = Sought, responses(
    (status = 200, description = "Who was found.", body = Found),
    (status = 409, description = "Who was found restricts the use of their data.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn accounts_search(State(console): State<Console>, Input(sought): Input<Sought>) -> Result<Response, Refusal> {
    let (name, contact) = match (&sought.name, &sought.email, &sought.phone) {
        (Some(name), None, None) => (Some(name), None),
        (None, email, phone) => {
            let address = Address { email: email.clone(), phone: phone.clone() };
            (None, Some(address.contact()?))
        }
        _ => {
            let message = "give a name, an e-mail address or a phone number, one of them";
            return Err(Refusal::from(Fault::new(ErrorKind::Invalid, "account.search", message)).about("name"));
        }
    };
    let (identity, contact) = (&console.identity, &contact);
    let read = async |tx: &mut ReadTx<'_>| {
        let found = match (name, contact) {
            (Some(name), _) => identity.account_by_ref_in_tx(tx, name).await?,
            (None, Some(contact)) => match identity.account_by_contact_in_tx(tx, contact).await? {
                Some(id) => identity.account_by_id_in_tx(tx, id).await?,
                None => None,
            },
            (None, None) => None,
        };
        let ids: Vec<AccountId> = found.iter().map(|account| account.id).collect();
        Ok::<_, IdentityError>((found, identity.contacts_of_each_in_tx(tx, &ids).await?))
    };
    let read = &read;
    let (found, contacts) = console.db.read("console.account.search", |tx| Box::pin(read(tx))).await?;
    let groups = group_names(&console).await?;
    let id = found.as_ref().map(|account| account.id);
    // Only now it is known whose data this is.
    if let Some(id) = id
        && let Some(fault) = refusal(&console.identity, id, Action::AccountSearch.purpose()).await?
    {
        let mut response = Refusal::from(fault).into_response();
        response.extensions_mut().insert(Concerns(id));
        return Ok(response);
    }
    let of = |account: &Account| contacts.get(&account.id).map(Vec::as_slice).unwrap_or_default();
    let items = found.iter().map(|account| line(account, of(account), &groups)).collect();
    let mut response = Json(Found { items }).into_response();
    if let Some(id) = id {
        response.extensions_mut().insert(Concerns(id));
    }
    Ok(response)
}

/// An account.
#[utoipa::path(get, path = "/api/v1/accounts/{account}", tag = "accounts", params(
    ("account" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The account.", body = AccountView,
        headers(("etag" = String, description = "The version of what staff may change."))),
    (status = 304, description = "The caller has this version."),
))]
async fn accounts_show(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<AccountId>,
) -> Result<Response, Refusal> {
    let found = console.db.read("console.account.show", |tx| Box::pin(console.identity.account_by_id_in_tx(tx, id)));
    let account = found.await?.ok_or_else(nobody)?;
    let tag = version(&console, &account)?;
    Ok(versions.shown(tag, Json(view(&console, account).await?)))
}

/// Changes group, limits or status of an account; of who restricts the use of their data only its status.
#[utoipa::path(patch, path = "/api/v1/accounts/{account}", tag = "accounts", params(
    ("account" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = AccountPatch, responses(
    (status = 200, description = "The account as it is now.", body = AccountChanged,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "Who it is restricts the use of their data.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn accounts_update(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<AccountId>,
    Input(patch): Input<AccountPatch>,
) -> Result<Response, Refusal> {
    let group = match &patch.group {
        Some(name) => Some(group_of(&console, name).await?),
        None => None,
    };
    let enabled = patch.status.map(Status::enabled);
    let change = &AccountChange { name: None, group, limits: patch.limits, enabled };
    let (console, versions, acting) = (&console, &versions, (Acting::With(caller.permissions), caller.account));
    let update = async |tx: &mut WriteTx<'_>| {
        let before = console.identity.account_by_id_in_tx(tx, id).await?.ok_or_else(nobody)?;
        versions.check(&version(console, &before)?)?;
        let restricted = console.identity.refused_in_tx(tx, id, Purpose::Support).await?.is_some();
        restricted::change(restricted, change.group.is_some() || change.limits.is_some())?;
        let account = console.identity.account_update_by_staff_in_tx(tx, acting, (id, change)).await?;
        Ok::<_, Undone>((account, restricted))
    };
    let update = &update;
    let (account, restricted) = console.db.write("console.account.update", |tx| Box::pin(update(tx))).await?;
    let tag = version(console, &account)?;
    let changed = match restricted {
        true => AccountChanged::Restricted(RestrictedAccount::of(&account)),
        false => AccountChanged::Shown(Box::new(view(console, account).await?)),
    };
    Ok((tag, Json(changed)).into_response())
}
