//! `/api/v1/development-outbox`: what a development platform would have written to people. Nothing was sent; whoever develops
//! reads here what would have arrived, codes included. That is a person's also there: the list is masked, and who reads a
//! message is written down as a look at whom it concerns. Elsewhere there is no such outbox, and these routes say so.

use super::{Access, Answer, Console, Params, Routes};
use crate::forms::{Moment, Page, PageQuery, page_of};
use crate::problem::Refusal;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use tacit_identity::access::Permission;
use tacit_identity::contacts::Contact;
use tacit_kernel::Masked;
use tacit_kernel::ids::MessageId;
use tacit_operations::messages::{Channel, KeptContent, KeptMessage, Kind, Language, MessagesError};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A message that was not sent, without what it says.
#[derive(Serialize, ToSchema)]
struct OutboxLine {
    /// Its id.
    #[schema(value_type = String)]
    id: MessageId,
    /// When it would have been sent.
    at: Moment,
    /// What it is about; this and what follows is `null` once its account was erased.
    #[schema(value_type = Option<String>)]
    kind: Option<Kind>,
    /// Which way it would have gone.
    #[schema(value_type = Option<String>)]
    channel: Option<Channel>,
    /// In which language.
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    /// To whom, masked.
    #[schema(value_type = Option<String>)]
    to: Option<Masked>,
}

/// A message that was not sent, as it would have arrived.
#[derive(Serialize, ToSchema)]
struct OutboxMessage {
    /// Its id.
    #[schema(value_type = String)]
    id: MessageId,
    /// When it would have been sent.
    at: Moment,
    /// What it says; `null` once its account was erased.
    content: Option<OutboxContent>,
}

/// What a message says.
#[derive(Serialize, ToSchema)]
struct OutboxContent {
    /// What it is about.
    #[schema(value_type = String)]
    kind: Kind,
    /// Which way it would have gone.
    #[schema(value_type = String)]
    channel: Channel,
    /// In which language.
    #[schema(value_type = String)]
    language: Language,
    /// To whom.
    to: String,
    /// The subject of an e-mail.
    subject: Option<String>,
    /// The text.
    text: String,
    /// The HTML of an e-mail.
    html: Option<String>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::MessagesUnmask), routes!(outbox_list))
        .add(Access::Needs(Permission::MessagesUnmask), routes!(outbox_show))
}

/// Messages of the development outbox, newest first, with masked recipients. 404 on a platform that is none for development.
#[utoipa::path(get, path = "/api/v1/development-outbox", tag = "system", params(PageQuery), responses(
    (status = 200, description = "A page of messages.", body = Page<OutboxLine>),
))]
async fn outbox_list(State(console): State<Console>, Params(query): Params<PageQuery>) -> Answer<Page<OutboxLine>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let kept = console.messages.kept_list(page).await.map_err(refused)?;
    Ok(Json(Page::of(kept, line)))
}

/// A message of the development outbox as it would have arrived. 404 on a platform that is none for development.
#[utoipa::path(get, path = "/api/v1/development-outbox/{message}", tag = "system", params(
    ("message" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The message.", body = OutboxMessage),
))]
async fn outbox_show(State(console): State<Console>, Path(message): Path<String>) -> Answer<OutboxMessage> {
    let id = message.parse();
    let kept = match id {
        Ok(id) => console.messages.kept(id).await,
        Err(_) => console.messages.development_only().and(Err(MessagesError::NotFound)),
    };
    let KeptMessage { id, at, content, .. } = kept.map_err(refused)?;
    let content = content.map(|KeptContent { kind, channel, language, to, subject, text, html }| OutboxContent {
        kind,
        channel,
        language,
        to,
        subject,
        text,
        html,
    });
    Ok(Json(OutboxMessage { id, at: at.into(), content }))
}

/// Here the outbox is a thing that is there or not.
fn refused(error: MessagesError) -> Refusal {
    match error {
        MessagesError::NotDevelopment => Refusal::with_status(
            StatusCode::NOT_FOUND,
            "messages.not_development",
            "only the profile development, without a configured channel, keeps messages to be read",
        ),
        error => error.into(),
    }
}

fn line(KeptMessage { id, at, content, .. }: KeptMessage) -> OutboxLine {
    let at = at.into();
    match content {
        Some(KeptContent { kind, channel, language, to, .. }) => {
            let to = match channel {
                Channel::Email => Contact::email(&to),
                Channel::Sms => Contact::phone(&to, None),
            };
            // Whatever is no address is not shown at all.
            let to = to.ok().map(|to| to.masked());
            OutboxLine { id, at, kind: Some(kind), channel: Some(channel), language: Some(language), to }
        }
        None => OutboxLine { id, at, kind: None, channel: None, language: None, to: None },
    }
}
