//! `/api/v1/sign-in` and what follows it: with a password, with a code, the second factor, showing once more who is there,
//! a forgotten password, signing out.

use super::people::{Address, From};
use super::recording::Concerns;
use super::{Access, Console, Input, Routes, Signed};
use crate::forms::Moment;
use crate::problem::{Problem, Refusal};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::access::Via;
use tacit_identity::devices;
use tacit_identity::second_factor::SecondFactor;
use tacit_identity::sign_in::{self, Proof};
use tacit_kernel::ids::{AccountId, SignInId};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// For how long a browser keeps the cookie; the session ends by its own rules.
const COOKIE_SECONDS: u32 = 90 * 86_400;

/// Somebody signed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct SignedIn {
    /// The account.
    #[schema(value_type = String)]
    account: AccountId,
    /// The session.
    #[schema(value_type = String)]
    session: SignInId,
    /// Whether nothing more has to be shown; if not, the second factor has to follow.
    complete: bool,
    /// When the session ends at the latest.
    expires_at: Moment,
}

/// With a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WithPassword {
    /// The name, e-mail address or phone number (with its country).
    #[schema(max_length = 254)]
    who: String,
    /// The password.
    #[schema(max_length = 256)]
    password: String,
}

/// With a code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WithCode {
    /// Where it was sent.
    to: Address,
    /// The code (purpose `sign_in`).
    #[schema(max_length = 16)]
    code: String,
}

/// A second factor: one of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Factor {
    /// What the authenticator app shows.
    #[schema(max_length = 16)]
    totp: Option<String>,
    /// A recovery code.
    #[schema(max_length = 64)]
    recovery: Option<String>,
}

/// What shows once more who is there: one of them. Where a second factor is set up, that.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProofForm {
    /// The password.
    #[schema(max_length = 256)]
    password: Option<String>,
    /// A code that was sent to one of the account's addresses (purpose `step_up`).
    code: Option<SentCode>,
    /// What the authenticator app shows.
    #[schema(max_length = 16)]
    totp: Option<String>,
    /// A recovery code.
    #[schema(max_length = 64)]
    recovery: Option<String>,
}

/// A code and where it was sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SentCode {
    /// Where it was sent.
    to: Address,
    /// The code.
    #[schema(max_length = 16)]
    code: String,
}

/// A new password for who forgot the old one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordReset {
    /// Where the code was sent.
    to: Address,
    /// The code (purpose `password_reset`).
    #[schema(max_length = 16)]
    code: String,
    /// The new password.
    #[schema(min_length = 8, max_length = 256)]
    password: String,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Public, routes!(sign_in_password))
        .add(Access::Public, routes!(sign_in_code))
        .add(Access::Public, routes!(sign_in_second_factor))
        .add(Access::Public, routes!(password_reset))
        .add(Access::PERSON, routes!(step_up))
        .add(Access::PERSON, routes!(sign_out))
}

/// The cookie that a session is known by from now on.
pub(super) fn cookie(console: &Console, signed_in: &sign_in::SignedIn) -> Result<(HeaderName, HeaderValue), Refusal> {
    let token = signed_in.token.expose_secret();
    Ok((header::SET_COOKIE, console.cookies.set_session(token, Some(COOKIE_SECONDS))?))
}

/// Who signed in, and the cookie.
pub(super) fn answer(
    console: &Console,
    status: StatusCode,
    signed_in: &sign_in::SignedIn,
) -> Result<Response, Refusal> {
    let cookie = cookie(console, signed_in)?;
    let session = &signed_in.session;
    let said = SignedIn {
        account: session.account,
        session: session.id,
        complete: session.complete,
        expires_at: session.expires_at.into(),
    };
    let mut response = (status, [cookie], Json(said)).into_response();
    response.extensions_mut().insert(Concerns(session.account));
    if let Some(new) = &signed_in.new_device
        && let Some(token) = &new.token
    {
        let seconds = u32::try_from(devices::REMEMBERED / 1_000_000).unwrap_or(u32::MAX);
        let cookie = console.cookies.set_device(token.expose_secret(), seconds)?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The token that a request shows.
pub(super) fn token(console: &Console, headers: &HeaderMap) -> Result<SecretString, Refusal> {
    console.cookies.session(headers).ok_or_else(|| IdentityError::SessionGone.into())
}

fn factor_of(totp: Option<String>, recovery: Option<String>) -> Result<SecondFactor, Refusal> {
    match (totp, recovery) {
        (Some(code), None) => Ok(SecondFactor::Totp(SecretString::from(code))),
        (None, Some(code)) => Ok(SecondFactor::Recovery(SecretString::from(code))),
        _ => Err(Refusal::from(IdentityError::SecondFactorWrong).about("totp")),
    }
}

/// Signs in with a password.
#[utoipa::path(post, path = "/api/v1/sign-in/password", tag = "sign-in", request_body = WithPassword, responses(
    (status = 200, description = "Signed in, or to be completed with the second factor.", body = SignedIn,
        headers(("set-cookie" = String, description = "The session."))),
    (status = 401, description = "Name and password do not go together.", body = Problem,
        content_type = "application/problem+json"),
    (status = 403, description = "The account is disabled.", body = Problem, content_type = "application/problem+json"),
))]
async fn sign_in_password(
    State(console): State<Console>,
    From(origin): From,
    Input(with): Input<WithPassword>,
) -> Result<Response, Refusal> {
    let password = SecretString::from(with.password);
    let signed_in = Box::pin(console.identity.sign_in_with_password(&with.who, password, &origin)).await?;
    answer(&console, StatusCode::OK, &signed_in)
}

/// Signs in with a code that was sent to an address of the account.
#[utoipa::path(post, path = "/api/v1/sign-in/code", tag = "sign-in", request_body = WithCode, responses(
    (status = 200, description = "Signed in, or to be completed with the second factor.", body = SignedIn,
        headers(("set-cookie" = String, description = "The session."))),
    (status = 401, description = "The code is wrong or void.", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The account is disabled.", body = Problem, content_type = "application/problem+json"),
))]
async fn sign_in_code(
    State(console): State<Console>,
    From(origin): From,
    Input(with): Input<WithCode>,
) -> Result<Response, Refusal> {
    let (contact, code) = (with.to.contact()?, SecretString::from(with.code));
    let signed_in = Box::pin(console.identity.sign_in_with_code(&contact, &code, &origin)).await?;
    answer(&console, StatusCode::OK, &signed_in)
}

/// Completes signing in with the second factor; the cookie of the incomplete session goes with the request.
#[utoipa::path(post, path = "/api/v1/sign-in/second-factor", tag = "sign-in", request_body = Factor, responses(
    (status = 200, description = "Signed in.", body = SignedIn,
        headers(("set-cookie" = String, description = "The session, under another token."))),
    (status = 401, description = "There is no session to complete.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn sign_in_second_factor(
    State(console): State<Console>,
    From(origin): From,
    headers: HeaderMap,
    Input(factor): Input<Factor>,
) -> Result<Response, Refusal> {
    let shown = factor_of(factor.totp, factor.recovery)?;
    let token = token(&console, &headers)?;
    let signed_in = Box::pin(console.identity.sign_in_complete(&token, &shown, &origin)).await?;
    answer(&console, StatusCode::OK, &signed_in)
}

/// Sets a new password with a code that was sent to an address of the account. All its sessions and management keys end, and
/// so do passkeys and identities of the last seven days; it is told.
#[utoipa::path(post, path = "/api/v1/password/reset", tag = "sign-in", request_body = PasswordReset, responses(
    (status = 204, description = "It is set; sign in with it."),
))]
async fn password_reset(
    State(console): State<Console>,
    From(origin): From,
    Input(reset): Input<PasswordReset>,
) -> Result<Response, Refusal> {
    let (contact, code) = (reset.to.contact()?, SecretString::from(reset.code));
    let password = SecretString::from(reset.password);
    let account = Box::pin(console.identity.password_reset(&contact, &code, password, &origin)).await?;
    Ok((StatusCode::NO_CONTENT, Extension(Concerns(account))).into_response())
}

/// Shows once more who is there; for ten minutes something sensitive may be done then.
#[utoipa::path(post, path = "/api/v1/step-up", tag = "sign-in", request_body = ProofForm, responses(
    (status = 200, description = "Shown.", body = SignedIn,
        headers(("set-cookie" = String, description = "The session, under another token."))),
))]
async fn step_up(
    State(console): State<Console>,
    From(origin): From,
    headers: HeaderMap,
    _: Signed,
    Input(form): Input<ProofForm>,
) -> Result<Response, Refusal> {
    let token = token(&console, &headers)?;
    let proof = match (form.password, form.code, form.totp, form.recovery) {
        (Some(password), None, None, None) => Proof::Password(SecretString::from(password)),
        (None, Some(sent), None, None) => Proof::Code(sent.to.contact()?, SecretString::from(sent.code)),
        (None, None, totp, recovery) => Proof::SecondFactor(factor_of(totp, recovery)?),
        _ => return Err(Refusal::from(IdentityError::ProofWrong).about("password")),
    };
    let signed_in = Box::pin(console.identity.step_up(&token, &proof, &origin)).await?;
    answer(&console, StatusCode::OK, &signed_in)
}

/// Signs out: the session ends.
#[utoipa::path(post, path = "/api/v1/sign-out", tag = "sign-in", responses(
    (status = 204, description = "Signed out.", headers(("set-cookie" = String, description = "Makes the browser forget."))),
))]
async fn sign_out(State(console): State<Console>, caller: Signed) -> Result<Response, Refusal> {
    if let Via::Session(session) = caller.via {
        console.identity.session_end(caller.account, session).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, console.cookies.clear_session()?)]).into_response())
}
