//! `/api/v1/account`: what is held about the caller as a person, and how they change it.

use super::invitations::InvitedBy;
use super::people::{Address, From, Tongue};
use super::registration::{Age, ProfileForm};
use super::sign_in::cookie;
use super::{Access, Answer, Console, Input, Reference, Routes, Signed};
use crate::forms::Moment;
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
use tacit_identity::sessions::Session;
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_storage::ReadTx;
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
    /// Who invited them; `null`: nobody, or the operator.
    invited_by: Option<InvitedBy>,
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

/// Another name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewName {
    /// The name to sign in with. Names that look the same are the same.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
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

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::own(Scope::AccountRead), routes!(account_show))
        .add(Access::own(Scope::AccountWrite), routes!(profile_put))
        .add(Access::PERSON.stepped_up(), routes!(password_put))
        .add(Access::PERSON.stepped_up(), routes!(name_put))
        .add(Access::PERSON.stepped_up(), routes!(contacts_put))
        .add(Access::PERSON.stepped_up(), routes!(contacts_remove))
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
        let inviter = identity.inviter_in_tx(tx, account).await?;
        Ok::<_, IdentityError>((held, profile, factor, inviter))
    };
    let read = &read;
    let (held, profile, second_factor, inviter) = console.db.read("console.account", |tx| Box::pin(read(tx))).await?;
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
        invited_by: inviter.map(InvitedBy::from),
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
    (status = 204, description = "It is set.",
        headers(("set-cookie" = String, description = "The session, under another token."))),
))]
async fn password_put(
    State(console): State<Console>,
    caller: Signed,
    Input(new): Input<NewPassword>,
) -> Result<Response, Refusal> {
    let session = session(&console, &caller).await?;
    let turned = Box::pin(console.identity.password_change(&session, SecretString::from(new.password))).await?;
    Ok((StatusCode::NO_CONTENT, [cookie(&console, &turned)?]).into_response())
}

/// Takes another name to sign in with; the caller is told at their addresses.
#[utoipa::path(put, path = "/api/v1/account/name", tag = "account", request_body = NewName, responses(
    (status = 204, description = "It is the caller's."),
    (status = 409, description = "Another account has it, or one that looks the same.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn name_put(
    State(console): State<Console>,
    caller: Signed,
    Input(new): Input<NewName>,
) -> Result<StatusCode, Refusal> {
    let session = session(&console, &caller).await?;
    let changed = console.identity.name_change(&console.registration, &session, &Personal::new(new.name)).await;
    changed.map_err(|error| match error {
        IdentityError::RegistrationField { .. }
        | IdentityError::AccountNameInvalid
        | IdentityError::AccountNameTaken => Refusal::from(error).about("name"),
        other => other.into(),
    })?;
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

/// Gives up an address, unless the operator requires it or it is the last way in; all that the caller had are told.
#[utoipa::path(delete, path = "/api/v1/account/contacts/{kind}", tag = "account", params(
    ("kind" = Kind, Path, description = "Which of the addresses."),
), responses(
    (status = 204, description = "It is gone."),
    (status = 404, description = "The caller has no such address.", body = Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "It is the last way in.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The operator requires it.", body = Problem, content_type = "application/problem+json"),
))]
async fn contacts_remove(
    State(console): State<Console>,
    caller: Signed,
    Reference(kind): Reference<Word>,
) -> Result<StatusCode, Refusal> {
    let session = session(&console, &caller).await?;
    console.identity.contact_remove(&console.registration, &session, kind.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A kind of address in a path.
struct Word(ContactKind);

impl std::str::FromStr for Word {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        ContactKind::from_word(word).map(Self).ok_or(())
    }
}
