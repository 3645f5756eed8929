//! From an admitted call to a provider's answer: channel after channel until one answers with success, or none is left.
//!
//! Futures of some size are pinned where they are made and waited for through that: `.await` itself would first move them,
//! whole, with all the room they need for what they have not begun.

use crate::call::Call;
use crate::catalog::Model;
use crate::health::{Backoff, ChannelPlace};
use crate::memory::Room;
use crate::moment;
use crate::refusal::Refusal;
use crate::route::{self, Pick, Tried};
use crate::upstream::{self, AnswerBody, Failure};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Dialect;
use tacit_kernel::call::{CallStatus, Endpoint, ErrorCode, UsageSource};
use tacit_kernel::rating::Usage;
use tacit_protocol::usage::{UsageScanner, estimate_output};
use tacit_protocol::{Body, Chunks, Envelope, MeterOutput, StreamMeter, errors, headers};
use tokio::time::timeout;

/// How much of a provider's error is read, and for how long.
const ERROR_BYTES: usize = 64 * 1024;
const ERROR_TIME: Duration = Duration::from_secs(5);
/// What a caller is told whose whole answer would be larger than `gateway.max_answer_bytes`.
const TOO_LARGE: &str =
    "the model provider's answer is larger than this gateway accepts; ask for less, or for a stream";

/// What of a request its answer depends on.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) dialect: Dialect,
    /// The usage event is for us alone.
    pub(crate) hide_usage: bool,
    /// Answers asked for at once.
    pub(crate) choices: u64,
}

/// What is sent; kept for the next attempt, and gone when there can be none.
pub(crate) struct Prepared {
    pub(crate) dialect: Dialect,
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) envelope: Envelope,
    pub(crate) body: Body,
}

impl Prepared {
    pub(crate) fn asked(&self) -> Asked {
        Asked {
            dialect: self.dialect,
            hide_usage: self.dialect == Dialect::OpenAi && !self.envelope.caller_wants_usage(),
            choices: self.envelope.choices(),
        }
    }
}

/// A provider's answer with success.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: AnswerBody,
    /// Held while the answer is read.
    pub(crate) place: ChannelPlace,
    /// What came first, if it is the event stream that was asked for.
    pub(crate) started: Option<Box<Start>>,
}

/// The start of an event stream, as the meter has seen it.
pub(crate) struct Start {
    pub(crate) meter: StreamMeter,
    pub(crate) output: MeterOutput,
}

/// What became of one attempt.
enum Attempted {
    Answer(Answer),
    /// It failed; another may do better.
    Elsewhere(Refusal),
    /// It failed, and so would any other.
    Final(Refusal),
}

/// The dialect of an endpoint.
pub(crate) const fn dialect(endpoint: Endpoint) -> Dialect {
    match endpoint {
        Endpoint::Messages => Dialect::Anthropic,
        _ => Dialect::OpenAi,
    }
}

/// Tries one channel after the other. The call comes back with its answer, so that it can be carried on in a body.
pub(crate) async fn relay(
    mut call: Box<Call>,
    model: Arc<Model>,
    request: Prepared,
) -> (Box<Call>, Result<Answer, Refusal>) {
    let mut tried = Tried::new();
    let mut last: Option<Refusal> = None;
    let mut again = true;
    for _ in 0..call.gateway.config.max_attempts {
        let mut pick = route::pick(&model, request.dialect, &tried, moment::now());
        if pick.is_none() && again && last.as_ref().is_some_and(|l| l.code == ErrorCode::ProviderUnreachable) {
            // Nothing else is left, and it was not reached at all: a pooled connection may just have been closed.
            again = false;
            tried.clear();
            pick = route::pick(&model, request.dialect, &tried, moment::now());
        }
        let Some(pick) = pick else { break };
        tried.push((pick.route.channel.id, pick.credential.id));
        let attempted = pin!(attempt(&mut call, &request, pick)).await;
        match attempted {
            Attempted::Answer(answer) => {
                call.answered = true;
                #[cfg(feature = "faults")]
                crate::faults::relayed(&call);
                return (call, Ok(answer));
            }
            Attempted::Elsewhere(refusal) => last = Some(refusal),
            Attempted::Final(refusal) => return (call, Err(refusal)),
        }
    }
    (call, Err(last.unwrap_or_else(|| ErrorCode::ChannelsUnavailable.into())))
}

async fn attempt(call: &mut Call, request: &Prepared, pick: Pick<'_>) -> Attempted {
    let channel = &pick.route.channel;
    let Some(target) = channel.target(request.endpoint) else {
        return Attempted::Elsewhere(ErrorCode::ModelNotServed.into());
    };
    let gateway = Arc::clone(&call.gateway);
    let began = moment::now();
    call.attempt_begins(channel, pick.credential.id);
    let generates = request.endpoint != Endpoint::Embeddings;
    let want_usage = request.dialect == Dialect::OpenAi && generates && request.envelope.stream();
    let edits = request.envelope.edits(&pick.route.upstream_model, want_usage);
    let out = upstream::Request {
        target,
        headers: &request.headers,
        credential: pick.credential.header.as_ref(),
        allow_private: channel.allow_private,
    };
    let sent = pin!(gateway.upstream.send(out, || request.body.for_provider(&edits)));
    match timeout(gateway.config.timeouts.first_byte, sent).await {
        Ok(Ok(mut answer)) if answer.status.is_success() => {
            let mut started = None;
            if call.stream && headers::is_event_stream(&answer.headers) {
                match start(&mut answer.body, request.asked(), gateway.config.timeouts.first_byte).await {
                    Ok(start) => started = Some(Box::new(start)),
                    Err(code) => {
                        call.attempt_ends(Some(code), answer.status.as_u16());
                        channel_fails(&channel.health.backoff, began, None);
                        return Attempted::Elsewhere(code.into());
                    }
                }
            }
            call.attempt_ends(None, answer.status.as_u16());
            channel.health.backoff.success();
            pick.credential_backoff.success();
            let headers = headers::from_provider(answer.headers);
            Attempted::Answer(Answer { headers, body: answer.body, place: pick.place, started })
        }
        Ok(Ok(answer)) => refused(call, answer, &channel.health.backoff, &pick.credential_backoff, began).await,
        Ok(Err(Failure::Unreachable)) => failed(call, &channel.health.backoff, began, ErrorCode::ProviderUnreachable),
        Ok(Err(Failure::Broken)) => failed(call, &channel.health.backoff, began, ErrorCode::ProviderBroken),
        Err(_) => failed(call, &channel.health.backoff, began, ErrorCode::ProviderTimeout),
    }
}

/// Reads the start of an event stream. Nothing of it was passed on yet, so another provider may still be asked.
///
/// # Errors
/// Why a stream that was announced with success is none: it ends at once, or its first event is an error.
async fn start(body: &mut AnswerBody, asked: Asked, limit: Duration) -> Result<Start, ErrorCode> {
    let data = match timeout(limit, body.data()).await {
        Ok(Some(Ok(data))) => data,
        Ok(Some(Err(_)) | None) => return Err(ErrorCode::ProviderBroken),
        Err(_) => return Err(ErrorCode::ProviderTimeout),
    };
    let mut start = Start { meter: StreamMeter::new(asked.dialect, asked.hide_usage), output: MeterOutput::default() };
    start.meter.feed(data, &mut start.output);
    match start.meter.provider_error().filter(|_| start.output.forward.is_empty()) {
        Some(code) => Err(code),
        None => Ok(start),
    }
}

fn channel_fails(backoff: &Backoff, began: i64, asked: Option<Duration>) {
    backoff.failure((began, moment::now()), Duration::from_millis(500), Duration::from_secs(30), asked);
}

fn failed(call: &mut Call, backoff: &Backoff, began: i64, code: ErrorCode) -> Attempted {
    call.attempt_ends(Some(code), 0);
    channel_fails(backoff, began, None);
    Attempted::Elsewhere(code.into())
}

/// A provider that answered with an error.
async fn refused(
    call: &mut Call,
    answer: upstream::Answer,
    channel: &Backoff,
    credential: &Backoff,
    began: i64,
) -> Attempted {
    let upstream::Answer { status: said, headers: said_headers, body: mut incoming } = answer;
    let mut body = Body::new();
    let read = async {
        while let Some(Ok(data)) = incoming.data().await {
            body.push(data);
            if body.len() > ERROR_BYTES {
                break;
            }
        }
    };
    // What did not come is not needed.
    let _ = timeout(ERROR_TIME, read).await;
    let status = said.as_u16();
    let failure = errors::provider_failure(status, &body);
    call.attempt_ends(Some(failure.code), status);
    let wait = headers::retry_after(&said_headers);
    let asked = wait.map(|s| Duration::from_secs(u64::from(s)));
    let moments = (began, moment::now());
    if failure.credential {
        credential.failure(moments, Duration::from_secs(30), Duration::from_secs(900), None);
    } else if failure.code == ErrorCode::ProviderLimited && status == 429 {
        credential.failure(moments, Duration::from_secs(1), Duration::from_secs(60), asked);
    } else if !failure.relay {
        channel_fails(channel, began, asked);
    }
    let refusal = if failure.relay {
        let mut headers = headers::from_provider(said_headers);
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        Refusal::relaying(said, headers, body)
    } else {
        Refusal::from(failure.code).after_seconds(wait)
    };
    if failure.elsewhere { Attempted::Elsewhere(refusal) } else { Attempted::Final(refusal) }
}

/// Reads a whole answer, settles the call and waits until it is durable.
pub(crate) async fn whole(
    mut call: Box<Call>,
    dialect: Dialect,
    answer: Answer,
) -> Result<(HeaderMap, Chunks, Room), (Box<Call>, Refusal)> {
    let Answer { mut headers, body: mut incoming, place, .. } = answer;
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    let (idle, largest) = (call.gateway.config.timeouts.idle, call.gateway.config.max_answer_bytes);
    let mut room = call.gateway.bodies.room();
    let mut body = Body::new();
    let mut scanner = UsageScanner::new(dialect);
    let broke = loop {
        match timeout(idle, incoming.data()).await {
            Ok(Some(Ok(data))) => {
                call.first_byte();
                if !room.grow(data.len()) {
                    break Some(ErrorCode::GatewayBusy.into());
                }
                scanner.push(&data);
                body.push(data);
                if u64::try_from(body.len()).is_ok_and(|len| len > largest) {
                    break Some(Refusal::saying(ErrorCode::ProviderBroken, TOO_LARGE));
                }
            }
            Ok(None) => break None,
            Ok(Some(Err(_))) => break Some(ErrorCode::ProviderBroken.into()),
            Err(_) => break Some(ErrorCode::ProviderTimeout.into()),
        }
    };
    drop(place);
    let said = scanner.finish();
    if let Some(refusal) = broke.or_else(|| (!said.whole).then(|| ErrorCode::ProviderBroken.into())) {
        // Nothing of it was delivered, so it costs nothing.
        call.answered = false;
        call.answer_broke(refusal.code);
        return Err((call, refusal));
    }
    (call.usage, call.usage_source) = match said.usage {
        Some(usage) => (usage, UsageSource::Provider),
        None => {
            let output = if call.endpoint == Endpoint::Embeddings { 0 } else { estimate_output(dialect, &body) };
            (Usage { input: call.input_estimate, output, ..Usage::default() }, UsageSource::Estimate)
        }
    };
    call.http_status = 200;
    let begun = call.begun();
    let ended = call.end(CallStatus::Completed, None);
    let strict = call.gateway.link.session_ref().as_ref().is_some_and(|s| s.strict);
    if let Some(ticket) = if strict { ended } else { begun } {
        Arc::clone(&call.gateway.waiting).durable(ticket).await;
    }
    Ok((headers, body.into_chunks_for_client(), room))
}
