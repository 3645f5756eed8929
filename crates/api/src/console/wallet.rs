//! `/api/v1/wallet` and `/api/v1/usage`: what the caller has, how it came and went, and what was used day by day.

use super::{Access, Answer, Console, Params, Routes, Signed};
use crate::forms::money::{Entry, Wallet, page_of_entries, wallet};
use crate::forms::{Moment, Page, PageQuery, page_of};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tacit_identity::access::Scope;
use tacit_kernel::Nano;
use tacit_kernel::ids::KeyId;
use tacit_ledger::usage::{DayUsage, UsageFilter};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// What was used on a UTC day.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct UsageOfDay {
    /// When the day began.
    day: Moment,
    /// Calls that began on it.
    calls: u64,
    /// Their tokens, in and out.
    tokens: u64,
    /// What they cost, as a decimal number in the settlement currency.
    #[schema(value_type = String)]
    amount: Nano,
}

/// Which days to list; every part given must hold.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct UsageQuery {
    /// Of this key, by its id.
    #[param(value_type = Option<String>)]
    key: Option<KeyId>,
    /// The day of this moment and later ones.
    since: Option<Moment>,
    /// Days before this moment: `next` of the page before.
    until: Option<Moment>,
    /// At most so many, 1 to 500; 100 if not given.
    #[param(minimum = 0, maximum = 4294967295u32)]
    limit: Option<u32>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::own(Scope::WalletRead), routes!(wallet_show))
        .add(Access::own(Scope::WalletRead), routes!(wallet_entries))
        .add(Access::own(Scope::WalletRead), routes!(usage_list))
}

/// What the caller has.
#[utoipa::path(get, path = "/api/v1/wallet", tag = "money", responses(
    (status = 200, description = "The wallet.", body = Wallet),
))]
async fn wallet_show(State(console): State<Console>, caller: Signed) -> Answer<Wallet> {
    (console.settled)().await;
    Ok(Json(wallet(&console.ledger, &console.platform.currency, caller.account).await?))
}

/// The caller's lines of the ledger, newest transaction first. The bound of a page counts transactions.
#[utoipa::path(get, path = "/api/v1/wallet/entries", tag = "money", params(PageQuery), responses(
    (status = 200, description = "A page of entries.", body = Page<Entry>),
))]
async fn wallet_entries(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<Entry>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    (console.settled)().await;
    Ok(Json(page_of_entries(console.ledger.entries(Some(caller.account), page).await?)))
}

/// What the caller used, newest day first; days without a call are left out.
#[utoipa::path(get, path = "/api/v1/usage", tag = "money", params(UsageQuery), responses(
    (status = 200, description = "A page of days; `next` is to be given as `until`.", body = Page<UsageOfDay>),
))]
async fn usage_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<UsageQuery>,
) -> Answer<Page<UsageOfDay>> {
    (console.settled)().await;
    let limit = query.limit.unwrap_or(100).clamp(1, 500);
    let filter = UsageFilter {
        key: query.key,
        since: query.since.map(|moment| moment.0),
        until: query.until.map(|moment| moment.0),
    };
    let mut days = console.ledger.usage(caller.account, &filter, limit + 1).await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = days.len() > size;
    days.truncate(size);
    let next = days.last().filter(|_| more).map(|day| day.day.to_string());
    let shown =
        |day: DayUsage| UsageOfDay { day: day.day.into(), calls: day.calls, tokens: day.tokens, amount: day.amount };
    Ok(Json(Page { items: days.into_iter().map(shown).collect(), next }))
}
