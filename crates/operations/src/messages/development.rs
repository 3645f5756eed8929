//! The development outbox: in the profile development, where no channel is configured, messages go nowhere and are kept
//! for the developer to read. What is kept is sealed like the messages themselves; it is gone after seven days.

use super::model::{Channel, Kind, LONGEST, Language};
use super::store::{self, KeptRow, Leased};
use super::templates::Letter;
use super::{Messages, MessagesError, Way};
use serde::{Deserialize, Serialize};
use std::fmt;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, MessageId};
use tacit_storage::{Page, Paged, StorageError};
use tacit_vault::Aad;

/// A message that would have been sent.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptMessage {
    /// Its id.
    pub id: MessageId,
    /// Whom it concerns.
    pub account: Option<AccountId>,
    /// When it would have been sent.
    pub at: Timestamp,
    /// What it says, to whom; `None` once the account was erased.
    pub content: Option<KeptContent>,
}

/// What a kept message says. Not printable: it is a person's, also on a developer's machine.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptContent {
    /// What it is about.
    pub kind: Kind,
    /// Which way it would have gone.
    pub channel: Channel,
    /// In which language.
    pub language: Language,
    /// To whom.
    pub to: String,
    /// Subject of an e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// The HTML of an e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

impl fmt::Debug for KeptMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)
    }
}

impl fmt::Debug for KeptContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

const fn aad(id: MessageId) -> Aad<'static> {
    Aad { table: "development_outbox", column: "content_sealed", row: id.0 }
}

impl Messages {
    /// A page of what would have been sent, newest first.
    ///
    /// # Errors
    /// [`MessagesError::NotDevelopment`]; storage, keyring.
    pub async fn kept_list(&self, page: Page) -> Result<Paged<KeptMessage>, MessagesError> {
        self.development_only()?;
        let rows: Vec<KeptRow> = self
            .0
            .db
            .read("messages.kept_list", |tx| Box::pin(store::kept_list(tx, page)))
            .await
            .map_err(of_storage)?;
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            items.push(self.kept_opened(row).await?);
        }
        Ok(page.take(items, |m| m.id.0))
    }

    /// One of them.
    ///
    /// # Errors
    /// [`MessagesError::NotDevelopment`], `NotFound`; storage, keyring.
    pub async fn kept(&self, id: MessageId) -> Result<KeptMessage, MessagesError> {
        self.development_only()?;
        let row = self.0.db.read("messages.kept", |tx| Box::pin(store::kept_one(tx, id))).await.map_err(of_storage)?;
        self.kept_opened(row.ok_or(MessagesError::NotFound)?).await
    }

    /// Whether there is an outbox at all.
    ///
    /// # Errors
    /// [`MessagesError::NotDevelopment`].
    pub fn development_only(&self) -> Result<(), MessagesError> {
        let kept = [Channel::Email, Channel::Sms].into_iter().any(|c| self.way(c) == Way::Development);
        if kept { Ok(()) } else { Err(MessagesError::NotDevelopment) }
    }

    async fn kept_opened(&self, row: KeptRow) -> Result<KeptMessage, MessagesError> {
        let bad = || StorageError::inconsistent("development_outbox", "content_sealed");
        let content = match self.seal_key(row.account).await? {
            Some(key) => {
                let plain = key.open(&aad(row.id), &row.content_sealed).map_err(|_| bad())?;
                Some(serde_json::from_slice(&plain).map_err(|_| bad())?)
            }
            None => None,
        };
        Ok(KeptMessage { id: row.id, account: row.account, at: row.created_at, content })
    }

    /// Keeps a message instead of sending it.
    pub(super) async fn keep(
        &self,
        leased: &Leased,
        to: &str,
        letter: Option<Letter>,
        text: String,
    ) -> Result<(), MessagesError> {
        let (subject, html, text) = match letter {
            Some(letter) => (Some(letter.subject), Some(letter.html), letter.text),
            None => (None, None, text),
        };
        let content = KeptContent {
            kind: leased.kind,
            channel: leased.channel,
            language: leased.language,
            to: to.to_owned(),
            subject,
            text,
            html,
        };
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&content).unwrap_or_default());
        let key = self.seal_key(leased.account).await?.ok_or(MessagesError::AccountErased)?;
        let (id, account, now) = (leased.id, leased.account, self.0.clock.now());
        let sealed = &key.seal(&aad(id), &plain);
        self.0
            .db
            .write("messages.keep", |tx| {
                let row = KeptRow { id, account, created_at: now, content_sealed: sealed.clone() };
                Box::pin(store::kept_insert(tx, row))
            })
            .await
            .map_err(of_storage)
    }

    /// Kept messages older than this go.
    pub(super) fn kept_since(&self) -> Timestamp {
        self.0.clock.now().plus_micros(-LONGEST)
    }
}

fn of_storage(error: StorageError) -> MessagesError {
    error.into()
}
