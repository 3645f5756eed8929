//! `/api/v1/registered-models`: what can be called, with what is out of use, and the versions of prices.

use super::idempotency::{Replayed, Undone};
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Routes, Signed};
use super::{not_found, taken};
use crate::forms::Moment;
use crate::forms::models::{Model, ModelPatch, NewModel};
use crate::forms::models::{Price, PriceParts, shown};
use crate::forms::{Page, PageQuery, page_of, paged};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_catalog::Outcome;
use tacit_identity::access::Permission;
use tacit_kernel::ids::ModelId;
use tacit_kernel::rating;
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::ProvidersRead), routes!(registered_models_list))
        .add(Access::Needs(Permission::ModelsWrite), routes!(registered_models_create))
        .add(Access::Needs(Permission::ProvidersRead), routes!(registered_models_show))
        .add(Access::Needs(Permission::ModelsWrite), routes!(registered_models_update, registered_models_delete))
        .add(Access::Needs(Permission::ProvidersRead), routes!(prices_list))
        .add(Access::Needs(Permission::PricesWrite), routes!(prices_set))
}

async fn found(console: &Console, tx: &mut ReadTx<'_>, id: ModelId) -> Result<tacit_catalog::Model, Undone> {
    let found = console.catalog.model_list_in_tx(tx).await?.into_iter().find(|model| model.id == id);
    found.ok_or_else(|| not_found("model.not_found", "model").into())
}

/// Models, oldest first.
#[utoipa::path(get, path = "/api/v1/registered-models", tag = "catalogue", params(PageQuery), responses(
    (status = 200, description = "A page of models.", body = Page<Model>),
))]
async fn registered_models_list(
    State(console): State<Console>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<Model>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let models = paged(console.catalog.model_list().await?, page, |model| model.id.0);
    Ok(Json(Page::of(models, Model::from)))
}

/// Makes a model.
#[utoipa::path(post, path = "/api/v1/registered-models", tag = "catalogue", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewModel, responses(
    (status = 201, description = "The model.", body = Model, headers(
        ("etag" = String, description = "The version of the model."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "There is a model of that name.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn registered_models_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<NewModel>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "registered-models.create", &new)?;
    let (console, (name, spec)) = (&console, &new.spec());
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(model) = once.stored::<Model>(console, tx).await? {
            return Ok::<_, Undone>((model, true));
        }
        let put = console.catalog.model_put_in_tx(tx, name, spec).await?;
        // One that was there is not to be changed by whoever thinks that it is new.
        if put.outcome != Outcome::Created {
            return Err(taken("model.name_taken", "model").into());
        }
        let model = Model::from(put.value);
        once.keep(console, tx, &model).await?;
        Ok((model, false))
    };
    let create = &create;
    let (model, replayed) = console.db.write("console.model.create", |tx| Box::pin(create(tx))).await?;
    Ok((StatusCode::CREATED, ETag::of(console, &model)?, Replayed(replayed), Json(model)).into_response())
}

/// A model.
#[utoipa::path(get, path = "/api/v1/registered-models/{model}", tag = "catalogue", params(
    ("model" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The model.", body = Model, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn registered_models_show(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<ModelId>,
) -> Result<Response, Refusal> {
    let console = &console;
    let found: Result<_, Undone> = console.db.read("console.model.show", |tx| Box::pin(found(console, tx, id))).await;
    let model = Model::from(found?);
    Ok(versions.shown(ETag::of(console, &model)?, Json(model)))
}

/// Changes a model.
#[utoipa::path(patch, path = "/api/v1/registered-models/{model}", tag = "catalogue", params(
    ("model" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = ModelPatch, responses(
    (status = 200, description = "The model as it is now.", body = Model,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "Somebody else changed the same at the same moment.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn registered_models_update(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<ModelId>,
    Input(patch): Input<ModelPatch>,
) -> Result<Response, Refusal> {
    let (console, versions, patch) = (&console, &versions, &patch);
    let update = async |tx: &mut WriteTx<'_>| {
        let before = found(console, tx, id).await?;
        versions.check(&ETag::of(console, &Model::from(before.clone()))?)?;
        let spec = patch.clone().on(before.spec());
        Ok::<_, Undone>(console.catalog.model_put_in_tx(tx, &before.name, &spec).await?.value)
    };
    let update = &update;
    let model = Model::from(console.db.write("console.model.update", |tx| Box::pin(update(tx))).await?);
    Ok((ETag::of(console, &model)?, Json(model)).into_response())
}

/// Deletes a model that no channel serves and that never had a price.
#[utoipa::path(delete, path = "/api/v1/registered-models/{model}", tag = "catalogue", params(
    ("model" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Delete it only if this is its version."),
), responses(
    (status = 204, description = "It is deleted."),
    (status = 409, description = "Channels serve it, or it has had a price, to which records of calls refer.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn registered_models_delete(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<ModelId>,
) -> Result<StatusCode, Refusal> {
    let (console, versions) = (&console, &versions);
    let delete = async |tx: &mut WriteTx<'_>| {
        let before = found(console, tx, id).await?;
        versions.check(&ETag::of(console, &Model::from(before))?)?;
        Ok::<_, Undone>(console.catalog.model_delete_in_tx(tx, id).await?)
    };
    let delete = &delete;
    console.db.write("console.model.delete", |tx| Box::pin(delete(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A price to set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NextPrice {
    /// Its parts.
    #[schema(value_type = PriceParts)]
    price: rating::Price,
    /// From when it holds; from now on if absent.
    #[serde(default)]
    #[schema(required = false)]
    effective_at: Option<Moment>,
}

/// Every version of a model's price, oldest first.
#[utoipa::path(get, path = "/api/v1/registered-models/{model}/prices", tag = "catalogue", params(
    ("model" = String, Path, description = "The model's id."), PageQuery,
), responses(
    (status = 200, description = "A page of versions.", body = Page<Price>),
))]
async fn prices_list(
    State(console): State<Console>,
    Reference(id): Reference<ModelId>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<Price>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let console = &console;
    let found: Result<_, Undone> = console.db.read("console.model.show", |tx| Box::pin(found(console, tx, id))).await;
    let model = found?;
    let versions = paged(console.catalog.price_list(model.id).await?, page, |version| version.id.0);
    Ok(Json(Page::of(versions, |version| shown(&model.name, version))))
}

/// Sets the price of a model: a new version, which follows the one before. If that is what holds then anyway, nothing changes.
#[utoipa::path(post, path = "/api/v1/registered-models/{model}/prices", tag = "catalogue", params(
    ("model" = String, Path, description = "The model's id."),
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NextPrice, responses(
    (status = 200, description = "The version that holds from then on.", body = Price, headers(
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "Somebody else set a price at the same moment.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn prices_set(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Reference(id): Reference<ModelId>,
    Input(new): Input<NextPrice>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "registered-models.prices.create", &(id, &new))?;
    let (console, new) = (&console, &new);
    let set = async |tx: &mut WriteTx<'_>| {
        if let Some(price) = once.stored::<Price>(console, tx).await? {
            return Ok((price, true));
        }
        let model = found(console, tx, id).await?;
        let put = console.catalog.price_put_in_tx(tx, id, &new.price, new.effective_at.map(|at| at.0)).await?;
        let price = shown(&model.name, put.value);
        once.keep(console, tx, &price).await?;
        Ok::<_, Undone>((price, false))
    };
    let set = &set;
    let (price, replayed) = console.db.write("console.price.set", |tx| Box::pin(set(tx))).await?;
    Ok((Replayed(replayed), Json(price)).into_response())
}
