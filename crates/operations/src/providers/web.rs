//! How providers are asked: over `https`, at addresses of the public internet unless the operator allows others, with a
//! bound on time and on the length of an answer.

use super::model::ProviderError;
use crate::messages::outbound::Outbound;
use http::{Method, header};
use http_body_util::Full;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use std::pin::Pin;
use std::time::Duration;
use url::Url;

/// GitHub refuses who does not say what they are.
const AGENT: &str = "tacit";

/// There was no answer. Why is not told: it would quote.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
pub(super) struct NoAnswer;

pub(super) struct Web(Outbound);

impl Web {
    pub(super) fn new(allow_private: bool, authority: Option<&[u8]>, time: Duration) -> Result<Self, String> {
        let wrong = |_| "ca is not a certificate in PEM".to_owned();
        Outbound::new(allow_private, authority, time).map(Self).map_err(wrong)
    }

    /// See [`Outbound::to_stand_in`].
    #[cfg(test)]
    pub(super) fn to_stand_in(stand_in: std::net::SocketAddr, authority: &[u8]) -> Self {
        Self(Outbound::to_stand_in(stand_in, authority))
    }

    async fn asked(&self, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        let (mut parts, body) = request.into_parts();
        parts.headers.insert(header::USER_AGENT, header::HeaderValue::from_static(AGENT));
        let answer = self.0.send(http::Request::from_parts(parts, Full::from(body))).await.map_err(|_| NoAnswer)?;
        let response = http::Response::builder().status(answer.status).header(header::CONTENT_TYPE, "application/json");
        response.body(answer.body.to_vec()).map_err(|_| NoAnswer)
    }

    /// Reads JSON, also in the wrapping in which QQ puts it for scripts.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: &Url, bearer: Option<&str>) -> Result<T, ProviderError> {
        let mut request = http::Request::builder().method(Method::GET).uri(url.as_str());
        request = request.header(header::ACCEPT, "application/json");
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Vec::new()).map_err(|_| ProviderError::Untrue)?;
        let answer = self.asked(request).await.map_err(|NoAnswer| ProviderError::Unreachable)?;
        if answer.status().is_server_error() {
            return Err(ProviderError::Unreachable);
        }
        serde_json::from_slice(unwrapped(answer.body())).map_err(|_| ProviderError::Refused)
    }
}

impl<'c> AsyncHttpClient<'c> for Web {
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NoAnswer>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.asked(request))
    }
}

/// What is within `callback( … );`.
fn unwrapped(body: &[u8]) -> &[u8] {
    let plain = body.trim_ascii();
    let inner = plain.strip_prefix(b"callback(").and_then(|rest| {
        let rest = rest.strip_suffix(b";").unwrap_or(rest).trim_ascii_end();
        rest.strip_suffix(b")")
    });
    inner.map_or(plain, <[u8]>::trim_ascii)
}

/// The address that is set, or that of the preset. `https` only: a code or a secret is said there.
pub(super) fn address(set: Option<&str>, preset: &str, name: &str) -> Result<Url, String> {
    let url = set.unwrap_or(preset).parse::<Url>().map_err(|_| format!("{name} is no URL"))?;
    if url.scheme() == "https" && url.has_host() { Ok(url) } else { Err(format!("{name}: give an https URL")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapping_is_taken_off() {
        for text in ["callback( {\"a\":1} );\n", "callback({\"a\":1})", " {\"a\":1} "] {
            assert_eq!(unwrapped(text.as_bytes()), b"{\"a\":1}", "{text}");
        }
    }

    #[test]
    fn nothing_is_said_in_clear() {
        assert!(address(Some("http://provider.example/token"), "", "token_url").is_err());
        assert!(address(None, "https://provider.example/token", "token_url").is_ok());
    }
}
