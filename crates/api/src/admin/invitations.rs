//! `/v1/invitations`: the operator invites, where one must be invited to register.

use super::forms::Moment;
use super::{Admin, Answer};
use crate::forms::Secret;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// An invitation for one person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invitation {
    /// What the invited person gives when they register; shown this once.
    pub code: Secret,
    /// When it is void.
    pub expires_at: Moment,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/invitations", post(create))
}

async fn create(State(admin): State<Admin>) -> Answer<Invitation> {
    let (made, code) = admin.identity.invitation_create(None).await?;
    Ok(Json(Invitation { code: Secret(code), expires_at: made.expires_at.into() }))
}
