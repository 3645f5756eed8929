//! The headers of what is forwarded: nothing that is meant for one hop, nothing that a client could pretend.

use crate::request;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use ipnet::IpNet;
use std::net::IpAddr;
use tacit_kernel::paths;

/// Meant for one hop (RFC 9110, 7.6.1), or made anew for the next.
const OF_ONE_HOP: [HeaderName; 11] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// What tells of a client, and is believed from nobody. The first is a prefix.
const OF_PROXIES: [&str; 8] = [
    "x-forwarded-",
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-request-id",
];
/// Where AI clients put their keys, which are no business of the console.
const OF_CALLS: [&str; 2] = ["x-api-key", "x-goog-api-key"];

/// Takes out what was meant for one hop only.
pub(super) fn of_one_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in OF_ONE_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// The headers that the control plane gets; `None` if there is one that cannot be written.
pub(super) fn forwarded(
    parts: &Parts,
    peer: IpAddr,
    tls: bool,
    trusted: &[IpNet],
    request_id: &str,
) -> Option<HeaderMap> {
    let mut headers = parts.headers.clone();
    of_one_hop(&mut headers);
    let pretended: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            let [prefix, exact @ ..] = &OF_PROXIES;
            name.as_str().starts_with(prefix) || exact.contains(&name.as_str()) || OF_CALLS.contains(&name.as_str())
        })
        .cloned()
        .collect();
    for name in pretended {
        headers.remove(name);
    }
    if !parts.uri.path().starts_with(paths::CONSOLE) {
        headers.remove(AUTHORIZATION);
    }
    // HTTP/2 names the host in the target.
    if let Some(authority) = parts.uri.authority() {
        headers.insert(HOST, HeaderValue::from_str(authority.as_str()).ok()?);
    }
    let address = request::address(&parts.headers, peer, trusted);
    let https = tls || said_https(&parts.headers, peer, trusted);
    headers.insert(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(&address.to_string()).ok()?);
    let proto = HeaderValue::from_static(if https { "https" } else { "http" });
    headers.insert(HeaderName::from_static("x-forwarded-proto"), proto);
    headers.insert(HeaderName::from_static("x-request-id"), HeaderValue::from_str(request_id).ok()?);
    Some(headers)
}

/// Whether a trusted proxy says that its client came over HTTPS.
fn said_https(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|range| range.contains(&peer.to_canonical()))
        && headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn sent(uri: &str, given: &[(&str, &str)], peer: &str, trusted: &[&str]) -> HeaderMap {
        let request = given.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
        let parts = request.body(()).unwrap().into_parts().0;
        let trusted: Vec<IpNet> = trusted.iter().map(|range| range.parse().unwrap()).collect();
        forwarded(&parts, peer.parse().unwrap(), false, &trusted, "call_1").unwrap()
    }

    #[test]
    fn nothing_is_believed_and_nothing_of_one_hop_goes_on() {
        let given = [
            ("host", "tacit.example"),
            ("connection", "close, x-secret-hop"),
            ("x-secret-hop", "1"),
            ("keep-alive", "1"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("forwarded", "for=6.6.6.6"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-real-ip", "6.6.6.6"),
            ("x-request-id", "theirs"),
            ("x-api-key", "sk-a"),
            ("authorization", "Bearer tm-a"),
            ("cookie", "a=b"),
        ];
        let headers = sent("/api/v1/me", &given, "1.2.3.4", &[]);
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let want = ["authorization", "cookie", "host", "x-forwarded-for", "x-forwarded-proto", "x-request-id"];
        assert_eq!(names, want);
        assert_eq!(
            (&headers["x-forwarded-for"], &headers["x-forwarded-proto"]),
            (&"1.2.3.4".parse().unwrap(), &"http".parse().unwrap())
        );
        assert_eq!(headers["x-request-id"], "call_1");
        assert!(!sent("/chat", &given, "1.2.3.4", &[]).contains_key("authorization"), "only to the console");
    }

    #[test]
    fn a_trusted_proxy_is_believed() {
        let given = [("x-forwarded-for", "6.6.6.6, 9.9.9.9"), ("x-forwarded-proto", "https")];
        let headers = sent("/", &given, "10.0.0.1", &["10.0.0.0/8"]);
        assert_eq!(
            (headers["x-forwarded-for"].as_bytes(), headers["x-forwarded-proto"].as_bytes()),
            (&b"9.9.9.9"[..], &b"https"[..])
        );
    }

    #[test]
    fn http_2_names_its_host_in_the_target() {
        assert_eq!(sent("https://tacit.example/api/v1/me", &[], "1.2.3.4", &[])["host"], "tacit.example");
    }
}
