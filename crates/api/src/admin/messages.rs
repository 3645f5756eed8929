//! `/v1/messages`: what became of the messages to people, the development outbox, and trying a channel.

use super::forms::messages::shown;
use super::forms::{Moment, Page, PageQuery, page_of};
use super::input::{Input, Params};
use super::{Admin, Answer, not_found};
use crate::console::development_outbox::unrestricted;
use crate::restricted::left_out;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tacit_kernel::Personal;
use tacit_kernel::ids::MessageId;
use tacit_operations::messages::{Channel, Content, Failure, KeptContent, KeptMessage, Language, NewMessage};

pub use super::forms::messages::Message;

/// A message of the development outbox: it was not sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DevelopmentMessage {
    /// Its id.
    pub id: MessageId,
    /// When it would have been sent.
    pub at: Moment,
    /// What it says; absent once its account was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<KeptContent>,
    /// Always true: only a development platform keeps messages, and none of them went out.
    pub development_only: bool,
}

/// Try a channel.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// E-mail address, or telephone number with `+`.
    pub to: String,
    /// In which language.
    pub language: Language,
    /// Write it into the outbox instead of sending it now.
    #[serde(default)]
    pub queue: bool,
}

/// How it ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// Which way it went.
    pub channel: Channel,
    /// Whether the other side took it; absent if it was written into the outbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<bool>,
    /// The class of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The number of the answer, of SMTP or HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The provider's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its id in the outbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/messages", get(list))
        .route("/v1/messages/test", post(test))
        .route("/v1/messages/development", get(kept))
        .route("/v1/messages/development/{id}", get(kept_one))
}

async fn list(State(admin): State<Admin>, Params(query): Params<PageQuery>) -> Answer<Page<Message>> {
    let page = admin.messages.list(page_of(query.after.as_deref(), query.limit)?).await?;
    let page = left_out(&admin.identity, page, |message| message.account).await?;
    Ok(Json(Page::of(page, shown)))
}

async fn kept(State(admin): State<Admin>, Params(query): Params<PageQuery>) -> Answer<Page<DevelopmentMessage>> {
    let page = admin.messages.kept_list(page_of(query.after.as_deref(), query.limit)?).await?;
    let page = unrestricted((&admin.db, &admin.identity), page).await?;
    Ok(Json(Page::of(page, kept_shown)))
}

async fn kept_one(State(admin): State<Admin>, Path(id): Path<String>) -> Answer<DevelopmentMessage> {
    let id = id.parse().map_err(|_| not_found("messages.not_found", "message"))?;
    Ok(Json(kept_shown(admin.messages.kept(id).await?)))
}

/// How long a test message may wait in the outbox, in microseconds: ten minutes.
const WAITS: i64 = 600_000_000;

async fn test(State(admin): State<Admin>, Input(form): Input<Try>) -> Answer<Tried> {
    let channel = if form.to.starts_with('+') { Channel::Sms } else { Channel::Email };
    let mut tried = Tried { channel, taken: None, failure: None, status: None, code: None, id: None };
    if form.queue {
        let message = NewMessage {
            content: Content::Test,
            channel,
            language: form.language,
            recipient: Personal::new(form.to),
            account: None,
            not_before: None,
            expires_at: admin.clock.now().plus_micros(WAITS),
        };
        tried.id = Some(admin.messages.enqueue_alone(&message).await?);
        return Ok(Json(tried));
    }
    match admin.messages.test(channel, form.language, &form.to).await? {
        Ok(taken) => (tried.taken, tried.status) = (Some(true), Some(taken.status)),
        Err(not_taken) => {
            tried.taken = Some(false);
            (tried.failure, tried.status, tried.code) = (Some(not_taken.failure), not_taken.status, not_taken.code);
        }
    }
    Ok(Json(tried))
}

fn kept_shown(message: KeptMessage) -> DevelopmentMessage {
    DevelopmentMessage { id: message.id, at: message.at.into(), content: message.content, development_only: true }
}
