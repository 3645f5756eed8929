//! `/api/v1/sign-in/providers` and `/api/v1/account/identities`: signing in with an identity of a third party, and which of
//! them the caller has linked. Who goes to a provider comes back to `/sign-in/callback/{provider}` of the public URL, from
//! where the page sends what came back (`state`, `code`, `iss`) to the route that finishes what was begun.

use super::account::session;
use super::people::From;
use super::sign_in::{SignedIn, answer};
use super::{Access, Answer, Console, Input, Params, Reference, Routes, Signed};
use crate::forms::{Moment, Page, PageQuery, Secret, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::identities::{Arrived, Begun, Flow, LinkedIdentity, Stranger};
use tacit_identity::sessions::{Origin, Session};
use tacit_kernel::Personal;
use tacit_kernel::ids::LinkedIdentityId;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// For how long a browser keeps the cookie of what was begun.
const COOKIE_SECONDS: u32 = 600;

/// Where the browser goes.
#[derive(Serialize, ToSchema)]
struct ProviderAddress {
    /// The address at the provider.
    #[schema(value_type = String)]
    url: Secret,
    /// Within so many seconds it must be finished.
    expires_in_seconds: u32,
}

/// What came back from a provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProviderAnswer {
    /// `state`.
    #[schema(max_length = 128)]
    state: String,
    /// `code`.
    #[schema(max_length = 2048)]
    code: String,
    /// `iss`, if it came.
    #[schema(max_length = 512)]
    iss: Option<String>,
}

/// Nobody here has that identity.
#[derive(Serialize, ToSchema)]
struct NotKnown {
    /// To register with, as `identity`; once, and in this browser.
    #[schema(value_type = String)]
    ticket: Secret,
    /// When it is void.
    expires_at: Moment,
}

/// An identity that the caller has linked.
#[derive(Serialize, ToSchema)]
struct OwnIdentity {
    /// Its id.
    #[schema(value_type = String)]
    id: LinkedIdentityId,
    /// The provider, by its id.
    provider: String,
    /// What the provider calls the caller.
    subject: String,
    /// How the caller is known there; empty where it does not tell.
    name: String,
    /// When it was linked.
    linked_at: Moment,
    /// When it was last signed in with.
    used_at: Option<Moment>,
}

impl std::convert::From<LinkedIdentity> for OwnIdentity {
    fn from(linked: LinkedIdentity) -> Self {
        Self {
            id: linked.id,
            provider: linked.provider,
            subject: Personal::into_inner(linked.subject),
            name: Personal::into_inner(linked.shown),
            linked_at: linked.linked_at.into(),
            used_at: linked.used_at.map(Moment::from),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Public, routes!(provider_begin))
        .add(Access::Public, routes!(provider_finish))
        .add(Access::PERSON, routes!(identities_list))
        .add(Access::PERSON.stepped_up(), routes!(identity_link_begin))
        .add(Access::PERSON.stepped_up(), routes!(identity_link_finish))
        .add(Access::PERSON.stepped_up(), routes!(identity_unlink))
}

/// What the cookie of the browser says.
pub(super) fn browser(console: &Console, headers: &HeaderMap) -> Result<SecretString, Refusal> {
    console.cookies.flow(headers).ok_or_else(|| IdentityError::SignInLost.into())
}

async fn begin(
    console: &Console,
    provider: &str,
    linking: Option<&Session>,
    origin: &Origin,
) -> Result<Response, Refusal> {
    let provider = console.ways.provider(provider)?;
    // Before the provider is asked what it says of itself, which is work for others too.
    console.identity.identity_may_begin(linking, origin).await?;
    let flow = Flow::fresh();
    let started = Box::pin(provider.start(flow.state())).await?;
    let begun = Begun { provider: provider.id().to_owned(), nonce: started.nonce, verifier: started.verifier };
    console.identity.identity_begin(&flow, &begun, linking).await?;
    let cookie = console.cookies.set_flow(flow.browser.expose_secret(), COOKIE_SECONDS)?;
    let url = Secret(SecretString::from(started.url));
    let said = ProviderAddress { url, expires_in_seconds: COOKIE_SECONDS };
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(said)).into_response())
}

/// Who came back, and what the cookie of their browser says.
async fn returned(
    console: &Console,
    (id, headers): (&str, &HeaderMap),
    came: ProviderAnswer,
    linking: Option<&Session>,
    origin: &Origin,
) -> Result<(Stranger, SecretString), Refusal> {
    let provider = console.ways.provider(id)?;
    let flow = Flow { state: SecretString::from(came.state), browser: browser(console, headers)? };
    let begun = console.identity.identity_returned(&flow, linking, origin).await?;
    if begun.provider != provider.id() {
        return Err(IdentityError::SignInLost.into());
    }
    let secrets = (begun.nonce.expose_secret(), begun.verifier.expose_secret());
    let person = Box::pin(provider.finish((&came.code, came.iss.as_deref()), secrets)).await?;
    let (subject, also) = (person.subject.into_inner(), person.also.map(Personal::into_inner));
    Ok((Stranger::new(provider.id(), subject, also, person.shown.reveal()), flow.browser))
}

/// Begins to sign in with a provider; the answer sets a cookie, without which it cannot be finished.
#[utoipa::path(post, path = "/api/v1/sign-in/providers/{provider}", tag = "sign-in", params(
    ("provider" = String, Path, description = "Its id."),
), responses(
    (status = 201, description = "Where to go.", body = ProviderAddress,
        headers(("set-cookie" = String, description = "Tells this browser."))),
    (status = 401, description = "What the provider says of itself cannot be believed.", body = Problem,
        content_type = "application/problem+json"),
    (status = 404, description = "There is no such provider.", body = Problem, content_type = "application/problem+json"),
))]
async fn provider_begin(
    State(console): State<Console>,
    Reference(provider): Reference<String>,
    From(origin): From,
) -> Result<Response, Refusal> {
    Box::pin(begin(&console, &provider, None, &origin)).await
}

/// Finishes to sign in with a provider. Who is not known here gets a ticket to register with; an address that the provider
/// tells makes nobody the owner of an account.
#[utoipa::path(post, path = "/api/v1/sign-in/providers/{provider}/finish", tag = "sign-in", params(
    ("provider" = String, Path, description = "Its id."),
), request_body = ProviderAnswer, responses(
    (status = 200, description = "Signed in, or to be completed with the second factor.", body = SignedIn,
        headers(("set-cookie" = String, description = "The session."))),
    (status = 202, description = "Nobody here has that identity: register with it, or sign in and link it.", body = NotKnown),
    (status = 401, description = "The provider did not confirm it.", body = Problem,
        content_type = "application/problem+json"),
    (status = 403, description = "The account is disabled.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such provider.", body = Problem, content_type = "application/problem+json"),
))]
async fn provider_finish(
    State(console): State<Console>,
    Reference(provider): Reference<String>,
    From(origin): From,
    headers: HeaderMap,
    Input(came): Input<ProviderAnswer>,
) -> Result<Response, Refusal> {
    let (stranger, browser) = Box::pin(returned(&console, (&provider, &headers), came, None, &origin)).await?;
    match Box::pin(console.identity.identity_arrived(&stranger, &browser, &origin)).await? {
        Arrived::SignedIn(signed_in) => answer(&console, StatusCode::OK, &signed_in),
        Arrived::NotKnown { ticket, expires_at } => {
            let said = NotKnown { ticket: Secret(ticket), expires_at: expires_at.into() };
            Ok((StatusCode::ACCEPTED, Json(said)).into_response())
        }
    }
}

/// The identities that the caller has linked, oldest first.
#[utoipa::path(get, path = "/api/v1/account/identities", tag = "account", params(PageQuery), responses(
    (status = 200, description = "A page of identities.", body = Page<OwnIdentity>),
))]
async fn identities_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<OwnIdentity>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let linked = console.identity.identity_list(caller.account, page).await?;
    Ok(Json(Page::of(linked, OwnIdentity::from)))
}

/// Begins to link an identity with the caller's account.
#[utoipa::path(post, path = "/api/v1/account/identities/link/{provider}", tag = "account", params(
    ("provider" = String, Path, description = "The provider, by its id."),
), responses(
    (status = 201, description = "Where to go.", body = ProviderAddress,
        headers(("set-cookie" = String, description = "Tells this browser."))),
    (status = 404, description = "There is no such provider.", body = Problem, content_type = "application/problem+json"),
))]
async fn identity_link_begin(
    State(console): State<Console>,
    Reference(provider): Reference<String>,
    From(origin): From,
    caller: Signed,
) -> Result<Response, Refusal> {
    let session = session(&console, &caller).await?;
    Box::pin(begin(&console, &provider, Some(&session), &origin)).await
}

/// Finishes to link an identity with the caller's account, which is told.
#[utoipa::path(post, path = "/api/v1/account/identities/link/{provider}/finish", tag = "account", params(
    ("provider" = String, Path, description = "The provider, by its id."),
), request_body = ProviderAnswer, responses(
    (status = 201, description = "It is linked.", body = OwnIdentity),
    (status = 404, description = "There is no such provider.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "An account has it already, or the caller has as many as there may be.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn identity_link_finish(
    State(console): State<Console>,
    Reference(provider): Reference<String>,
    From(origin): From,
    headers: HeaderMap,
    caller: Signed,
    Input(came): Input<ProviderAnswer>,
) -> Result<(StatusCode, Json<OwnIdentity>), Refusal> {
    let session = session(&console, &caller).await?;
    let back = Box::pin(returned(&console, (&provider, &headers), came, Some(&session), &origin)).await?;
    let linked = Box::pin(console.identity.identity_link(&session, &back.0, &origin)).await?;
    Ok((StatusCode::CREATED, Json(linked.into())))
}

/// Unlinks an identity of the caller, unless it is the last way in; the account is told.
#[utoipa::path(delete, path = "/api/v1/account/identities/{identity}", tag = "account", params(
    ("identity" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is unlinked."),
    (status = 404, description = "The caller has no such identity.", body = Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "It is the last way in.", body = Problem, content_type = "application/problem+json"),
))]
async fn identity_unlink(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<LinkedIdentityId>,
) -> Result<StatusCode, Refusal> {
    session(&console, &caller).await?;
    console.identity.identity_unlink(caller.account, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
