//! `/api/v1/account`: what is held about the caller as a person, and how they change it.

use super::idempotency::{Replayed, Undone};
use super::people::{Address, From, Tongue};
use super::registration::{Age, ProfileForm};
use super::{Access, Answer, Console, Idempotent, Input, Routes, Signed};
use crate::forms::{Moment, Secret};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::access::{Caller, Scope, Via};
use tacit_identity::contacts::{ContactKind, HeldContact};
use tacit_identity::registration::Profile;
use tacit_identity::sessions::Session;
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// The caller's account.
#[derive(Serialize, ToSchema)]
struct OwnAccount {
    /// Its id.
    #[schema(value_type = String)]
    id: AccountId,
    /// The name to sign in with.
    name: Option<String>,
    /// Verified addresses.
    contacts: Vec<OwnContact>,
    /// What was said at registration and since; `null` if the operator made the account.
    profile: Option<OwnProfile>,
    /// Whether a second factor is asked for.
    second_factor: bool,
    /// Recovery codes that are left.
    recovery_codes: u64,
    /// Staff roles, by name.
    roles: Vec<String>,
    /// When the account was made.
    created_at: Moment,
}

/// An address of the caller.
#[derive(Serialize, ToSchema)]
struct OwnContact {
    /// Its kind.
    kind: Kind,
    /// The address.
    value: String,
    /// When it was last shown to be the caller's.
    verified_at: Moment,
}

/// A kind of address.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
}

impl std::convert::From<ContactKind> for Kind {
    fn from(kind: ContactKind) -> Self {
        match kind {
            ContactKind::Email => Self::Email,
            ContactKind::Phone => Self::Phone,
        }
    }
}

/// What the caller said.
#[derive(Serialize, ToSchema)]
struct OwnProfile {
    /// The fields that are given.
    fields: ProfileForm,
    /// How old they said they were.
    age: Age,
    /// In which language they are written to.
    language: Tongue,
    /// When they registered.
    registered_at: Moment,
}

/// The profile as it is to be: what is left out is deleted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewProfile {
    /// The fields.
    fields: ProfileForm,
    /// The language.
    language: Tongue,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The password.
    #[schema(min_length = 8, max_length = 256)]
    password: String,
}

/// Another address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewContact {
    /// The address.
    to: Address,
    /// The code that was sent to it (purpose `contact_change`).
    #[schema(max_length = 16)]
    code: String,
}

/// An invitation.
#[derive(Serialize, Deserialize, ToSchema)]
struct NewInvitation {
    /// What the invited person gives when they register; shown this once.
    #[schema(value_type = String)]
    code: Secret,
    /// When it is void.
    expires_at: Moment,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::own(Scope::AccountRead), routes!(account_show))
        .add(Access::own(Scope::AccountWrite), routes!(profile_put))
        .add(Access::PERSON.stepped_up(), routes!(password_put))
        .add(Access::PERSON.stepped_up(), routes!(contacts_put))
        .add(Access::own(Scope::AccountWrite), routes!(invitations_create))
}

/// The session of a caller who changes how they sign in. A management key cannot.
pub(super) async fn session(console: &Console, caller: &Caller) -> Result<Session, Refusal> {
    let Via::Session(id) = caller.via else { return Err(IdentityError::StepUpRequired.into()) };
    Ok(console.identity.session_by_id(caller.account, id).await?.ok_or(IdentityError::SessionGone)?)
}

/// What is held about the caller as a person.
#[utoipa::path(get, path = "/api/v1/account", tag = "account", responses(
    (status = 200, description = "The account.", body = OwnAccount),
))]
async fn account_show(State(console): State<Console>, caller: Signed) -> Answer<OwnAccount> {
    let (console, account) = (&console, caller.account);
    let read = async |tx: &mut ReadTx<'_>| {
        let identity = &console.identity;
        let held = identity.contacts_of_in_tx(tx, account).await?;
        let profile = identity.profile_in_tx(tx, account).await?;
        let factor = identity.second_factor_set_in_tx(tx, account).await?;
        Ok::<(Vec<HeldContact>, Option<Profile>, bool), IdentityError>((held, profile, factor))
    };
    let read = &read;
    let (held, profile, second_factor) = console.db.read("console.account", |tx| Box::pin(read(tx))).await?;
    let found = console.identity.account_by_ref(&account.to_string()).await?.ok_or(IdentityError::AccountNotFound)?;
    let contact = |held: HeldContact| OwnContact {
        kind: held.contact.kind().into(),
        value: held.contact.text().to_owned(),
        verified_at: held.verified_at.into(),
    };
    let profile = profile.map(|profile| OwnProfile {
        fields: ProfileForm::of(profile.fields),
        age: profile.age.into(),
        language: profile.language.into(),
        registered_at: profile.registered_at.into(),
    });
    Ok(Json(OwnAccount {
        id: account,
        name: found.name.map(Personal::into_inner),
        contacts: held.into_iter().map(contact).collect(),
        profile,
        second_factor,
        recovery_codes: console.identity.recovery_codes_left(account).await?,
        roles: console.identity.roles_of(account).await?,
        created_at: found.created_at.into(),
    }))
}

/// Replaces the caller's profile.
#[utoipa::path(put, path = "/api/v1/account/profile", tag = "account", request_body = NewProfile, responses(
    (status = 204, description = "It is replaced."),
    (status = 404, description = "The operator made the account, which has none.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn profile_put(
    State(console): State<Console>,
    caller: Signed,
    Input(new): Input<NewProfile>,
) -> Result<StatusCode, Refusal> {
    let (rules, account) = (&console.registration, caller.account);
    let put = console.identity.profile_put(rules, account, &new.fields.fields(), new.language.into()).await;
    put.map_err(|error| match error {
        IdentityError::RegistrationField { field, .. } => Refusal::from(error).about(format!("fields.{field}")),
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets another password; all other sessions end, and the caller is told at their addresses.
#[utoipa::path(put, path = "/api/v1/account/password", tag = "account", request_body = NewPassword, responses(
    (status = 204, description = "It is set."),
))]
async fn password_put(
    State(console): State<Console>,
    caller: Signed,
    Input(new): Input<NewPassword>,
) -> Result<StatusCode, Refusal> {
    let session = session(&console, &caller).await?;
    Box::pin(console.identity.password_change(&session, SecretString::from(new.password))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes another address, in the place of the one of its kind; those it had before are told.
#[utoipa::path(put, path = "/api/v1/account/contacts", tag = "account", request_body = NewContact, responses(
    (status = 204, description = "It is the caller's."),
    (status = 409, description = "It is another account's.", body = Problem, content_type = "application/problem+json"),
))]
async fn contacts_put(
    State(console): State<Console>,
    From(origin): From,
    caller: Signed,
    Input(new): Input<NewContact>,
) -> Result<StatusCode, Refusal> {
    let session = session(&console, &caller).await?;
    let (contact, code) = (new.to.contact()?, SecretString::from(new.code));
    Box::pin(console.identity.contact_change(&session, &contact, &code, &origin)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes an invitation for one person.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "account", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), responses(
    (status = 201, description = "The invitation.", body = NewInvitation, headers(
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "The caller has as many that nobody used.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn invitations_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "invitations.create", &())?;
    let console = &console;
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(made) = once.stored::<NewInvitation>(console, tx).await? {
            return Ok((made, true));
        }
        let (code, expires_at) = console.identity.invitation_create_in_tx(tx, Some(caller.account)).await?;
        let made = NewInvitation { code: Secret(code), expires_at: expires_at.into() };
        once.keep(console, tx, &made).await?;
        Ok::<_, Undone>((made, false))
    };
    let create = &create;
    let (made, replayed) = console.db.write("console.invitation.create", |tx| Box::pin(create(tx))).await?;
    Ok((StatusCode::CREATED, Replayed(replayed), Json(made)).into_response())
}
