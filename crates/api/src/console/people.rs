//! What the routes about people share: who a caller is by the identity service, how addresses are written on the wire, from
//! where somebody comes, and how somebody is written to.

use super::idempotency::Undone;
use super::{Authenticate, Authenticating, Client, Console, Presented};
use crate::problem::Refusal;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use tacit_identity::Identity;
use tacit_identity::contacts::{Contact, ContactKind};
use tacit_identity::registration::Language;
use tacit_identity::sessions::Origin;
use tacit_kernel::ids::AccountId;
use tacit_kernel::{ErrorKind, Fault, Personal, Timestamp};
use tacit_operations::messages::{self, Content, NewMessage};
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;

/// Recognises callers by sessions and management keys.
pub struct People(pub Identity);

impl Authenticate for People {
    fn authenticate<'a>(&'a self, presented: &'a Presented, _: &'a Client) -> Authenticating<'a> {
        Box::pin(async move {
            Ok(match presented {
                Presented::Session(token) => self.0.caller_by_session(token).await?,
                Presented::ManagementKey(key) => self.0.caller_by_management_key(key).await?,
            })
        })
    }
}

/// From where a request comes, as the identity service asks for it.
pub(super) struct From(pub(super) Origin);

impl FromRequestParts<Console> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Infallible> {
        // Without an address, which the gateway always gives, all count as one.
        let address = Client::of(&parts.headers).address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let device = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let gpc = parts.headers.get("sec-gpc").is_some_and(|value| value == "1");
        Ok(Self(Origin::new(address, device).known_by(console.cookies.device(&parts.headers)).with_gpc(gpc)))
    }
}

/// A language, on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tongue {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl std::convert::From<Tongue> for Language {
    fn from(tongue: Tongue) -> Self {
        match tongue {
            Tongue::En => Self::En,
            Tongue::Zh => Self::Zh,
        }
    }
}

impl std::convert::From<Language> for Tongue {
    fn from(language: Language) -> Self {
        match language {
            Language::En => Self::En,
            Language::Zh => Self::Zh,
        }
    }
}

/// An e-mail address or a phone number: one of them.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Address {
    /// An e-mail address.
    #[schema(max_length = 254)]
    pub(super) email: Option<String>,
    /// A phone number with its country, such as `+8613800138000`.
    #[schema(max_length = 40)]
    pub(super) phone: Option<String>,
}

impl Address {
    /// The contact that it names.
    ///
    /// # Errors
    /// 422 about the field, or about both if there is not exactly one.
    pub(super) fn contact(&self) -> Result<Contact, Refusal> {
        match (&self.email, &self.phone) {
            (Some(email), None) => email_of(email),
            (None, Some(phone)) => phone_of(phone),
            _ => {
                let message = "give an e-mail address or a phone number, one of them";
                Err(Refusal::from(Fault::new(ErrorKind::Invalid, "contact.invalid", message)).about("email"))
            }
        }
    }
}

pub(super) fn email_of(text: &str) -> Result<Contact, Refusal> {
    Contact::email(text).map_err(|error| Refusal::from(error).about("email"))
}

pub(super) fn phone_of(text: &str) -> Result<Contact, Refusal> {
    Contact::phone(text, None).map_err(|error| Refusal::from(error).about("phone"))
}

/// The way that messages to it take.
pub(super) fn channel_of(contact: &Contact) -> messages::Channel {
    match contact.kind() {
        ContactKind::Email => messages::Channel::Email,
        ContactKind::Phone => messages::Channel::Sms,
    }
}

impl Console {
    /// Writes to somebody, as part of a transaction.
    pub(super) async fn write_to(
        &self,
        tx: &mut WriteTx<'_>,
        (contact, language): (&Contact, Language),
        account: Option<AccountId>,
        content: Content,
        expires_at: Timestamp,
    ) -> Result<(), Undone> {
        let message = NewMessage {
            content,
            channel: channel_of(contact),
            language: match language {
                Language::En => messages::Language::En,
                Language::Zh => messages::Language::Zh,
            },
            recipient: Personal::new(contact.text().to_owned()),
            account,
            not_before: None,
            expires_at,
        };
        self.messages.enqueue(tx, &message).await?;
        Ok(())
    }

    /// Tells somebody something at each of their addresses, if what happens is done: a title and a text. A channel that is not
    /// configured is passed over.
    pub(super) async fn notice_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        said: impl Fn(Language) -> (&'static str, String) + Send,
    ) -> Result<(), Undone> {
        // Nothing can be sealed for who was erased.
        if self.keys.get(account.0).await?.is_none() {
            return Ok(());
        }
        let held = self.identity.contacts_of_in_tx(tx, account).await?;
        self.notice_at(tx, account, held.iter().map(|held| &held.contact), said).await
    }

    /// Tells the guardian something who consented for an account, if there is one.
    pub(super) async fn guardian_notice_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        said: impl Fn(Language) -> (&'static str, String) + Send,
    ) -> Result<(), Undone> {
        if self.keys.get(account.0).await?.is_none() {
            return Ok(());
        }
        let guardian = self.identity.guardian_contact_in_tx(tx, account).await?;
        self.notice_at(tx, account, guardian.iter(), said).await
    }

    async fn notice_at(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        contacts: impl Iterator<Item = &Contact> + Send,
        said: impl Fn(Language) -> (&'static str, String) + Send,
    ) -> Result<(), Undone> {
        let language = self.language_in_tx(tx, account).await?;
        let until = self.clock.now().plus_micros(messages::LONGEST);
        for contact in contacts {
            if self.messages.must_be_open(channel_of(contact)).is_err() {
                continue;
            }
            let (title, text) = said(language);
            let content = Content::AccountNotice { title: Personal::new(title.to_owned()), text: Personal::new(text) };
            self.write_to(tx, (contact, language), Some(account), content, until).await?;
        }
        Ok(())
    }

    /// In which language somebody is written to.
    pub(super) async fn language_in_tx(&self, tx: &mut ReadTx<'_>, account: AccountId) -> Result<Language, Undone> {
        let profile = self.identity.profile_in_tx(tx, account).await?;
        Ok(profile.map_or(Language::En, |profile| profile.language))
    }
}
