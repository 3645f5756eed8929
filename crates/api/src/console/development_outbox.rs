//! `/api/v1/development-outbox`: what a development platform would have written to people. Nothing was sent; whoever develops
//! reads here what would have arrived, codes included. That is a person's also there: the list is masked, and who reads a
//! message says why, which is written down as a look at whom it concerns. Elsewhere there is no such outbox, and these routes
//! say so.

use super::reasons::{Reasoned, Why};
use super::unmask::SHOWN;
use super::{Access, Answer, Console, Input, Params, Routes};
use crate::forms::{Moment, Page, PageQuery, page_of};
use crate::problem::Refusal;
use crate::restricted::left_out;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use std::collections::HashMap;
use tacit_identity::Identity;
use tacit_identity::access::Permission;
use tacit_identity::contacts::Contact;
use tacit_kernel::ids::{AccountId, MessageId};
use tacit_kernel::{Fault, Masked};
use tacit_operations::messages::{Channel, KeptContent, KeptMessage, Kind, Language, Messages, MessagesError};
use tacit_storage::{Db, Paged, ReadTx};
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
    /// When whoever shows this hides it again.
    hide_at: Moment,
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
        .add(Access::Needs(Permission::MessagesUnmask), routes!(outbox_unmask))
}

/// Messages of the development outbox, newest first, with masked recipients; not those that concern who restricts the use of
/// their data. 404 on a platform that is none for development.
#[utoipa::path(get, path = "/api/v1/development-outbox", tag = "system", params(PageQuery), responses(
    (status = 200, description = "A page of messages.", body = Page<OutboxLine>),
))]
async fn outbox_list(State(console): State<Console>, Params(query): Params<PageQuery>) -> Answer<Page<OutboxLine>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let kept = console.messages.kept_list(page).await.map_err(refused)?;
    let kept = unrestricted((&console.db, &console.identity), kept).await?;
    Ok(Json(Page::of(kept, line)))
}

/// Shows a message of the development outbox as it would have arrived. The look and its reason are recorded before, and shown
/// to whom it concerns. 404 on a platform that is none for development.
#[utoipa::path(post, path = "/api/v1/development-outbox/{message}/unmask", tag = "system", params(
    ("message" = String, Path, description = "Its id."),
), request_body = Why, responses(
    (status = 200, description = "The message.", body = OutboxMessage),
))]
async fn outbox_unmask(
    State(console): State<Console>,
    Path(message): Path<String>,
    _: Reasoned,
    Input(_): Input<Why>,
) -> Answer<OutboxMessage> {
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
    let hide_at = console.clock.now().plus_micros(SHOWN).into();
    Ok(Json(OutboxMessage { id, at: at.into(), content, hide_at }))
}

/// Whom a message concerns: whose it is, or who can be reached where a code went that was asked for without signing in.
///
/// # Errors
/// Storage, keyring.
pub(crate) async fn concerned(
    who: (&Db, &Identity),
    messages: &Messages,
    id: MessageId,
) -> Result<Option<AccountId>, Fault> {
    match messages.kept(id).await {
        Ok(kept) => concerns(who, &kept).await,
        Err(MessagesError::NotDevelopment | MessagesError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A page of messages without those that concern who restricts the use of their data.
///
/// # Errors
/// Storage, keyring.
pub(crate) async fn unrestricted(who: (&Db, &Identity), page: Paged<KeptMessage>) -> Result<Paged<KeptMessage>, Fault> {
    let mut concerned = HashMap::new();
    for message in &page.items {
        concerned.insert(message.id, concerns(who, message).await?);
    }
    left_out(who.1, page, |message| concerned.get(&message.id).copied().flatten()).await
}

async fn concerns((db, identity): (&Db, &Identity), kept: &KeptMessage) -> Result<Option<AccountId>, Fault> {
    let to = kept.content.as_ref().and_then(|content| contact(content.channel, &content.to));
    let (Some(to), None) = (to, kept.account) else { return Ok(kept.account) };
    let owner = &async |tx: &mut ReadTx<'_>| identity.account_by_contact_in_tx(tx, &to).await;
    Ok(db.read("console.outbox.concerned", |tx| Box::pin(owner(tx))).await?)
}

/// An address as accounts hold it; `None` if it is none.
fn contact(channel: Channel, to: &str) -> Option<Contact> {
    match channel {
        Channel::Email => Contact::email(to).ok(),
        Channel::Sms => Contact::phone(to, None).ok(),
    }
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
            // Whatever is no address is not shown at all.
            let to = contact(channel, &to).map(|to| to.masked());
            OutboxLine { id, at, kind: Some(kind), channel: Some(channel), language: Some(language), to }
        }
        None => OutboxLine { id, at, kind: None, channel: None, language: None, to: None },
    }
}
