//! The record of a call: metadata only. It has no field that could hold a prompt or an answer; the client's address
//! and user agent stay sealed with the subject's key.

use crate::settlement::FailedAttempt;
use serde::Serialize;
use tacit_kernel::call::{AgentFamily, AttemptOutcome, CallSource, CallStatus, Endpoint, ErrorCode, UsageSource};
use tacit_kernel::ids::{
    AccountId, CallId, ChannelId, CredentialId, GroupId, KeyId, ModelId, PriceId, ProviderId, SessionId, TransactionId,
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
    /// The credential of the last attempt; none if the channel needs none.
    pub credential: Option<CredentialId>,
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

/// One attempt at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The channel tried.
    pub channel: ChannelId,
    /// The provider behind it, where the record of the call names it.
    pub provider: Option<ProviderId>,
    /// The credential used; none if the channel needs none.
    pub credential: Option<CredentialId>,
    /// Microseconds after the call began.
    pub started_micros: u64,
    /// Microseconds it took; that of an answer goes on to the end of the call.
    pub duration_micros: u64,
    /// What became of it.
    pub outcome: AttemptOutcome,
    /// Why it failed.
    pub error: Option<ErrorCode>,
    /// The provider's status, if it is known.
    pub http_status: Option<u16>,
}

/// Every attempt of a call: those that failed as they were recorded, and one that brought an answer, or of which
/// nothing more was heard, as the record of the call tells it. It began when the one before had failed; the first, when
/// the call began.
#[must_use]
pub(super) fn attempts(call: &CallRecord, failed: &[FailedAttempt]) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = failed
        .iter()
        .map(|attempt| Attempt {
            channel: attempt.channel,
            provider: call.provider.filter(|_| call.channel == Some(attempt.channel)),
            credential: (!attempt.credential.0.is_nil()).then_some(attempt.credential),
            started_micros: attempt.started_micros,
            duration_micros: attempt.duration_micros,
            outcome: AttemptOutcome::Failed,
            error: attempt.error,
            http_status: attempt.http_status,
        })
        .collect();
    let told = u32::try_from(failed.len()).unwrap_or(u32::MAX);
    if let Some(channel) = call.channel.filter(|_| told < call.attempts) {
        let started_micros = failed.last().map_or(0, |a| a.started_micros.saturating_add(a.duration_micros));
        let lost = call.status == CallStatus::Lost;
        attempts.push(Attempt {
            channel,
            provider: call.provider,
            credential: call.credential,
            started_micros,
            duration_micros: call.duration_micros.saturating_sub(started_micros),
            outcome: if lost { AttemptOutcome::Lost } else { AttemptOutcome::Answered },
            error: None,
            http_status: (call.http_status > 0).then_some(call.http_status),
        });
    }
    attempts
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
