//! The HTTP side: connections, credentials, routing, and putting an answer on the wire.

use crate::admin::Desk;
use crate::answer;
use crate::faults::Faults;
use crate::reply::{self, Asked, Reply};
use crate::script::{Counters, Line, Script, Step};
use crate::{anthropic, openai};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tacit_kernel::{Clock, SystemClock};
use tokio::net::{TcpListener, TcpStream};

/// Largest request taken, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;
/// Beginnings of prompts remembered as cached; all are forgotten when there are more.
const CACHED: usize = 10_000;
const MODELS: [&str; 3] = ["practice-chat", "practice-claude", "practice-embed"];

/// How the provider behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Credentials taken; any that is not empty if there are none here.
    pub credentials: Vec<String>,
    /// Waits that long before the first byte of an answer.
    pub first_byte: Option<Duration>,
    /// Waits that long before each event of a stream.
    pub pace: Option<Duration>,
    /// Length of an answer in tokens, unless the model name says; about forty and the prompt's length otherwise.
    pub answer_tokens: Option<usize>,
    /// Serves the admin endpoint of [`crate::admin`], and therefore keeps what it receives, in memory. For tests only.
    pub admin: bool,
}

/// A running provider; it stops when this is dropped.
#[derive(Debug)]
pub struct Handle {
    task: tokio::task::JoinHandle<()>,
    counters: Arc<Counters>,
}

impl Handle {
    /// Requests that reached a dialect so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.counters.requests.load(Ordering::Relaxed)
    }

    /// Answers that the client left before their end.
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.counters.abandoned.load(Ordering::Relaxed)
    }

    /// Waits for ever, that is until the task is stopped from outside.
    pub async fn wait(mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Provider {
    options: Options,
    counters: Arc<Counters>,
    cached: Mutex<HashSet<u64>>,
    desk: Desk,
}

/// Starts the provider on that address (port 0: any free one) within the running Tokio runtime.
///
/// # Errors
/// If the address cannot be bound, or is not a loopback address: this server has no protection of its own.
pub async fn serve(addr: SocketAddr, options: Options) -> io::Result<(SocketAddr, Handle)> {
    if !addr.ip().is_loopback() {
        return Err(io::Error::other("the practice provider listens on loopback addresses only"));
    }
    let listener = TcpListener::bind(addr).await?;
    let local = listener.local_addr()?;
    let counters = Arc::<Counters>::default();
    let provider = Arc::new(Provider {
        options,
        counters: Arc::clone(&counters),
        cached: Mutex::default(),
        desk: Desk::default(),
    });
    let task = tokio::spawn(accept(listener, provider));
    Ok((local, Handle { task, counters }))
}

async fn accept(listener: TcpListener, provider: Arc<Provider>) {
    // Connections live and die with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(stream, Arc::clone(&provider))); }
                // Out of file descriptors, most likely: give others the time to close some.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(stream: TcpStream, provider: Arc<Provider>) {
    let _ = stream.set_nodelay(true);
    let line = socket2::SockRef::from(&stream).try_clone().map(|s| Arc::new(std::net::TcpStream::from(s)));
    let line = Line(line.ok());
    let service = hyper::service::service_fn(move |request| {
        let (provider, line) = (Arc::clone(&provider), line.clone());
        async move { provider.answer(request, line).await }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).pipeline_flush(true).max_buf_size(64 * 1024);
    // An error here is a client that went away, or a fault that was asked for.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

impl Provider {
    async fn answer(&self, request: Request<Incoming>, line: Line) -> io::Result<Response<Script>> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LARGEST).collect().await else {
            return Err(io::Error::other("request broken off"));
        };
        let body = body.to_bytes();
        if self.options.admin && head.uri.path().starts_with("/practice/") {
            return self.admin(&head, &body);
        }
        if self.options.admin {
            self.desk.keep(&head, &body);
        }
        let serial = self.counters.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let messages = head.uri.path() == "/v1/messages" || head.headers.contains_key("anthropic-version");
        let request = format!("req_practice{serial}");
        let refuse = |status: u16, message: &str| {
            let body =
                if messages { anthropic::error(status, message, &request) } else { openai::error(status, message) };
            self.whole(status, vec![Step::Bytes(Bytes::from(body.to_string()))], &line)
        };
        if !self.credential_right(&head.headers) {
            return refuse(401, "a credential is missing or wrong");
        }
        if head.method == Method::GET {
            return match head.uri.path().strip_prefix("/v1/models") {
                Some(rest) => self.models(rest.trim_start_matches('/'), messages, &line, refuse),
                None => refuse(404, "no such path"),
            };
        }
        if head.method != Method::POST {
            return refuse(405, "method not allowed");
        }
        let Ok(parsed) = serde_json::from_slice::<Value>(&body) else {
            return refuse(400, "the body is not JSON");
        };
        let Some(model) = parsed.get("model").and_then(Value::as_str).map(str::to_owned) else {
            return refuse(400, "model is missing");
        };
        let planned = self.desk.next();
        let words = planned.as_ref().map_or("", |p| p.words.as_str());
        let asked_by_name = model.rsplit_once(':').map_or("", |(_, words)| words);
        let faults = match Faults::parse(&format!("{words}+{asked_by_name}")) {
            Ok(faults) => faults,
            Err(word) => return refuse(404, &format!("the practice provider knows no fault {word}")),
        };
        let asked = Asked {
            input: answer::input(&parsed, |beginning| self.was_cached(beginning)),
            body: parsed,
            model,
            faults,
            serial,
            now: SystemClock.now().0.div_euclid(1_000_000),
            usual_length: self.options.answer_tokens,
            usage: planned.and_then(|p| p.usage),
        };
        if let Some(time) = asked.faults.wait.or(self.options.first_byte) {
            tokio::time::sleep(time).await;
        }
        if asked.faults.hang {
            std::future::pending::<()>().await;
        }
        if asked.faults.close {
            return Err(io::Error::other("closed on request"));
        }
        let quoted = || answer::texts(&asked.body).join(" ");
        if let Some(status) = asked.faults.status {
            let message = match status {
                400 | 422 => format!("invalid content: {}", asked.body),
                _ => format!("practice fault {status}; it concerned: {}", quoted()),
            };
            return refuse(status, &message);
        }
        let reply = match head.uri.path() {
            "/v1/chat/completions" => openai::completion(&asked, true),
            "/v1/completions" => openai::completion(&asked, false),
            "/v1/embeddings" => openai::embeddings(&asked),
            "/v1/messages" => anthropic::messages(&asked),
            _ => return refuse(404, "no such path"),
        };
        let mut response = match reply {
            Reply::Error(status, message) => return refuse(status, &message),
            Reply::Whole(text) => {
                let full = text.len();
                let steps = reply::play_whole(text, &asked.faults);
                let mut response = self.whole(200, steps, &line)?;
                if asked.faults.breaks_midway() && !asked.faults.malformed_json && !asked.faults.malformed_stream {
                    // Announce all of it, so that what follows is a body broken off.
                    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(full));
                }
                response
            }
            Reply::Events(events) => {
                let broken = format!("the provider failed over: {}", quoted());
                let broken = if messages { anthropic::error_event(&broken) } else { openai::error_event(&broken) };
                let pace = asked.faults.pace.or(self.options.pace);
                let steps = reply::play_events(events, &asked.faults, pace, &broken);
                self.respond(200, "text/event-stream; charset=utf-8", steps, &line)?
            }
        };
        let id = HeaderName::from_static(if messages { "request-id" } else { "x-request-id" });
        if let Ok(value) = HeaderValue::from_str(&request) {
            response.headers_mut().insert(id.clone(), value);
        }
        if asked.faults.echo_headers {
            let seen: String = quoted().chars().filter(|c| c.is_ascii_graphic()).take(4_000).collect();
            if let Ok(value) = HeaderValue::from_str(&seen) {
                for name in [id, HeaderName::from_static("x-practice-echo"), HeaderName::from_static("openai-version")]
                {
                    response.headers_mut().insert(name, value.clone());
                }
            }
        }
        Ok(response)
    }

    fn credential_right(&self, headers: &http::HeaderMap) -> bool {
        let bearer = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
        let given = bearer.or_else(|| {
            ["x-api-key", "x-goog-api-key"].iter().find_map(|n| headers.get(*n)).and_then(|v| v.to_str().ok())
        });
        let wanted = &self.options.credentials;
        given.is_some_and(|g| !g.is_empty() && (wanted.is_empty() || wanted.iter().any(|w| w == g)))
    }

    fn was_cached(&self, beginning: &str) -> bool {
        use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(beginning);
        let mut cached = self.cached.lock();
        if cached.len() >= CACHED {
            cached.clear();
        }
        !cached.insert(hash)
    }

    fn models(
        &self,
        id: &str,
        anthropic: bool,
        line: &Line,
        refuse: impl Fn(u16, &str) -> io::Result<Response<Script>>,
    ) -> io::Result<Response<Script>> {
        let show = |id: &str| {
            if anthropic {
                json!({"type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z"})
            } else {
                json!({"id": id, "object": "model", "created": 1_767_225_600, "owned_by": "practice"})
            }
        };
        let value = if id.is_empty() {
            let all: Vec<Value> = MODELS.into_iter().map(show).collect();
            if anthropic {
                json!({"data": all, "has_more": false, "first_id": MODELS.first(), "last_id": MODELS.last()})
            } else {
                json!({"object": "list", "data": all})
            }
        } else if MODELS.contains(&id) {
            show(id)
        } else {
            return refuse(404, "no such model");
        };
        self.whole(200, vec![Step::Bytes(Bytes::from(value.to_string()))], line)
    }

    fn admin(&self, head: &http::request::Parts, body: &[u8]) -> io::Result<Response<Script>> {
        let (status, value) = match (head.method.as_str(), head.uri.path()) {
            ("PUT", "/practice/faults") => match self.desk.plan(body) {
                Ok(()) => (200, json!({})),
                Err(why) => (400, json!({"error": why})),
            },
            ("GET", "/practice/requests") => (200, self.desk.received()),
            ("DELETE", "/practice/requests") => {
                self.desk.forget();
                (200, json!({}))
            }
            ("GET", "/practice/counters") => {
                let of = |c: &std::sync::atomic::AtomicU64| c.load(Ordering::Relaxed);
                let counters = &self.counters;
                let (requests, completed) = (of(&counters.requests), of(&counters.completed));
                (200, json!({"requests": requests, "completed": completed, "abandoned": of(&counters.abandoned)}))
            }
            _ => (404, json!({"error": "no such path"})),
        };
        // Counted apart, so that these answers are not among those of the dialects.
        let script = Script::new(vec![Step::Bytes(value.to_string().into())], Line::default(), Arc::default());
        build(status, "application/json", script)
    }

    fn whole(&self, status: u16, steps: Vec<Step>, line: &Line) -> io::Result<Response<Script>> {
        let length: usize = steps.iter().map(|s| if let Step::Bytes(b) = s { b.len() } else { 0 }).sum();
        let mut response = self.respond(status, "application/json", steps, line)?;
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        if matches!(status, 429 | 503 | 529) {
            response.headers_mut().insert("retry-after", HeaderValue::from_static("7"));
        }
        Ok(response)
    }

    fn respond(&self, status: u16, kind: &'static str, steps: Vec<Step>, line: &Line) -> io::Result<Response<Script>> {
        build(status, kind, Script::new(steps, line.clone(), Arc::clone(&self.counters)))
    }
}

fn build(status: u16, kind: &'static str, script: Script) -> io::Result<Response<Script>> {
    let mut response = Response::new(script);
    *response.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

#[cfg(test)]
mod tests;
