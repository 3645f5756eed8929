//! The record of a call on the wire, for the admin socket and the console: metadata only.

use super::Moment;
use super::money::{Entry, entries_of};
use crate::problem::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tacit_catalog::{Catalog, Channel};
use tacit_identity::Identity;
use tacit_kernel::call::{AgentFamily, AttemptOutcome, CallSource, CallStatus, Endpoint, ErrorCode, UsageSource};
use tacit_kernel::ids::{
    AccountId, CallId, ChannelId, CredentialId, GroupId, KeyId, PriceId, ProviderId, SessionId, TransactionId,
};
use tacit_kernel::rating::{self, Usage};
use tacit_kernel::{Nano, Ppm};
use tacit_ledger::Ledger;
use tacit_ledger::calls::CallRecord;
use tacit_vault::{Aad, SealKey};
use utoipa::ToSchema;

/// The record of a call.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Call {
    /// The call; also its log id.
    #[schema(value_type = String)]
    pub id: CallId,
    /// When it began.
    pub started_at: Moment,
    /// Who pays.
    #[schema(value_type = String)]
    pub account: AccountId,
    /// The API key.
    #[schema(value_type = String)]
    pub key: KeyId,
    /// The endpoint.
    #[schema(value_type = String)]
    pub endpoint: Endpoint,
    /// Whether the answer was a stream.
    pub stream: bool,
    /// Where it came from.
    #[schema(value_type = String)]
    pub source: CallSource,
    /// The model as registered.
    pub model: Option<String>,
    /// How it ended.
    #[schema(value_type = String)]
    pub status: CallStatus,
    /// Why it did not succeed.
    #[schema(value_type = Option<String>)]
    pub error_code: Option<ErrorCode>,
    /// Status as sent to the client.
    pub http_status: u16,
    /// Tokens by class.
    #[schema(value_type = UsageParts)]
    pub usage: Usage,
    /// Where they were counted.
    #[schema(value_type = String)]
    pub usage_source: UsageSource,
    /// What was charged.
    #[schema(value_type = String)]
    pub amount: Nano,
    /// The platform bears a part.
    pub capped: bool,
    /// The pricing group.
    #[schema(value_type = String)]
    pub group: GroupId,
    /// Its multiplier then.
    #[schema(value_type = String)]
    pub group_multiplier: Ppm,
    /// The channel that served it.
    #[schema(value_type = Option<String>)]
    pub channel: Option<ChannelId>,
    /// The channel's multiplier then.
    #[schema(value_type = String)]
    pub channel_multiplier: Ppm,
    /// The provider's name.
    pub provider: Option<String>,
    /// The price version.
    #[schema(value_type = Option<String>)]
    pub price: Option<PriceId>,
    /// The provider credential of the last attempt.
    #[schema(value_type = Option<String>)]
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
    #[schema(value_type = String)]
    pub agent: AgentFamily,
    /// The gateway's session.
    #[schema(value_type = String)]
    pub session: SessionId,
    /// The ledger transaction that settled it.
    #[schema(value_type = Option<String>)]
    pub settlement: Option<TransactionId>,
}

/// One attempt at a provider.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Counts up from 1.
    pub attempt: u32,
    /// The channel, by name where it still exists.
    pub channel: String,
    /// The provider behind it, by name where it still exists.
    pub provider: Option<String>,
    /// The credential used; none if the channel needs none.
    #[schema(value_type = Option<String>)]
    pub credential: Option<CredentialId>,
    /// Microseconds after the call began. One that brought the answer begins here when the one before had failed, or
    /// with the call.
    pub started_micros: u64,
    /// Microseconds it took; that of an answer goes on to the end of the call.
    pub duration_micros: u64,
    /// What became of it.
    #[schema(value_type = String)]
    pub outcome: AttemptOutcome,
    /// Why it failed.
    #[schema(value_type = Option<String>)]
    pub error_code: Option<ErrorCode>,
    /// Status of the provider, if it is known.
    pub http_status: Option<u16>,
}

/// How a charge came about; enough to recompute it by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Charge {
    /// Line by line.
    #[serde(flatten)]
    #[schema(value_type = ChargeParts)]
    pub computed: rating::Charge,
    /// Version of the price.
    pub price_version: i64,
    /// The rule, in words.
    pub rule: String,
}

/// Tokens of a call by class.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form of another type")]
pub(crate) struct UsageParts {
    /// Fresh text input.
    input: u64,
    /// Input read from the provider's prompt cache.
    cache_read: u64,
    /// Input written to the cache for five minutes.
    cache_write_5m: u64,
    /// Input written to the cache for an hour.
    cache_write_1h: u64,
    /// Audio input.
    audio_input: u64,
    /// Image input.
    image_input: u64,
    /// Visible output.
    output: u64,
    /// Reasoning output.
    reasoning: u64,
    /// Audio output.
    audio_output: u64,
}

/// How a charge came about, line by line. Amounts are decimal numbers in the settlement currency, as text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form of another type")]
pub(crate) struct ChargeParts {
    /// Only classes that occurred.
    lines: Vec<ChargeLine>,
    /// The price tier that applied, by its lower bound.
    tier_above_input_tokens: u64,
    /// Fixed part.
    per_call: String,
    /// Of the account's group.
    group_multiplier: String,
    /// Of the channel that served the call.
    channel_multiplier: String,
    /// What is charged.
    amount: String,
}

/// What one class of tokens adds to a charge.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form of another type")]
pub(crate) struct ChargeLine {
    /// What was counted.
    class: String,
    /// How many.
    tokens: u64,
    /// Currency per million tokens.
    rate_per_million: String,
    /// Before multipliers and rounding, exactly.
    subtotal: String,
}

/// What is sealed in a record.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Revealed {
    /// The client's address.
    pub ip: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
}

/// What explains a call, beside its record.
pub(crate) struct Explained {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) charge: Option<Charge>,
    pub(crate) ledger_entries: Vec<Entry>,
}

/// The rule of a charge, in words.
const RULE: &str = "(sum of tokens x rate / 1,000,000 + per call) x group multiplier x channel multiplier, rounded half up to 9 places";

/// Names of providers by their ids.
pub(crate) type ProviderNames = HashMap<ProviderId, String>;

/// The names of providers.
///
/// # Errors
/// Storage.
pub(crate) async fn provider_names(catalog: &Catalog) -> Result<ProviderNames, Refusal> {
    Ok(catalog.provider_list().await?.into_iter().map(|p| (p.id, p.name)).collect())
}

fn named(providers: &ProviderNames, id: ProviderId) -> String {
    providers.get(&id).cloned().unwrap_or_else(|| id.to_string())
}

/// A record as it is shown to staff.
pub(crate) fn shown(record: CallRecord, providers: &ProviderNames) -> Call {
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

/// How the charge of a call came about, if it has one.
///
/// # Errors
/// Storage.
pub(crate) async fn charge(catalog: &Catalog, record: &CallRecord) -> Result<Option<Charge>, Refusal> {
    let (Some(id), Some(model)) = (record.price, record.model_id) else { return Ok(None) };
    if record.settlement.is_none() && record.amount == Nano::ZERO {
        return Ok(None);
    }
    let Some(version) = catalog.price_list(model).await?.into_iter().find(|v| v.id == id) else {
        return Ok(None);
    };
    let computed = tacit_ledger::calls::explain(record, &version.price);
    Ok(Some(Charge { computed, price_version: version.version, rule: RULE.into() }))
}

async fn attempts(
    catalog: &Catalog,
    ledger: &Ledger,
    call: &CallRecord,
    providers: &ProviderNames,
) -> Result<Vec<Attempt>, Refusal> {
    let channels: HashMap<ChannelId, Channel> = catalog.channel_list().await?.into_iter().map(|c| (c.id, c)).collect();
    let attempts = ledger.call_attempts(call).await?;
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

/// All that explains a call.
///
/// # Errors
/// Storage.
pub(crate) async fn explained(
    catalog: &Catalog,
    ledger: &Ledger,
    record: &CallRecord,
    providers: &ProviderNames,
) -> Result<Explained, Refusal> {
    let ledger_entries = match record.settlement {
        Some(transaction) => {
            ledger.transaction(transaction).await?.map(|t| entries_of(t).collect()).unwrap_or_default()
        }
        None => Vec::new(),
    };
    let (charge, attempts) = (charge(catalog, record).await?, attempts(catalog, ledger, record, providers).await?);
    Ok(Explained { attempts, charge, ledger_entries })
}

/// Unseals address and user agent. Whoever asks has recorded that they do, unless it is the person.
///
/// # Errors
/// Keyring.
pub(crate) async fn reveal(identity: &Identity, record: &CallRecord) -> Result<Revealed, Refusal> {
    let Some(key) = identity.account_call_seal_key(record.account).await? else {
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
