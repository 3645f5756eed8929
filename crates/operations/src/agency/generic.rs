//! Any agency: one JSON request, signed as Standard Webhooks has it (<https://www.standardwebhooks.com>), so that there are
//! libraries for the other side, and one word in the answer.

use super::{Finding, Question, unclear};
use crate::messages::NotTaken;
use crate::messages::outbound::Answer;
use crate::messages::sms::signing::hmac_sha256;
use crate::messages::sms::{Request, built, json_of};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tacit_kernel::Timestamp;
use zeroize::Zeroizing;

pub(super) struct Generic {
    url: url::Url,
    key: Zeroizing<Vec<u8>>,
}

impl Generic {
    pub(super) fn new(url: Option<url::Url>, secret: &SecretString) -> Result<Self, String> {
        let url = url.ok_or("verification.agency.url: say where the agency is")?;
        let form = "verification.agency.secret must be whsec_ and 24 to 64 bytes in base64";
        let key = secret.expose_secret().strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
        let key = key.map(Zeroizing::new).filter(|key| (24..=64).contains(&key.len())).ok_or(form)?;
        Ok(Self { url, key })
    }

    pub(super) fn request(&self, question: &Question, now: Timestamp) -> Result<Request, NotTaken> {
        let body = json!({
            "type": "identity.check",
            "timestamp": now.to_string(),
            "data": {
                "kind": question.kind.as_str(),
                "name": question.name.reveal(),
                "number": question.number.reveal(),
            },
        });
        let body = Zeroizing::new(body.to_string());
        let at = now.0.div_euclid(1_000_000);
        let signed = Zeroizing::new(format!("{}.{at}.{}", question.id, *body));
        let signature = STANDARD.encode(hmac_sha256(&self.key, signed.as_bytes()).as_ref());
        built(
            http::Request::post(self.url.as_str())
                .header("content-type", "application/json")
                .header("webhook-id", &question.id)
                .header("webhook-timestamp", at)
                .header("webhook-signature", format!("v1,{signature}"))
                .body(Full::new(Bytes::copy_from_slice(body.as_bytes()))),
        )
    }
}

/// `{"result": "match"}`, or `no_match`, or `unknown`; anything else is no answer.
pub(super) fn meaning(answer: &Answer) -> Result<Finding, NotTaken> {
    if answer.status != 200 {
        return Err(unclear(answer));
    }
    let result = json_of(answer).and_then(|json| json.get("result")?.as_str().and_then(Finding::parse));
    result.ok_or_else(|| unclear(answer))
}
