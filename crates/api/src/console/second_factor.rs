//! `/api/v1/second-factor`: an authenticator app, and recovery codes for the day it is lost.

use super::account::session;
use super::sign_in::cookie;
use super::{Access, Answer, Console, Input, Routes, Signed};
use crate::forms::Secret;
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// What an authenticator app is given.
#[derive(Serialize, ToSchema)]
struct Enrolment {
    /// The secret in base 32, to be typed.
    #[schema(value_type = String)]
    secret: Secret,
    /// The same as `otpauth://…`, to be shown as a QR code.
    #[schema(value_type = String)]
    url: Secret,
}

/// That the app works.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Works {
    /// What it shows.
    #[schema(max_length = 16)]
    totp: String,
}

/// Recovery codes, shown this once.
#[derive(Serialize, ToSchema)]
struct RecoveryCodes {
    /// Each is good once.
    #[schema(value_type = Vec<String>)]
    codes: Vec<Secret>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::PERSON.stepped_up(), routes!(second_factor_begin, second_factor_remove))
        .add(Access::PERSON.stepped_up(), routes!(second_factor_confirm))
        .add(Access::PERSON.stepped_up(), routes!(recovery_codes_renew))
}

fn shown(codes: Vec<SecretString>) -> Json<RecoveryCodes> {
    Json(RecoveryCodes { codes: codes.into_iter().map(Secret).collect() })
}

/// Begins to set up an app. It is asked for only after it was confirmed.
#[utoipa::path(post, path = "/api/v1/second-factor", tag = "account", responses(
    (status = 201, description = "What the app is given.", body = Enrolment),
    (status = 409, description = "One is set up already.", body = Problem, content_type = "application/problem+json"),
))]
async fn second_factor_begin(
    State(console): State<Console>,
    caller: Signed,
) -> Result<(StatusCode, Json<Enrolment>), Refusal> {
    session(&console, &caller).await?;
    let name = caller.account.to_string();
    let begun = console.identity.totp_begin(caller.account, &console.platform.name, &name).await?;
    Ok((StatusCode::CREATED, Json(Enrolment { secret: Secret(begun.secret), url: Secret(begun.url) })))
}

/// Confirms that the app works; from now on it is asked for.
#[utoipa::path(post, path = "/api/v1/second-factor/confirm", tag = "account", request_body = Works, responses(
    (status = 200, description = "Recovery codes.", body = RecoveryCodes,
        headers(("set-cookie" = String, description = "The session, under another token."))),
))]
async fn second_factor_confirm(
    State(console): State<Console>,
    caller: Signed,
    Input(works): Input<Works>,
) -> Result<Response, Refusal> {
    let session = session(&console, &caller).await?;
    let code = SecretString::from(works.totp);
    let (codes, turned) = console.identity.totp_confirm(caller.account, &code, Some(&session)).await?;
    let mut response = shown(codes).into_response();
    if let Some(turned) = &turned {
        response.headers_mut().extend([cookie(&console, turned)?]);
    }
    Ok(response)
}

/// Makes new recovery codes; the old ones are void.
#[utoipa::path(post, path = "/api/v1/second-factor/recovery-codes", tag = "account", responses(
    (status = 200, description = "Recovery codes.", body = RecoveryCodes),
    (status = 422, description = "No second factor is set up.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn recovery_codes_renew(State(console): State<Console>, caller: Signed) -> Answer<RecoveryCodes> {
    session(&console, &caller).await?;
    Ok(shown(console.identity.recovery_codes_renew(caller.account).await?))
}

/// Takes the second factor away.
#[utoipa::path(delete, path = "/api/v1/second-factor", tag = "account", responses(
    (status = 204, description = "It is gone.",
        headers(("set-cookie" = String, description = "The session, under another token."))),
))]
async fn second_factor_remove(State(console): State<Console>, caller: Signed) -> Result<Response, Refusal> {
    let session = session(&console, &caller).await?;
    let turned = console.identity.second_factor_remove(&session).await?;
    Ok((StatusCode::NO_CONTENT, [cookie(&console, &turned)?]).into_response())
}
