//! Messages to people, by e-mail and SMS.
//!
//! A message is written into the table `messages`, the outbox, in the transaction of whoever has something to say
//! ([`Messages::enqueue`]): it goes out exactly if that transaction commits. Any control plane leases what is due and
//! sends it ([`delivery`]). A process that dies between sending and saying so leaves its lease to run out, and the
//! message is sent again: **twice at worst, never not at all**. Every attempt carries the same `Message-ID`.
//!
//! Recipient and variables are sealed, and gone from the row once it was sent or will not be.

mod error;
mod model;
mod store;

pub use error::MessagesError;
pub use model::{
    Changed, Channel, Code, Content, Failure, Kind, LONGEST, Language, MessageView, NewMessage, Schedule, State,
};

use lettre::Address;
use std::sync::Arc;
use store::MessageRow;
use tacit_kernel::Clock;
use tacit_kernel::ids::{AccountId, MessageId};
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Sql, WriteTx};
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

/// Messages: writing them, sending them, showing what became of them. Cheap to clone.
#[derive(Clone)]
pub struct Messages(Arc<Inner>);

struct Inner {
    db: Db,
    keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
    email: Way,
    sms: Way,
    /// Told when a message was written.
    arrived: Notify,
}

fn aad(column: &'static str, id: MessageId) -> Aad<'static> {
    Aad { table: "messages", column, row: id.0 }
}

impl Messages {
    /// Messages that go these ways.
    #[must_use]
    pub fn new(db: Db, keys: Arc<KeyStore>, clock: Arc<dyn Clock>, email: Way, sms: Way) -> Self {
        Self(Arc::new(Inner { db, keys, clock, email, sms, arrived: Notify::new() }))
    }

    /// Writes a message as part of the caller's transaction; it is sent soon after that commits, and never if it does not.
    ///
    /// # Errors
    /// [`MessagesError::NotConfigured`] if the channel is closed; `AddressInvalid`, `NumberInvalid`, `TooLong`, `Expired`,
    /// `AccountErased`; storage, keyring.
    pub async fn enqueue(&self, tx: &mut WriteTx<'_>, message: &NewMessage) -> Result<MessageId, MessagesError> {
        let now = self.0.clock.now();
        let to = message.recipient.reveal();
        match message.channel {
            Channel::Email if self.0.email == Way::Closed => {
                return Err(MessagesError::NotConfigured { channel: "e-mail", remedy: "messages.smtp.host" });
            }
            Channel::Sms if self.0.sms == Way::Closed => {
                return Err(MessagesError::NotConfigured { channel: "SMS", remedy: "messages.sms.provider" });
            }
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

    /// Which way messages of that channel go.
    #[must_use]
    pub fn way(&self, channel: Channel) -> Way {
        match channel {
            Channel::Email => self.0.email,
            Channel::Sms => self.0.sms,
        }
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
