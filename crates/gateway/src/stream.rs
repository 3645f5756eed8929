//! A streamed answer on its way through: metered, kept alive while the provider is silent, ended cleanly whatever
//! happens. One state machine that is driven by the client's connection; dropping it cancels the provider's call.

use crate::call::Call;
use crate::health::ChannelPlace;
use crate::outbox::Ticket;
use crate::refusal::Refusal;
use crate::relay::{Answer, Asked};
use crate::upstream::AnswerBody;
use bytes::Bytes;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tacit_kernel::call::{CallStatus, ErrorCode};
use tacit_protocol::{MeterOutput, StreamMeter, errors};
use tokio::time::{Instant, Sleep};

/// Output tokens between two looks at the balance.
const LOOK_EVERY: u64 = 32;
/// Output tokens that are reserved at a time when a stream needs more.
const STEP: u64 = 1024;

/// The search for a provider that answers.
pub(crate) type Relaying = Pin<Box<dyn Future<Output = (Box<Call>, Result<Answer, Refusal>)> + Send>>;

enum State {
    /// No provider has answered yet; the client already got a status.
    Waiting(Relaying),
    Flowing(Box<Flow>),
    /// Everything is there; the last bytes wait until the record is durable.
    Holding(Box<Call>, Option<Ticket>, AnswerBody, VecDeque<Bytes>),
    Over,
}

struct Flow {
    call: Box<Call>,
    incoming: AnswerBody,
    meter: StreamMeter,
    /// Output tokens at the last look at the balance.
    looked_at: u64,
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
    gateway: Arc<crate::gateway::Gateway>,
}

impl Streamed {
    fn new(gateway: Arc<crate::gateway::Gateway>, state: State, asked: Asked, request_id: &str) -> Self {
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
    pub(crate) fn flowing(call: Box<Call>, answer: Answer, asked: Asked, request_id: &str) -> Self {
        let gateway = Arc::clone(&call.gateway);
        let state = flow(call, answer, asked);
        Self::new(gateway, state, asked, request_id)
    }

    /// No provider has answered yet, but the client shall hear something.
    pub(crate) fn waiting(
        gateway: Arc<crate::gateway::Gateway>,
        relaying: Relaying,
        asked: Asked,
        request_id: &str,
    ) -> Self {
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
            flow.call.end(CallStatus::Interrupted, Some(ErrorCode::Internal));
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
                    Poll::Ready((mut call, Ok(answer))) if !answer.streamed => {
                        // The client was already promised a stream, and this is none. Nothing of it is passed on.
                        call.answered = false;
                        call.http_status = 200;
                        call.answer_broke(ErrorCode::ProviderBroken);
                        call.end(CallStatus::Failed, Some(ErrorCode::ProviderBroken));
                        self.say_last(ErrorCode::ProviderBroken.into());
                        true
                    }
                    Poll::Ready((call, Ok(answer))) => {
                        self.heard_at = Instant::now();
                        self.state = flow(call, answer, self.asked);
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
                State::Holding(call, ticket, ..) => {
                    match ticket.map_or(Poll::Ready(()), |t| call.gateway.outbox.poll_durable(t, cx)) {
                        Poll::Ready(()) => {
                            if let State::Holding(_, _, incoming, last) =
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
        let data = ready!(flow.incoming.poll_data(cx));
        self.output.forward.clear();
        self.output.terminal.clear();
        match data {
            Some(Ok(data)) => {
                self.heard_at = Instant::now();
                flow.call.first_byte();
                flow.meter.feed(data, &mut self.output);
                if !self.output.forward.is_empty() {
                    self.said_at = self.heard_at;
                }
                self.ready.extend(self.output.forward.drain(..));
                if let Some(code) = flow.meter.provider_error() {
                    self.break_off(code);
                } else if !self.output.terminal.is_empty() {
                    self.complete();
                } else if flow.used_up(self.asked.choices) {
                    self.end_unpaid();
                }
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
        self.state = State::Holding(call, if strict { ended } else { begun }, incoming, last);
    }

    /// The provider broke off.
    fn break_off(&mut self, code: ErrorCode) {
        if let State::Flowing(flow) = &mut self.state {
            flow.charge_delivered();
            flow.call.answer_broke(code);
            flow.call.end(CallStatus::Interrupted, Some(code));
        }
        self.say_last(code.into());
    }

    /// Nothing more can be reserved.
    fn end_unpaid(&mut self) {
        let mut code = ErrorCode::BalanceInsufficient;
        if let State::Flowing(flow) = &mut self.state {
            let call = &mut flow.call;
            if call.grant.room(call.gateway.clock.now()).is_some_and(|(room, _)| room <= 0) {
                code = ErrorCode::SpendLimit;
            }
            flow.charge_delivered();
            flow.call.end(CallStatus::BalanceExhausted, Some(code));
        }
        let message = match code {
            ErrorCode::SpendLimit => "the answer was ended here: the spend limit of the key or the account is reached",
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
            let flowing = matches!(self.state, State::Flowing(_));
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

fn flow(mut call: Box<Call>, answer: Answer, asked: Asked) -> State {
    call.http_status = 200;
    let meter = StreamMeter::new(asked.dialect, asked.hide_usage);
    State::Flowing(Box::new(Flow { call, incoming: answer.body, meter, looked_at: 0, _place: answer.place }))
}

impl Flow {
    /// What was delivered so far is what the call costs.
    fn charge_delivered(&mut self) {
        let metered = self.meter.metered(self.call.input_estimate);
        (self.call.usage, self.call.usage_source) = (metered.usage, metered.source);
    }

    /// Whether what was delivered costs all that is reserved and no more can be.
    fn used_up(&mut self, choices: u64) -> bool {
        let output = self.meter.output_so_far();
        if output < self.looked_at.saturating_add(LOOK_EVERY) {
            return false;
        }
        self.looked_at = output;
        let mut usage = self.meter.metered(self.call.input_estimate).usage;
        let cost = self.call.cost(&usage);
        usage.output = usage.output.saturating_add(LOOK_EVERY);
        let soon = self.call.cost(&usage);
        if soon <= self.call.reservation() {
            return false;
        }
        usage.output = usage.output.saturating_add(STEP.saturating_mul(choices.min(8)));
        let step = self.call.cost(&usage).saturating_sub(cost).max(1);
        let least = soon.saturating_sub(self.call.reservation());
        !self.call.reserve_more(step) && !self.call.reserve_more(least)
    }
}
