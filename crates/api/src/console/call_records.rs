//! `/api/v1/call-records`: the calls of all accounts, for staff. Address and user agent stay sealed; who needs them says why,
//! and the person sees it.

use super::reasons::{Reasoned, WhyLook};
use super::unmask::SHOWN;
use super::{Access, Answer, Console, Input, Params, Reference, Routes, not_found};
use crate::forms::calls::{Attempt, Call, Charge, Explained, explained, provider_names, reveal, shown};
use crate::forms::money::Entry;
use crate::forms::{Moment, Page, page_of};
use crate::problem::Refusal;
use crate::restricted::left_out;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tacit_identity::access::Permission;
use tacit_kernel::call::CallStatus;
use tacit_kernel::ids::{AccountId, CallId, ChannelId, KeyId};
use tacit_ledger::calls::{CallFilter, CallRecord};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// A call with all that explains it.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct CallRecordDetail {
    /// The record.
    call: Call,
    /// Every attempt at a provider.
    attempts: Vec<Attempt>,
    /// How the charge came about; `null` if the call was free.
    charge: Option<Charge>,
    /// The lines of the ledger transaction that settled it, but for those of other accounts.
    ledger_entries: Vec<Entry>,
}

/// Which calls to list; every part given must hold.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct CallRecordQuery {
    /// Of this account, by its id.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Of this key, by its id.
    #[param(value_type = Option<String>)]
    key: Option<KeyId>,
    /// Of this model, by its name.
    #[param(max_length = 200)]
    model: Option<String>,
    /// That ended so.
    #[param(value_type = Option<String>)]
    status: Option<CallStatus>,
    /// Served by this channel, by its id.
    #[param(value_type = Option<String>)]
    channel: Option<ChannelId>,
    /// Begun at or after this moment.
    since: Option<Moment>,
    /// Begun before this moment.
    until: Option<Moment>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[param(minimum = 0, maximum = 4294967295u32)]
    limit: Option<u32>,
}

/// Where a call came from, in clear.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct UnmaskedCall {
    /// The client's address, if it is still kept.
    address: Option<String>,
    /// What the client called itself, if that is still kept.
    user_agent: Option<String>,
    /// When whoever shows this hides it again.
    hide_at: Moment,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::CallsRead), routes!(call_records_list))
        .add(Access::Needs(Permission::CallsRead), routes!(call_records_show))
        .add(Access::Needs(Permission::CallsUnmask), routes!(call_records_unmask))
}

/// Calls, newest first; not those of who restricts the use of their data.
#[utoipa::path(get, path = "/api/v1/call-records", tag = "calls", params(CallRecordQuery), responses(
    (status = 200, description = "A page of calls.", body = Page<Call>),
))]
async fn call_records_list(
    State(console): State<Console>,
    Params(query): Params<CallRecordQuery>,
) -> Answer<Page<Call>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    (console.settled)().await;
    let filter = CallFilter {
        account: query.account,
        key: query.key,
        model: query.model,
        status: query.status,
        channel: query.channel,
        since: query.since.map(|moment| moment.0),
        until: query.until.map(|moment| moment.0),
        ..CallFilter::default()
    };
    let providers = provider_names(&console.catalog).await?;
    let calls = console.ledger.call_list(&filter, page).await?;
    let calls = left_out(&console.identity, calls, |record| Some(record.account)).await?;
    Ok(Json(Page::of(calls, |record| shown(record, &providers))))
}

async fn found(console: &Console, id: CallId) -> Result<CallRecord, Refusal> {
    (console.settled)().await;
    console.ledger.call(id).await?.ok_or_else(|| not_found("call.not_found", "call"))
}

/// A call, by its log id.
#[utoipa::path(get, path = "/api/v1/call-records/{call}", tag = "calls", params(
    ("call" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The call.", body = CallRecordDetail),
))]
async fn call_records_show(
    State(console): State<Console>,
    Reference(id): Reference<CallId>,
) -> Answer<CallRecordDetail> {
    let record = found(&console, id).await?;
    let providers = provider_names(&console.catalog).await?;
    let Explained { attempts, charge, mut ledger_entries } =
        explained(&console.catalog, &console.ledger, &record, &providers).await?;
    // A transaction settles calls of many; whose they are is no part of this one.
    ledger_entries.retain(|entry| entry.account.is_none_or(|account| account == record.account));
    Ok(Json(CallRecordDetail { call: shown(record, &providers), attempts, charge, ledger_entries }))
}

/// Shows address and user agent of a call. The look and its reason are recorded before, and shown to the person.
#[utoipa::path(post, path = "/api/v1/call-records/{call}/unmask", tag = "calls", params(
    ("call" = String, Path, description = "Its id."),
), request_body = WhyLook, responses(
    (status = 200, description = "Where it came from.", body = UnmaskedCall),
))]
async fn call_records_unmask(
    State(console): State<Console>,
    Reference(id): Reference<CallId>,
    _: Reasoned,
    Input(_): Input<WhyLook>,
) -> Answer<UnmaskedCall> {
    let revealed = reveal(&console.identity, &found(&console, id).await?).await?;
    let hide_at = console.clock.now().plus_micros(SHOWN).into();
    Ok(Json(UnmaskedCall { address: revealed.ip, user_agent: revealed.user_agent, hide_at }))
}
