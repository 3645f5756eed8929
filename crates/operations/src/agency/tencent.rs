//! Tencent Cloud: `IdCardVerification` of 2018-03-01, signed with TC3-HMAC-SHA256
//! (<https://cloud.tencent.com/document/api/1007/33188>).

use super::{Finding, Question, named, or_usual, unclear};
use crate::messages::outbound::Answer;
use crate::messages::sms::tencent::{CONTENT_TYPE, authorization};
use crate::messages::sms::{Request, built, host_of, json_of};
use crate::messages::{Failure, NotTaken};
use bytes::Bytes;
use http_body_util::Full;
use secrecy::SecretString;
use serde_json::json;
use tacit_kernel::Timestamp;
use zeroize::Zeroizing;

pub(super) struct Tencent {
    url: url::Url,
    secret_id: String,
    secret: SecretString,
}

impl Tencent {
    pub(super) fn new(url: Option<url::Url>, user: String, secret: SecretString) -> Result<Self, String> {
        let (url, secret_id) = (or_usual(url, "faceid.tencentcloudapi.com")?, named(user, "SecretId")?);
        Ok(Self { url, secret_id, secret })
    }

    pub(super) fn request(&self, question: &Question, now: Timestamp) -> Result<Request, NotTaken> {
        let body = json!({ "IdCard": question.number.reveal(), "Name": question.name.reveal() });
        let body = Zeroizing::new(body.to_string());
        let host = host_of(&self.url);
        let key = (self.secret_id.as_str(), &self.secret);
        built(
            http::Request::post(format!("https://{host}/"))
                .header("host", &host)
                .header("content-type", CONTENT_TYPE)
                .header("x-tc-action", "IdCardVerification")
                .header("x-tc-version", "2018-03-01")
                .header("x-tc-timestamp", now.0.div_euclid(1_000_000))
                .header("authorization", authorization(key, "faceid", &host, now, body.as_bytes()))
                .body(Full::new(Bytes::copy_from_slice(body.as_bytes()))),
        )
    }
}

pub(super) fn meaning(answer: &Answer) -> Result<Finding, NotTaken> {
    let response = json_of(answer).and_then(|mut json| json.get_mut("Response").map(serde_json::Value::take));
    let response = response.ok_or_else(|| unclear(answer))?;
    let text_at = |pointer| response.pointer(pointer).and_then(|value| value.as_str());
    let failed = |failure| Err(NotTaken::status(failure, answer.status));
    if let Some(code) = text_at("/Error/Code") {
        return match code {
            _ if code.starts_with("AuthFailure") || code.starts_with("UnauthorizedOperation") => {
                failed(Failure::Credentials)
            }
            _ if code.starts_with("LimitExceeded") || code.starts_with("RequestLimitExceeded") => {
                failed(Failure::Deferred)
            }
            _ if code.starts_with("InternalError") => failed(Failure::Deferred),
            _ => failed(Failure::Refused),
        };
    }
    match text_at("/Result") {
        Some("0") => Ok(Finding::Match),
        Some("-1") => Ok(Finding::NoMatch),
        // A form that it does not take, no record, or asked too often today.
        Some("-2" | "-3" | "-5" | "-7") => Ok(Finding::Unknown),
        Some("-4" | "-6") => failed(Failure::Deferred),
        _ => failed(Failure::Answer),
    }
}
