//! An HTTP client that shows what came back, however it ended.

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer, read to its end or to where it broke off.
#[derive(Debug)]
pub struct Answer {
    /// Status of the head.
    pub status: StatusCode,
    /// Headers of the head.
    pub headers: HeaderMap,
    /// All bytes that arrived.
    pub body: Bytes,
    /// Whether the body ended as HTTP says it must.
    pub whole: bool,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The `data:` of each event.
    #[must_use]
    pub fn events(&self) -> Vec<String> {
        self.text().lines().filter_map(|l| l.strip_prefix("data: ").map(str::to_owned)).collect()
    }

    /// Whether a stream arrived with its end mark and without an error event.
    #[must_use]
    pub fn complete_stream(&self) -> bool {
        let events = self.events();
        let ended = events.last().is_some_and(|e| e == "[DONE]" || e.contains("\"message_stop\""));
        let failed = events.iter().any(|e| {
            let value: Value = serde_json::from_str(e).unwrap_or_default();
            value.get("error").is_some() || value.get("type").and_then(Value::as_str) == Some("error")
        });
        self.whole && self.status.is_success() && ended && !failed
    }

    /// The id of the call, as the gateway names it in its answer.
    #[must_use]
    pub fn call(&self) -> Option<String> {
        ["x-request-id", "request-id"].iter().find_map(|n| self.headers.get(*n)?.to_str().ok()).map(str::to_owned)
    }
}

/// A client of one platform, with a key.
#[derive(Clone, Debug)]
pub struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    base: String,
    key: String,
}

impl Client {
    /// A client with connections of its own.
    #[must_use]
    pub fn new(base: &str, key: &str) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { pool, base: base.trim_end_matches('/').to_owned(), key: key.to_owned() }
    }

    /// Starts a request with the key on it.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
    }

    /// Sends a request and gives the head of the answer.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn open(&self, request: Request<Full<Bytes>>) -> anyhow::Result<http::Response<Incoming>> {
        Ok(self.pool.request(request).await?)
    }

    /// Sends a request and reads the answer to its end.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let (head, mut incoming) = self.open(request).await?.into_parts();
        let mut body = Vec::new();
        let mut whole = true;
        while let Some(frame) = incoming.frame().await {
            match frame {
                Ok(frame) => body.extend_from_slice(frame.data_ref().map_or(&[], |d| d.as_ref())),
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, body: body.into(), whole })
    }

    /// `GET`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(Method::GET, path).body(Full::default())?).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(self.request(Method::POST, path).body(Full::from(body.to_string()))?).await
    }

    /// A client that speaks HTTP/2 from the first byte.
    #[must_use]
    pub fn http2(base: &str, key: &str) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).http2_only(true).build(HttpConnector::new());
        Self { pool, ..Self::new(base, key) }
    }

    /// Sends bytes as they are over a connection of its own, and gives what comes back within `patience`.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn raw(&self, bytes: &[u8], patience: Duration) -> anyhow::Result<Vec<u8>> {
        let address = self.base.strip_prefix("http://").context("a plain address")?;
        let mut stream = TcpStream::connect(address).await?;
        let mut answer = Vec::new();
        let exchange = async {
            // It may be closed while we still write.
            let _ = stream.write_all(bytes).await;
            let _ = stream.read_to_end(&mut answer).await;
        };
        let _ = tokio::time::timeout(patience, exchange).await;
        Ok(answer)
    }

    /// Sends a request, reads at most `bytes` of the body, and goes away.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn abandon(&self, request: Request<Full<Bytes>>, bytes: usize) -> anyhow::Result<Bytes> {
        // A pool of its own: with it the connection is gone at once.
        let lonely: Pool<_, Full<Bytes>> = Pool::builder(TokioExecutor::new()).build(HttpConnector::new());
        let mut body = lonely.request(request).await?.into_body();
        let mut read = Vec::new();
        while read.len() < bytes {
            match body.frame().await {
                Some(Ok(frame)) => read.extend_from_slice(frame.data_ref().map_or(&[], |d| d.as_ref())),
                _ => break,
            }
        }
        Ok(read.into())
    }
}
