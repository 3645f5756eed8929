//! What a recipient of data is, and what may be said of one.

use super::RecipientError;
use super::countries::country;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tacit_kernel::Timestamp;
use tacit_kernel::datamap::Purpose;
use tacit_kernel::ids::RecipientId;
use url::Url;

const DAY: i64 = 86_400_000_000;
/// Days for which what was checked of a recipient is believed.
pub const BELIEVED_DAYS: i64 = 90;
/// The longest name, in characters.
const NAME_MAX: usize = 128;
/// The longest contact, in characters.
const CONTACT_MAX: usize = 256;
/// The longest address, in bytes.
const URL_MAX: usize = 512;
/// A hundred years.
const DAYS_MAX: u32 = 36_500;

tacit_kernel::words! {
    /// What a recipient does.
    Kind {
        /// Answers calls of models.
        ModelProvider = "model_provider",
        /// Carries e-mail.
        Mail = "mail",
        /// Carries text messages.
        Sms = "sms",
        /// Says who somebody is.
        IdentityAgency = "identity_agency",
        /// Lets people sign in with what they have elsewhere.
        IdentityProvider = "identity_provider",
        /// Runs the machines.
        Hosting = "hosting",
        /// Takes payments.
        Payment = "payment",
        /// Advises the operator.
        Adviser = "adviser",
        /// Something else.
        Other = "other",
    }

    /// For whom a recipient decides.
    Role {
        /// For the operator, by contract (GDPR, article 28; China's PIPL, article 21).
        Processor = "processor",
        /// For itself (China's PIPL, article 23).
        Controller = "controller",
    }

    /// Whether a recipient trains models with what it receives.
    Trains {
        /// It does.
        Yes = "yes",
        /// It says that it does not.
        No = "no",
        /// Nobody has asked.
        Unknown = "unknown",
    }
}

/// What an operator says of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientSpec {
    /// What it does.
    pub kind: Kind,
    /// For whom it decides.
    pub role: Role,
    /// Where it is: ISO 3166-1, two letters.
    pub country: String,
    /// What for it receives data.
    pub purposes: BTreeSet<Purpose>,
    /// Since when there is a contract.
    pub contract_at: Option<Timestamp>,
    /// Days for which it keeps what it receives; `None`: not known.
    pub retention_days: Option<u32>,
    /// Whether it trains models with it.
    pub trains: Trains,
    /// Where it says so.
    pub evidence_url: Option<String>,
    /// When somebody looked there last.
    pub checked_at: Option<Timestamp>,
    /// Where people write to.
    pub contact: Option<String>,
    /// Where it is told that somebody is erased (docs/recipients.md).
    pub dsr_endpoint: Option<String>,
    /// Whether data goes there.
    pub enabled: bool,
}

/// A recipient, as the register has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Its id.
    pub id: RecipientId,
    /// Its name, which no other has.
    pub name: String,
    /// What is said of it.
    pub spec: RecipientSpec,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What is taken to be so of a recipient, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumed {
    /// Days for which it keeps what it receives; `None`: without end.
    pub retention_days: Option<u32>,
    /// Whether it trains models with it.
    pub trains: bool,
    /// Whether what it says was checked within the last 90 days.
    pub is_current: bool,
}

impl RecipientSpec {
    /// What is taken to be so: what was not checked within 90 days, or is not known, counts as kept without end and trained with.
    #[must_use]
    pub fn assumed(&self, now: Timestamp) -> Assumed {
        let is_current = self.checked_at.is_some_and(|at| now.micros_since(at) <= BELIEVED_DAYS * DAY);
        Assumed {
            retention_days: self.retention_days.filter(|_| is_current),
            trains: !(is_current && self.trains == Trains::No),
            is_current,
        }
    }

    /// The same in its one written form.
    ///
    /// # Errors
    /// [`RecipientError::Invalid`] with the rule that it breaks.
    pub fn checked(&self, name: &str, now: Timestamp) -> Result<Self, RecipientError> {
        let wrong = |message| Err(RecipientError::Invalid { message });
        let is_line = |text: &str, most| {
            let length = text.chars().count();
            (1..=most).contains(&length) && text.trim() == text && !text.chars().any(char::is_control)
        };
        if !is_line(name, NAME_MAX) || name.parse::<RecipientId>().is_ok() {
            return wrong("its name must be 1 to 128 characters on one line");
        }
        if country(&self.country).is_none() {
            return wrong("country must be a code of ISO 3166-1 with two capital letters, such as DE");
        }
        if self.purposes.is_empty() {
            return wrong("purposes must name at least one purpose of the data map");
        }
        if self.retention_days.is_some_and(|days| days > DAYS_MAX) {
            return wrong("retention_days must be at most 36,500");
        }
        if self.contact.as_deref().is_some_and(|text| !is_line(text, CONTACT_MAX)) {
            return wrong("contact must be 1 to 256 characters on one line");
        }
        if self.checked_at.is_some_and(|at| at > now) {
            return wrong("checked_at lies in the future");
        }
        let says_something = self.retention_days.is_some() || self.trains == Trains::No;
        if says_something && (self.evidence_url.is_none() || self.checked_at.is_none()) {
            return wrong("what it keeps, and that it does not train, needs evidence_url and checked_at");
        }
        let evidence_url = self.evidence_url.as_deref().map(|text| checked_url(text, &["https", "http"])).transpose();
        let evidence_url = evidence_url.map_err(|()| RecipientError::Invalid {
            message: "evidence_url must be an address such as https://example.org/terms, without credentials",
        })?;
        let dsr_endpoint = self.dsr_endpoint.as_deref().map(|text| checked_url(text, &["https"])).transpose();
        let dsr_endpoint = dsr_endpoint.map_err(|()| RecipientError::Invalid {
            message: "dsr_endpoint must be an address that begins with https://, without credentials",
        })?;
        Ok(Self { evidence_url, dsr_endpoint, ..self.clone() })
    }
}

fn checked_url(text: &str, schemes: &[&str]) -> Result<String, ()> {
    let url = Url::parse(text).map_err(drop)?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none() && url.has_host();
    let is_fit = text.len() <= URL_MAX && schemes.contains(&url.scheme()) && is_bare;
    if is_fit { Ok(url.into()) } else { Err(()) }
}

impl Kind {
    /// What a recipient is that the data map calls so.
    #[must_use]
    pub fn of_egress(name: &str) -> Option<Self> {
        match name {
            "model_provider" => Some(Self::ModelProvider),
            "mail server" => Some(Self::Mail),
            "aliyun" | "tencent" | "twilio" | "generic" => Some(Self::Sms),
            name if name.starts_with("verification agency") => Some(Self::IdentityAgency),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> RecipientSpec {
        RecipientSpec {
            kind: Kind::ModelProvider,
            role: Role::Processor,
            country: "DE".to_owned(),
            purposes: [Purpose::Inference].into(),
            contract_at: None,
            retention_days: Some(0),
            trains: Trains::No,
            evidence_url: Some("https://example.org/terms".to_owned()),
            checked_at: Some(Timestamp(0)),
            contact: None,
            dsr_endpoint: None,
            enabled: true,
        }
    }

    #[test]
    fn what_is_unknown_or_old_counts_as_kept_and_trained_with() {
        let last = Timestamp(BELIEVED_DAYS * DAY);
        let kept = |spec: &RecipientSpec, now| {
            let Assumed { retention_days, trains, is_current } = spec.assumed(now);
            (retention_days, trains, is_current)
        };
        assert_eq!(kept(&spec(), last), (Some(0), false, true));
        assert_eq!(kept(&spec(), last.plus_micros(1)), (None, true, false));
        let unchecked = RecipientSpec { checked_at: None, ..spec() };
        assert_eq!(kept(&unchecked, Timestamp(0)), (None, true, false));
        let unknown = RecipientSpec { retention_days: None, trains: Trains::Unknown, ..spec() };
        assert_eq!(kept(&unknown, Timestamp(0)), (None, true, true));
        assert_eq!(kept(&RecipientSpec { trains: Trains::Yes, ..spec() }, last), (Some(0), true, true));
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        let now = Timestamp(DAY);
        assert!(spec().checked("Example AI Ltd.", now).is_ok());
        for name in ["", " a", "a\n", &"x".repeat(NAME_MAX + 1), &RecipientId::fresh().to_string()] {
            assert!(spec().checked(name, now).is_err(), "{name}");
        }
        let bad: [fn(&mut RecipientSpec); 9] = [
            |s| s.country = "de".to_owned(),
            |s| s.country = "ZZ".to_owned(),
            |s| s.purposes.clear(),
            |s| s.evidence_url = None,
            |s| s.checked_at = None,
            |s| s.checked_at = Some(Timestamp(2 * DAY)),
            |s| s.evidence_url = Some("https://user@example.org/".to_owned()),
            |s| s.dsr_endpoint = Some("http://example.org/dsr".to_owned()),
            |s| s.contact = Some("two\nlines".to_owned()),
        ];
        for (place, change) in bad.into_iter().enumerate() {
            let mut spec = spec();
            change(&mut spec);
            assert!(spec.checked("a", now).is_err(), "{place}");
        }
    }
}
