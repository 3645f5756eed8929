//! What a message is, and when it is tried again. Pure.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::fmt;
use tacit_kernel::ids::{AccountId, MessageId};
use tacit_kernel::{Personal, Timestamp, words};
use zeroize::Zeroizing;

words! {
    /// What a message is about; each has templates of its own.
    Kind {
        /// A code that proves an e-mail address or telephone number.
        EmailVerify = "code.email_verify",
        /// A code to sign in with.
        SignIn = "code.sign_in",
        /// A code to set a new password with.
        PasswordReset = "code.password_reset",
        /// A code to show once more who is there.
        StepUp = "code.step_up",
        /// A code for a request about one's data, by who is not signed in.
        Rights = "code.rights",
        /// A code with which a guardian consents to the registration of a minor.
        Guardian = "code.guardian",
        /// The address, number or password of an account was changed: told to the old place.
        ContactChanged = "contact.changed",
        /// Somebody signed in from a device that was not seen before.
        NewDevice = "sign_in.new_device",
        /// An invitation to an organisation.
        Invitation = "invitation",
        /// A word of the operator about the account.
        AccountNotice = "account.notice",
        /// An incident concerns the account. Nobody can have it switched off.
        Incident = "incident",
        /// The operator tries the channel.
        Test = "test",
    }

    /// The way a message takes.
    Channel {
        /// E-mail, over SMTP.
        Email = "email",
        /// A text message, over a provider's HTTP interface.
        Sms = "sms",
    }

    /// The language of a message.
    Language {
        /// English.
        En = "en",
        /// Chinese, simplified.
        Zh = "zh",
    }

    /// What has become of a message.
    State {
        /// It is to be sent, or being sent.
        Waiting = "waiting",
        /// Whom we gave it to has taken it.
        Sent = "sent",
        /// It will not be sent.
        Failed = "failed",
        /// It was not sent in time.
        Expired = "expired",
    }

    /// Why an attempt failed. The words of the other side are never kept.
    Failure {
        /// No connection: no address, none that may be used, or nobody there.
        Unreachable = "unreachable",
        /// Encryption was not to be had, or the certificate is not the right one.
        Tls = "tls",
        /// No answer in time.
        Timeout = "timeout",
        /// Refused for now (SMTP 4xx; HTTP 429 and 5xx; a provider's word for too much).
        Deferred = "deferred",
        /// Refused for good (SMTP 5xx; a provider's refusal).
        Refused = "refused",
        /// We were not let in: user, password, key or signature.
        Credentials = "credentials",
        /// There is no such address or number, or none that is served.
        Recipient = "recipient",
        /// The answer cannot be understood.
        Answer = "answer",
        /// The template does not give a message.
        Template = "template",
        /// The channel is not configured any more, or lacks the template of this kind and language.
        NotConfigured = "not_configured",
        /// The account was erased before the message was sent.
        Erased = "erased",
        /// What is stored does not open.
        Unreadable = "unreadable",
        /// The process ended in the middle of the last attempt: it may have been sent.
        Lost = "lost",
    }
}

impl Failure {
    /// Whether another attempt may end better.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        match self {
            // The operator can mend credentials while messages wait, so they are not given up for a wrong password.
            Self::Unreachable | Self::Tls | Self::Timeout | Self::Deferred | Self::Credentials | Self::Answer => true,
            Self::Refused
            | Self::Recipient
            | Self::Template
            | Self::NotConfigured
            | Self::Erased
            | Self::Unreadable
            | Self::Lost => false,
        }
    }
}

/// A code and how long it is good for.
pub struct Code {
    /// The code, as its reader types it.
    pub code: SecretString,
    /// Minutes until it is void.
    pub minutes: u32,
}

/// What a message says: the kind with the variables of its template.
pub enum Content {
    /// [`Kind::EmailVerify`]; also to prove a telephone number.
    EmailVerify(Code),
    /// [`Kind::SignIn`].
    SignIn(Code),
    /// [`Kind::PasswordReset`].
    PasswordReset(Code),
    /// [`Kind::StepUp`].
    StepUp(Code),
    /// [`Kind::Rights`].
    Rights(Code),
    /// [`Kind::Guardian`].
    Guardian(Code),
    /// [`Kind::ContactChanged`].
    ContactChanged {
        /// What was changed.
        what: Changed,
        /// When.
        at: Timestamp,
    },
    /// [`Kind::NewDevice`].
    NewDevice {
        /// What is known of it, such as `Firefox on Linux`.
        device: Personal<String>,
        /// Its network address, or what is known of where it is.
        place: Personal<String>,
        /// When.
        at: Timestamp,
    },
    /// [`Kind::Invitation`].
    Invitation {
        /// Who invites.
        inviter: Personal<String>,
        /// To which organisation.
        organisation: Personal<String>,
        /// Where to accept.
        url: SecretString,
    },
    /// [`Kind::AccountNotice`].
    AccountNotice {
        /// One line.
        title: Personal<String>,
        /// Plain text; empty lines part paragraphs.
        text: Personal<String>,
    },
    /// [`Kind::Incident`].
    Incident {
        /// What happened, what was done, what people can do, what is offered: plain text; empty lines part paragraphs.
        text: String,
        /// Where it can be read; empty if the platform has no address that is known.
        url: String,
    },
    /// [`Kind::Test`].
    Test,
}

words! {
    /// What was changed of an account.
    Changed {
        /// Its e-mail address.
        Email = "email",
        /// Its telephone number.
        Phone = "phone",
        /// Its password.
        Password = "password",
        /// Its second factor.
        SecondFactor = "second_factor",
        /// The identities of third parties that it is linked with.
        Identity = "identity",
        /// Its passkeys.
        Passkey = "passkey",
        /// The name to sign in with.
        Name = "name",
    }
}

impl Content {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::EmailVerify(_) => Kind::EmailVerify,
            Self::SignIn(_) => Kind::SignIn,
            Self::PasswordReset(_) => Kind::PasswordReset,
            Self::StepUp(_) => Kind::StepUp,
            Self::Rights(_) => Kind::Rights,
            Self::Guardian(_) => Kind::Guardian,
            Self::ContactChanged { .. } => Kind::ContactChanged,
            Self::NewDevice { .. } => Kind::NewDevice,
            Self::Invitation { .. } => Kind::Invitation,
            Self::AccountNotice { .. } => Kind::AccountNotice,
            Self::Incident { .. } => Kind::Incident,
            Self::Test => Kind::Test,
        }
    }

    /// The variables of its template, as JSON.
    pub(super) fn variables(&self) -> Zeroizing<String> {
        let value = match self {
            Self::EmailVerify(c)
            | Self::SignIn(c)
            | Self::PasswordReset(c)
            | Self::StepUp(c)
            | Self::Rights(c)
            | Self::Guardian(c) => {
                json!({ "code": c.code.expose_secret(), "minutes": c.minutes })
            }
            Self::ContactChanged { what, at } => json!({ "what": what, "time": minute(*at) }),
            Self::NewDevice { device, place, at } => {
                json!({ "device": device.reveal(), "place": place.reveal(), "time": minute(*at) })
            }
            Self::Invitation { inviter, organisation, url } => json!({
                "inviter": inviter.reveal(), "organisation": organisation.reveal(), "url": url.expose_secret(),
            }),
            Self::AccountNotice { title, text } => json!({ "title": title.reveal(), "text": text.reveal() }),
            Self::Incident { text, url } => json!({ "text": text, "url": url }),
            Self::Test => json!({}),
        };
        Zeroizing::new(value.to_string())
    }

    /// One of each kind, to try templates with.
    pub(super) fn sample(kind: Kind) -> Self {
        let code = || Code { code: SecretString::from("123456"), minutes: 10 };
        let text = |text: &str| Personal::new(text.to_owned());
        let at = Timestamp(1_790_000_000_000_000);
        match kind {
            Kind::EmailVerify => Self::EmailVerify(code()),
            Kind::SignIn => Self::SignIn(code()),
            Kind::PasswordReset => Self::PasswordReset(code()),
            Kind::StepUp => Self::StepUp(code()),
            Kind::Rights => Self::Rights(code()),
            Kind::Guardian => Self::Guardian(code()),
            Kind::ContactChanged => Self::ContactChanged { what: Changed::Email, at },
            Kind::NewDevice => Self::NewDevice { device: text("Firefox on Linux"), place: text("203.0.113.7"), at },
            Kind::Invitation => Self::Invitation {
                inviter: text("Ada"),
                organisation: text("Analytical Engines"),
                url: SecretString::from("https://ai.example/invitations/abc"),
            },
            Kind::AccountNotice => Self::AccountNotice { title: text("A title"), text: text("A text.\n\nMore of it.") },
            Kind::Incident => Self::Incident {
                text: "What happened.\n\nWhat you can do.".to_owned(),
                url: "https://ai.example/privacy/incidents".to_owned(),
            },
            Kind::Test => Self::Test,
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().as_str())
    }
}

/// As people read it: `2026-11-26 00:41 UTC`.
fn minute(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A message to be sent.
#[derive(Debug)]
pub struct NewMessage {
    /// What it says.
    pub content: Content,
    /// Which way it goes.
    pub channel: Channel,
    /// In which language.
    pub language: Language,
    /// The e-mail address, or the telephone number as E.164 writes it (`+8613800000000`).
    pub recipient: Personal<String>,
    /// Whom it concerns: their key seals it, so that it goes with them. The platform's key does if there is nobody yet.
    pub account: Option<AccountId>,
    /// Not sent before this moment; at once if `None`.
    pub not_before: Option<Timestamp>,
    /// Not sent after this moment: when a code is void, say. At most [`LONGEST`] ahead.
    pub expires_at: Timestamp,
}

/// A message waits for that many microseconds at most: seven days.
pub const LONGEST: i64 = 7 * 86_400_000_000;

/// When a message is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Attempts at most.
    pub attempts: u32,
    /// Microseconds after the first attempt; doubled after each further one.
    pub first: i64,
    /// Microseconds at most.
    pub most: i64,
}

impl Schedule {
    /// Ten attempts: after 5 s, 10 s, 20 s and so on, never more than 15 minutes apart; an hour in all.
    pub const DEFAULT: Self = Self { attempts: 10, first: 5_000_000, most: 900_000_000 };

    /// How long to wait after that many attempts, in microseconds. `chance`, from 0 to 1, takes away up to a fifth, so
    /// that what failed together is not tried together.
    #[must_use]
    pub fn wait(&self, attempts: u32, chance: f64) -> i64 {
        let doubled = self.first.saturating_mul(1_i64 << attempts.saturating_sub(1).min(30)).min(self.most);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a wait need not be exact")]
        let less = (doubled as f64 / 5.0 * chance.clamp(0.0, 1.0)) as i64;
        doubled - less
    }
}

/// A message as the operator may see it: that it was or was not sent, not what it said or to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView {
    /// Its id.
    pub id: MessageId,
    /// Whom it concerns.
    pub account: Option<AccountId>,
    /// What it is about.
    pub kind: Kind,
    /// Which way it goes.
    pub channel: Channel,
    /// In which language.
    pub language: Language,
    /// What has become of it.
    pub state: State,
    /// Attempts so far.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub failure: Option<Failure>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent or given up.
    pub finished_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tacit_kernel::datamap::Place;

    #[test]
    fn every_variable_of_a_message_is_in_the_data_map() {
        let declared: BTreeSet<String> = crate::datamap::ELEMENTS
            .iter()
            .filter_map(|element| match element.place {
                Place::MessageField { field } => Some(field.to_owned()),
                _ => None,
            })
            .collect();
        let said: BTreeSet<String> = Kind::ALL
            .iter()
            .map(|kind| serde_json::from_str::<serde_json::Value>(&Content::sample(*kind).variables()).unwrap())
            .flat_map(|variables| variables.as_object().unwrap().keys().cloned().collect::<Vec<_>>())
            .collect();
        assert_eq!(said, declared);
    }
}
