//! What is read from a request before anything is decided: key, caller, body.

use crate::call::{Caller, USER_AGENT};
use crate::client::{Client, Cut};
use crate::gateway::Gateway;
use crate::memory::BodyMemory;
use crate::refusal::Refusal;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderMap};
use http::request::Parts;
use ipnet::IpNet;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::call::ErrorCode;
use tacit_protocol::{Body, Envelope, EnvelopeScanner, headers};

/// What is still read of a body that is not wanted, so that the client gets to see why.
const DRAIN_BYTES: usize = 1 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The key, wherever it was sent.
pub(crate) fn key(parts: &Parts) -> Option<&str> {
    let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok());
    let bearer = parts.headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|text| {
        let (scheme, key) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let query = || parts.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("key="));
    bearer.or_else(|| header("x-api-key")).or_else(|| header("x-goog-api-key")).or_else(query).filter(|k| !k.is_empty())
}

/// Who calls, and with what.
pub(crate) fn caller(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> Caller {
    let user_agent = headers.get(http::header::USER_AGENT).map_or(&[][..], |v| v.as_bytes());
    Caller {
        address: address(headers, peer, trusted),
        user_agent: user_agent.get(..USER_AGENT).unwrap_or(user_agent).into(),
        agent: headers::agent_family(headers),
    }
}

/// The caller's address: the peer's, or what trusted proxies say: the last address they did not make themselves.
pub(crate) fn address(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|range| range.contains(&address.to_canonical()));
    if trusted.is_empty() || !is_trusted(&peer) {
        return peer;
    }
    let mut last = peer;
    for value in headers.get_all("x-forwarded-for").iter().rev() {
        for hop in value.to_str().unwrap_or_default().rsplit(',') {
            let Ok(address) = hop.trim().parse::<IpAddr>() else { return last };
            last = address;
            if !is_trusted(&address) {
                return address;
            }
        }
    }
    last
}

/// Reads the body and what it asks for.
///
/// # Errors
/// Why it cannot be served.
pub(crate) async fn body(
    gateway: &Gateway,
    headers: &HeaderMap,
    client: &mut (dyn Client + '_),
) -> Result<(Body, Envelope), Refusal> {
    if headers.get(CONTENT_ENCODING).is_some_and(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity")) {
        drain(client).await;
        return Err(Refusal::saying(
            ErrorCode::BodyInvalid,
            "compressed request bodies are not accepted; send the body without content-encoding",
        ));
    }
    let reading = pin!(read(gateway.config.max_body_bytes, &gateway.bodies, client));
    match tokio::time::timeout(gateway.config.timeouts.body, reading).await {
        Ok(result) => result,
        Err(_) => Err(ErrorCode::BodyTimeout.into()),
    }
}

async fn read(
    limit: u64,
    memory: &Arc<BodyMemory>,
    client: &mut (dyn Client + '_),
) -> Result<(Body, Envelope), Refusal> {
    if client.announced() > limit {
        drain(client).await;
        return Err(ErrorCode::BodyTooLarge.into());
    }
    let mut scanner = EnvelopeScanner::new();
    let mut body = Body::new();
    while let Some(data) = client.data().await {
        let data = data.map_err(|cut| match cut {
            Cut::Gone => ErrorCode::ClientGone.into(),
            Cut::Malformed => {
                Refusal::saying(ErrorCode::BodyInvalid, "the body does not come in chunks as HTTP/1.1 has them")
            }
        })?;
        let len = u64::try_from(body.len().saturating_add(data.len())).unwrap_or(u64::MAX);
        if len > limit {
            drain(client).await;
            return Err(ErrorCode::BodyTooLarge.into());
        }
        if let Err(error) = scanner.push(&data) {
            drain(client).await;
            return Err(invalid(error));
        }
        let Some(data) = memory.count(data) else {
            drop(body);
            drain(client).await;
            return Err(ErrorCode::GatewayBusy.into());
        };
        body.push(data);
    }
    let envelope = scanner.finish().map_err(invalid)?;
    Ok((body, envelope))
}

fn invalid(error: tacit_protocol::EnvelopeError) -> Refusal {
    Refusal::saying(ErrorCode::BodyInvalid, error.to_string()).about(error.field())
}

/// Reads on for a moment without keeping anything: a client that is still writing when the connection closes would
/// see that instead of the answer. One that waits to be asked for its body is not asked.
pub(crate) async fn drain(client: &mut (dyn Client + '_)) {
    if client.waits_to_be_asked() {
        return;
    }
    let reading = async {
        let mut seen = 0_usize;
        while let Some(Ok(data)) = client.data().await {
            seen = seen.saturating_add(data.len());
            if seen > DRAIN_BYTES {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let request = headers.iter().fold(Request::get(uri), |r, (name, value)| r.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn keys_come_in_four_places() {
        assert_eq!(key(&parts("/v1/models", &[("authorization", "bearer  sk-a")])), Some("sk-a"));
        assert_eq!(key(&parts("/v1/models", &[("x-api-key", "sk-b")])), Some("sk-b"));
        assert_eq!(key(&parts("/v1/models", &[("x-goog-api-key", "sk-c")])), Some("sk-c"));
        assert_eq!(key(&parts("/v1/models?a=1&key=sk-d", &[])), Some("sk-d"));
        assert_eq!(key(&parts("/v1/models?apikey=sk-d", &[("authorization", "Basic eA==")])), None);
    }

    #[test]
    fn forwarded_addresses_count_only_from_trusted_proxies() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let from = |peer: &str, forwarded: &str| {
            let parts = parts("/", &[("x-forwarded-for", forwarded)]);
            address(&parts.headers, peer.parse().unwrap(), &trusted).to_string()
        };
        assert_eq!(from("1.1.1.1", "9.9.9.9"), "1.1.1.1");
        assert_eq!(from("10.0.0.1", "9.9.9.9"), "9.9.9.9");
        assert_eq!(from("10.0.0.1", "6.6.6.6, 9.9.9.9, 10.0.0.2"), "9.9.9.9");
        assert_eq!(from("10.0.0.1", "6.6.6.6, junk, 10.0.0.2"), "10.0.0.2");
        assert_eq!(from("::ffff:10.0.0.1", "2001:db8::1"), "2001:db8::1");
        assert_eq!(from("10.0.0.1", ""), "10.0.0.1");
    }
}
