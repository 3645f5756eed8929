//! An agency that knows whether a name and a number belong together, asked over HTTPS: one that the operator names, with
//! the signatures of two large ones built in. It is told name, number and what the number stands on, and nothing else; of
//! its answer nothing is kept but what it means.
//!
//! A provider is two pure functions: the request, and what its answer means. [`Agency`] calls them around the client with
//! which SMS providers are called, too ([`crate::messages::outbound`]).

mod aliyun;
mod generic;
mod tencent;
#[cfg(test)]
mod tests;

use crate::messages::outbound::{Answer, Outbound};
use crate::messages::sms::{Request, by_status, signing};
use crate::messages::{Failure, NotTaken};
use secrecy::SecretString;
use std::time::Duration;
use tacit_kernel::{Personal, Timestamp, words};

/// How long an agency may take to answer.
pub const LONGEST: Duration = Duration::from_secs(20);

words! {
    /// Whose interface it is.
    AgencyProvider {
        /// Any agency that speaks the convention of docs/verification.md.
        Generic = "generic",
        /// Alibaba Cloud, two-element check.
        Aliyun = "aliyun",
        /// Tencent Cloud, two-element check.
        Tencent = "tencent",
    }

    /// What a number stands on.
    NumberKind {
        /// An identity card of the People's Republic of China.
        IdCard = "id_card",
        /// A business licence with its unified social credit code.
        BusinessLicence = "business_licence",
    }

    /// What an agency knows.
    Finding {
        /// Name and number belong together.
        Match = "match",
        /// They do not.
        NoMatch = "no_match",
        /// It cannot tell.
        Unknown = "unknown",
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Names the question, the same each time it is asked.
    pub id: String,
    /// What the number stands on.
    pub kind: NumberKind,
    /// The name.
    pub name: Personal<String>,
    /// The number.
    pub number: Personal<String>,
}

/// Everything about an agency.
#[derive(Debug)]
pub struct AgencySettings {
    /// Whose interface it is.
    pub provider: AgencyProvider,
    /// Where it is: of the generic one the whole URL, of the others `https://host` if it is not the usual one.
    pub url: Option<String>,
    /// AccessKey id or SecretId; empty for the generic one.
    pub user: String,
    /// AccessKey secret, SecretKey, or for the generic one `whsec_` and the key in base64.
    pub secret: SecretString,
    /// Whether addresses that are not public may be connected to.
    pub allow_private: bool,
    /// A certificate authority (PEM) to trust beside those of the web.
    pub authority: Option<Vec<u8>>,
}

enum Provider {
    Generic(generic::Generic),
    Aliyun(aliyun::Aliyun),
    Tencent(tencent::Tencent),
}

/// An agency that can be asked.
pub struct Agency {
    provider: Provider,
    outbound: Outbound,
}

impl std::fmt::Debug for Agency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("agency")
    }
}

impl AgencyProvider {
    /// What it can be asked about.
    #[must_use]
    pub const fn knows(self) -> &'static [NumberKind] {
        match self {
            Self::Generic => NumberKind::ALL,
            Self::Aliyun | Self::Tencent => &[NumberKind::IdCard],
        }
    }
}

impl Agency {
    /// Takes the settings; nothing is connected yet.
    ///
    /// # Errors
    /// What is wrong with them, in words for the operator.
    pub fn new(settings: AgencySettings) -> Result<Self, String> {
        let AgencySettings { provider, url, user, secret, allow_private, authority } = settings;
        let url = url.map(|text| https(&text)).transpose()?;
        let provider = match provider {
            AgencyProvider::Generic => Provider::Generic(generic::Generic::new(url, &secret)?),
            AgencyProvider::Aliyun => Provider::Aliyun(aliyun::Aliyun::new(url, user, secret)?),
            AgencyProvider::Tencent => Provider::Tencent(tencent::Tencent::new(url, user, secret)?),
        };
        let outbound = Outbound::new(allow_private, authority.as_deref(), LONGEST);
        let outbound = outbound.map_err(|_| "verification.agency.ca is not a certificate in PEM".to_owned())?;
        Ok(Self { provider, outbound })
    }

    /// Asks.
    ///
    /// # Errors
    /// That there was no answer to be understood; [`Failure::may_pass`] tells whether there may be one later.
    pub async fn ask(&self, question: &Question, now: Timestamp) -> Result<Finding, Failure> {
        let known = match &self.provider {
            Provider::Generic(_) => AgencyProvider::Generic,
            Provider::Aliyun(_) => AgencyProvider::Aliyun,
            Provider::Tencent(_) => AgencyProvider::Tencent,
        };
        if !known.knows().contains(&question.kind) {
            return Ok(Finding::Unknown);
        }
        self.asked(question, now).await.map_err(|not_taken| not_taken.failure)
    }

    async fn asked(&self, question: &Question, now: Timestamp) -> Result<Finding, NotTaken> {
        let request: Request = match &self.provider {
            Provider::Generic(p) => p.request(question, now),
            Provider::Aliyun(p) => p.request(question, now, &signing::nonce()),
            Provider::Tencent(p) => p.request(question, now),
        }?;
        let answer = self.outbound.send(request).await?;
        match &self.provider {
            Provider::Generic(_) => generic::meaning(&answer),
            Provider::Aliyun(_) => aliyun::meaning(&answer),
            Provider::Tencent(_) => tencent::meaning(&answer),
        }
    }
}

fn https(text: &str) -> Result<url::Url, String> {
    let wrong = || "verification.agency.url must be a URL that begins with https://".to_owned();
    let url: url::Url = text.parse().map_err(|_| wrong())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if url.scheme() == "https" && url.host_str().is_some() && plain { Ok(url) } else { Err(wrong()) }
}

/// The URL that was given, or the usual one.
fn or_usual(url: Option<url::Url>, usual: &str) -> Result<url::Url, String> {
    url.map_or_else(|| https(&format!("https://{usual}")), Ok)
}

fn named(user: String, what: &str) -> Result<String, String> {
    if user.is_empty() { Err(format!("verification.agency.user: give the {what}")) } else { Ok(user) }
}

/// What an answer means that does not say it: that of its status.
fn unclear(answer: &Answer) -> NotTaken {
    match answer.status {
        200..=299 => NotTaken::status(Failure::Answer, answer.status),
        status => by_status(status),
    }
}
