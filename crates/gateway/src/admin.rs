//! The private listener: whether the process lives, whether it serves, and what it counted.

use crate::config::Sandbox;
use crate::gateway::Gateway;
use crate::reply::{self, Reply};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use std::sync::atomic::Ordering::Relaxed;

/// Answers a request to the private listener.
pub(crate) fn answer(gateway: &Gateway, method: &Method, path: &str) -> Response<Reply> {
    if method != Method::GET && method != Method::HEAD {
        return reply::text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
    }
    match path {
        "/healthz" => reply::json(StatusCode::OK, state(gateway)),
        "/readyz" if gateway.ready() => reply::json(StatusCode::OK, state(gateway)),
        "/readyz" => reply::json(StatusCode::SERVICE_UNAVAILABLE, state(gateway)),
        "/metrics" => metrics(gateway),
        _ => reply::text(StatusCode::NOT_FOUND, "/healthz /readyz /metrics\n"),
    }
}

fn state(gateway: &Gateway) -> bytes::Bytes {
    let value = serde_json::json!({
        "component": "gateway",
        "name": gateway.config.name,
        "version": env!("CARGO_PKG_VERSION"),
        "sandbox": if gateway.config.sandbox == Sandbox::On { "on" } else { "off" },
        "link": if gateway.link.up() { "up" } else { "down" },
        "serving": gateway.serving.load(Relaxed),
        "draining": gateway.draining.load(Relaxed),
        "models": gateway.catalog.load().list.len(),
        "unacknowledged_events": gateway.outbox.unacknowledged(),
    });
    value.to_string().into()
}

fn metrics(gateway: &Gateway) -> Response<Reply> {
    let metrics = &gateway.metrics;
    metrics.link_up.set(i64::from(gateway.link.up()));
    metrics.unacknowledged.set(i64::try_from(gateway.outbox.unacknowledged()).unwrap_or(i64::MAX));
    metrics.bodies.set(i64::try_from(gateway.bodies.held()).unwrap_or(i64::MAX));
    let mut text = String::new();
    if prometheus_client::encoding::text::encode(&mut text, &metrics.registry).is_err() {
        return reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n");
    }
    let mut response = reply::text(StatusCode::OK, text);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
