//! Messages to people, by e-mail and SMS.
//!
//! A message is written into the table `messages`, the outbox, in the transaction of whoever has something to say
//! ([`Messages::enqueue`]): it goes out exactly if that transaction commits. Any control plane leases what is due and
//! sends it ([`delivery`]). A process that dies between sending and saying so leaves its lease to run out, and the
//! message is sent again: **twice at worst, never not at all**. Every attempt carries the same `Message-ID`.
//!
//! Recipient and variables are sealed, and gone from the row once it was sent or will not be.

mod attempt;
pub mod delivery;
mod development;
mod error;
mod metrics;
mod model;
mod names;
pub(crate) mod outbound;
pub(crate) mod sms;
mod smtp;
mod store;
mod templates;
#[cfg(test)]
pub(crate) mod tests;

pub use attempt::{Attempt, NotTaken, Taken};
pub use development::{KeptContent, KeptMessage};
pub use error::MessagesError;
pub use model::{
    Changed, Channel, Code, Content, Failure, Kind, LONGEST, Language, MessageView, NewMessage, Schedule, State,
};

pub use names::shown_name;
pub use sms::{Declaration, ProviderKind, ServerTemplate, Sms, SmsSettings};
pub use smtp::{Protection, Smtp, SmtpSettings};
pub use templates::{TemplateError, Templates};

use lettre::Address;
use metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;
use store::MessageRow;
use tacit_kernel::ids::{AccountId, MessageId};
use tacit_kernel::{Clock, Fault};
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Page, Paged, Sql, StorageError, WriteTx};
use tacit_vault::{Aad, SealKey};
use tokio::sync::Notify;

/// Every statement of messages.
pub(crate) const STATEMENTS: &[&Sql] = store::STATEMENTS;

/// What is there to send with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Messages go out.
    Open,
    /// Messages are kept for the developer to read, and go nowhere.
    Development,
    /// Messages are refused.
    Closed,
}

/// What a channel sends with.
#[derive(Debug)]
pub enum Route<T> {
    /// This.
    Open(T),
    /// Nothing: messages are kept in the development outbox.
    Development,
    /// Nothing: messages are refused.
    Closed,
}

impl<T> Route<T> {
    const fn way(&self) -> Way {
        match self {
            Self::Open(_) => Way::Open,
            Self::Development => Way::Development,
            Self::Closed => Way::Closed,
        }
    }
}

/// What messages are made of and sent with.
#[derive(Debug)]
pub struct Setup {
    /// E-mail.
    pub email: Route<Smtp>,
    /// Text messages.
    pub sms: Route<Sms>,
    /// What messages look like.
    pub templates: Templates,
    /// When they are tried again.
    pub schedule: Schedule,
    /// Attempts at the same time, of each control plane.
    pub concurrency: usize,
    /// How long an attempt may take.
    pub longest_attempt: Duration,
}

/// Messages: writing them, sending them, showing what became of them. Cheap to clone.
#[derive(Clone)]
pub struct Messages(Arc<Inner>);

struct Inner {
    db: Db,
    keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
    email: Route<Smtp>,
    sms: Route<Sms>,
    templates: Templates,
    schedule: Schedule,
    concurrency: usize,
    longest_attempt: Duration,
    metrics: Metrics,
    /// Told when a message was written.
    arrived: Notify,
}

const fn aad(column: &'static str, id: MessageId) -> Aad<'static> {
    Aad { table: "messages", column, row: id.0 }
}

impl Messages {
    /// Messages over this database and keyring. They are sent by [`delivery::run`].
    #[must_use]
    pub fn new(db: Db, keys: Arc<KeyStore>, clock: Arc<dyn Clock>, setup: Setup) -> Self {
        let Setup { email, sms, templates, schedule, concurrency, longest_attempt } = setup;
        Self(Arc::new(Inner {
            db,
            keys,
            clock,
            email,
            sms,
            templates,
            schedule,
            concurrency: concurrency.max(1),
            longest_attempt,
            metrics: Metrics::new(),
            arrived: Notify::new(),
        }))
    }

    /// Writes a message as part of the caller's transaction; it is sent soon after that commits, and never if it does not.
    ///
    /// # Errors
    /// [`MessagesError::NotConfigured`] if the channel is closed; `AddressInvalid`, `NumberInvalid`, `TooLong`, `Expired`,
    /// `AccountErased`; storage, keyring.
    pub async fn enqueue(&self, tx: &mut WriteTx<'_>, message: &NewMessage) -> Result<MessageId, MessagesError> {
        let now = self.0.clock.now();
        let to = message.recipient.reveal();
        self.must_be_open(message.channel)?;
        match message.channel {
            Channel::Email => address_check(to)?,
            Channel::Sms => number_check(to)?,
        }
        let not_before = message.not_before.unwrap_or(now);
        if message.expires_at <= not_before.max(now) {
            return Err(MessagesError::Expired);
        }
        if message.expires_at.micros_since(now) > LONGEST {
            return Err(MessagesError::TooLong);
        }
        let id = MessageId::fresh();
        let key = self.seal_key(message.account).await?.ok_or(MessagesError::AccountErased)?;
        let row = MessageRow {
            id,
            account: message.account,
            kind: message.content.kind(),
            channel: message.channel,
            language: message.language,
            created_at: now,
            not_before,
            expires_at: message.expires_at,
            recipient_sealed: key.seal(&aad("recipient_sealed", id), to.as_bytes()),
            variables_sealed: key.seal(&aad("variables_sealed", id), message.content.variables().as_bytes()),
        };
        store::message_insert(tx, row).await?;
        self.0.arrived.notify_one();
        Ok(id)
    }

    /// Whether anything can be sent over that channel.
    ///
    /// # Errors
    /// [`MessagesError::NotConfigured`].
    pub fn must_be_open(&self, channel: Channel) -> Result<(), MessagesError> {
        match channel {
            _ if self.way(channel) != Way::Closed => Ok(()),
            Channel::Email => Err(MessagesError::NotConfigured { channel: "e-mail", remedy: "messages.smtp.host" }),
            Channel::Sms => Err(MessagesError::NotConfigured { channel: "SMS", remedy: "messages.sms.provider" }),
        }
    }

    /// Which way messages of that channel go.
    #[must_use]
    pub fn way(&self, channel: Channel) -> Way {
        match channel {
            Channel::Email => self.0.email.way(),
            Channel::Sms => self.0.sms.way(),
        }
    }

    /// Writes a message in a transaction of its own.
    ///
    /// # Errors
    /// As [`Self::enqueue`].
    pub async fn enqueue_alone(&self, message: &NewMessage) -> Result<MessageId, MessagesError> {
        let id = self.0.db.write("messages.enqueue", |tx| Box::pin(self.enqueue(tx, message))).await?;
        self.0.arrived.notify_one();
        Ok(id)
    }

    /// Sends a test message now, past the outbox, and tells how it ended.
    ///
    /// # Errors
    /// `messages.not_configured` if the channel sends nothing; `AddressInvalid`, `NumberInvalid`.
    pub async fn test(&self, channel: Channel, language: Language, to: &str) -> Result<Attempt, Fault> {
        let variables = serde_json::json!({});
        let broken = |_| Fault::internal("messages.template", "the template of the test message");
        let (id, now) = (MessageId::fresh(), self.0.clock.now());
        let closed = |channel, remedy| Err(MessagesError::NotConfigured { channel, remedy }.into());
        match channel {
            Channel::Email => {
                address_check(to)?;
                let Route::Open(smtp) = &self.0.email else { return closed("e-mail", "messages.smtp.host") };
                let letter = self.0.templates.letter(Kind::Test, language, &variables).map_err(broken)?;
                Ok(smtp.send(id, to, letter, now).await)
            }
            Channel::Sms => {
                number_check(to)?;
                let Route::Open(sms) = &self.0.sms else { return closed("SMS", "messages.sms.provider") };
                let text = self.0.templates.sms(Kind::Test, language, &variables).map_err(broken)?;
                Ok(sms.send(id, to, (Kind::Test, language), &text, &variables, now).await)
            }
        }
    }

    /// A page of what was written, newest first: that it was sent or not, not what it said or to whom.
    ///
    /// # Errors
    /// Storage.
    pub async fn list(&self, page: Page) -> Result<Paged<MessageView>, MessagesError> {
        let read: Result<_, StorageError> =
            self.0.db.read("messages.list", |tx| Box::pin(store::message_list(tx, page))).await;
        Ok(page.take(read?, |m| m.id.0))
    }

    /// Everything counted so far, in the text form that Prometheus reads.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        self.0.metrics.text()
    }

    /// The key that seals what concerns that account, or nobody yet; `None` once the account was erased.
    async fn seal_key(&self, account: Option<AccountId>) -> Result<Option<SealKey>, MessagesError> {
        match account {
            Some(id) => Ok(self.0.keys.get(id.0).await?),
            None => Ok(Some(self.0.keys.platform_key().derive("messages"))),
        }
    }
}

/// Whether the text is an e-mail address (RFC 5321), of at most 254 bytes and ASCII.
///
/// # Errors
/// [`MessagesError::AddressInvalid`].
pub fn address_check(text: &str) -> Result<(), MessagesError> {
    let fine = text.len() <= 254 && text.is_ascii() && text.parse::<Address>().is_ok();
    if fine { Ok(()) } else { Err(MessagesError::AddressInvalid) }
}

/// Whether the text is a telephone number with its country: `+` and 8 to 15 digits, the first not 0 (ITU-T E.164).
///
/// # Errors
/// [`MessagesError::NumberInvalid`].
pub fn number_check(text: &str) -> Result<(), MessagesError> {
    let digits = text.strip_prefix('+').unwrap_or("");
    let fine =
        (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if fine { Ok(()) } else { Err(MessagesError::NumberInvalid) }
}
