//! Any interface that takes a message in one JSON request: method, URL, headers and body are declared, the last two as
//! templates over `to`, `text`, `id`, `kind`, `language`, `user` and `secret`. Values are written into the body as JSON, so it reads
//! `{"to": {{ to }}, "text": {{ text }}}`.

use super::{Declaration, Request, Text, built, by_status, json_of};
use crate::messages::attempt::{Attempt, NotTaken, Taken};
use crate::messages::model::Failure;
use crate::messages::outbound::Answer;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Uri};
use http_body_util::Full;
use minijinja::{Environment, UndefinedBehavior, context};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The request, as it is declared.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// `POST` or `PUT`.
    #[serde(default = "post")]
    pub method: String,
    /// Where to, with `https`.
    pub url: String,
    /// Headers; their values are templates.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body, a template.
    pub body: String,
    /// Where in the answer its id of the message is, as a JSON pointer (RFC 6901).
    pub reference: Option<String>,
}

fn post() -> String {
    "POST".into()
}

/// The name makes its values be written as JSON.
const BODY: &str = "request.body.json";

pub(super) struct Generic {
    method: Method,
    url: Uri,
    headers: Vec<(HeaderName, String)>,
    environment: Environment<'static>,
    reference: Option<String>,
    user: String,
    secret: SecretString,
}

impl Generic {
    pub(super) fn new(user: String, secret: SecretString, declared: &mut Declaration) -> Result<Self, String> {
        let form = declared.request.take().ok_or("messages.sms.declaration lacks [request]")?;
        let wrong = |what: &str| format!("messages.sms.declaration: request.{what}");
        let method = match form.method.as_str() {
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            _ => return Err(wrong("method must be POST or PUT")),
        };
        let url: Uri = form.url.parse().map_err(|_| wrong("url is not a URL"))?;
        if url.scheme_str() != Some("https") || url.host().is_none() {
            return Err(wrong("url must begin with https://"));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let line = |e: &minijinja::Error| format!("line {}: {}", e.line().unwrap_or(1), e.kind());
        environment
            .add_template_owned(BODY, form.body)
            .map_err(|e| wrong(&format!("body is not a template, {}", line(&e))))?;
        let mut headers = Vec::new();
        for (name, value) in form.headers {
            let header: HeaderName =
                name.parse().map_err(|_| wrong(&format!("headers: {name:?} is not the name of a header")))?;
            environment
                .add_template_owned(header.as_str().to_owned(), value)
                .map_err(|e| wrong(&format!("headers.{name} is not a template, {}", line(&e))))?;
            headers.push((header.clone(), header.as_str().to_owned()));
        }
        let generic = Self { method, url, headers, environment, reference: form.reference, user, secret };
        let sample = Text {
            id: tacit_kernel::ids::MessageId(uuid::Uuid::nil()),
            to: "+8613800000000",
            kind: crate::messages::model::Kind::Test,
            language: crate::messages::model::Language::En,
            text: "a \"text\"\\ and 中文",
            variables: &serde_json::Value::Null,
        };
        let body = generic.rendered(BODY, &sample).map_err(|e| wrong(&format!("body, {}", line(&e))))?;
        if serde_json::from_str::<serde_json::Value>(&body).is_err() {
            return Err(wrong("body does not give JSON; values are quoted already: write {\"to\": {{ to }}}"));
        }
        for (name, template) in &generic.headers {
            let value =
                generic.rendered(template, &sample).map_err(|e| wrong(&format!("headers.{name}, {}", line(&e))))?;
            HeaderValue::from_str(&value)
                .map_err(|_| wrong(&format!("headers.{name} is not the value of a header")))?;
        }
        Ok(generic)
    }

    fn rendered(&self, template: &str, text: &Text<'_>) -> Result<Zeroizing<String>, minijinja::Error> {
        let values = context! {
            id => text.id.to_string(), to => text.to, text => text.text, kind => text.kind.as_str(),
            language => text.language.as_str(), user => self.user.as_str(), secret => self.secret.expose_secret(),
        };
        self.environment.get_template(template)?.render(values).map(Zeroizing::new)
    }

    pub(super) fn request(&self, text: &Text<'_>) -> Result<Request, NotTaken> {
        let failed = || NotTaken::without_answer(Failure::Template);
        let mut request = http::Request::builder().method(self.method.clone()).uri(self.url.clone());
        if !self.headers.iter().any(|(name, _)| *name == CONTENT_TYPE) {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, template) in &self.headers {
            let value = self.rendered(template, text).map_err(|_| failed())?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| failed())?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let body = self.rendered(BODY, text).map_err(|_| failed())?;
        built(request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))))
    }

    pub(super) fn meaning(&self, answer: &Answer) -> Attempt {
        if !(200..300).contains(&answer.status) {
            return Err(by_status(answer.status));
        }
        let found = self.reference.as_ref().and_then(|pointer| json_of(answer)?.pointer(pointer).cloned());
        let reference = found.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        Ok(Taken { status: answer.status, reference })
    }
}
