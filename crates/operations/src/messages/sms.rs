//! Text messages: one provider, declared in a file, with the signatures of the large ones built in.
//!
//! A provider is two pure functions: the request for a message, and what its answer means. [`Sms`] calls them around the
//! one client ([`super::outbound`]).

pub(crate) mod aliyun;
mod generic;
pub(crate) mod signing;
pub(crate) mod tencent;
#[cfg(test)]
mod tests;
mod twilio;

use super::attempt::{Attempt, NotTaken};
use super::model::{Content, Failure, Kind, Language};
use super::outbound::{Answer, Outbound};
use bytes::Bytes;
use http_body_util::Full;
use secrecy::SecretString;
use serde::Deserialize;
use std::time::Duration;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::MessageId;

pub(crate) type Request = http::Request<Full<Bytes>>;

/// Whose interface it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// Alibaba Cloud Short Message Service.
    Aliyun,
    /// Tencent Cloud SMS.
    Tencent,
    /// Twilio Programmable Messaging.
    Twilio,
    /// Any interface that takes a message in one JSON request.
    Generic,
}

/// What the operator declares about the provider, as the file `messages.sms.declaration` holds it. Which fields are
/// needed depends on the provider; those that have no meaning for it are refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declaration {
    /// `https://host` of the interface; the provider's usual one if not given.
    pub endpoint: Option<String>,
    /// Tencent: the region, such as `ap-guangzhou`.
    pub region: Option<String>,
    /// Tencent: the SDK application id.
    pub app_id: Option<String>,
    /// Twilio: the sending number, or the id of a messaging service (`MG…`).
    pub from: Option<String>,
    /// Aliyun, Tencent: the approved signature, for templates that name none of their own.
    pub sign_name: Option<String>,
    /// Aliyun, Tencent: the approved templates.
    pub template: Vec<ServerTemplate>,
    /// Generic: the request.
    pub request: Option<generic::Form>,
}

/// A template that lies with the provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTemplate {
    /// Which messages it is for.
    pub kind: Kind,
    /// In which language.
    pub language: Language,
    /// What the provider calls it.
    pub id: String,
    /// The approved signature, if it is another one than the common one.
    pub sign_name: Option<String>,
    /// The message's variables in the order of the template's; `{ name = "message's", as = "template's" }` is written
    /// `"template's=message's"`.
    pub variables: Vec<String>,
}

impl ServerTemplate {
    /// Names in the template and values of the message, in order.
    fn values(&self, variables: &serde_json::Value) -> Result<Vec<(String, String)>, NotTaken> {
        let lacking = || NotTaken::without_answer(Failure::Template);
        self.variables
            .iter()
            .map(|written| {
                let (theirs, ours) = written.split_once('=').unwrap_or((written, written));
                let value = variables.get(ours).ok_or_else(lacking)?;
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Ok((theirs.to_owned(), text))
            })
            .collect()
    }
}

/// A message as a provider takes it.
struct Text<'a> {
    id: MessageId,
    /// E.164, with the plus.
    to: &'a str,
    kind: Kind,
    language: Language,
    /// Rendered from our own template.
    text: &'a str,
    variables: &'a serde_json::Value,
}

enum Provider {
    Aliyun(aliyun::Aliyun),
    Tencent(tencent::Tencent),
    Twilio(twilio::Twilio),
    Generic(Box<generic::Generic>),
}

/// A provider that can be given messages.
pub struct Sms {
    provider: Provider,
    outbound: Outbound,
}

impl std::fmt::Debug for Sms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sms")
    }
}

/// Everything about the provider.
#[derive(Debug)]
pub struct SmsSettings {
    /// Whose interface it is.
    pub provider: ProviderKind,
    /// AccessKey id, SecretId, account SID; empty where none is needed.
    pub user: String,
    /// AccessKey secret, SecretKey, auth token.
    pub secret: SecretString,
    /// See [`Declaration`].
    pub declaration: Declaration,
    /// Whether addresses that are not public may be connected to.
    pub allow_private: bool,
    /// A certificate authority (PEM) to trust beside those of the web.
    pub authority: Option<Vec<u8>>,
    /// How long an attempt may take.
    pub timeout: Duration,
}

impl Sms {
    /// Takes the settings; nothing is connected yet.
    ///
    /// # Errors
    /// What is wrong with them, in words for the operator.
    pub fn new(settings: SmsSettings) -> Result<Self, String> {
        let SmsSettings { provider, user, secret, mut declaration, allow_private, authority, timeout } = settings;
        let declared = &mut declaration;
        let provider = match provider {
            ProviderKind::Aliyun => Provider::Aliyun(aliyun::Aliyun::new(user, secret, declared)?),
            ProviderKind::Tencent => Provider::Tencent(tencent::Tencent::new(user, secret, declared)?),
            ProviderKind::Twilio => Provider::Twilio(twilio::Twilio::new(user, secret, declared)?),
            ProviderKind::Generic => Provider::Generic(Box::new(generic::Generic::new(user, secret, declared)?)),
        };
        if let Some(field) = left_over(declared) {
            return Err(format!("messages.sms.declaration: `{field}` has no meaning for this provider"));
        }
        Ok(Self { provider, outbound: Outbound::new(allow_private, authority.as_deref(), timeout)? })
    }

    pub(super) async fn send(
        &self,
        id: MessageId,
        to: &str,
        (kind, language): (Kind, Language),
        text: &str,
        variables: &serde_json::Value,
        now: Timestamp,
    ) -> Attempt {
        let text = Text { id, to, kind, language, text, variables };
        let request = match &self.provider {
            Provider::Aliyun(p) => p.request(&text, now, &signing::nonce()),
            Provider::Tencent(p) => p.request(&text, now),
            Provider::Twilio(p) => p.request(&text),
            Provider::Generic(p) => p.request(&text),
        }?;
        let answer = self.outbound.send(request).await?;
        match &self.provider {
            Provider::Aliyun(_) => aliyun::meaning(&answer),
            Provider::Tencent(_) => tencent::meaning(&answer),
            Provider::Twilio(_) => twilio::meaning(&answer),
            Provider::Generic(p) => p.meaning(&answer),
        }
    }
}

/// Providers take what they need out of the declaration; what is left was not meant for them.
fn left_over(declared: &Declaration) -> Option<&'static str> {
    let left = [
        ("endpoint", declared.endpoint.is_some()),
        ("region", declared.region.is_some()),
        ("app_id", declared.app_id.is_some()),
        ("from", declared.from.is_some()),
        ("sign_name", declared.sign_name.is_some()),
        ("template", !declared.template.is_empty()),
        ("request", declared.request.is_some()),
    ];
    left.into_iter().find_map(|(name, left)| left.then_some(name))
}

fn needed(value: Option<String>, field: &str) -> Result<String, String> {
    value
        .filter(|v| !v.is_empty())
        .ok_or_else(|| format!("messages.sms.declaration lacks `{field}`, which this provider needs"))
}

/// Scheme and authority of the interface.
fn endpoint(given: Option<String>, usual: &str) -> Result<url::Url, String> {
    let text = given.unwrap_or_else(|| format!("https://{usual}"));
    let url: url::Url = text
        .parse()
        .map_err(|_| "messages.sms.declaration: `endpoint` is not a URL, such as https://host".to_owned())?;
    if url.scheme() != "https" || url.host_str().is_none() {
        return Err("messages.sms.declaration: `endpoint` must begin with https://".into());
    }
    Ok(url)
}

/// Host and, if it is not the usual one, port, as the header `Host` and signatures have them.
pub(crate) fn host_of(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Templates of the provider, each checked against the variables of its kind.
fn server_templates(declared: &mut Declaration) -> Result<Vec<ServerTemplate>, String> {
    let templates = std::mem::take(&mut declared.template);
    let sign_name = declared.sign_name.take();
    let mut found = Vec::new();
    for mut template in templates {
        let name = format!("template {} in {}", template.kind.as_str(), template.language.as_str());
        let sample: serde_json::Value =
            serde_json::from_str(&Content::sample(template.kind).variables()).unwrap_or_default();
        if template.values(&sample).is_err() {
            return Err(format!("messages.sms.declaration: {name} names a variable that such messages do not have"));
        }
        template.sign_name = template.sign_name.or_else(|| sign_name.clone());
        if template.sign_name.is_none() {
            return Err(format!("messages.sms.declaration: {name} has no `sign_name`"));
        }
        found.push(template);
    }
    if found.is_empty() {
        return Err("messages.sms.declaration lacks [[template]]: this provider sends approved templates only".into());
    }
    Ok(found)
}

fn server_template<'t>(templates: &'t [ServerTemplate], text: &Text<'_>) -> Result<&'t ServerTemplate, NotTaken> {
    templates
        .iter()
        .find(|t| t.kind == text.kind && t.language == text.language)
        .ok_or(NotTaken::without_answer(Failure::NotConfigured))
}

pub(crate) fn built(request: http::Result<Request>) -> Result<Request, NotTaken> {
    request.map_err(|_| NotTaken::without_answer(Failure::Template))
}

pub(crate) fn json_of(answer: &Answer) -> Option<serde_json::Value> {
    serde_json::from_slice(&answer.body).ok()
}

/// What a status means where the answer says nothing more.
pub(crate) fn by_status(status: u16) -> NotTaken {
    let failure = match status {
        401 | 403 => Failure::Credentials,
        408 | 425 | 429 | 500..=599 => Failure::Deferred,
        400..=499 => Failure::Refused,
        _ => Failure::Answer,
    };
    NotTaken::status(failure, status)
}
