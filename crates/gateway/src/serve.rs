//! HTTP in, HTTP out: which path is which endpoint, and a call from its first check to its answer.

use crate::admit;
use crate::call::Call;
use crate::client::{Client, Gone};
use crate::forward::{self, Forward};
use crate::lane::Lane;
use crate::refusal::Refusal;
use crate::relay::{self, Prepared};
use crate::reply::{self, Reply};
use crate::request;
use crate::stream::{Relaying, Streamed};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use tacit_kernel::Dialect;
use tacit_kernel::call::{CallStatus, Endpoint, ErrorCode};
use tacit_kernel::ids::CallId;
use tacit_protocol::{headers, models};

/// What a path that is no endpoint is answered with.
const ELSEWHERE: &str = r#"{"error":"not_found","message":"this is an AI API gateway","endpoints":["POST /v1/chat/completions","POST /v1/completions","POST /v1/embeddings","POST /v1/messages","GET /v1/models","GET /v1/models/{id}"]}"#;

enum Path<'a> {
    Call(Endpoint),
    Models,
    Model(&'a str),
    Root,
    /// Below `/v1`, where clients expect an error of their dialect.
    Unknown,
    Elsewhere,
}

fn path(path: &str) -> Path<'_> {
    match path {
        "/v1/chat/completions" => Path::Call(Endpoint::ChatCompletions),
        "/v1/completions" => Path::Call(Endpoint::Completions),
        "/v1/embeddings" => Path::Call(Endpoint::Embeddings),
        "/v1/messages" => Path::Call(Endpoint::Messages),
        "/v1/models" => Path::Models,
        "/" => Path::Root,
        _ => match path.strip_prefix("/v1/models/") {
            Some(id) if !id.is_empty() => Path::Model(id),
            _ if path.starts_with("/v1/") => Path::Unknown,
            _ => Path::Elsewhere,
        },
    }
}

/// Answers one request, unless its client goes away. A panic in it is answered too, and ends there.
pub(crate) async fn serve(
    gateway: &Arc<Lane>,
    peer: IpAddr,
    parts: Parts,
    client: &mut (dyn Client + '_),
) -> Option<Response<Reply>> {
    let id = CallId::fresh();
    let request_id = id.to_string();
    let endpoint = match path(parts.uri.path()) {
        Path::Call(endpoint) => Some(endpoint),
        _ => None,
    };
    let dialect = match (endpoint, parts.uri.path().starts_with("/v1/messages")) {
        (Some(endpoint), _) => relay::dialect(endpoint),
        (None, true) => Dialect::Anthropic,
        (None, false) => headers::dialect_of(&parts.headers),
    };
    let mut answering = pin!(async {
        match endpoint {
            Some(endpoint) if parts.method == Method::POST => {
                let call = pin!(call(gateway, peer, endpoint, id, &request_id, &parts, client));
                let answered = call.await?;
                Ok(answered.unwrap_or_else(|refusal| refusal.into_response(dialect, &request_id)))
            }
            None if let Some(way) = forwards(gateway, &parts) => {
                // In a box: a call need not be as large.
                Box::pin(forward::forward(gateway, way, peer, &request_id, &parts, client)).await
            }
            _ => {
                // Else the rest of it would stand in the way of the next request, and of this answer.
                request::drain(client).await;
                if gateway.forward.is_some() && forward::is_near_console(&parts) {
                    return Ok(forward::nowhere());
                }
                Ok(other(gateway, peer, dialect, &request_id, &parts).await)
            }
        }
    });
    let unwinding = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    let mut response = match unwinding.await {
        Ok(Ok(response)) => response,
        Ok(Err(Gone)) => return None,
        Err(_) => {
            gateway.metrics.panics.inc();
            Refusal::from(ErrorCode::Internal).into_response(dialect, &request_id)
        }
    };
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        if dialect == Dialect::Anthropic {
            response.headers_mut().insert(HeaderName::from_static("request-id"), value.clone());
        }
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    Some(response)
}

/// The way to the console, if the request is for it.
fn forwards<'l>(lane: &'l Lane, parts: &Parts) -> Option<&'l Forward> {
    lane.forward.as_ref().filter(|_| forward::is_for_console(parts))
}

/// Everything but calls.
async fn other(
    gateway: &Arc<Lane>,
    peer: IpAddr,
    dialect: Dialect,
    request_id: &str,
    parts: &Parts,
) -> Response<Reply> {
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    let answer = match path(parts.uri.path()) {
        Path::Elsewhere => return reply::json(StatusCode::NOT_FOUND, ELSEWHERE.into()),
        Path::Unknown => Err(ErrorCode::PathNotFound.into()),
        Path::Call(_) => return not_allowed("POST", dialect, request_id),
        _ if !reads => return not_allowed("GET, HEAD", dialect, request_id),
        Path::Root => return reply::text(StatusCode::OK, "AI API gateway\n"),
        Path::Models => listed(gateway, peer, dialect, parts, None).await,
        Path::Model(name) => listed(gateway, peer, dialect, parts, Some(name)).await,
    };
    answer.unwrap_or_else(|refusal: Refusal| refusal.into_response(dialect, request_id))
}

fn not_allowed(allow: &'static str, dialect: Dialect, request_id: &str) -> Response<Reply> {
    let mut response = Refusal::from(ErrorCode::MethodNotAllowed).into_response(dialect, request_id);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// `GET /v1/models` and `GET /v1/models/{id}`: what this key may use.
async fn listed(
    gateway: &Arc<Lane>,
    peer: IpAddr,
    dialect: Dialect,
    parts: &Parts,
    name: Option<&str>,
) -> Result<Response<Reply>, Refusal> {
    if !gateway.serving.load(Relaxed) {
        return Err(ErrorCode::ControlUnavailable.into());
    }
    let grant = gateway.grants.find(request::key(parts).ok_or(ErrorCode::KeyMissing)?).await?;
    let address = request::address(&parts.headers, peer, &gateway.config.trusted_proxies);
    // It is no call of those at the same time.
    admit::caller(&grant, address, [0, 0], gateway.clock.now())?;
    let catalog = gateway.catalog.load();
    let allowed = |name: &str| grant.key_limits.allows_model(name) && grant.account_limits.allows_model(name);
    let shown = |model: &crate::catalog::Model| allowed(&model.name) && !model.routes.is_empty();
    let body = match name {
        None => {
            let list: Vec<_> = catalog.list.iter().filter(|m| shown(m)).map(|m| m.listed()).collect();
            models::list(dialect, &list)
        }
        Some(name) => {
            let name = decoded(name);
            let model = catalog.models.get(name.as_str()).filter(|m| shown(m)).ok_or(ErrorCode::ModelNotFound)?;
            models::one(dialect, &model.listed())
        }
    };
    Ok(reply::json(StatusCode::OK, body))
}

/// Names of models may hold characters that a URL cannot.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = if *first == b'%' { after.get(..2) } else { None };
        let code = code.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(out).unwrap_or_default()
}

/// One call.
async fn call(
    gateway: &Arc<Lane>,
    peer: IpAddr,
    endpoint: Endpoint,
    id: CallId,
    request_id: &str,
    parts: &Parts,
    client: &mut (dyn Client + '_),
) -> Result<Result<Response<Reply>, Refusal>, Gone> {
    let dialect = relay::dialect(endpoint);
    if !gateway.ready() || !gateway.has_room() {
        request::drain(client).await;
        let code = if gateway.serving.load(Relaxed) { ErrorCode::GatewayBusy } else { ErrorCode::ControlUnavailable };
        return Ok(Err(code.into()));
    }
    let found = match request::key(parts) {
        Some(key) => gateway.grants.find(key).await,
        None => Err(ErrorCode::KeyMissing),
    };
    let grant = match found {
        Ok(grant) => grant,
        Err(code) => {
            request::drain(client).await;
            return Ok(Err(code.into()));
        }
    };
    let caller = request::caller(&parts.headers, peer, &gateway.config.trusted_proxies);
    let address = caller.address;
    let ((of_key, n), (of_account, m)) = (grant.counters.enter(), grant.account.counters.enter());
    let mut call = Call::new(Arc::clone(gateway), Arc::clone(&grant), id, endpoint, caller, ([of_key, of_account], n));
    let now = call.started_at();
    let answer = match admit::caller(&grant, address, [n, m], now) {
        Ok(()) => match prepared(&mut call, parts, client).await {
            Ok(prepared) => client.stays_for(pin!(answered(call, prepared, request_id))).await?,
            Err(refusal) => Err((call, refusal, CallStatus::Refused)),
        },
        Err(refusal) => {
            request::drain(client).await;
            Err((call, refusal, CallStatus::Refused))
        }
    };
    let mut response = answer.unwrap_or_else(|(mut call, refusal, status)| {
        call.http_status = refusal.status(dialect);
        // Without an attempt nothing has begun.
        let status = if call.begun().is_none() { CallStatus::Refused } else { status };
        call.end(status, Some(refusal.code));
        refusal.into_response(dialect, request_id)
    });
    admit::headers(&grant, dialect, now, response.headers_mut());
    Ok(Ok(response))
}

/// Reads the body and admits the call.
async fn prepared(call: &mut Call, parts: &Parts, client: &mut (dyn Client + '_)) -> Result<Prepared, Refusal> {
    let (body, envelope) = request::body(&call.gateway, &parts.headers, client).await?;
    #[cfg(feature = "faults")]
    crate::faults::asked(call, &parts.headers, &body);
    call.stream = envelope.stream() && call.endpoint != Endpoint::Embeddings;
    call.input_estimate = envelope.input_estimate();
    let model = {
        let catalog = call.gateway.catalog.load();
        admit::model(&call.grant, catalog.models.get(envelope.model()), call.endpoint)
    }?;
    call.model = Some(Arc::clone(&model));
    admit::tokens(call)?;
    admit::money(call, &envelope, &model).await?;
    let dialect = relay::dialect(call.endpoint);
    let headers = headers::to_provider(dialect, &parts.headers);
    Ok(Prepared { dialect, endpoint: call.endpoint, headers, envelope, body })
}

/// Finds a provider and answers with what it says.
async fn answered(
    call: Box<Call>,
    prepared: Prepared,
    request_id: &str,
) -> Result<Response<Reply>, (Box<Call>, Refusal, CallStatus)> {
    let Some(model) = call.model.clone() else {
        return Err((call, ErrorCode::ModelNotFound.into(), CallStatus::Refused));
    };
    let (gateway, stream) = (Arc::clone(&call.gateway), call.stream);
    let asked = prepared.asked();
    let (call, found) = if stream {
        let mut relaying: Relaying = Box::pin(relay::relay(call, model, prepared));
        let silence = tokio::time::sleep(gateway.config.timeouts.keep_alive);
        tokio::select! {
            biased;
            found = &mut relaying => found,
            () = silence => return Ok(streamed(Streamed::waiting(gateway, relaying, asked, request_id))),
        }
    } else {
        pin!(relay::relay(call, model, prepared)).await
    };
    match found {
        Ok(mut answer) => match answer.started.take() {
            Some(start) => Ok(streamed(Streamed::flowing(call, answer, start, asked, request_id))),
            None => match pin!(relay::whole(call, asked.dialect, answer)).await {
                Ok((headers, chunks, room)) => {
                    let mut response = Response::new(Reply::Whole { chunks, _room: room });
                    *response.headers_mut() = headers;
                    Ok(response)
                }
                Err((call, refusal)) => Err((call, refusal, CallStatus::Failed)),
            },
        },
        Err(refusal) => Err((call, refusal, CallStatus::Failed)),
    }
}

fn streamed(stream: Streamed) -> Response<Reply> {
    let mut response = Response::new(Reply::Stream(Box::new(stream)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths_are_decoded() {
        assert_eq!(decoded("a%2Fb"), "a/b");
        assert_eq!(decoded("vendor/model:free"), "vendor/model:free");
        assert_eq!(decoded("50%"), "50%");
        assert_eq!(decoded("%zz"), "%zz");
    }
}
