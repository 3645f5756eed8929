//! The client's side of the demo's call: one streamed chat completion.

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// What to ask of whom.
pub(super) struct Ask<'a> {
    pub(super) url: &'a str,
    pub(super) key: &'a SecretString,
    pub(super) model: &'a str,
    pub(super) prompt: &'a str,
    /// The gateway's own certificate, if it has one.
    pub(super) certificate: Option<&'a Path>,
}

/// What came back.
pub(super) struct Answered {
    pub(super) text: String,
    /// Id of the call, from the answer's header.
    pub(super) call: String,
}

/// How long each part of the answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes the call; `show` is given the answer piece by piece.
pub(super) async fn ask(ask: &Ask<'_>, show: impl Fn(&str) -> anyhow::Result<()>) -> anyhow::Result<Answered> {
    let client = crate::https::client(ask.certificate)?;
    let body = json!({
        "model": ask.model,
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_tokens": 300,
        "messages": [{"role": "user", "content": ask.prompt}],
    });
    let request = http::Request::post(format!("{}/v1/chat/completions", ask.url.trim_end_matches('/')))
        .header("authorization", format!("Bearer {}", ask.key.expose_secret()))
        .header("content-type", "application/json")
        .header("user-agent", concat!("tacit-demo/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body.to_string())))?;
    let response = tokio::time::timeout(PATIENCE, client.request(request))
        .await
        .context("the gateway did not answer in time")?
        .with_context(|| format!("the gateway at {} cannot be reached", ask.url))?;
    let status = response.status();
    let call = response.headers().get("x-request-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let mut body = response.into_body();
    if !status.is_success() {
        let bytes = Limited::new(body, 1 << 20).collect().await.map_err(|e| anyhow::anyhow!("{e}"))?.to_bytes();
        let said = String::from_utf8_lossy(&bytes).into_owned();
        anyhow::bail!("the gateway refused the call with status {}: {said}", status.as_u16());
    }
    let call = call.context("the answer has no x-request-id")?;
    let (mut text, mut rest, mut ended) = (String::new(), Vec::new(), false);
    while let Some(frame) = tokio::time::timeout(PATIENCE, body.frame()).await.context("the stream fell silent")? {
        let Ok(data) = frame.context("the stream broke off")?.into_data() else { continue };
        rest.extend_from_slice(&data);
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let Some(event) = std::str::from_utf8(&line)?.trim_end().strip_prefix("data:").map(str::trim) else {
                continue;
            };
            if event == "[DONE]" {
                ended = true;
                continue;
            }
            let event: Value = serde_json::from_str(event).context("an event of the stream is not JSON")?;
            if let Some(error) = event.get("error") {
                anyhow::bail!("the stream ended with an error: {error}");
            }
            if let Some(piece) = event.pointer("/choices/0/delta/content").and_then(Value::as_str) {
                text.push_str(piece);
                show(piece)?;
            }
        }
    }
    anyhow::ensure!(ended, "the stream ended without its end mark");
    Ok(Answered { text, call })
}
