//! `/healthz`, `/readyz` and `/metrics` of the control plane, on a port of its own that is not for the public.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tacit_control::Control;
use tacit_operations::messages::Messages;
use tokio::net::TcpListener;

/// Serves until `shutdown` is done.
pub(crate) async fn serve(
    listener: TcpListener,
    control: Arc<Control>,
    messages: Messages,
    shutdown: impl Future<Output = ()>,
) {
    let mut connections = tokio::task::JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                // Weak: a probe that keeps its connection must not keep the control plane.
                let control = Arc::downgrade(&control);
                let messages = messages.clone();
                let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (status, text) = match (control.upgrade(), request.uri().path()) {
                        (Some(control), path) => answer(&control, &messages, path),
                        (None, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()),
                    };
                    let mut response = Response::new(Full::new(Bytes::from(text)));
                    *response.status_mut() = status;
                    std::future::ready(Ok::<_, Infallible>(response))
                });
                connections.spawn(async move {
                    let mut http = hyper::server::conn::http1::Builder::new();
                    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
                    drop(http.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        }
    }
}

fn answer(control: &Control, messages: &Messages, path: &str) -> (StatusCode, String) {
    match path {
        "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
        "/readyz" if control.ready() => (StatusCode::OK, "ready\n".to_owned()),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
        "/metrics" => {
            let mut text = control.metrics_text();
            let messages = messages.metrics_text();
            let own = format!(
                "# HELP tacit_log_dropped Fields that were not logged because the data map does not \
                 declare them.\n# TYPE tacit_log_dropped counter\ntacit_log_dropped_total {}\n",
                crate::log::dropped()
            );
            // OpenMetrics ends with a mark; what is added goes before it.
            let at = text.rfind("# EOF").unwrap_or(text.len());
            text.insert_str(at, &own);
            text.insert_str(at, messages.trim_end().trim_end_matches("# EOF"));
            (StatusCode::OK, text)
        }
        _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
    }
}
