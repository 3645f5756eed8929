//! `/api/v1/providers`: who answers model calls.

use super::idempotency::{Replayed, Undone};
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Routes, Signed};
use super::{not_found, taken};
use crate::forms::providers::{NewProvider, Provider, ProviderPatch};
use crate::forms::{Page, PageQuery, page_of, paged};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tacit_catalog::Outcome;
use tacit_identity::access::Permission;
use tacit_kernel::ids::ProviderId;
use tacit_storage::{ReadTx, WriteTx};
use utoipa_axum::routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::ProvidersRead), routes!(providers_list))
        .add(Access::Needs(Permission::ProvidersWrite), routes!(providers_create))
        .add(Access::Needs(Permission::ProvidersRead), routes!(providers_show))
        .add(Access::Needs(Permission::ProvidersWrite), routes!(providers_update, providers_delete))
}

async fn found(console: &Console, tx: &mut ReadTx<'_>, id: ProviderId) -> Result<tacit_catalog::Provider, Undone> {
    let found = console.catalog.provider_list_in_tx(tx).await?.into_iter().find(|provider| provider.id == id);
    found.ok_or_else(|| not_found("provider.not_found", "provider").into())
}

/// Providers, oldest first.
#[utoipa::path(get, path = "/api/v1/providers", tag = "catalogue", params(PageQuery), responses(
    (status = 200, description = "A page of providers.", body = Page<Provider>),
))]
async fn providers_list(State(console): State<Console>, Params(query): Params<PageQuery>) -> Answer<Page<Provider>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let providers = paged(console.catalog.provider_list().await?, page, |provider| provider.id.0);
    Ok(Json(Page::of(providers, Provider::from)))
}

/// Makes a provider.
#[utoipa::path(post, path = "/api/v1/providers", tag = "catalogue", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewProvider, responses(
    (status = 201, description = "The provider.", body = Provider, headers(
        ("etag" = String, description = "The version of the provider."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "There is a provider of that name.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn providers_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<NewProvider>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "providers.create", &new)?;
    let (console, (name, spec)) = (&console, &new.spec());
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(provider) = once.stored::<Provider>(console, tx).await? {
            return Ok::<_, Undone>((provider, true));
        }
        let put = console.catalog.provider_put_in_tx(tx, name, spec).await?;
        // One that was there is not to be changed by whoever thinks that it is new.
        if put.outcome != Outcome::Created {
            return Err(taken("provider.name_taken", "provider").into());
        }
        let provider = Provider::from(put.value);
        once.keep(console, tx, &provider).await?;
        Ok((provider, false))
    };
    let create = &create;
    let (provider, replayed) = console.db.write("console.provider.create", |tx| Box::pin(create(tx))).await?;
    Ok((StatusCode::CREATED, ETag::of(console, &provider)?, Replayed(replayed), Json(provider)).into_response())
}

/// A provider.
#[utoipa::path(get, path = "/api/v1/providers/{provider}", tag = "catalogue", params(
    ("provider" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The provider.", body = Provider, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn providers_show(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<ProviderId>,
) -> Result<Response, Refusal> {
    let console = &console;
    let found: Result<_, Undone> =
        console.db.read("console.provider.show", |tx| Box::pin(found(console, tx, id))).await;
    let provider = Provider::from(found?);
    Ok(versions.shown(ETag::of(console, &provider)?, Json(provider)))
}

/// Changes a provider.
#[utoipa::path(patch, path = "/api/v1/providers/{provider}", tag = "catalogue", params(
    ("provider" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = ProviderPatch, responses(
    (status = 200, description = "The provider as it is now.", body = Provider,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "Somebody else changed the same at the same moment.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn providers_update(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<ProviderId>,
    Input(patch): Input<ProviderPatch>,
) -> Result<Response, Refusal> {
    let (console, versions, patch) = (&console, &versions, &patch);
    let update = async |tx: &mut WriteTx<'_>| {
        let before = found(console, tx, id).await?;
        versions.check(&ETag::of(console, &Provider::from(before.clone()))?)?;
        let spec = patch.clone().on(before.spec());
        Ok::<_, Undone>(console.catalog.provider_put_in_tx(tx, &before.name, &spec).await?.value)
    };
    let update = &update;
    let provider = Provider::from(console.db.write("console.provider.update", |tx| Box::pin(update(tx))).await?);
    Ok((ETag::of(console, &provider)?, Json(provider)).into_response())
}

/// Deletes a provider without channels.
#[utoipa::path(delete, path = "/api/v1/providers/{provider}", tag = "catalogue", params(
    ("provider" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Delete it only if this is its version."),
), responses(
    (status = 204, description = "It is deleted."),
    (status = 409, description = "Channels of it are there.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn providers_delete(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<ProviderId>,
) -> Result<StatusCode, Refusal> {
    let (console, versions) = (&console, &versions);
    let delete = async |tx: &mut WriteTx<'_>| {
        let before = found(console, tx, id).await?;
        versions.check(&ETag::of(console, &Provider::from(before))?)?;
        Ok::<_, Undone>(console.catalog.provider_delete_in_tx(tx, id).await?)
    };
    let delete = &delete;
    console.db.write("console.provider.delete", |tx| Box::pin(delete(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}
