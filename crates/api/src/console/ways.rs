//! `/api/v1/sign-in/ways`: how one may sign in here. And what the ways of others need: which providers there are, and for
//! which site passkeys are.

use super::{Access, Answer, Console, Routes, not_found};
use crate::problem::Refusal;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tacit_identity::passkeys::PasskeySite;
use tacit_identity::registration::Need;
use tacit_operations::messages::{Channel, Way};
use tacit_operations::providers::Provider;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// Ways to sign in beside passwords and codes. By default there are none.
#[derive(Default)]
pub struct Ways {
    /// Providers of identities, in the order in which they are shown.
    pub providers: Vec<Provider>,
    /// The site that passkeys are for.
    pub passkeys: Option<PasskeySite>,
}

impl Ways {
    /// The provider of that id.
    pub(super) fn provider(&self, id: &str) -> Result<&Provider, Refusal> {
        let found = self.providers.iter().find(|provider| provider.id() == id);
        found.ok_or_else(|| not_found("provider.not_found", "provider"))
    }

    /// The site that passkeys are for, if there are passkeys.
    pub(super) fn passkeys(&self) -> Result<&PasskeySite, Refusal> {
        self.passkeys.as_ref().ok_or_else(|| not_found("passkey.off", "way to sign in here"))
    }
}

/// How one may sign in.
#[derive(Serialize, ToSchema)]
struct SignInWays {
    /// With a password.
    password: bool,
    /// With a code that is sent.
    code: bool,
    /// With a passkey.
    passkeys: bool,
    /// With an identity of one of these.
    providers: Vec<OfferedProvider>,
}

/// A provider of identities.
#[derive(Serialize, ToSchema)]
struct OfferedProvider {
    /// Its id, as paths take it.
    id: String,
    /// How it is called.
    name: ProviderName,
}

/// How a provider is called.
#[derive(Serialize, ToSchema)]
struct ProviderName {
    /// In English.
    en: String,
    /// In Chinese.
    zh: String,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Public, routes!(sign_in_ways))
}

/// How one may sign in.
#[utoipa::path(get, path = "/api/v1/sign-in/ways", tag = "sign-in", responses(
    (status = 200, description = "The ways.", body = SignInWays),
))]
async fn sign_in_ways(State(console): State<Console>) -> Answer<SignInWays> {
    let sends = |channel| console.messages.way(channel) != Way::Closed;
    let shown = |provider: &Provider| {
        let (en, zh) = provider.names();
        let name = ProviderName { en: en.to_owned(), zh: zh.to_owned() };
        OfferedProvider { id: provider.id().to_owned(), name }
    };
    Ok(Json(SignInWays {
        password: console.registration.password != Need::Off,
        code: sends(Channel::Email) || sends(Channel::Sms),
        passkeys: console.ways.passkeys.is_some(),
        providers: console.ways.providers.iter().map(shown).collect(),
    }))
}
