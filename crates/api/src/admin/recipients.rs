//! `/v1/recipients`: the register of who receives data.

use super::input::Input;
use super::problem::Refusal;
use super::{Admin, Answer, not_found};
use crate::console::Undone;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tacit_kernel::Fault;
use tacit_kernel::ids::ProviderId;
use tacit_storage::{ReadTx, WriteTx};

pub use super::forms::recipients::{
    Kind, NewRecipient, Recipient, RecipientPatch, RecipientState, Role, Trains, UnregisteredRecipients,
};

/// Which provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tied {
    /// By name or id.
    pub provider: String,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/recipients", get(list).post(create))
        .route("/v1/recipients/{reference}", get(show).patch(update))
        .route("/v1/recipients/{reference}/delete", post(delete))
        .route("/v1/recipients/{reference}/tie", post(tie))
        .route("/v1/recipients/{reference}/untie", post(untie))
        .route("/v1/unregistered-recipients", get(unregistered))
}

async fn list(State(admin): State<Admin>) -> Answer<Vec<RecipientState>> {
    let (recipients, now) = (admin.receivers.recipients.list().await.map_err(Fault::from)?, admin.clock.now());
    Ok(Json(recipients.into_iter().map(|recipient| RecipientState::of(recipient, now)).collect()))
}

async fn show(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<RecipientState> {
    let show = async |tx: &mut ReadTx<'_>| admin.receivers.recipients.by_ref_in_tx(tx, &reference).await;
    let show = &show;
    let found = admin.db.read("admin.recipient.show", |tx| Box::pin(show(tx))).await.map_err(Fault::from)?;
    Ok(Json(RecipientState::of(found, admin.clock.now())))
}

async fn create(State(admin): State<Admin>, Input(new): Input<NewRecipient>) -> Answer<Recipient> {
    let ((name, spec), recipients) = (&new.spec(), &admin.receivers.recipients);
    let create = async |tx: &mut WriteTx<'_>| Ok::<_, Undone>(recipients.create_in_tx(tx, name, spec).await?);
    let create = &create;
    Ok(Json(admin.db.write("admin.recipient.create", |tx| Box::pin(create(tx))).await?.into()))
}

async fn update(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(patch): Input<RecipientPatch>,
) -> Answer<Recipient> {
    let (recipients, reference, patch) = (&admin.receivers.recipients, &reference, &patch);
    let update = async |tx: &mut WriteTx<'_>| {
        let before = recipients.by_ref_in_tx(tx, reference).await?;
        let id = before.id;
        let (name, spec) = patch.clone().on(before);
        Ok::<_, Undone>(recipients.update_in_tx(tx, id, &name, &spec).await?)
    };
    let update = &update;
    Ok(Json(admin.db.write("admin.recipient.update", |tx| Box::pin(update(tx))).await?.into()))
}

async fn delete(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<()> {
    let (recipients, reference) = (&admin.receivers.recipients, &reference);
    let delete = async |tx: &mut WriteTx<'_>| {
        let id = recipients.by_ref_in_tx(tx, reference).await?.id;
        Ok::<_, Undone>(recipients.delete_in_tx(tx, id).await?)
    };
    let delete = &delete;
    admin.db.write("admin.recipient.delete", |tx| Box::pin(delete(tx))).await?;
    Ok(Json(()))
}

async fn provider(admin: &Admin, tied: &Tied) -> Result<ProviderId, Refusal> {
    let found = admin.catalog.provider_by_ref(&tied.provider).await?;
    Ok(found.ok_or_else(|| not_found("provider.not_found", "provider"))?.id)
}

async fn tie(State(admin): State<Admin>, Path(reference): Path<String>, Input(tied): Input<Tied>) -> Answer<()> {
    let (provider, recipients, reference) = (provider(&admin, &tied).await?, &admin.receivers.recipients, &reference);
    let tie = async |tx: &mut WriteTx<'_>| {
        let id = recipients.by_ref_in_tx(tx, reference).await?.id;
        Ok::<_, Undone>(recipients.tie_in_tx(tx, id, provider).await?)
    };
    let tie = &tie;
    admin.db.write("admin.recipient.tie", |tx| Box::pin(tie(tx))).await?;
    Ok(Json(()))
}

async fn untie(State(admin): State<Admin>, Path(reference): Path<String>, Input(tied): Input<Tied>) -> Answer<()> {
    let (provider, recipients, reference) = (provider(&admin, &tied).await?, &admin.receivers.recipients, &reference);
    let untie = async |tx: &mut WriteTx<'_>| {
        let id = recipients.by_ref_in_tx(tx, reference).await?.id;
        Ok::<_, Undone>(recipients.untie_in_tx(tx, id, provider).await?)
    };
    let untie = &untie;
    admin.db.write("admin.recipient.untie", |tx| Box::pin(untie(tx))).await?;
    Ok(Json(()))
}

async fn unregistered(State(admin): State<Admin>) -> Answer<UnregisteredRecipients> {
    Ok(Json(admin.receivers.recipients.unregistered().await.map_err(Fault::from)?.into()))
}
