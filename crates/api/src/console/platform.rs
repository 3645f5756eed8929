//! `/api/v1/platform`: what everybody may know of the platform, before signing in.

use super::{Access, Answer, Console, Routes};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// What everybody may know.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Platform {
    /// Its name, as the operator calls it.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Settlement currency (ISO 4217).
    #[schema(min_length = 3, max_length = 3)]
    pub currency: String,
    /// Languages of the console (BCP 47), the first by default.
    pub languages: Vec<String>,
    /// Who may register, and what they are asked for.
    pub registration: Registration,
}

/// Who may register, and what they are asked for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Registration {
    /// Whether registering is open at all; if not, only who is invited comes in.
    pub open: bool,
    /// What a person must give.
    pub asks_for: Vec<RegistrationField>,
}

/// What a person may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationField {
    /// An e-mail address, which is proved.
    Email,
    /// A phone number, which is proved.
    Phone,
    /// A password.
    Password,
    /// A code of invitation.
    Invitation,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Public, routes!(platform_show))
}

/// What everybody may know of the platform.
#[utoipa::path(get, path = "/api/v1/platform", tag = "platform", responses(
    (status = 200, description = "The platform.", body = Platform),
))]
async fn platform_show(State(console): State<Console>) -> Answer<Platform> {
    Ok(Json((*console.platform).clone()))
}
