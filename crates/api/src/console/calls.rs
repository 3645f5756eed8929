//! `/api/v1/calls`: the caller's own calls, with the address and the user agent that they came from.

use super::{Access, Answer, Console, Params, Reference, Routes, Signed, not_found};
use crate::forms::calls::{Charge, UsageParts, charge, reveal};
use crate::forms::money::{Entry, entries_of};
use crate::forms::{Moment, Page, page_of};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tacit_identity::access::Scope;
use tacit_kernel::call::{AgentFamily, CallSource, CallStatus, Endpoint, ErrorCode, UsageSource};
use tacit_kernel::ids::{CallId, KeyId, PriceId, TransactionId};
use tacit_kernel::rating::Usage;
use tacit_kernel::{Nano, Ppm};
use tacit_ledger::calls::{CallFilter, CallRecord};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// A call of the caller. Amounts are decimal numbers in the settlement currency, as text.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct OwnCall {
    /// The call; also its log id.
    #[schema(value_type = String)]
    id: CallId,
    /// When it began.
    started_at: Moment,
    /// The API key.
    #[schema(value_type = String)]
    key: KeyId,
    /// The endpoint.
    #[schema(value_type = String)]
    endpoint: Endpoint,
    /// Whether the answer was a stream.
    stream: bool,
    /// Where it came from.
    #[schema(value_type = String)]
    source: CallSource,
    /// The model as it was called then.
    model: Option<String>,
    /// How it ended.
    #[schema(value_type = String)]
    status: CallStatus,
    /// Why it did not succeed.
    #[schema(value_type = Option<String>)]
    error_code: Option<ErrorCode>,
    /// Status as it was sent; 0 if that is not known.
    http_status: u16,
    /// Tokens by class.
    #[schema(value_type = UsageParts)]
    usage: Usage,
    /// Where they were counted.
    #[schema(value_type = String)]
    usage_source: UsageSource,
    /// What was charged.
    #[schema(value_type = String)]
    amount: Nano,
    /// The usage costs more than was charged; the platform bears the rest.
    capped: bool,
    /// The multiplier of the account's group then.
    #[schema(value_type = String)]
    group_multiplier: Ppm,
    /// The multiplier of the way it took.
    #[schema(value_type = String)]
    channel_multiplier: Ppm,
    /// The version of the price.
    #[schema(value_type = Option<String>)]
    price: Option<PriceId>,
    /// Microseconds to the first byte.
    first_byte_micros: Option<u64>,
    /// Microseconds to the end.
    duration_micros: u64,
    /// Family of the client.
    #[schema(value_type = String)]
    agent: AgentFamily,
    /// The ledger transaction that settled it.
    #[schema(value_type = Option<String>)]
    settlement: Option<TransactionId>,
}

/// A call of the caller with all that explains it.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct OwnCallDetail {
    /// The record.
    call: OwnCall,
    /// How the charge came about; `null` if the call was free.
    charge: Option<Charge>,
    /// The caller's own lines of the ledger transaction that settled it, which may settle other calls too.
    ledger_entries: Vec<Entry>,
    /// The address it came from, if that is still kept.
    address: Option<String>,
    /// What the client called itself, if that is still kept.
    user_agent: Option<String>,
}

/// Which calls to list; every part given must hold.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct OwnCallQuery {
    /// Of this key, by its id.
    #[param(value_type = Option<String>)]
    key: Option<KeyId>,
    /// Of this model, by its name.
    #[param(max_length = 200)]
    model: Option<String>,
    /// That ended so.
    #[param(value_type = Option<String>)]
    status: Option<CallStatus>,
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

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::own(Scope::CallsRead), routes!(calls_list))
        .add(Access::own(Scope::CallsRead), routes!(calls_show))
}

/// Not told are the platform's own affairs: provider, channel, credential, gateway and marks of risk.
fn own(record: &CallRecord) -> OwnCall {
    OwnCall {
        id: record.id,
        started_at: record.started_at.into(),
        key: record.key,
        endpoint: record.endpoint,
        stream: record.stream,
        source: record.source,
        model: record.model.clone(),
        status: record.status,
        error_code: record.error,
        http_status: record.http_status,
        usage: record.usage,
        usage_source: record.usage_source,
        amount: record.amount,
        capped: record.capped,
        group_multiplier: record.group_multiplier,
        channel_multiplier: record.channel_multiplier,
        price: record.price,
        first_byte_micros: record.first_byte_micros,
        duration_micros: record.duration_micros,
        agent: record.agent,
        settlement: record.settlement,
    }
}

/// The caller's calls, newest first.
#[utoipa::path(get, path = "/api/v1/calls", tag = "calls", params(OwnCallQuery), responses(
    (status = 200, description = "A page of calls.", body = Page<OwnCall>),
))]
async fn calls_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<OwnCallQuery>,
) -> Answer<Page<OwnCall>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    (console.settled)().await;
    let filter = CallFilter {
        account: Some(caller.account),
        key: query.key,
        model: query.model,
        status: query.status,
        since: query.since.map(|moment| moment.0),
        until: query.until.map(|moment| moment.0),
        ..CallFilter::default()
    };
    let calls = console.ledger.call_list(&filter, page).await?;
    Ok(Json(Page::of(calls, |record| own(&record))))
}

/// A call of the caller: how its charge came about, and from where it came.
#[utoipa::path(get, path = "/api/v1/calls/{call}", tag = "calls", params(
    ("call" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The call.", body = OwnCallDetail),
))]
async fn calls_show(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<CallId>,
) -> Answer<OwnCallDetail> {
    (console.settled)().await;
    let found = console.ledger.call(id).await?.filter(|record| record.account == caller.account);
    let record = found.ok_or_else(|| not_found("call.not_found", "call"))?;
    let ledger_entries = match record.settlement {
        Some(transaction) => {
            let view = console.ledger.transaction(transaction).await?;
            let own = |entry: &Entry| entry.account == Some(caller.account);
            view.map(|view| entries_of(view).filter(own).collect()).unwrap_or_default()
        }
        None => Vec::new(),
    };
    let revealed = reveal(&console.identity, &record).await?;
    Ok(Json(OwnCallDetail {
        charge: charge(&console.catalog, &record).await?,
        call: own(&record),
        ledger_entries,
        address: revealed.ip,
        user_agent: revealed.user_agent,
    }))
}
