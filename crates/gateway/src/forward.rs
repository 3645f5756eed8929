//! Requests for the console: forwarded to the control plane as they are, unread. Which those are is said in
//! `tacit_kernel::paths`.
//!
//! Bodies pass through piece by piece, in both directions; what is held is what one read brought. Connections are
//! bounded, and are the lane's own. A call never comes here.

mod answer;
mod headers;
mod upload;

pub(crate) use answer::Forwarded;

use crate::client::{Client, Cut, Gone};
use crate::lane::Lane;
use crate::reply::{self, Reply};
use crate::request;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{self, Client as HttpClient};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tacit_kernel::paths;
use tacit_link::Endpoint;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::util::BoxCloneSyncService;
use upload::{Sender, Upload};

/// Requests that a gateway forwards at the same time; more are refused.
pub(crate) const AT_ONCE: usize = 256;
/// Largest request body, in bytes.
const BODY_MAX: u64 = 8 << 20;
/// How long connecting to the control plane may take, and how long it may take to begin its answer: more than it
/// gives itself.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(40);
/// Idle connections that a lane keeps, and for how long: less than the other side does, so that none is used that is just
/// closed.
const IDLE: usize = 16;
const IDLE_FOR: Duration = Duration::from_secs(5);

/// How long whoever asked for too much waits to be told so. A flood of requests is slowed to one a second of each connection,
/// so that it costs calls nothing; whoever waits takes no place here and no connection to the control plane.
const TOLD_LATE: Duration = Duration::from_secs(1);
/// Largest body of such an answer, in bytes.
const TOLD: usize = 4096;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to the control plane.
struct Io(TokioIo<Box<dyn Duplex>>);

impl Connection for Io {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A lane's way to the control plane.
pub(crate) struct Forward {
    client: HttpClient<BoxCloneSyncService<Uri, Io, io::Error>, Upload>,
    /// Of the whole gateway.
    places: Arc<Semaphore>,
}

impl Forward {
    pub(crate) fn new(endpoint: Endpoint, places: Arc<Semaphore>) -> Self {
        let connector = tower::service_fn(move |_: Uri| {
            let endpoint = endpoint.clone();
            async move { tokio::time::timeout(CONNECT, connect(&endpoint)).await? }
        });
        let client = HttpClient::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE)
            .pool_idle_timeout(IDLE_FOR)
            .pool_timer(TokioTimer::new())
            .set_host(false)
            .build(BoxCloneSyncService::new(connector));
        Self { client, places }
    }
}

async fn connect(endpoint: &Endpoint) -> io::Result<Io> {
    let stream: Box<dyn Duplex> = match endpoint {
        Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Endpoint::Tcp { host, port } => {
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let stream = TcpStream::connect((host, *port)).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
    };
    Ok(Io(TokioIo::new(stream)))
}

/// Whether a request is for the console.
pub(crate) fn is_for_console(parts: &Parts) -> bool {
    paths::is_forwarded(reads(&parts.method), parts.uri.path())
}

/// Whether who asked expects an answer of the console, though it is not asked.
pub(crate) fn is_near_console(parts: &Parts) -> bool {
    parts.uri.path().starts_with("/api/")
}

/// What is answered there.
pub(crate) fn nowhere() -> Response<Reply> {
    refusal(&Refused::Nowhere, "/api/")
}

fn reads(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Why a request is not forwarded, or not answered.
enum Refused {
    Away,
    Busy,
    TooLarge,
    TooSlow,
    Malformed,
    /// A path of which nothing is forwarded with a body.
    Nowhere,
}

/// Forwards a request and answers with what the control plane says.
///
/// # Errors
/// The client has gone.
pub(crate) async fn forward(
    lane: &Lane,
    forward: &Forward,
    peer: IpAddr,
    request_id: &str,
    parts: &Parts,
    client: &mut (dyn Client + '_),
) -> Result<Response<Reply>, Gone> {
    let asked = pin!(asked(lane, forward, peer, request_id, parts, client)).await;
    match asked {
        Ok(answer) => Ok(answer),
        Err(None) => Err(Gone),
        Err(Some(refused)) => {
            request::drain(client).await;
            if matches!(refused, Refused::Busy) {
                client.stays_for(pin!(tokio::time::sleep(TOLD_LATE))).await?;
            }
            Ok(refusal(&refused, parts.uri.path()))
        }
    }
}

async fn asked(
    lane: &Lane,
    forward: &Forward,
    peer: IpAddr,
    request_id: &str,
    parts: &Parts,
    client: &mut (dyn Client + '_),
) -> Result<Response<Reply>, Option<Refused>> {
    if client.announced() > BODY_MAX {
        return Err(Some(Refused::TooLarge));
    }
    let place = Arc::clone(&forward.places).try_acquire_owned().map_err(|_| Some(Refused::Busy))?;
    let head_only = parts.method == Method::HEAD;
    // What reads has no body here; the rest of one would stand in the way of the answer.
    let first = if reads(&parts.method) {
        request::drain(client).await;
        None
    } else {
        let first = tokio::time::timeout(lane.config.timeouts.body, client.data()).await;
        first.map_err(|_| Some(Refused::TooSlow))?.transpose().map_err(cut)?
    };
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    let (upload, sender) = if first.is_some() { Upload::of(announced) } else { (Upload::none(), None) };
    let request = outgoing(lane, peer, request_id, parts, upload).ok_or(Some(Refused::Malformed))?;
    let mut answering = pin!(tokio::time::timeout(ANSWER + lane.config.timeouts.body, forward.client.request(request)));
    if let (Some(first), Some(sender)) = (first, sender) {
        let early = {
            let uploading = pin!(uploaded(client, first, sender, answering.as_mut()));
            tokio::time::timeout(lane.config.timeouts.body, uploading).await.map_err(|_| Some(Refused::TooSlow))?
        }?;
        if let Some(answered) = early {
            // It did not want the rest.
            request::drain(client).await;
            return answer(lane, answered, head_only, place, client).await;
        }
    }
    let answered = client.stays_for(answering.as_mut()).await.map_err(|Gone| None)?;
    answer(lane, answered, head_only, place, client).await
}

const fn cut(cut: Cut) -> Option<Refused> {
    match cut {
        Cut::Gone => None,
        Cut::Malformed => Some(Refused::Malformed),
    }
}

type Answered = Result<Result<Response<Incoming>, legacy::Error>, tokio::time::error::Elapsed>;

/// Sends the body on. An answer that comes before its end is returned; the rest is not wanted then.
async fn uploaded(
    client: &mut (dyn Client + '_),
    first: Bytes,
    sender: Sender,
    mut answering: Pin<&mut impl Future<Output = Answered>>,
) -> Result<Option<Answered>, Option<Refused>> {
    let (mut piece, mut seen) = (first, 0_u64);
    loop {
        seen = seen.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if seen > BODY_MAX {
            return Err(Some(Refused::TooLarge));
        }
        tokio::select! {
            biased;
            answered = answering.as_mut() => return Ok(Some(answered)),
            sent = sender.piece(piece) => if sent.is_err() { return Ok(None) },
        }
        piece = tokio::select! {
            biased;
            answered = answering.as_mut() => return Ok(Some(answered)),
            next = client.data() => match next {
                Some(next) => next.map_err(cut)?,
                None => break,
            },
        };
    }
    tokio::select! {
        answered = answering.as_mut() => Ok(Some(answered)),
        _ = sender.end() => Ok(None),
    }
}

async fn answer(
    lane: &Lane,
    answered: Answered,
    head_only: bool,
    place: OwnedSemaphorePermit,
    client: &mut (dyn Client + '_),
) -> Result<Response<Reply>, Option<Refused>> {
    let Ok(Ok(response)) = answered else { return Err(Some(Refused::Away)) };
    let (mut parts, body) = response.into_parts();
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    headers::of_one_hop(&mut parts.headers);
    // Too much was asked for, or more than there is room for at this moment.
    let shed = matches!(parts.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    if shed && !head_only && parts.headers.contains_key(RETRY_AFTER) {
        let collecting = Limited::new(body, TOLD).collect();
        let told = tokio::time::timeout(lane.config.timeouts.idle, collecting).await;
        let Ok(Ok(told)) = told else { return Err(Some(Refused::Away)) };
        drop(place);
        client.stays_for(pin!(tokio::time::sleep(TOLD_LATE))).await.map_err(|Gone| None)?;
        let told = told.to_bytes();
        let mut response = Response::new(Reply::Ours((!told.is_empty()).then_some(told)));
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        return Ok(response);
    }
    let silence = lane.config.timeouts.idle;
    let forwarded = Forwarded::new(body, length.filter(|_| head_only), head_only, silence, place);
    let mut response = Response::new(Reply::Forwarded(Box::new(forwarded)));
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    Ok(response)
}

fn outgoing(lane: &Lane, peer: IpAddr, request_id: &str, parts: &Parts, upload: Upload) -> Option<Request<Upload>> {
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let uri = Uri::builder().scheme("http").authority("console").path_and_query(target).build().ok()?;
    let mut request = Request::new(upload);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri;
    let (tls, trusted) = (lane.config.tls.is_some(), lane.config.trusted_proxies.as_slice());
    *request.headers_mut() = headers::forwarded(parts, peer, tls, trusted, request_id)?;
    Some(request)
}

fn refusal(refused: &Refused, path: &str) -> Response<Reply> {
    let (status, code, detail) = match refused {
        Refused::Away => (
            StatusCode::SERVICE_UNAVAILABLE,
            "console.unavailable",
            "the console is away for a moment; calls of the API are served meanwhile",
        ),
        Refused::Busy => (StatusCode::SERVICE_UNAVAILABLE, "console.busy", "too many requests at once; try again"),
        Refused::TooLarge => {
            (StatusCode::PAYLOAD_TOO_LARGE, "request.too_large", "the body is larger than this interface takes")
        }
        Refused::TooSlow => (StatusCode::REQUEST_TIMEOUT, "request.timed_out", "the body did not arrive in time"),
        Refused::Nowhere => (StatusCode::NOT_FOUND, "request.path", "there is no such path"),
        Refused::Malformed => (StatusCode::BAD_REQUEST, "request.broken", "the request is no HTTP as it must be"),
    };
    let mut response = if path.starts_with("/api/") {
        let title = status.canonical_reason().unwrap_or("error");
        let problem = serde_json::json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail,
        });
        let mut response = reply::json(status, Bytes::from(problem.to_string()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    } else {
        reply::text(status, format!("{detail}\n"))
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}
