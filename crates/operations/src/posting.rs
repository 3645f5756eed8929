//! Word to recipients of data, over HTTPS, through the client with which providers of text messages are called: only to
//! addresses of the public internet unless others are allowed, no redirection is followed, and of the answer nothing is looked
//! at but its status.

use crate::messages::outbound::Outbound;
use bytes::Bytes;
use http_body_util::Full;
use std::time::Duration;

/// How long a recipient may take to answer.
pub const LONGEST: Duration = Duration::from_secs(20);

/// What sends word.
pub struct Posting(Outbound);

impl Posting {
    /// Trusts the authorities of the web, and `authority` (PEM) too.
    ///
    /// # Errors
    /// That the authority cannot be used.
    pub fn new(allow_private: bool, authority: Option<&[u8]>) -> Result<Self, String> {
        let outbound = Outbound::new(allow_private, authority, LONGEST);
        outbound.map(Self).map_err(|_| "the authority is not a certificate in PEM".to_owned())
    }

    /// Posts JSON; the status of the answer, `None` if there was none.
    pub async fn json(&self, url: &str, headers: &[(&'static str, String)], body: &[u8]) -> Option<u16> {
        let mut request = http::Request::post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).ok()?;
        match self.0.send(request).await {
            Ok(answer) => Some(answer.status),
            Err(not_taken) => not_taken.status,
        }
    }
}

impl std::fmt::Debug for Posting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("posting")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::tests::sms_provider::FakeProvider;
    use serde_json::json;

    #[tokio::test]
    async fn the_status_is_what_it_tells() {
        let fake = FakeProvider::answering(vec![(201, json!({})), (302, json!({})), (503, json!({}))]).await;
        let posting = Posting::new(true, Some(&fake.authority)).unwrap();
        let url = format!("{}/dsr?a=1", fake.url);
        let headers = [("x-test", "word".to_owned())];
        for status in [201, 302, 503] {
            assert_eq!(posting.json(&url, &headers, b"{}").await, Some(status));
        }
        {
            let seen = fake.seen.lock().unwrap();
            let seen = seen.first().unwrap();
            assert_eq!((seen.path.as_str(), seen.query.as_str(), seen.body.as_str()), ("/dsr", "a=1", "{}"));
            assert_eq!(seen.headers.get("x-test").map(String::as_str), Some("word"));
        }
        // Nothing of a private network is reached unless it may be, and nobody whom no authority knows.
        assert_eq!(Posting::new(false, Some(&fake.authority)).unwrap().json(&url, &[], b"{}").await, None);
        assert_eq!(Posting::new(true, None).unwrap().json(&url, &[], b"{}").await, None);
        assert_eq!(posting.json("http://localhost/", &[], b"{}").await, None, "only https");
    }
}
