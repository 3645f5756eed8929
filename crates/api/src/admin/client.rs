//! The client of the admin socket, used by the command line.

use super::problem::Problem;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use std::path::PathBuf;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// What can go wrong with a request to a running platform.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens on the socket.
    #[error(
        "no running platform answers on {path} ({why}): start it with `tacit serve`, or name its data directory with --data-dir"
    )]
    NotRunning {
        /// The socket.
        path: String,
        /// What the system says.
        why: String,
    },
    /// The platform refused.
    #[error("{} ({})", .0.detail, .0.code)]
    Refused(Box<Problem>),
    /// The platform takes no request of that size.
    #[error("the request is larger than the 1 MiB that the platform takes: split the file")]
    TooLarge,
    /// The connection broke off, or the answer is not what this version expects.
    #[error("the platform's answer cannot be used ({0}): is it of the same version as this command?")]
    Broken(String),
}

impl ClientError {
    /// The stable code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

/// A client of one admin socket. Every request is a connection of its own.
#[derive(Clone, Debug)]
pub struct AdminClient {
    socket: PathBuf,
    reason: Option<http::HeaderValue>,
}

/// The longest answer that is read.
const MOST: usize = 64 << 20;

impl AdminClient {
    /// A client of the socket at this path.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), reason: None }
    }

    /// The same, telling the audit log why; `None` if that is not one line.
    #[must_use]
    pub fn because(self, reason: &str) -> Option<Self> {
        let reason = http::HeaderValue::from_bytes(reason.as_bytes()).ok()?;
        Some(Self { reason: Some(reason), ..self })
    }

    /// Reads.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(http::Method::GET, path, &()).await
    }

    /// Creates, or does.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.send(http::Method::POST, path, body).await
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.send(http::Method::PATCH, path, body).await
    }

    /// Removes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(http::Method::DELETE, path, &()).await
    }

    /// Does what is answered with a file, which is written as it comes.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Broken`] also if it cannot be written.
    pub async fn save(
        &self,
        path: &str,
        body: &impl Serialize,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), ClientError> {
        let broken = |e: &dyn std::fmt::Display| ClientError::Broken(e.to_string());
        let mut response = self.asked(http::Method::POST, path, body).await?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        while let Some(frame) = response.body_mut().frame().await {
            if let Ok(bytes) = frame.map_err(|e| broken(&e))?.into_data() {
                to.write_all(&bytes).await.map_err(|e| broken(&e))?;
            }
        }
        to.flush().await.map_err(|e| broken(&e))
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: http::Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let broken = |e: &dyn std::fmt::Display| ClientError::Broken(e.to_string());
        let response = self.asked(method, path, body).await?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let bytes = Limited::new(response.into_body(), MOST).collect().await.map_err(|e| broken(&e))?.to_bytes();
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes).map_err(|e| broken(&e))
    }

    async fn asked(
        &self,
        method: http::Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<http::Response<Incoming>, ClientError> {
        let broken = |e: &dyn std::fmt::Display| ClientError::Broken(e.to_string());
        let stream = tokio::net::UnixStream::connect(&self.socket).await.map_err(|e| ClientError::NotRunning {
            path: self.socket.display().to_string(),
            why: e.kind().to_string(),
        })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
        // It ends with the answer.
        tokio::spawn(async move { drop(connection.await) });
        let body = if method == http::Method::GET || method == http::Method::DELETE {
            Vec::new()
        } else {
            serde_json::to_vec(body).map_err(|e| broken(&e))?
        };
        if body.len() > super::BODY_MAX {
            // The platform would break off in the middle of it, which says less.
            return Err(ClientError::TooLarge);
        }
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "tacit")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| broken(&e))?;
        if let Some(reason) = &self.reason {
            request.headers_mut().insert(super::recording::REASON, reason.clone());
        }
        sender.send_request(request).await.map_err(|e| broken(&e))
    }
}

/// What a refusal says.
async fn refused(response: http::Response<Incoming>) -> ClientError {
    let status = response.status().as_u16();
    let bytes = match Limited::new(response.into_body(), MOST).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(e) => return ClientError::Broken(e.to_string()),
    };
    match serde_json::from_slice(&bytes) {
        Ok(problem) => ClientError::Refused(Box::new(problem)),
        Err(_) => ClientError::Broken(format!("status {status}")),
    }
}

/// Writes a reference or a filter as one part of a path or query.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
