//! Calls as a gateway reports them, and what a commit answers.

use crate::aside::SetAside;
use tacit_kernel::call::{AgentFamily, CallSource, CallStatus, Endpoint, ErrorCode, UsageSource};
use tacit_kernel::ids::{
    AccountId, CallId, ChannelId, CredentialId, GroupId, KeyId, ModelId, PriceId, ProviderId, SessionId,
};
use tacit_kernel::rating::{Price, Usage};
use tacit_kernel::{Nano, Ppm, Timestamp};

/// A call that was admitted; what is known before the provider is called. In an [`EndedCall`] channel, provider,
/// credential and channel multiplier are those of the last attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunCall {
    /// The call.
    pub call: CallId,
    /// The API key.
    pub key: KeyId,
    /// Who pays.
    pub account: AccountId,
    /// Its pricing group.
    pub group: GroupId,
    /// Multiplier of the group.
    pub group_multiplier: Ppm,
    /// The model; none if the call was refused before one was found.
    pub model: Option<ModelId>,
    /// Its name as registered, never as sent by a client.
    pub model_name: Option<String>,
    /// The price version in force.
    pub price: Option<PriceId>,
    /// The channel.
    pub channel: Option<ChannelId>,
    /// The provider of that channel.
    pub provider: Option<ProviderId>,
    /// The credential of that channel; none if it needs none.
    pub credential: Option<CredentialId>,
    /// Multiplier of the channel.
    pub channel_multiplier: Ppm,
    /// When it began.
    pub started_at: Timestamp,
    /// What the gateway reserved for it out of its lease.
    pub reserved: Nano,
    /// Estimate of the input tokens.
    pub input_estimate: u64,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Whether the answer is a stream.
    pub stream: bool,
    /// Where the call came from.
    pub source: CallSource,
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedCall {
    /// As it began, with the channel that served it.
    pub begun: BegunCall,
    /// How it ended.
    pub status: CallStatus,
    /// Why it did not succeed.
    pub error: Option<ErrorCode>,
    /// Status as sent to the client.
    pub http_status: u16,
    /// Tokens.
    pub usage: Usage,
    /// Where the tokens were counted.
    pub usage_source: UsageSource,
    /// What the gateway holds for the charge.
    pub amount: Nano,
    /// The usage costs more than was left; the platform bears the rest.
    pub capped: bool,
    /// Microseconds to the first byte of the answer.
    pub first_byte_micros: Option<u64>,
    /// Microseconds to its end.
    pub duration_micros: u64,
    /// Calls of this key at the same time, this one included.
    pub concurrency: u32,
    /// Family of the client.
    pub agent: AgentFamily,
    /// Client address, sealed with the subject's key.
    pub sealed_ip: Option<Vec<u8>>,
    /// User agent, sealed with the subject's key.
    pub sealed_user_agent: Option<Vec<u8>>,
    /// Bit set of risk marks.
    pub risk_marks: u32,
    /// How many attempts at a provider were made.
    pub tried: u32,
    /// Those of them that failed, in order. One that brought an answer came last, and is told by the rest.
    pub failed: Vec<FailedAttempt>,
}

/// An attempt at a provider that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    /// The channel tried.
    pub channel: ChannelId,
    /// The credential used; the nil id if it needs none.
    pub credential: CredentialId,
    /// Microseconds after the call began.
    pub started_micros: u64,
    /// Microseconds it took.
    pub duration_micros: u64,
    /// Why it failed.
    pub error: Option<ErrorCode>,
    /// The provider's status.
    pub http_status: Option<u16>,
}

/// A batch of events of one session, as it lies in the journal.
#[derive(Clone, Debug)]
pub struct SessionBatch {
    /// The session.
    pub session: SessionId,
    /// Number of the batch.
    pub batch: u64,
    /// Calls that began.
    pub begun: Vec<BegunCall>,
    /// Calls that ended.
    pub ended: Vec<EndedCall>,
    /// What cannot be taken of it, to be set aside.
    pub aside: Vec<SetAside>,
}

impl SessionBatch {
    /// How many events it has.
    #[must_use]
    pub const fn events(&self) -> usize {
        self.begun.len() + self.ended.len()
    }

    /// The price versions that settling this batch asks for.
    pub fn prices(&self) -> impl Iterator<Item = PriceId> {
        self.ended.iter().filter_map(|call| call.begun.price)
    }
}

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitReport {
    /// How many calls were recorded.
    pub calls: u64,
    /// What they cost together.
    pub amount: Nano,
    /// Calls whose charge is not what the gateway said.
    pub differences: Vec<Difference>,
    /// What was set aside.
    pub aside: Vec<SetAside>,
}

/// A charge that is not what the gateway said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The call.
    pub call: CallId,
    /// What the gateway said.
    pub said: Nano,
    /// What was charged.
    pub charged: Nano,
    /// Why.
    pub reason: DifferenceReason,
}

/// Why a charge is not what the gateway said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceReason {
    /// Price × usage × multipliers is another amount.
    Computed,
    /// The price version is not known; nothing was charged.
    PriceUnknown,
    /// Neither lease nor wallet covered it.
    Uncovered,
}

/// More tokens than any call can have; larger counts are held at this, so that sums stay in range.
pub(crate) const MOST_TOKENS: u64 = 1_000_000_000_000;

/// Whether a call that ended so is charged.
#[must_use]
pub const fn is_charged(status: CallStatus) -> bool {
    !matches!(status, CallStatus::Failed | CallStatus::Refused)
}

/// The usage with every class held at [`MOST_TOKENS`].
pub(crate) fn bounded(usage: &Usage) -> Usage {
    let most = |n: u64| n.min(MOST_TOKENS);
    Usage {
        input: most(usage.input),
        cache_read: most(usage.cache_read),
        cache_write_5m: most(usage.cache_write_5m),
        cache_write_1h: most(usage.cache_write_1h),
        audio_input: most(usage.audio_input),
        image_input: most(usage.image_input),
        output: most(usage.output),
        reasoning: most(usage.reasoning),
        audio_output: most(usage.audio_output),
    }
}

/// What a call is due to pay, before anything is taken from a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) amount: Nano,
    pub(crate) capped: bool,
    pub(crate) reason: Option<DifferenceReason>,
}

/// The due amount of an ended call by its price; what the gateway said counts only where it capped.
pub(crate) fn due(call: &EndedCall, usage: &Usage, price: Option<&Price>) -> Due {
    let free = |reason| Due { amount: Nano::ZERO, capped: false, reason };
    if !is_charged(call.status) || call.begun.price.is_none() {
        return free((call.amount != Nano::ZERO).then_some(DifferenceReason::Computed));
    }
    let Some(price) = price else { return free(Some(DifferenceReason::PriceUnknown)) };
    let computed = price.amount(usage, call.begun.group_multiplier, call.begun.channel_multiplier);
    if call.capped && call.amount <= computed {
        return Due { amount: call.amount.max(Nano::ZERO), capped: true, reason: None };
    }
    Due { amount: computed, capped: false, reason: (computed != call.amount).then_some(DifferenceReason::Computed) }
}

/// The due amount of a call that was lost with its gateway: the input by estimate, no output, never more than was
/// reserved (docs/billing.md).
pub(crate) fn due_of_lost(call: &BegunCall, usage: &Usage, price: Option<&Price>) -> Due {
    let computed = price.map_or(Nano::ZERO, |p| p.amount(usage, call.group_multiplier, call.channel_multiplier));
    let reserved = call.reserved.max(Nano::ZERO);
    let unknown = call.price.is_some() && price.is_none();
    Due {
        amount: computed.min(reserved),
        capped: computed > reserved,
        reason: unknown.then_some(DifferenceReason::PriceUnknown),
    }
}
