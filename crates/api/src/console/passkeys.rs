//! `/api/v1/account/passkeys`, and signing in and showing once more who is there with one. Questions and answers have the JSON
//! form of WebAuthn, level 3: what `PublicKeyCredential.parseCreationOptionsFromJSON` and its like take, and what
//! `toJSON()` of a credential gives.

use super::account::session;
use super::idempotency::Undone;
use super::people::From;
use super::recording::Concerns;
use super::sign_in::{SignedIn, answer, token};
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Replayed, Routes, Signed};
use crate::forms::{Moment, Page, PageQuery, Secret, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tacit_identity::IdentityError;
use tacit_identity::passkeys::{Passkey, Question};
use tacit_identity::sign_in;
use tacit_kernel::Personal;
use tacit_kernel::ids::PasskeyId;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// What the browser asks an authenticator.
#[derive(Serialize, ToSchema)]
struct PasskeyQuestion {
    /// To be sent back with the answer; good once.
    #[schema(value_type = String)]
    ceremony: Secret,
    /// What `navigator.credentials` is given as `publicKey`, in its JSON form.
    #[schema(value_type = Object)]
    options: Value,
}

impl std::convert::From<Question> for PasskeyQuestion {
    fn from(question: Question) -> Self {
        Self { ceremony: Secret(question.ceremony), options: question.options }
    }
}

/// An answer of an authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasskeyAnswer {
    /// What the question was asked with.
    #[schema(max_length = 128)]
    ceremony: String,
    /// What `navigator.credentials.get` gave, in its JSON form.
    #[schema(value_type = Object)]
    credential: Value,
}

/// A new passkey.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPasskey {
    /// What the question was asked with.
    #[schema(max_length = 128)]
    ceremony: String,
    /// A name for it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What `navigator.credentials.create` gave, in its JSON form.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Another name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasskeyPatch {
    /// The name.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// A passkey of the caller.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
struct OwnPasskey {
    /// Its id.
    #[schema(value_type = String)]
    id: PasskeyId,
    /// Its name.
    name: String,
    /// When it was registered.
    created_at: Moment,
    /// When it was last used; not a part of its version.
    used_at: Option<Moment>,
    /// When it was last named.
    updated_at: Moment,
}

impl std::convert::From<Passkey> for OwnPasskey {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.id,
            name: Personal::into_inner(passkey.name),
            created_at: passkey.created_at.into(),
            used_at: passkey.used_at.map(Moment::from),
            updated_at: passkey.updated_at.into(),
        }
    }
}

impl OwnPasskey {
    /// Its version: that it was used changes nothing of what can be changed.
    fn tag(&self, console: &Console) -> Result<ETag, Refusal> {
        ETag::of(console, &Self { used_at: None, ..self.clone() })
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Public, routes!(passkey_sign_in_begin))
        .add(Access::Public, routes!(passkey_sign_in))
        .add(Access::PERSON, routes!(passkey_step_up_begin))
        .add(Access::PERSON, routes!(passkey_step_up))
        .add(Access::PERSON.stepped_up(), routes!(passkeys_begin))
        .add(Access::PERSON, routes!(passkeys_list))
        .add(Access::PERSON.stepped_up(), routes!(passkeys_create))
        .add(Access::PERSON, routes!(passkeys_show, passkeys_update))
        .add(Access::PERSON.stepped_up(), routes!(passkeys_remove))
}

/// Who signed in. That a passkey was copied is written down with whose it is.
fn shown(console: &Console, shown: Result<sign_in::SignedIn, IdentityError>) -> Result<Response, Refusal> {
    match shown {
        Ok(signed_in) => answer(console, StatusCode::OK, &signed_in),
        Err(copied @ IdentityError::PasskeyCopied { account }) => {
            let mut response = Refusal::from(copied).into_response();
            response.extensions_mut().insert(Concerns(account));
            Ok(response)
        }
        Err(other) => Err(other.into()),
    }
}

/// Begins to sign in with a passkey. Nobody is asked who they are: the authenticator knows.
#[utoipa::path(post, path = "/api/v1/sign-in/passkey/begin", tag = "sign-in", responses(
    (status = 201, description = "What to ask the authenticator.", body = PasskeyQuestion),
    (status = 404, description = "There are no passkeys here.", body = Problem, content_type = "application/problem+json"),
))]
async fn passkey_sign_in_begin(
    State(console): State<Console>,
    From(origin): From,
) -> Result<(StatusCode, Json<PasskeyQuestion>), Refusal> {
    let question = console.identity.passkey_ask(console.ways.passkeys()?, None, &origin).await?;
    Ok((StatusCode::CREATED, Json(question.into())))
}

/// Signs in with a passkey. It verifies who holds it, so that no second factor is asked for.
#[utoipa::path(post, path = "/api/v1/sign-in/passkey", tag = "sign-in", request_body = PasskeyAnswer, responses(
    (status = 200, description = "Signed in.", body = SignedIn,
        headers(("set-cookie" = String, description = "The session."))),
    (status = 401, description = "It is no answer, or of no passkey that is known here.", body = Problem,
        content_type = "application/problem+json"),
    (status = 403, description = "The account is disabled, or the passkey may have been copied.", body = Problem,
        content_type = "application/problem+json"),
    (status = 404, description = "There are no passkeys here.", body = Problem, content_type = "application/problem+json"),
))]
async fn passkey_sign_in(
    State(console): State<Console>,
    From(origin): From,
    Input(given): Input<PasskeyAnswer>,
) -> Result<Response, Refusal> {
    let (site, ceremony) = (console.ways.passkeys()?, SecretString::from(given.ceremony));
    let signed_in = console.identity.sign_in_with_passkey(site, &ceremony, &given.credential, &origin);
    shown(&console, Box::pin(signed_in).await)
}

/// Begins to show once more who is there, with a passkey.
#[utoipa::path(post, path = "/api/v1/step-up/passkey/begin", tag = "sign-in", responses(
    (status = 201, description = "What to ask the authenticator.", body = PasskeyQuestion),
    (status = 404, description = "There are no passkeys here.", body = Problem, content_type = "application/problem+json"),
))]
async fn passkey_step_up_begin(
    State(console): State<Console>,
    From(origin): From,
    caller: Signed,
) -> Result<(StatusCode, Json<PasskeyQuestion>), Refusal> {
    let question = console.identity.passkey_ask(console.ways.passkeys()?, Some(caller.account), &origin).await?;
    Ok((StatusCode::CREATED, Json(question.into())))
}

/// Shows once more who is there, with a passkey of the caller.
#[utoipa::path(post, path = "/api/v1/step-up/passkey", tag = "sign-in", request_body = PasskeyAnswer, responses(
    (status = 200, description = "Shown.", body = SignedIn,
        headers(("set-cookie" = String, description = "The session, under another token."))),
    (status = 403, description = "The passkey may have been copied.", body = Problem,
        content_type = "application/problem+json"),
    (status = 404, description = "There are no passkeys here.", body = Problem, content_type = "application/problem+json"),
))]
async fn passkey_step_up(
    State(console): State<Console>,
    From(origin): From,
    headers: HeaderMap,
    _: Signed,
    Input(given): Input<PasskeyAnswer>,
) -> Result<Response, Refusal> {
    let (site, ceremony) = (console.ways.passkeys()?, SecretString::from(given.ceremony));
    let token = token(&console, &headers)?;
    let raised = console.identity.step_up_with_passkey(site, &token, (&ceremony, &given.credential), &origin);
    shown(&console, Box::pin(raised).await)
}

/// Begins to register a passkey.
#[utoipa::path(post, path = "/api/v1/account/passkeys/begin", tag = "account", responses(
    (status = 201, description = "What to ask the authenticator.", body = PasskeyQuestion),
    (status = 404, description = "There are no passkeys here.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The caller has as many as there may be.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn passkeys_begin(
    State(console): State<Console>,
    From(origin): From,
    caller: Signed,
) -> Result<(StatusCode, Json<PasskeyQuestion>), Refusal> {
    let (site, session) = (console.ways.passkeys()?, session(&console, &caller).await?);
    let question = Box::pin(console.identity.passkey_begin(site, &session, &origin)).await?;
    Ok((StatusCode::CREATED, Json(question.into())))
}

/// The passkeys of the caller, oldest first.
#[utoipa::path(get, path = "/api/v1/account/passkeys", tag = "account", params(PageQuery), responses(
    (status = 200, description = "A page of passkeys.", body = Page<OwnPasskey>),
))]
async fn passkeys_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<OwnPasskey>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let passkeys = console.identity.passkey_list(caller.account, page).await?;
    Ok(Json(Page::of(passkeys, OwnPasskey::from)))
}

/// Registers a passkey; the account is told.
#[utoipa::path(post, path = "/api/v1/account/passkeys", tag = "account", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewPasskey, responses(
    (status = 201, description = "The passkey.", body = OwnPasskey, headers(
        ("etag" = String, description = "The version of the passkey."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 404, description = "There are no passkeys here.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is registered already, or the caller has as many as there may be.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn passkeys_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<NewPasskey>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "passkeys.create", &new)?;
    let (console, session) = (&console, &session(&console, &caller).await?);
    let site = console.ways.passkeys()?;
    let (ceremony, name, credential) = (&SecretString::from(new.ceremony), &Personal::new(new.name), &new.credential);
    let (created, replayed): (OwnPasskey, bool) = console
        .db
        .write("console.passkey.create", |tx| {
            Box::pin(async move {
                if let Some(created) = once.stored(console, tx).await? {
                    return Ok::<_, Undone>((created, true));
                }
                let made =
                    console.identity.passkey_register_in_tx(tx, site, session, ceremony, (name, credential)).await?;
                let created = OwnPasskey::from(made);
                once.keep(console, tx, &created).await?;
                Ok((created, false))
            })
        })
        .await?;
    Ok((StatusCode::CREATED, created.tag(console)?, Replayed(replayed), Json(created)).into_response())
}

/// A passkey of the caller.
#[utoipa::path(get, path = "/api/v1/account/passkeys/{passkey}", tag = "account", params(
    ("passkey" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The passkey.", body = OwnPasskey,
        headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
    (status = 404, description = "The caller has no such passkey.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn passkeys_show(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<PasskeyId>,
) -> Result<Response, Refusal> {
    let (console, account) = (&console, caller.account);
    let found: Result<Passkey, Undone> = console
        .db
        .read("console.passkey.show", |tx| {
            Box::pin(async move { Ok(console.identity.passkey_in_tx(tx, account, id).await?) })
        })
        .await;
    let passkey = OwnPasskey::from(found?);
    Ok(versions.shown(passkey.tag(console)?, Json(passkey)))
}

/// Gives a passkey of the caller another name.
#[utoipa::path(patch, path = "/api/v1/account/passkeys/{passkey}", tag = "account", params(
    ("passkey" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = PasskeyPatch, responses(
    (status = 200, description = "The passkey as it is now.", body = OwnPasskey,
        headers(("etag" = String, description = "The version."))),
    (status = 404, description = "The caller has no such passkey.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn passkeys_update(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<PasskeyId>,
    Input(patch): Input<PasskeyPatch>,
) -> Result<Response, Refusal> {
    let (console, account, versions, name) = (&console, caller.account, &versions, &Personal::new(patch.name));
    let changed: Result<Passkey, Undone> = console
        .db
        .write("console.passkey.update", |tx| {
            Box::pin(async move {
                let before = OwnPasskey::from(console.identity.passkey_in_tx(tx, account, id).await?);
                versions.check(&before.tag(console)?)?;
                Ok(console.identity.passkey_name_in_tx(tx, account, id, name).await?)
            })
        })
        .await;
    let passkey = OwnPasskey::from(changed?);
    Ok((passkey.tag(console)?, Json(passkey)).into_response())
}

/// Removes a passkey of the caller, unless it is the last way in; the account is told.
#[utoipa::path(delete, path = "/api/v1/account/passkeys/{passkey}", tag = "account", params(
    ("passkey" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Remove it only if this is its version."),
), responses(
    (status = 204, description = "It is removed."),
    (status = 404, description = "The caller has no such passkey.", body = Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "It is the last way in.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn passkeys_remove(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<PasskeyId>,
) -> Result<StatusCode, Refusal> {
    session(&console, &caller).await?;
    let (console, account, versions) = (&console, caller.account, &versions);
    let removed: Result<(), Undone> = console
        .db
        .write("console.passkey.remove", |tx| {
            Box::pin(async move {
                let before = OwnPasskey::from(console.identity.passkey_in_tx(tx, account, id).await?);
                versions.check(&before.tag(console)?)?;
                Ok(console.identity.passkey_remove_in_tx(tx, account, id).await?)
            })
        })
        .await;
    removed?;
    Ok(StatusCode::NO_CONTENT)
}
