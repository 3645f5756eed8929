//! Twilio Programmable Messaging: the resource `Messages` of 2010-04-01, with Basic authentication
//! (<https://www.twilio.com/docs/messaging/api/message-resource>).

use super::{Declaration, Request, Text, built, by_status, endpoint, host_of, json_of, needed};
use crate::messages::attempt::{Attempt, NotTaken, Taken};
use crate::messages::model::Failure;
use crate::messages::outbound::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

pub(super) struct Twilio {
    account: String,
    token: SecretString,
    endpoint: url::Url,
    from: String,
}

impl Twilio {
    pub(super) fn new(account: String, token: SecretString, declared: &mut Declaration) -> Result<Self, String> {
        if account.is_empty() || !account.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err("messages.sms.user: give the account SID (AC…)".into());
        }
        let endpoint = endpoint(declared.endpoint.take(), "api.twilio.com")?;
        Ok(Self { account, token, endpoint, from: needed(declared.from.take(), "from")? })
    }

    pub(super) fn request(&self, text: &Text<'_>) -> Result<Request, NotTaken> {
        let sender = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("To", text.to)
            .append_pair(sender, &self.from)
            .append_pair("Body", text.text)
            .finish();
        let host = host_of(&self.endpoint);
        let login = STANDARD.encode(format!("{}:{}", self.account, self.token.expose_secret()));
        built(
            http::Request::post(format!("https://{host}/2010-04-01/Accounts/{}/Messages.json", self.account))
                .header("host", &host)
                .header("content-type", "application/x-www-form-urlencoded")
                .header("authorization", format!("Basic {login}"))
                .body(Full::new(Bytes::from(body))),
        )
    }
}

/// <https://www.twilio.com/docs/api/errors>
pub(super) fn meaning(answer: &Answer) -> Attempt {
    let json = json_of(answer);
    let field = |name| json.as_ref().and_then(|j| j.get(name));
    if (200..300).contains(&answer.status) {
        let reference = field("sid").and_then(|v| v.as_str()).map(str::to_owned);
        return match reference {
            Some(_) => Ok(Taken { status: answer.status, reference }),
            None => Err(NotTaken::status(Failure::Answer, answer.status)),
        };
    }
    let mut refusal = by_status(answer.status);
    if let Some(code) = field("code").and_then(serde_json::Value::as_u64) {
        refusal.failure = match code {
            20003 => Failure::Credentials,
            20429 | 14107 | 30001 => Failure::Deferred,
            // Not a number; not a mobile one; of a region that is not served; unsubscribed.
            21211 | 21214 | 21408 | 21610 | 21612 | 21614 => Failure::Recipient,
            _ => refusal.failure,
        };
        refusal = refusal.with_code(&code.to_string());
    }
    Err(refusal)
}
