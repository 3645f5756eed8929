//! `/v1/calls`: the records of calls. Metadata only; the client's address and user agent are unsealed on request only,
//! and each such look is logged.

use super::forms::{Moment, Page, page_of};
use super::input::Params;
use super::problem::Refusal;
use super::wallets::{Entry, entries_of};
use super::{Admin, Answer, accounts, channels, not_found};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tacit_catalog::Channel;
use tacit_kernel::call::{AgentFamily, AttemptOutcome, CallSource, CallStatus, Endpoint, ErrorCode, UsageSource};
use tacit_kernel::ids::{
    AccountId, CallId, ChannelId, CredentialId, GroupId, KeyId, PriceId, ProviderId, SessionId, TransactionId,
};
use tacit_kernel::rating::{self, Usage};
use tacit_kernel::{Nano, Ppm};
use tacit_ledger::calls::{CallFilter, CallRecord};
use tacit_vault::{Aad, SealKey};

/// Which calls to list; every part given must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallQuery {
    /// Of this account, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Of this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// Of this model, by registered name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// That ended so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<CallStatus>,
    /// Served by this channel, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Begun at or after this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Begun before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The record of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The call; also its log id.
    pub id: CallId,
    /// When it began.
    pub started_at: Moment,
    /// Who pays.
    pub account: AccountId,
    /// The API key.
    pub key: KeyId,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Whether the answer was a stream.
    pub stream: bool,
    /// Where it came from.
    pub source: CallSource,
    /// The model as registered.
    pub model: Option<String>,
    /// How it ended.
    pub status: CallStatus,
    /// Why it did not succeed.
    pub error_code: Option<ErrorCode>,
    /// Status as sent to the client.
    pub http_status: u16,
    /// Tokens by class.
    pub usage: Usage,
    /// Where they were counted.
    pub usage_source: UsageSource,
    /// What was charged.
    pub amount: Nano,
    /// The platform bears a part.
    pub capped: bool,
    /// The pricing group.
    pub group: GroupId,
    /// Its multiplier then.
    pub group_multiplier: Ppm,
    /// The channel that served it.
    pub channel: Option<ChannelId>,
    /// The channel's multiplier then.
    pub channel_multiplier: Ppm,
    /// The provider's name.
    pub provider: Option<String>,
    /// The price version.
    pub price: Option<PriceId>,
    /// The provider credential of the last attempt.
    pub credential: Option<CredentialId>,
    /// How many attempts at a provider were made.
    pub attempts: u32,
    /// Microseconds to the first byte.
    pub first_byte_micros: Option<u64>,
    /// Microseconds to the end.
    pub duration_micros: u64,
    /// Calls of this key at the same time.
    pub concurrency: u32,
    /// Bit set of risk marks.
    pub risk_marks: u32,
    /// Family of the client.
    pub agent: AgentFamily,
    /// The gateway's session.
    pub session: SessionId,
    /// The ledger transaction that settled it.
    pub settlement: Option<TransactionId>,
}

/// One attempt at a provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts up from 1.
    pub attempt: u32,
    /// The channel, by name where it still exists.
    pub channel: String,
    /// The provider behind it, by name where it still exists.
    pub provider: Option<String>,
    /// The credential used; none if the channel needs none.
    pub credential: Option<CredentialId>,
    /// Microseconds after the call began. One that brought the answer begins here when the one before had failed, or
    /// with the call.
    pub started_micros: u64,
    /// Microseconds it took; that of an answer goes on to the end of the call.
    pub duration_micros: u64,
    /// What became of it.
    pub outcome: AttemptOutcome,
    /// Why it failed.
    pub error_code: Option<ErrorCode>,
    /// Status of the provider, if it is known.
    pub http_status: Option<u16>,
}

/// How a charge came about; enough to recompute it by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Line by line.
    #[serde(flatten)]
    pub computed: rating::Charge,
    /// Version of the price.
    pub price_version: i64,
    /// The rule, in words.
    pub rule: String,
}

/// What is sealed in a record; shown only when asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Revealed {
    /// The client's address.
    pub ip: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
}

/// A call with all that explains it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallDetail {
    /// The record.
    pub call: Call,
    /// Every attempt at a provider.
    pub attempts: Vec<Attempt>,
    /// How the charge came about; absent if the call was free.
    pub charge: Option<Charge>,
    /// The lines of the ledger transaction that settled it, which may settle other calls too.
    pub ledger_entries: Vec<Entry>,
    /// Only if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revealed: Option<Revealed>,
}

/// How to show a call.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShowQuery {
    /// Unseal the client's address and user agent. Logged.
    pub reveal: bool,
}

/// The rule of a charge, in words.
const RULE: &str = "(sum of tokens x rate / 1,000,000 + per call) x group multiplier x channel multiplier, rounded half up to 9 places";

type ProviderNames = HashMap<ProviderId, String>;

async fn provider_names(admin: &Admin) -> Result<ProviderNames, Refusal> {
    Ok(admin.catalog.provider_list().await?.into_iter().map(|p| (p.id, p.name)).collect())
}

fn named(providers: &ProviderNames, id: ProviderId) -> String {
    providers.get(&id).cloned().unwrap_or_else(|| id.to_string())
}

fn shown(record: CallRecord, providers: &ProviderNames) -> Call {
    Call {
        id: record.id,
        started_at: record.started_at.into(),
        account: record.account,
        key: record.key,
        endpoint: record.endpoint,
        stream: record.stream,
        source: record.source,
        model: record.model,
        status: record.status,
        error_code: record.error,
        http_status: record.http_status,
        usage: record.usage,
        usage_source: record.usage_source,
        amount: record.amount,
        capped: record.capped,
        group: record.group,
        group_multiplier: record.group_multiplier,
        channel: record.channel,
        channel_multiplier: record.channel_multiplier,
        provider: record.provider.map(|id| named(providers, id)),
        price: record.price,
        credential: record.credential,
        attempts: record.attempts,
        first_byte_micros: record.first_byte_micros,
        duration_micros: record.duration_micros,
        concurrency: record.concurrency,
        risk_marks: record.risk_marks,
        agent: record.agent,
        session: record.session,
        settlement: record.settlement,
    }
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/calls", get(list)).route("/v1/calls/{id}", get(show))
}

async fn list(State(admin): State<Admin>, Params(query): Params<CallQuery>) -> Answer<Page<Call>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let account = match &query.account {
        Some(reference) => Some(accounts::find(&admin, reference).await?.id),
        None => None,
    };
    let channel = match &query.channel {
        Some(reference) => Some(channels::find(&admin, reference).await?.id),
        None => None,
    };
    let filter = CallFilter {
        account,
        key: query.key,
        model: query.model,
        status: query.status,
        channel,
        since: query.since.map(|m| m.0),
        until: query.until.map(|m| m.0),
        ..CallFilter::default()
    };
    let providers = provider_names(&admin).await?;
    let page = admin.ledger.call_list(&filter, page).await?;
    Ok(Json(Page::of(page, |record| shown(record, &providers))))
}

async fn show(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Params(query): Params<ShowQuery>,
) -> Answer<CallDetail> {
    let missing = || not_found("call.not_found", "call");
    let id: CallId = id.parse().map_err(|_| missing())?;
    let record = admin.ledger.call(id).await?.ok_or_else(missing)?;
    let revealed = if query.reveal { Some(reveal(&admin, &record).await?) } else { None };
    let charge = charge(&admin, &record).await?;
    let providers = provider_names(&admin).await?;
    let attempts = attempts(&admin, &record, &providers).await?;
    let ledger_entries = match record.settlement {
        Some(transaction) => {
            admin.ledger.transaction(transaction).await?.map(|t| entries_of(t).collect()).unwrap_or_default()
        }
        None => Vec::new(),
    };
    let call = shown(record, &providers);
    Ok(Json(CallDetail { call, attempts, charge, ledger_entries, revealed }))
}

async fn charge(admin: &Admin, record: &CallRecord) -> Result<Option<Charge>, Refusal> {
    let (Some(id), Some(model)) = (record.price, record.model_id) else { return Ok(None) };
    if record.settlement.is_none() && record.amount == Nano::ZERO {
        return Ok(None);
    }
    let Some(version) = admin.catalog.price_list(model).await?.into_iter().find(|v| v.id == id) else {
        return Ok(None);
    };
    let computed = tacit_ledger::calls::explain(record, &version.price);
    Ok(Some(Charge { computed, price_version: version.version, rule: RULE.into() }))
}

async fn attempts(admin: &Admin, call: &CallRecord, providers: &ProviderNames) -> Result<Vec<Attempt>, Refusal> {
    let channels: HashMap<ChannelId, Channel> =
        admin.catalog.channel_list().await?.into_iter().map(|c| (c.id, c)).collect();
    let attempts = admin.ledger.call_attempts(call).await?;
    let shown = (1..).zip(attempts).map(|(attempt, a)| {
        let channel = channels.get(&a.channel);
        let provider = a.provider.or(channel.map(|c| c.provider));
        Attempt {
            attempt,
            channel: channel.map_or_else(|| a.channel.to_string(), |c| c.name.clone()),
            provider: provider.map(|id| named(providers, id)),
            credential: a.credential,
            started_micros: a.started_micros,
            duration_micros: a.duration_micros,
            outcome: a.outcome,
            error_code: a.error,
            http_status: a.http_status,
        }
    });
    Ok(shown.collect())
}

/// Unseals what is about the person. That it was looked at is logged before anything is shown.
async fn reveal(admin: &Admin, record: &CallRecord) -> Result<Revealed, Refusal> {
    tracing::warn!(event = "call.revealed", call.id = %record.id, account.id = %record.account);
    let Some(key) = admin.identity.account_call_seal_key(record.account).await? else {
        return Ok(Revealed { ip: None, user_agent: None });
    };
    Ok(Revealed {
        ip: opened(&key, "ip", record.id, record.ip_sealed.as_deref()),
        user_agent: opened(&key, "user_agent", record.id, record.user_agent_sealed.as_deref()),
    })
}

fn opened(key: &SealKey, column: &str, call: CallId, sealed: Option<&[u8]>) -> Option<String> {
    let plain = key.open(&Aad { table: "calls", column, row: call.0 }, sealed?).ok()?;
    Some(String::from_utf8_lossy(&plain).into_owned())
}
