//! `/v1/channels`: the ways to a provider, with their models and credentials.

use super::input::Input;
use super::problem::Refusal;
use super::{Admin, Answer, not_found, taken};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use tacit_catalog::CatalogError;
use tacit_catalog::channels::ChannelSpec;

pub use super::forms::channels::{Channel, ChannelModel, ChannelPatch, Credential, NewChannel, NewCredential};

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/channels", get(list).post(create))
        .route("/v1/channels/{reference}", get(show).patch(update))
}

async fn list(State(admin): State<Admin>) -> Answer<Vec<Channel>> {
    Ok(Json(admin.catalog.channel_list().await?.into_iter().map(Channel::from).collect()))
}

/// The channel of that name or id.
pub(super) async fn find(admin: &Admin, reference: &str) -> Result<tacit_catalog::channels::Channel, Refusal> {
    let found = admin.catalog.channel_by_ref(reference).await?;
    Ok(found.ok_or_else(|| not_found("channel.not_found", "channel"))?)
}

async fn show(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<Channel> {
    Ok(Json(find(&admin, &reference).await?.into()))
}

/// A channel and its credentials come together or not at all.
async fn put(admin: &Admin, name: &str, spec: &ChannelSpec, credentials: &[NewCredential]) -> Result<(), Refusal> {
    admin
        .db
        .write("admin.channel_put", |tx| {
            Box::pin(async move {
                let channel = admin.catalog.channel_put_in_tx(tx, name, spec).await?.value;
                for new in credentials {
                    admin.catalog.credential_put_in_tx(tx, channel.id, &new.name, &new.secret.0).await?;
                }
                Ok::<_, CatalogError>(())
            })
        })
        .await?;
    Ok(())
}

async fn create(State(admin): State<Admin>, Input(new): Input<NewChannel>) -> Answer<Channel> {
    let (name, spec, credentials) = new.spec();
    if admin.catalog.channel_by_ref(&name).await?.is_some() {
        return Err(taken("channel.name_taken", "channel").into());
    }
    put(&admin, &name, &spec, &credentials).await?;
    Ok(Json(find(&admin, &name).await?.into()))
}

async fn update(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(patch): Input<ChannelPatch>,
) -> Answer<Channel> {
    let found = find(&admin, &reference).await?;
    let spec = patch.on(found.spec())?;
    put(&admin, &found.name, &spec, &patch.add_credentials).await?;
    for name in &patch.remove_credentials {
        admin.catalog.credential_delete(found.id, name).await?;
    }
    Ok(Json(find(&admin, &found.name).await?.into()))
}
