//! What holds for every request, whichever route it is for: it ends in time, no other site has sent it, and its answer
//! carries strict headers.

use super::{Client, Console, input, routes, verification};
use crate::problem::Refusal;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use tacit_kernel::{ErrorKind, Fault};

/// How long a request may take, its body included.
const TIME: Duration = Duration::from_secs(30);

/// A route that takes something larger than a form, and no form.
struct Upload {
    method: Method,
    /// As it is registered.
    path: &'static str,
    /// In bytes.
    most: usize,
    kinds: &'static [&'static str],
    time: Duration,
}

static UPLOADS: [Upload; 1] = [Upload {
    method: Method::PUT,
    path: verification::PAPER,
    most: 8 << 20,
    kinds: &["image/jpeg", "image/png", "application/pdf"],
    time: Duration::from_secs(60),
}];

impl Upload {
    fn of(request: &Request) -> Option<&'static Self> {
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        UPLOADS.iter().find(|upload| upload.path == path && *request.method() == upload.method)
    }
}

/// The headers of every answer. An API answer is data: it may load nothing and be embedded nowhere.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (header::CACHE_CONTROL, "no-store"),
];
/// For two years, as browsers' preload lists ask.
const HSTS: &str = "max-age=63072000; includeSubDomains";

/// Stands around every route.
pub(super) async fn around(State(console): State<Console>, request: Request, next: Next) -> Response {
    let https = Client::of(request.headers()).https;
    let reads = is_safe(request.method());
    let upload = Upload::of(&request);
    let answered = async {
        let request = match arrived(&console, upload, request).await {
            Ok(request) => request,
            Err(refusal) => return refusal.into_response(),
        };
        match checked(upload, request.method(), request.headers()) {
            Ok(()) if reads => next.run(request).await,
            Ok(()) => to_its_end(console, request, next).await,
            Err(refusal) => refusal.into_response(),
        }
    };
    let mut response = match tokio::time::timeout(upload.map_or(TIME, |upload| upload.time), answered).await {
        Ok(response) => response,
        Err(_) => Refusal::with_status(
            StatusCode::SERVICE_UNAVAILABLE,
            "request.timed_out",
            "this took too long; try again later",
        )
        .into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        // A page says itself what it loads; whatever says nothing loads nothing.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    response
}

/// Runs what changes something apart from the connection: whoever hangs up, or has waited too long, stops nothing halfway, and
/// the outcome is written down and told to gateways all the same.
async fn to_its_end(console: Console, request: Request, next: Next) -> Response {
    let running = tokio::spawn(async move {
        let response = next.run(request).await;
        if response.status().is_success() {
            (console.changed)();
        }
        response
    });
    let broken = |_| Refusal::from(Fault::internal("request.broken", "the handler broke off")).into_response();
    running.await.unwrap_or_else(broken)
}

/// The request with its whole body, which is small here. What is refused before it has arrived would close the connection
/// under whoever still sends, and the answer with it. What is larger than a form is taken only from who is known here.
async fn arrived(console: &Console, upload: Option<&Upload>, request: Request) -> Result<Request, Refusal> {
    let (parts, body) = request.into_parts();
    let body = match upload {
        Some(upload) if routes::caller(console, &parts.headers).await.is_ok() => {
            input::upload(body, upload.most).await?
        }
        _ => input::whole(Request::from_parts(parts.clone(), body)).await?,
    };
    Ok(Request::from_parts(parts, Body::from(body)))
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a request that changes something comes from our own pages or from a program, and not from another site in
/// somebody's browser.
fn checked(upload: Option<&Upload>, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    if is_safe(method) {
        return Ok(());
    }
    if !same_origin(headers) {
        let message = "requests from other sites change nothing here";
        return Err(Fault::new(ErrorKind::Forbidden, "request.cross_site", message).into());
    }
    let kind = headers.get(header::CONTENT_TYPE);
    // What a form of another site could send without asking is never JSON, nor one of these.
    match upload {
        Some(upload) if kind.is_none_or(|kind| upload.kinds.contains(&essence(kind).as_str())) => Ok(()),
        Some(_) => Err(no_paper()),
        None if kind.is_some_and(|kind| !is_json(kind)) => Err(unsupported()),
        None => Ok(()),
    }
}

/// Browsers tell where a request comes from in `Sec-Fetch-Site`, older ones in `Origin`; other programs tell neither,
/// and have no cookies of somebody else.
fn same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin.as_ref().and_then(Uri::authority), host) {
        (Some(origin), Some(host)) => origin.as_str().eq_ignore_ascii_case(host),
        _ => false,
    }
}

/// Whether that is `application/json`, with whatever parameters.
pub(super) fn is_json(kind: &HeaderValue) -> bool {
    essence(kind) == "application/json"
}

/// A media type without parameters, in small letters.
fn essence(kind: &HeaderValue) -> String {
    let essence = kind.to_str().ok().and_then(|text| text.split(';').next()).unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// A body that is none of those that are taken where a paper is.
pub(super) fn no_paper() -> Refusal {
    let message = "send it as it is, as image/jpeg, image/png or application/pdf";
    Refusal::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request.media_type", message)
}

/// A body that is no JSON.
pub(super) fn unsupported() -> Refusal {
    Refusal::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request.media_type", "send the body as application/json")
}
