//! One call and everything it holds: its places under the limits, its reservation, its record. Whatever happens to it,
//! a client that goes away or a panic included, it ends exactly once: with [`Call::end`] or when it is dropped.

use crate::catalog::{Channel, Model, PriceVersion};
use crate::grants::Grant;
use crate::lane::Lane;
use crate::lease::{Reservation, Short};
use crate::limits::Place;
use crate::moment;
use crate::outbox::{Charged, Ticket};
use std::net::IpAddr;
use std::sync::Arc;
use tacit_kernel::call::{AgentFamily, CallStatus, Endpoint, ErrorCode, UsageSource};
use tacit_kernel::ids::{CallId, CredentialId};
use tacit_kernel::rating::Usage;
use tacit_kernel::{Ppm, Timestamp};
use tacit_link::{Mend, convert, wire};
use tacit_vault::Aad;

/// Longest user agent that is kept, in bytes.
pub(crate) const USER_AGENT: usize = 256;

/// Who calls; sealed when the call ends.
pub(crate) struct Caller {
    pub(crate) address: IpAddr,
    pub(crate) user_agent: Box<[u8]>,
    pub(crate) agent: AgentFamily,
}

/// An attempt that is under way.
struct Attempt {
    channel: Arc<Channel>,
    started: i64,
}

/// One whose answer has begun.
struct Answering {
    attempt: Attempt,
    duration: i64,
    http_status: u16,
}

/// Whether more could be reserved for a call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    /// It is.
    Reserved,
    /// The lease does not hold it now; nothing was promised.
    Short(Short),
    /// A spend limit forbids it.
    SpendLimit,
}

/// See the module.
pub(crate) struct Call {
    pub(crate) gateway: Arc<Lane>,
    pub(crate) grant: Arc<Grant>,
    pub(crate) id: CallId,
    pub(crate) endpoint: Endpoint,
    pub(crate) stream: bool,
    pub(crate) model: Option<Arc<Model>>,
    pub(crate) price: Option<Arc<PriceVersion>>,
    pub(crate) input_estimate: u64,
    /// What the caller got or is owed for, as far as it is known.
    pub(crate) usage: Usage,
    pub(crate) usage_source: UsageSource,
    /// A provider answered with success: the call is charged.
    pub(crate) answered: bool,
    /// Something of the answer was handed out: a fault of ours no longer makes it free.
    pub(crate) delivered: bool,
    pub(crate) http_status: u16,
    caller: Caller,
    started_at: Timestamp,
    started: i64,
    _places: [Place; 2],
    concurrency: u32,
    reservation: Reservation,
    spend_reserved: i64,
    tokens_taken: u64,
    /// Of the last attempt, as is the credential.
    channel: Option<Arc<Channel>>,
    credential: Option<CredentialId>,
    attempt: Option<Attempt>,
    answering: Option<Answering>,
    /// How many attempts were made, and those that failed.
    tried: u32,
    failed: Vec<wire::Attempt>,
    /// The begun event, once it was sent.
    begun: Option<Ticket>,
    first_byte: Option<i64>,
    over: bool,
    #[cfg(feature = "faults")]
    pub(crate) fault: Option<Box<crate::faults::Later>>,
}

impl Call {
    pub(crate) fn new(
        gateway: Arc<Lane>,
        grant: Arc<Grant>,
        id: CallId,
        endpoint: Endpoint,
        caller: Caller,
        (places, concurrency): ([Place; 2], u32),
    ) -> Box<Self> {
        gateway.metrics.open.inc();
        Box::new(Self {
            started_at: gateway.clock.now(),
            started: moment::now(),
            gateway,
            grant,
            id,
            endpoint,
            stream: false,
            model: None,
            price: None,
            input_estimate: 0,
            usage: Usage::default(),
            usage_source: UsageSource::None,
            answered: false,
            delivered: false,
            http_status: 0,
            caller,
            _places: places,
            concurrency,
            reservation: Reservation::default(),
            spend_reserved: 0,
            tokens_taken: 0,
            channel: None,
            credential: None,
            attempt: None,
            answering: None,
            tried: 0,
            failed: Vec::new(),
            begun: None,
            first_byte: None,
            over: false,
            #[cfg(feature = "faults")]
            fault: None,
        })
    }

    /// When it began.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    fn micros(&self) -> i64 {
        moment::now().saturating_sub(self.started) / 1000
    }

    /// The tokens that were taken from the limits at first; corrected when the call ends.
    pub(crate) fn took_tokens(&mut self, tokens: u64) {
        self.tokens_taken = tokens;
    }

    /// Promises up to `want` against the spend limits, `least` at least. Returns what was promised.
    ///
    /// # Errors
    /// There is less room than `least`; when there is more.
    pub(crate) fn promise(&mut self, least: i64, want: i64) -> Result<i64, Option<Timestamp>> {
        let amount = self.grant.promise(least, want, self.started_at)?;
        self.spend_reserved = amount;
        Ok(amount)
    }

    /// That much is reserved for it, which may be less than was promised.
    pub(crate) fn reserved(&mut self, reservation: Reservation) {
        self.grant.reserve(-self.spend_reserved.saturating_sub(reservation.amount));
        self.spend_reserved = reservation.amount;
        self.reservation = reservation;
    }

    /// What is reserved.
    pub(crate) fn reservation(&self) -> i64 {
        self.reservation.amount
    }

    /// Reserves `want` more while it is under way, or at least `least`, within the balance and the spend limits.
    pub(crate) fn reserve_more(&mut self, least: i64, want: i64) -> More {
        let Ok(promised) = self.grant.promise(least, want, self.gateway.clock.now()) else {
            return More::SpendLimit;
        };
        let got = self.grant.account.budget.extend(&self.gateway.link, &mut self.reservation, least, promised);
        let amount = got.unwrap_or(0);
        self.grant.reserve(-promised.saturating_sub(amount));
        self.spend_reserved = self.spend_reserved.saturating_add(amount);
        match got {
            Ok(_) => More::Reserved,
            Err(short) => More::Short(short),
        }
    }

    /// What that usage costs.
    pub(crate) fn cost(&self, usage: &Usage) -> i64 {
        let Some(price) = &self.price else { return 0 };
        let channel = self.channel.as_ref().map_or(Ppm::ONE, |c| c.multiplier);
        price.price.amount(usage, self.grant.group_multiplier, channel).0
    }

    /// An attempt at a provider begins. With the first one the call has begun for the record too.
    pub(crate) fn attempt_begins(&mut self, channel: &Arc<Channel>, credential: Option<CredentialId>) {
        self.channel = Some(Arc::clone(channel));
        self.credential = credential;
        self.tried += 1;
        self.attempt = Some(Attempt { channel: Arc::clone(channel), started: self.micros() });
        if self.begun.is_none() {
            self.begun = Some(self.gateway.outbox.begun(self.fit(self.begun_event())));
        }
    }

    /// The attempt is over: it failed, or it brought an answer.
    pub(crate) fn attempt_ends(&mut self, error: Option<ErrorCode>, http_status: u16) {
        let Some(attempt) = self.attempt.take() else { return };
        self.gateway.metrics.attempted(&attempt.channel.provider_name, error);
        let duration = self.micros().saturating_sub(attempt.started);
        self.answering = Some(Answering { attempt, duration, http_status });
        if let Some(error) = error {
            self.answer_broke(error);
        }
    }

    /// The attempt that brought the answer turned out to have failed.
    pub(crate) fn answer_broke(&mut self, error: ErrorCode) {
        let Some(Answering { attempt, duration, http_status }) = self.answering.take() else { return };
        self.failed.push(wire::Attempt {
            channel: Some(attempt.channel.id.into()),
            credential: self.credential.map(Into::into),
            started_micros: attempt.started,
            duration_micros: duration,
            error: convert::error_number(Some(error)),
            http_status: u32::from(http_status),
        });
    }

    /// The first byte of the answer is there.
    pub(crate) fn first_byte(&mut self) {
        if self.first_byte.is_none() {
            self.first_byte = Some(self.micros());
        }
    }

    /// The begun event, if it was sent; the last byte of the answer waits until it is durable.
    pub(crate) fn begun(&self) -> Option<Ticket> {
        self.begun
    }

    fn begun_event(&self) -> wire::Begun {
        let channel = self.channel.as_deref();
        wire::Begun {
            call: Some(self.id.into()),
            key: Some(self.grant.key.into()),
            account: Some(self.grant.account.id.into()),
            group: Some(self.grant.group.into()),
            model: self.model.as_ref().map(|m| m.id.into()),
            price: self.price.as_ref().map(|p| p.id.into()),
            group_multiplier_ppm: self.grant.group_multiplier.0,
            channel_multiplier_ppm: channel.map_or(Ppm::ONE.0, |c| c.multiplier.0),
            channel: channel.map(|c| c.id.into()),
            provider: channel.map(|c| c.provider.into()),
            started_at: self.started_at.0,
            reserved: self.reservation.amount,
            input_estimate: self.input_estimate,
            endpoint: self.endpoint.number(),
            stream: self.stream,
            source: self.grant.source.number(),
            credential: self.credential.map(Into::into),
        }
    }

    /// How a call ends that a fault of the gateway itself ends.
    pub(crate) const fn status_of_our_fault(&self) -> CallStatus {
        if self.delivered { CallStatus::Interrupted } else { CallStatus::Failed }
    }

    /// Ends it. Returns the place of its record among the events, if it is recorded.
    pub(crate) fn end(&mut self, status: CallStatus, error: Option<ErrorCode>) -> Option<Ticket> {
        if std::mem::replace(&mut self.over, true) {
            return None;
        }
        self.attempt_ends(error, 0);
        let charged = !matches!(status, CallStatus::Failed | CallStatus::Refused);
        if !charged {
            self.usage = Usage::default();
            self.usage_source = UsageSource::None;
        }
        // More than was reserved: the ledger takes it from the lease or the wallet, and caps what neither has.
        let amount = if charged { self.cost(&self.usage) } else { 0 };
        let now = self.gateway.clock.now();
        self.grant.account.budget.settle(&self.reservation, amount);
        self.grant.counters.settle(self.spend_reserved, amount, now);
        self.grant.account.counters.settle(self.spend_reserved, amount, now);
        if let Some(shared) = &self.grant.shared {
            shared.settle(self.spend_reserved, amount, now);
        }
        self.grant.correct_tokens(self.tokens_taken, self.usage.total());
        let duration = self.micros();
        self.gateway.metrics.open.dec();
        self.gateway.metrics.ended(self.endpoint, status, error, duration, self.first_byte);
        let charged = Charged {
            key: Arc::clone(&self.grant.counters),
            account: Arc::clone(&self.grant.account.counters),
            shared: self.grant.shared.clone(),
            amount,
        };
        if status == CallStatus::Refused && self.gateway.outbox.half_full() {
            // Nothing was begun and nothing is owed: better no record than no service.
            self.gateway.metrics.unrecorded.inc();
            charged.acknowledged();
            return None;
        }
        let seal = |column: &'static str, plain: &[u8]| {
            self.grant.seal.seal(&Aad { table: "calls", column, row: self.id.0 }, plain)
        };
        let user_agent = &self.caller.user_agent;
        let ended = wire::Ended {
            begun: Some(self.begun_event()),
            status: status.number(),
            error: convert::error_number(error),
            http_status: u32::from(self.http_status),
            usage: Some(wire::Usage::from(&self.usage)),
            usage_source: self.usage_source.number(),
            amount,
            capped: false,
            first_byte_micros: self.first_byte.unwrap_or(-1),
            duration_micros: duration,
            concurrency: self.concurrency,
            agent: self.caller.agent.number(),
            sealed_ip: seal("ip", self.caller.address.to_canonical().to_string().as_bytes()),
            sealed_user_agent: if user_agent.is_empty() { Vec::new() } else { seal("user_agent", user_agent) },
            risk_marks: 0,
            attempts: std::mem::take(&mut self.failed),
            tried: self.tried,
        };
        let ended = self.fit(ended);
        #[cfg(feature = "faults")]
        let ended = {
            let mut ended = ended;
            crate::faults::recording(self, &mut ended);
            ended
        };
        Some(self.gateway.outbox.ended(ended, charged, self.begun))
    }

    /// What the control plane would refuse is brought within its bounds before it leaves. That it was not is a fault of
    /// the program.
    fn fit<T: Mend>(&self, mut event: T) -> T {
        if let Err(refused) = event.check() {
            self.gateway.metrics.out_of_bounds.inc();
            let detail = refused.0;
            tracing::error!(event = "call.event_out_of_bounds", call.id = %self.id, detail, "an event had to be mended");
            event.mend();
        }
        event
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // Nobody waits for the answer any more, or we panicked. What a provider may have begun is paid for: input, and
        // what was delivered. What we broke ourselves before anything was delivered is not.
        let (status, error) = if std::thread::panicking() {
            (self.status_of_our_fault(), ErrorCode::Internal)
        } else if self.answered || self.attempt.is_some() {
            (CallStatus::ClientGone, ErrorCode::ClientGone)
        } else {
            (CallStatus::Refused, ErrorCode::ClientGone)
        };
        if status == CallStatus::ClientGone && self.usage_source == UsageSource::None {
            self.usage = Usage { input: self.input_estimate, ..Usage::default() };
            self.usage_source = UsageSource::Estimate;
        }
        let status = if status == CallStatus::Refused && self.begun.is_some() { CallStatus::Failed } else { status };
        self.end(status, Some(error));
    }
}
