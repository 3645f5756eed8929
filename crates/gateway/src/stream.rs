//! A streamed answer on its way through: metered, kept alive while the provider is silent, ended cleanly whatever
//! happens. One state machine that is driven by the client's connection; dropping it cancels the provider's call.

use crate::call::{Call, More};
use crate::health::ChannelPlace;
use crate::lane::Lane;
use crate::lease::{NotReserved, Short};
use crate::outbox::Durable;
use crate::refusal::Refusal;
use crate::relay::{Answer, Asked, Start};
use crate::upstream::AnswerBody;
use bytes::Bytes;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tacit_kernel::call::{CallStatus, ErrorCode, UsageSource};
use tacit_kernel::rating::Usage;
use tacit_protocol::{MeterOutput, StreamMeter, errors};
use tokio::time::{Instant, Sleep};

/// Output tokens between two looks at the balance.
const LOOK_EVERY: u64 = 32;
/// Output tokens that are reserved at a time when a stream needs more.
const STEP: u64 = 1024;

/// The search for a provider that answers.
pub(crate) type Relaying = Pin<Box<dyn Future<Output = (Box<Call>, Result<Answer, Refusal>)> + Send>>;

/// Ready when the lease may hold more.
type Waiting = Pin<Box<dyn Future<Output = Result<(), NotReserved>> + Send>>;

enum State {
    /// No provider has answered yet; the client already got a status.
    Waiting(Relaying),
    Flowing(Box<Flow>),
    /// Everything is there; the last bytes wait until the record is durable.
    Holding {
        durable: Option<Durable>,
        incoming: AnswerBody,
        last: VecDeque<Bytes>,
        /// It keeps its places until the last byte.
        _call: Box<Call>,
    },
    Over,
}

struct Flow {
    call: Box<Call>,
    incoming: AnswerBody,
    meter: StreamMeter,
    /// What came first, until it is passed on.
    started: Option<MeterOutput>,
    /// Output tokens at the last look at the balance.
    looked_at: u64,
    /// Money that the stream cannot go on without is on its way.
    waiting: Option<Waiting>,
    _place: ChannelPlace,
}

/// See the module.
pub(crate) struct Streamed {
    state: State,
    asked: Asked,
    request_id: Box<str>,
    ready: VecDeque<Bytes>,
    output: MeterOutput,
    timer: Pin<Box<Sleep>>,
    keep_alive: Duration,
    idle: Duration,
    heard_at: Instant,
    said_at: Instant,
    gateway: Arc<Lane>,
}

impl Streamed {
    fn new(gateway: Arc<Lane>, state: State, asked: Asked, request_id: &str) -> Self {
        let now = Instant::now();
        let timeouts = &gateway.config.timeouts;
        Self {
            state,
            asked,
            request_id: request_id.into(),
            ready: VecDeque::new(),
            output: MeterOutput::default(),
            timer: Box::pin(tokio::time::sleep_until(now + timeouts.keep_alive)),
            keep_alive: timeouts.keep_alive,
            idle: timeouts.idle,
            heard_at: now,
            said_at: now,
            gateway,
        }
    }

    /// A provider has begun its answer.
    pub(crate) fn flowing(call: Box<Call>, answer: Answer, start: Box<Start>, asked: Asked, request_id: &str) -> Self {
        let gateway = Arc::clone(&call.gateway);
        let state = flow(call, answer, start);
        Self::new(gateway, state, asked, request_id)
    }

    /// No provider has answered yet, but the client shall hear something.
    pub(crate) fn waiting(gateway: Arc<Lane>, relaying: Relaying, asked: Asked, request_id: &str) -> Self {
        let alive = errors::keep_alive(asked.dialect);
        let mut stream = Self::new(gateway, State::Waiting(relaying), asked, request_id);
        stream.ready.push_back(alive);
        stream
    }

    /// The next bytes for the client. A panic ends the stream with an error and goes no further.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Ok(polled) = catch_unwind(AssertUnwindSafe(|| self.poll(cx))) {
            return polled;
        }
        self.gateway.metrics.panics.inc();
        let state = std::mem::replace(&mut self.state, State::Over);
        if let State::Flowing(mut flow) = state {
            flow.charge_delivered();
            let status = flow.call.status_of_our_fault();
            flow.call.end(status, Some(ErrorCode::Internal));
        }
        let event = Refusal::from(ErrorCode::Internal).into_event(self.asked.dialect, &self.request_id);
        Poll::Ready(Some(event))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(bytes));
            }
            let moved = match &mut self.state {
                State::Over => return Poll::Ready(None),
                State::Waiting(relaying) => match relaying.as_mut().poll(cx) {
                    Poll::Ready((mut call, Ok(mut answer))) => {
                        if let Some(start) = answer.started.take() {
                            self.state = flow(call, answer, start);
                        } else {
                            // The client was already promised a stream, and this is none. Nothing of it is passed on.
                            call.answered = false;
                            call.http_status = 200;
                            call.answer_broke(ErrorCode::ProviderBroken);
                            call.end(CallStatus::Failed, Some(ErrorCode::ProviderBroken));
                            self.say_last(ErrorCode::ProviderBroken.into());
                        }
                        true
                    }
                    Poll::Ready((mut call, Err(refusal))) => {
                        call.http_status = 200;
                        call.end(CallStatus::Failed, Some(refusal.code));
                        self.say_last(refusal);
                        true
                    }
                    Poll::Pending => false,
                },
                State::Flowing(_) => self.poll_flow(cx).is_ready(),
                State::Holding { durable, .. } => {
                    match durable.as_mut().map_or(Poll::Ready(()), |durable| Pin::new(durable).poll(cx)) {
                        Poll::Ready(()) => {
                            if let State::Holding { incoming, last, .. } =
                                std::mem::replace(&mut self.state, State::Over)
                            {
                                incoming.leave();
                                self.ready.extend(last);
                            }
                            true
                        }
                        Poll::Pending => false,
                    }
                }
            };
            if !moved {
                ready!(self.poll_silence(cx));
            }
        }
    }

    /// Takes what the provider has sent. Pending: nothing has come.
    fn poll_flow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let State::Flowing(flow) = &mut self.state else { return Poll::Ready(()) };
        if let Some(waiting) = &mut flow.waiting {
            // What the provider sends meanwhile stays where it is.
            let came = ready!(waiting.as_mut().poll(cx));
            flow.waiting = None;
            self.heard_at = Instant::now();
            let gone_on = came.map_err(|why| match why {
                NotReserved::Insufficient => ErrorCode::BalanceInsufficient,
                NotReserved::Unavailable => ErrorCode::ControlUnavailable,
            });
            match gone_on.and_then(|()| flow.pay_on(self.asked.choices, self.idle)) {
                Ok(()) => {}
                Err(ErrorCode::ControlUnavailable) => self.break_off(ErrorCode::ControlUnavailable),
                Err(code) => self.end_unpaid(code),
            }
            return Poll::Ready(());
        }
        #[cfg(feature = "faults")]
        crate::faults::streaming(&mut flow.call, false);
        if let Some(output) = flow.started.take() {
            self.output = output;
            self.fed();
            return Poll::Ready(());
        }
        let data = ready!(flow.incoming.poll_data(cx));
        #[cfg(feature = "faults")]
        crate::faults::streaming(&mut flow.call, true);
        self.output.forward.clear();
        self.output.terminal.clear();
        match data {
            Some(Ok(data)) => {
                flow.meter.feed(data, &mut self.output);
                self.fed();
            }
            Some(Err(_)) => self.break_off(ErrorCode::ProviderBroken),
            None => {
                flow.meter.finish(&mut self.output);
                self.ready.extend(self.output.forward.drain(..));
                match flow.meter.provider_error() {
                    Some(code) => self.break_off(code),
                    None if flow.meter.complete() => self.complete(),
                    None => self.break_off(ErrorCode::ProviderBroken),
                }
            }
        }
        Poll::Ready(())
    }

    /// The meter has seen what came.
    fn fed(&mut self) {
        let State::Flowing(flow) = &mut self.state else { return };
        self.heard_at = Instant::now();
        flow.call.first_byte();
        if !self.output.forward.is_empty() {
            self.said_at = self.heard_at;
            flow.call.delivered = true;
        }
        self.ready.extend(self.output.forward.drain(..));
        if let Some(code) = flow.meter.provider_error() {
            self.break_off(code);
        } else if !self.output.terminal.is_empty() {
            self.complete();
        } else if let Err(code) = flow.look(self.asked.choices, self.idle) {
            self.end_unpaid(code);
        }
    }

    /// The whole answer is there.
    fn complete(&mut self) {
        let State::Flowing(mut flow) = std::mem::replace(&mut self.state, State::Over) else { return };
        let metered = flow.meter.metered(flow.call.input_estimate);
        (flow.call.usage, flow.call.usage_source) = (metered.usage, metered.source);
        let begun = flow.call.begun();
        let ended = flow.call.end(CallStatus::Completed, None);
        let strict = self.gateway.link.session_ref().as_ref().is_some_and(|s| s.strict);
        // What follows the end marker has no meaning any more, so the provider is not read further.
        let Flow { call, incoming, .. } = *flow;
        let last = self.output.terminal.drain(..).collect();
        let ticket = if strict { ended } else { begun };
        let durable = ticket.map(|ticket| Arc::clone(&self.gateway.waiting).durable(ticket));
        self.state = State::Holding { durable, incoming, last, _call: call };
    }

    /// The provider broke off, or nobody could be asked for more money.
    fn break_off(&mut self, code: ErrorCode) {
        if let State::Flowing(flow) = &mut self.state {
            flow.charge_delivered();
            if code != ErrorCode::ControlUnavailable {
                flow.call.answer_broke(code);
            }
            flow.call.end(CallStatus::Interrupted, Some(code));
        }
        self.say_last(code.into());
    }

    /// Nothing more can be reserved.
    fn end_unpaid(&mut self, code: ErrorCode) {
        if let State::Flowing(flow) = &mut self.state {
            flow.charge_delivered();
            flow.call.end(CallStatus::BalanceExhausted, Some(code));
        }
        let message = match code {
            ErrorCode::SpendLimit => {
                "the answer was ended here: a spend limit of the key, the account or a budget is reached"
            }
            _ => "the answer was ended here: the balance is used up; top up and ask again",
        };
        self.say_last(Refusal::saying(code, message));
    }

    /// An error event as the last word, where one can follow what was sent.
    fn say_last(&mut self, refusal: Refusal) {
        let state = std::mem::replace(&mut self.state, State::Over);
        let possible = match &state {
            State::Flowing(flow) => flow.meter.at_boundary(),
            _ => true,
        };
        if possible {
            self.ready.push_back(refusal.into_event(self.asked.dialect, &self.request_id));
        }
    }

    /// Nothing happens: a sign of life when it is due, and the end when the provider is silent for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // A provider that is not listened to is not silent.
            let flowing = matches!(&self.state, State::Flowing(flow) if flow.waiting.is_none());
            let alive_at = self.said_at + self.keep_alive;
            let due = if flowing { alive_at.min(self.heard_at + self.idle) } else { alive_at };
            // What was said or heard since only moves the moment back: the timer is let run out and set anew then, which
            // is cheaper than setting it at each event.
            if self.timer.deadline() > due {
                self.timer.as_mut().reset(due);
            }
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            if flowing && now >= self.heard_at + self.idle {
                self.break_off(ErrorCode::ProviderTimeout);
                return Poll::Ready(());
            }
            if now >= self.said_at + self.keep_alive {
                let possible = match &self.state {
                    State::Flowing(flow) => flow.meter.at_boundary(),
                    _ => true,
                };
                self.said_at = now;
                if possible {
                    self.ready.push_back(errors::keep_alive(self.asked.dialect));
                    return Poll::Ready(());
                }
            }
            let due = (self.said_at + self.keep_alive).max(now + Duration::from_millis(1));
            self.timer.as_mut().reset(if flowing { due.min(self.heard_at + self.idle) } else { due });
        }
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        // The client is gone: it pays for what it got.
        if let State::Flowing(flow) = &mut self.state {
            flow.charge_delivered();
        }
    }
}

fn flow(mut call: Box<Call>, answer: Answer, start: Box<Start>) -> State {
    call.http_status = 200;
    State::Flowing(Box::new(Flow {
        call,
        incoming: answer.body,
        meter: start.meter,
        started: Some(start.output),
        looked_at: 0,
        waiting: None,
        _place: answer.place,
    }))
}

/// What was delivered of a stream, and its input. The meter has seen the start before anybody got it.
fn delivered(meter: &StreamMeter, started: Option<&MeterOutput>, input_estimate: u64) -> (Usage, UsageSource) {
    if started.is_some() {
        return (Usage { input: input_estimate, ..Usage::default() }, UsageSource::Estimate);
    }
    let metered = meter.metered(input_estimate);
    (metered.usage, metered.source)
}

impl Flow {
    /// What was delivered so far is what the call costs.
    fn charge_delivered(&mut self) {
        (self.call.usage, self.call.usage_source) =
            delivered(&self.meter, self.started.as_ref(), self.call.input_estimate);
    }

    /// Looks at the balance now and then.
    ///
    /// # Errors
    /// Why the stream must end.
    fn look(&mut self, choices: u64, patience: Duration) -> Result<(), ErrorCode> {
        let output = self.meter.output_so_far();
        if output < self.looked_at.saturating_add(LOOK_EVERY) {
            return Ok(());
        }
        self.looked_at = output;
        self.pay_on(choices, patience)
    }

    /// Reserves more where what was delivered costs nearly all that is reserved, or waits for it.
    ///
    /// # Errors
    /// Why the stream must end.
    fn pay_on(&mut self, choices: u64, patience: Duration) -> Result<(), ErrorCode> {
        let metered = self.meter.metered(self.call.input_estimate);
        // The answer is whole, whatever it costs.
        if self.meter.complete() || metered.source == UsageSource::Provider {
            return Ok(());
        }
        let cost_after = |tokens: u64| {
            let mut usage = metered.usage;
            usage.output = usage.output.saturating_add(tokens);
            self.call.cost(&usage)
        };
        let (soon, step) = (LOOK_EVERY, STEP.saturating_mul(choices.clamp(1, 8)));
        let reserved = self.call.reservation();
        let least = cost_after(soon).saturating_sub(reserved);
        let want = cost_after(soon.saturating_add(step)).saturating_sub(reserved);
        let (account, link) = (&self.call.grant.account, &self.call.gateway.link);
        if least <= 0 {
            if want > 0 {
                account.budget.look_ahead(link, want);
            }
            return Ok(());
        }
        match self.call.reserve_more(least, want) {
            More::Reserved => Ok(()),
            More::SpendLimit => Err(ErrorCode::SpendLimit),
            More::Short(short) => {
                self.waiting = Some(self.replenished(short, patience));
                Ok(())
            }
        }
    }

    fn replenished(&self, short: Short, patience: Duration) -> Waiting {
        let (budget, link) = (Arc::clone(&self.call.grant.account.budget), Arc::clone(&self.call.gateway.link));
        let until = Instant::now() + patience;
        Box::pin(async move { budget.replenished(&link, short, until).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_kernel::Dialect;

    #[test]
    fn a_start_that_nobody_got_costs_input_alone() {
        let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a text of some length\"}}]}\n\n";
        let mut flowing = (StreamMeter::new(Dialect::OpenAi, false), MeterOutput::default());
        flowing.0.feed(Bytes::from_static(event.as_bytes()), &mut flowing.1);
        assert!(!flowing.1.forward.is_empty());
        let (usage, source) = delivered(&flowing.0, Some(&flowing.1), 7);
        assert_eq!((usage, source), (Usage { input: 7, ..Usage::default() }, UsageSource::Estimate));
        let (usage, _) = delivered(&flowing.0, None, 7);
        assert!(usage.input == 7 && usage.output > 0, "{usage:?}");
    }
}
