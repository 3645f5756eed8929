//! `/api/v1/recipients`: the register of who receives data.

use super::idempotency::{Replayed, Undone};
use super::{Access, Answer, Both, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Routes, Signed};
use crate::forms::recipients::{NewRecipient, Recipient, RecipientPatch, RecipientState, UnregisteredRecipients};
use crate::forms::{Page, PageQuery, page_of, paged};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tacit_identity::access::Permission;
use tacit_kernel::Fault;
use tacit_kernel::ids::{ProviderId, RecipientId};
use tacit_privacy::recipients::RecipientError;
use tacit_storage::{ReadTx, WriteTx};
use utoipa_axum::routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::PrivacyRead), routes!(recipients_list))
        .add(Access::Needs(Permission::PrivacyWrite), routes!(recipients_create))
        .add(Access::Needs(Permission::PrivacyRead), routes!(recipients_show))
        .add(Access::Needs(Permission::PrivacyWrite), routes!(recipients_update, recipients_delete))
        .add(Access::Needs(Permission::PrivacyWrite), routes!(recipients_tie, recipients_untie))
        .add(Access::Needs(Permission::PrivacyRead), routes!(recipients_unregistered))
}

async fn found(
    console: &Console,
    tx: &mut ReadTx<'_>,
    id: RecipientId,
) -> Result<tacit_privacy::recipients::Recipient, Undone> {
    let found = console.receivers.recipients.find_in_tx(tx, id).await?;
    found.ok_or_else(|| RecipientError::NotFound.into())
}

/// Recipients, oldest first, each with what is taken to be so of it.
#[utoipa::path(get, path = "/api/v1/recipients", tag = "privacy", params(PageQuery), responses(
    (status = 200, description = "A page of recipients.", body = Page<RecipientState>),
))]
async fn recipients_list(
    State(console): State<Console>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<RecipientState>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let recipients = console.receivers.recipients.list().await.map_err(Fault::from)?;
    let now = console.clock.now();
    let recipients = paged(recipients, page, |recipient| recipient.id.0);
    Ok(Json(Page::of(recipients, |recipient| RecipientState::of(recipient, now))))
}

/// Enters a recipient into the register.
#[utoipa::path(post, path = "/api/v1/recipients", tag = "privacy", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewRecipient, responses(
    (status = 201, description = "The recipient.", body = Recipient, headers(
        ("etag" = String, description = "The version of the recipient."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "There is a recipient of that name, or the register is full.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn recipients_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<NewRecipient>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "recipients.create", &new)?;
    let (console, (name, spec)) = (&console, &new.spec());
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(recipient) = once.stored::<Recipient>(console, tx).await? {
            return Ok::<_, Undone>((recipient, true));
        }
        let recipient = Recipient::from(console.receivers.recipients.create_in_tx(tx, name, spec).await?);
        once.keep(console, tx, &recipient).await?;
        Ok((recipient, false))
    };
    let create = &create;
    let (recipient, replayed) = console.db.write("console.recipient.create", |tx| Box::pin(create(tx))).await?;
    Ok((StatusCode::CREATED, ETag::of(console, &recipient)?, Replayed(replayed), Json(recipient)).into_response())
}

/// A recipient, as the register has it.
#[utoipa::path(get, path = "/api/v1/recipients/{recipient}", tag = "privacy", params(
    ("recipient" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The recipient.", body = Recipient,
        headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn recipients_show(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<RecipientId>,
) -> Result<Response, Refusal> {
    let console = &console;
    let found: Result<_, Undone> =
        console.db.read("console.recipient.show", |tx| Box::pin(found(console, tx, id))).await;
    let recipient = Recipient::from(found?);
    Ok(versions.shown(ETag::of(console, &recipient)?, Json(recipient)))
}

/// Says something else of a recipient.
#[utoipa::path(patch, path = "/api/v1/recipients/{recipient}", tag = "privacy", params(
    ("recipient" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = RecipientPatch, responses(
    (status = 200, description = "The recipient as it is now.", body = Recipient,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "Another has that name, or somebody else changed the same at the same moment.",
        body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn recipients_update(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<RecipientId>,
    Input(patch): Input<RecipientPatch>,
) -> Result<Response, Refusal> {
    let (console, versions, patch) = (&console, &versions, &patch);
    let update = async |tx: &mut WriteTx<'_>| {
        let before = found(console, tx, id).await?;
        versions.check(&ETag::of(console, &Recipient::from(before.clone()))?)?;
        let (name, spec) = patch.clone().on(before);
        Ok::<_, Undone>(console.receivers.recipients.update_in_tx(tx, id, &name, &spec).await?)
    };
    let update = &update;
    let recipient = Recipient::from(console.db.write("console.recipient.update", |tx| Box::pin(update(tx))).await?);
    Ok((ETag::of(console, &recipient)?, Json(recipient)).into_response())
}

/// Takes a recipient out of the register that received nothing and that no provider is tied to. Others are disabled.
#[utoipa::path(delete, path = "/api/v1/recipients/{recipient}", tag = "privacy", params(
    ("recipient" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Delete it only if this is its version."),
), responses(
    (status = 204, description = "It is deleted."),
    (status = 409, description = "Something leads to it.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn recipients_delete(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<RecipientId>,
) -> Result<StatusCode, Refusal> {
    let (console, versions) = (&console, &versions);
    let delete = async |tx: &mut WriteTx<'_>| {
        let before = found(console, tx, id).await?;
        versions.check(&ETag::of(console, &Recipient::from(before))?)?;
        Ok::<_, Undone>(console.receivers.recipients.delete_in_tx(tx, id).await?)
    };
    let delete = &delete;
    console.db.write("console.recipient.delete", |tx| Box::pin(delete(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says that a model provider is that recipient. Saying so again changes nothing.
#[utoipa::path(put, path = "/api/v1/recipients/{recipient}/providers/{provider}", tag = "privacy", params(
    ("recipient" = String, Path, description = "Its id."), ("provider" = String, Path, description = "That of the provider."),
), responses(
    (status = 204, description = "It is tied."),
    (status = 409, description = "Somebody else changed the same at the same moment.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn recipients_tie(
    State(console): State<Console>,
    Both(id, provider): Both<RecipientId, ProviderId>,
) -> Result<StatusCode, Refusal> {
    let recipients = &console.receivers.recipients;
    let tie = async |tx: &mut WriteTx<'_>| Ok::<_, Undone>(recipients.tie_in_tx(tx, id, provider).await?);
    let tie = &tie;
    console.db.write("console.recipient.tie", |tx| Box::pin(tie(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says that a model provider is not that recipient any more.
#[utoipa::path(delete, path = "/api/v1/recipients/{recipient}/providers/{provider}", tag = "privacy", params(
    ("recipient" = String, Path, description = "Its id."), ("provider" = String, Path, description = "That of the provider."),
), responses((status = 204, description = "It is tied no more.")))]
async fn recipients_untie(
    State(console): State<Console>,
    Both(id, provider): Both<RecipientId, ProviderId>,
) -> Result<StatusCode, Refusal> {
    let recipients = &console.receivers.recipients;
    let untie = async |tx: &mut WriteTx<'_>| Ok::<_, Undone>(recipients.untie_in_tx(tx, id, provider).await?);
    let untie = &untie;
    console.db.write("console.recipient.untie", |tx| Box::pin(untie(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is in use and stands in no entry of the register that is active: model providers, and what else is configured.
#[utoipa::path(get, path = "/api/v1/unregistered-recipients", tag = "privacy", responses(
    (status = 200, description = "What is missing in the register.", body = UnregisteredRecipients),
))]
async fn recipients_unregistered(State(console): State<Console>) -> Answer<UnregisteredRecipients> {
    let missing = console.receivers.recipients.unregistered().await.map_err(Fault::from)?;
    Ok(Json(missing.into()))
}
