//! The record of a call: metadata only. It has no field that could hold a prompt or an answer; the client's address
//! and user agent stay sealed with the subject's key.

use serde::Serialize;
use tacit_kernel::call::{AgentFamily, CallSource, CallStatus, Endpoint, ErrorCode, UsageSource};
use tacit_kernel::ids::{
    AccountId, CallId, ChannelId, GroupId, KeyId, ModelId, PriceId, ProviderId, SessionId, TransactionId,
};
use tacit_kernel::rating::{Charge, Price, Usage};
use tacit_kernel::{Nano, Ppm, Timestamp};

/// One call as kept in `calls`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// The call; also its log id.
    pub id: CallId,
    /// Who pays.
    pub account: AccountId,
    /// The API key.
    pub key: KeyId,
    /// The run of the gateway that served it.
    pub session: SessionId,
    /// When it began.
    pub started_at: Timestamp,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Whether the answer was a stream.
    pub stream: bool,
    /// Where it came from.
    pub source: CallSource,
    /// The model.
    pub model_id: Option<ModelId>,
    /// The model's name as registered at that time.
    pub model: Option<String>,
    /// The pricing group.
    pub group: GroupId,
    /// Its multiplier at that time.
    pub group_multiplier: Ppm,
    /// The channel that served it.
    pub channel: Option<ChannelId>,
    /// The provider behind it.
    pub provider: Option<ProviderId>,
    /// The channel's multiplier at that time.
    pub channel_multiplier: Ppm,
    /// How many attempts at a provider were made.
    pub attempts: u32,
    /// The price version.
    pub price: Option<PriceId>,
    /// How it ended.
    pub status: CallStatus,
    /// Why it did not succeed.
    pub error: Option<ErrorCode>,
    /// Status as sent to the client; 0 if that is not known.
    pub http_status: u16,
    /// Tokens.
    pub usage: Usage,
    /// Where they were counted.
    pub usage_source: UsageSource,
    /// What was charged.
    pub amount: Nano,
    /// The usage costs more than was charged; the platform bears the rest.
    pub capped: bool,
    /// The ledger transaction that charged it; none if it was free.
    pub settlement: Option<TransactionId>,
    /// Microseconds to the first byte of the answer.
    pub first_byte_micros: Option<u64>,
    /// Microseconds to its end.
    pub duration_micros: u64,
    /// Calls of this key at the same time, this one included.
    pub concurrency: u32,
    /// Bit set of risk marks.
    pub risk_marks: u32,
    /// Family of the client.
    pub agent: AgentFamily,
    /// The client's address, sealed (data map: `calls.ip`).
    #[serde(skip)]
    pub ip_sealed: Option<Vec<u8>>,
    /// The client's user agent, sealed (data map: `calls.user_agent`).
    #[serde(skip)]
    pub user_agent_sealed: Option<Vec<u8>>,
}

/// Which calls to list; every part given must hold.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of this key.
    pub key: Option<KeyId>,
    /// Of the model of this registered name.
    pub model: Option<String>,
    /// That ended so.
    pub status: Option<CallStatus>,
    /// Served by this channel.
    pub channel: Option<ChannelId>,
    /// Begun at or after this moment.
    pub since: Option<Timestamp>,
    /// Begun before this moment.
    pub until: Option<Timestamp>,
    /// Not older than this call, by id.
    pub min_id: Option<CallId>,
}

/// How the charge of a call comes about, line by line, by its price version.
#[must_use]
pub fn explain(call: &CallRecord, price: &Price) -> Charge {
    price.charge(&call.usage, call.group_multiplier, call.channel_multiplier)
}
