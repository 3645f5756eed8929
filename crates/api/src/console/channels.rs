//! `/api/v1/channels`: the ways to providers, with their models and credentials. A credential is written, and
//! shown to nobody but who may see it, says why and is recorded.

use super::idempotency::{Replayed, Undone};
use super::reasons::{Reasoned, Why};
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Routes, Signed};
use super::{not_found, taken};
use crate::forms::Secret;
use crate::forms::channels::{Channel, ChannelPatch, NewChannel};
use crate::forms::{Page, PageQuery, page_of, paged};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tacit_catalog::{CatalogError, Outcome};
use tacit_identity::access::Permission;
use tacit_kernel::ids::ChannelId;
use tacit_kernel::ids::CredentialId;
use tacit_kernel::{ErrorKind, Fault, Ppm};
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::ProvidersRead), routes!(channels_list))
        .add(Access::Needs(Permission::ProvidersWrite), routes!(channels_create))
        .add(Access::Needs(Permission::ProvidersRead), routes!(channels_show))
        .add(Access::Needs(Permission::ProvidersWrite), routes!(channels_update, channels_delete))
        .add(Access::Needs(Permission::ProvidersRevealCredential), routes!(credentials_reveal))
}

async fn found(console: &Console, tx: &mut ReadTx<'_>, id: ChannelId) -> Result<tacit_catalog::Channel, Undone> {
    let found = console.catalog.channel_list_in_tx(tx).await?.into_iter().find(|channel| channel.id == id);
    found.ok_or_else(|| not_found("channel.not_found", "channel").into())
}

/// Channels, oldest first.
#[utoipa::path(get, path = "/api/v1/channels", tag = "catalogue", params(PageQuery), responses(
    (status = 200, description = "A page of channels.", body = Page<Channel>),
))]
async fn channels_list(State(console): State<Console>, Params(query): Params<PageQuery>) -> Answer<Page<Channel>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let channels = paged(console.catalog.channel_list().await?, page, |channel| channel.id.0);
    Ok(Json(Page::of(channels, Channel::from)))
}

/// Makes a channel.
#[utoipa::path(post, path = "/api/v1/channels", tag = "catalogue", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewChannel, responses(
    (status = 201, description = "The channel.", body = Channel, headers(
        ("etag" = String, description = "The version of the channel."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 404, description = "There is no such provider or model.", body = Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "There is a channel of that name.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn channels_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<NewChannel>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "channels.create", &new)?;
    let (console, (name, spec, credentials)) = (&console, &new.spec());
    if spec.multiplier != Ppm::ONE {
        may_set_prices(&caller)?;
    }
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(channel) = once.stored::<Channel>(console, tx).await? {
            return Ok::<_, Undone>((channel, true));
        }
        let put = console.catalog.channel_put_in_tx(tx, name, spec).await?;
        // One that was there is not to be changed by whoever thinks that it is new.
        if put.outcome != Outcome::Created {
            return Err(taken("channel.name_taken", "channel").into());
        }
        for new in credentials {
            console.catalog.credential_put_in_tx(tx, put.value.id, &new.name, &new.secret.0).await?;
        }
        let channel = Channel::from(found(console, tx, put.value.id).await?);
        once.keep(console, tx, &channel).await?;
        Ok((channel, false))
    };
    let create = &create;
    let (channel, replayed) = console.db.write("console.channel.create", |tx| Box::pin(create(tx))).await?;
    Ok((StatusCode::CREATED, ETag::of(console, &channel)?, Replayed(replayed), Json(channel)).into_response())
}

/// A channel.
#[utoipa::path(get, path = "/api/v1/channels/{channel}", tag = "catalogue", params(
    ("channel" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The channel.", body = Channel, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn channels_show(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<ChannelId>,
) -> Result<Response, Refusal> {
    let console = &console;
    let found: Result<_, Undone> = console.db.read("console.channel.show", |tx| Box::pin(found(console, tx, id))).await;
    let channel = Channel::from(found?);
    Ok(versions.shown(ETag::of(console, &channel)?, Json(channel)))
}

/// Changes a channel.
#[utoipa::path(patch, path = "/api/v1/channels/{channel}", tag = "catalogue", params(
    ("channel" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = ChannelPatch, responses(
    (status = 200, description = "The channel as it is now.", body = Channel,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "Somebody else changed the same at the same moment.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn channels_update(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<ChannelId>,
    Input(patch): Input<ChannelPatch>,
) -> Result<Response, Refusal> {
    if patch.multiplier.is_some() {
        may_set_prices(&caller)?;
    }
    let (console, versions, patch) = (&console, &versions, &patch);
    let update = async |tx: &mut WriteTx<'_>| {
        let before = found(console, tx, id).await?;
        versions.check(&ETag::of(console, &Channel::from(before.clone()))?)?;
        let spec = patch.on(before.spec())?;
        console.catalog.channel_put_in_tx(tx, &before.name, &spec).await?;
        for new in &patch.add_credentials {
            console.catalog.credential_put_in_tx(tx, id, &new.name, &new.secret.0).await?;
        }
        for name in &patch.remove_credentials {
            console.catalog.credential_delete_in_tx(tx, id, name).await?;
        }
        found(console, tx, id).await
    };
    let update = &update;
    let channel = Channel::from(console.db.write("console.channel.update", |tx| Box::pin(update(tx))).await?);
    Ok((ETag::of(console, &channel)?, Json(channel)).into_response())
}

/// Deletes a channel over which nothing was ever called, with its credentials.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}", tag = "catalogue", params(
    ("channel" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Delete it only if this is its version."),
), responses(
    (status = 204, description = "It is deleted."),
    (status = 409, description = "It is enabled and serves models, or records of calls refer to it.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn channels_delete(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<ChannelId>,
) -> Result<StatusCode, Refusal> {
    let (console, versions) = (&console, &versions);
    let seen: Result<_, Undone> = console.db.read("console.channel.show", |tx| Box::pin(found(console, tx, id))).await;
    let seen = seen?;
    // Outside the transaction, for it may go through many records. What is enabled meanwhile has another version.
    if console.ledger.channel_was_called(id).await? {
        let message = "records of calls refer to the channel; disable it instead";
        return Err(Fault::new(ErrorKind::Conflict, "channel.in_use", message).into());
    }
    let delete = async |tx: &mut WriteTx<'_>| {
        let before = found(console, tx, id).await?;
        versions.check(&ETag::of(console, &Channel::from(before.clone()))?)?;
        if before != seen {
            return Err(Undone::from(CatalogError::Conflict));
        }
        Ok(console.catalog.channel_delete_in_tx(tx, id).await?)
    };
    let delete = &delete;
    console.db.write("console.channel.delete", |tx| Box::pin(delete(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The multiplier of a channel is a price, whoever else may change channels.
fn may_set_prices(caller: &Signed) -> Result<(), Refusal> {
    if caller.permissions.has(Permission::PricesWrite) {
        return Ok(());
    }
    let message = format!("the multiplier of a channel needs the permission {}", Permission::PricesWrite);
    Err(Refusal::from(Fault::new(ErrorKind::Forbidden, "access.denied", message)).about("multiplier"))
}

/// A credential in clear.
#[derive(Serialize, ToSchema)]
struct RevealedCredential {
    /// The secret.
    #[schema(value_type = String)]
    secret: Secret,
}

/// Shows a credential of a channel. The look and its reason are recorded before.
#[utoipa::path(post, path = "/api/v1/channels/{channel}/credentials/{credential}/reveal", tag = "catalogue", params(
    ("channel" = String, Path, description = "The channel's id."),
    ("credential" = String, Path, description = "The credential's id."),
), request_body = Why, responses(
    (status = 200, description = "The credential.", body = RevealedCredential),
))]
async fn credentials_reveal(
    State(console): State<Console>,
    Path((channel, credential)): Path<(String, String)>,
    _: Reasoned,
    Input(_): Input<Why>,
) -> Answer<RevealedCredential> {
    let id: ChannelId = channel.parse().map_err(|_| not_found("channel.not_found", "channel"))?;
    let missing = || not_found("credential.not_found", "credential");
    let credential: CredentialId = credential.parse().map_err(|_| missing())?;
    let console = &console;
    let found: Result<_, Undone> = console.db.read("console.channel.show", |tx| Box::pin(found(console, tx, id))).await;
    let named = found?.credentials.into_iter().find(|(_, kept)| kept.id == credential);
    let (name, _) = named.ok_or_else(missing)?;
    Ok(Json(RevealedCredential { secret: Secret(console.catalog.credential_reveal(id, &name).await?) }))
}
