//! `/api/v1/organisations/{organisation}/wallet` and `/usage`: what an organisation has, and what its members and projects used.

use super::{Access, Answer, Console, Member, Params, Routes};
use crate::forms::{Moment, Page, PageQuery, page_of};
use crate::problem::Refusal;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tacit_identity::access::Scope;
use tacit_identity::organisations::OrganisationPermission;
use tacit_kernel::ids::{AccountId, ProjectId, TransactionId};
use tacit_kernel::{ErrorKind, Fault, Nano, Timestamp};
use tacit_ledger::postings::TransactionView;
use tacit_ledger::shared_usage::{UsageBy, UsageLine, UsageWish};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

/// Days that are shown if nobody says from when on.
const DAYS: i64 = 31;
/// A day in microseconds.
const DAY: i64 = 86_400_000_000;

/// What an organisation has. Amounts are decimal numbers, as text.
#[derive(Serialize, ToSchema)]
#[schema(as = OrganisationWallet)]
struct Wallet {
    /// Paid in and not used.
    #[schema(value_type = String)]
    wallet: Nano,
    /// Given and not used; used before the wallet.
    #[schema(value_type = String)]
    gift: Nano,
    /// Held by gateways for calls; comes back or is charged.
    #[schema(value_type = String)]
    reserved: Nano,
    /// The settlement currency (ISO 4217).
    currency: String,
}

/// A transaction, as far as it concerns the organisation.
#[derive(Serialize, ToSchema)]
#[schema(as = OrganisationMovement)]
struct Movement {
    /// Its id, `txn_…`.
    #[schema(value_type = String)]
    transaction: TransactionId,
    /// Why money moved: `top_up`, `grant`, `adjustment`, `lease`, `release` or `settlement`.
    kind: String,
    /// When.
    at: Moment,
    /// What was added to each of the organisation's balances, or taken.
    entries: Vec<Entry>,
}

/// What was added to a balance.
#[derive(Serialize, ToSchema)]
#[schema(as = OrganisationEntry)]
struct Entry {
    /// `wallet`, `gift` or `reserved`.
    balance: String,
    /// How much; negative if it was taken.
    #[schema(value_type = String)]
    amount: Nano,
}

/// By what usage is summed up.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[schema(as = OrganisationUsageBy)]
#[serde(rename_all = "snake_case")]
enum By {
    /// By member.
    Member,
    /// By project; keys of no project are left out.
    Project,
}

/// Which usage is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UsageQuery {
    /// By what it is summed up; by member if not given.
    #[serde(default)]
    #[param(inline)]
    by: Option<By>,
    /// Of this member only; who sees but their own usage need not say it.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    member: Option<AccountId>,
    /// Of this project only.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    project: Option<ProjectId>,
    /// From the UTC day of this moment on; for 31 days if not given.
    #[serde(default)]
    since: Option<Moment>,
    /// Before this moment.
    #[serde(default)]
    until: Option<Moment>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[serde(default)]
    #[param(minimum = 0, maximum = 4294967295u32)]
    limit: Option<u32>,
}

/// What a member or project used on a day.
#[derive(Serialize, ToSchema)]
#[schema(as = OrganisationUsage)]
struct Usage {
    /// The UTC day, by its begin.
    day: Moment,
    /// The account of the member, where it is summed up so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    member: Option<AccountId>,
    /// The project, where it is summed up so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    project: Option<ProjectId>,
    /// Calls.
    calls: u64,
    /// Tokens, in and out.
    tokens: u64,
    /// What they cost.
    #[schema(value_type = String)]
    amount: Nano,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(
            Access::Member(OrganisationPermission::WalletRead, Scope::OrganisationWalletRead),
            routes!(organisation_wallet_show),
        )
        .add(
            Access::Member(OrganisationPermission::WalletRead, Scope::OrganisationWalletRead),
            routes!(organisation_wallet_entries),
        )
        .add(
            Access::Member(OrganisationPermission::UsageOwn, Scope::OrganisationWalletRead),
            routes!(organisation_usage_list),
        )
}

/// What an organisation has.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/wallet", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "Its balances.", body = Wallet),
))]
async fn organisation_wallet_show(State(console): State<Console>, member: Member) -> Answer<Wallet> {
    let view = console.ledger.wallet(member.organisation).await?;
    let currency = console.platform.currency.clone();
    Ok(Json(Wallet { wallet: view.wallet, gift: view.gift, reserved: view.reserved, currency }))
}

/// Every movement of an organisation's money.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/wallet/entries", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."), PageQuery,
), responses(
    (status = 200, description = "A page of movements.", body = inline(Page<Movement>)),
))]
async fn organisation_wallet_entries(
    State(console): State<Console>,
    member: Member,
    Params(query): Params<PageQuery>,
) -> Answer<Page<Movement>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let found = console.ledger.entries(Some(member.organisation), page).await?;
    // A settlement holds what others were charged at the same time, too.
    let own = |view: TransactionView| Movement {
        transaction: view.id,
        kind: view.kind.as_str().to_owned(),
        at: view.created_at.into(),
        entries: (view.entries.iter())
            .filter(|entry| entry.owner == Some(member.organisation))
            .map(|entry| Entry { balance: entry.kind.as_str().to_owned(), amount: entry.amount })
            .collect(),
    };
    Ok(Json(Page::of(found, own)))
}

/// What the keys of an organisation used, by day and by member or project, oldest first. Who may not see that of all sees that of
/// their own keys, by member.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/usage", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."), UsageQuery,
), responses(
    (status = 200, description = "A page of usage.", body = inline(Page<Usage>)),
    (status = 403, description = "The caller's role does not allow it.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
))]
async fn organisation_usage_list(
    State(console): State<Console>,
    member: Member,
    Params(query): Params<UsageQuery>,
) -> Answer<Page<Usage>> {
    let by = match query.by.unwrap_or(if query.project.is_some() { By::Project } else { By::Member }) {
        By::Member => UsageBy::Member,
        By::Project => UsageBy::Project,
    };
    let only = match by {
        UsageBy::Member => query.member.map(Uuid::from),
        UsageBy::Project => query.project.map(Uuid::from),
    };
    let only = if member.role.has(OrganisationPermission::UsageAll) {
        only
    } else {
        let own = by == UsageBy::Member && query.member.is_none_or(|wanted| wanted == member.account);
        if !own {
            let message = "your role in the organisation shows the usage of your own keys only";
            return Err(Fault::new(ErrorKind::Forbidden, "usage.own_only", message).into());
        }
        Some(member.account.into())
    };
    let now = console.clock.now();
    let until = query.until.map_or_else(|| now.plus_micros(DAY), |at| at.0);
    let limit = query.limit.unwrap_or(100).clamp(1, 500);
    let wish = UsageWish {
        by,
        only,
        since: query.since.map_or_else(|| now.plus_micros(-DAYS * DAY), |at| at.0),
        until,
        after: query.after.as_deref().map(place).transpose()?,
        limit: limit + 1,
    };
    let mut lines = console.ledger.shared_usage(member.organisation, wish).await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = lines.len() > size;
    lines.truncate(size);
    let next = lines.last().filter(|_| more).map(|last| format!("{}/{}", last.day.0, last.whose));
    let shown = |line: UsageLine| Usage {
        day: line.day.into(),
        member: (by == UsageBy::Member).then_some(AccountId(line.whose)),
        project: (by == UsageBy::Project).then_some(ProjectId(line.whose)),
        calls: line.calls,
        tokens: line.tokens,
        amount: line.amount,
    };
    Ok(Json(Page { items: lines.into_iter().map(shown).collect(), next }))
}

/// The line after which a page begins: `next` of the page before.
fn place(after: &str) -> Result<(Timestamp, Uuid), Refusal> {
    let parts = after.split_once('/').and_then(|(day, whose)| Some((day.parse().ok()?, whose.parse().ok()?)));
    let (day, whose) = parts.ok_or_else(crate::forms::not_a_next)?;
    Ok((Timestamp(day), whose))
}
