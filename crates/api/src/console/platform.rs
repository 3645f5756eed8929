//! `/api/v1/platform`: what everybody may know of the platform, before signing in.

use super::{Access, Answer, Console, Routes};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tacit_identity::registration::{Need, ProfileField, RegistrationRules};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// What the program knows of the platform.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Its name, as the operator calls it.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Settlement currency (ISO 4217).
    pub currency: String,
    /// Languages of the console (BCP 47), the first by default.
    pub languages: Vec<String>,
}

/// What everybody may know.
#[derive(Serialize, ToSchema)]
#[schema(as = Platform)]
struct Shown {
    /// Its name, as the operator calls it.
    name: String,
    /// Version of the program.
    version: String,
    /// Settlement currency (ISO 4217).
    #[schema(min_length = 3, max_length = 3)]
    currency: String,
    /// Languages of the console (BCP 47), the first by default.
    languages: Vec<String>,
    /// Who may register, and what they are asked for.
    registration: Registration,
}

/// Who may register, and what they are asked for.
#[derive(Serialize, ToSchema)]
struct Registration {
    /// Whether anybody may register.
    open: bool,
    /// Whether minors may, with the consent of a guardian.
    minors: bool,
    /// Each field that is asked for. Leaving out an optional one changes nothing.
    fields: Vec<Asked>,
}

/// A field that is asked for.
#[derive(Serialize, ToSchema)]
struct Asked {
    /// Its name in `POST /api/v1/registration`; those of `profile` begin with `profile.`.
    field: String,
    /// Whether it must be given.
    required: bool,
}

fn asked(rules: &RegistrationRules) -> Vec<Asked> {
    let own = [
        ("username", rules.username),
        ("email", rules.email),
        ("phone", rules.phone),
        ("password", rules.password),
        ("invitation", rules.invitation),
    ];
    let own = own.into_iter().map(|(name, need)| (name.to_owned(), need));
    let need = |field: &ProfileField| rules.profile.get(field).copied().unwrap_or_default();
    let profile = ProfileField::ALL.iter().map(|field| (format!("profile.{}", field.word()), need(field)));
    let wanted = own.chain(profile).filter(|(_, need)| *need != Need::Off);
    wanted.map(|(field, need)| Asked { field, required: need == Need::Required }).collect()
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Public, routes!(platform_show))
}

/// What everybody may know of the platform.
#[utoipa::path(get, path = "/api/v1/platform", tag = "platform", responses(
    (status = 200, description = "The platform.", body = Shown),
))]
async fn platform_show(State(console): State<Console>) -> Answer<Shown> {
    let rules = &console.registration;
    let platform = &console.platform;
    Ok(Json(Shown {
        name: platform.name.clone(),
        version: platform.version.clone(),
        currency: platform.currency.clone(),
        languages: platform.languages.clone(),
        registration: Registration { open: rules.open, minors: rules.minors, fields: asked(rules) },
    }))
}
