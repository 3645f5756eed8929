//! `/api/v1/registration`: becoming a customer.

use super::identities::browser;
use super::people::{From, Tongue, email_of, phone_of};
use super::sign_in::{SignedIn, answer};
use super::{Access, Console, Input, Routes};
use crate::problem::{Problem, Refusal};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tacit_identity::IdentityError;
use tacit_identity::contacts::Contact;
use tacit_identity::registration::{AgeBand, Fields, ProfileField, Registration};
use tacit_kernel::{ErrorKind, Fault, Personal};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// What somebody says to become a customer. Which fields are required or asked for `GET /api/v1/platform` tells.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    /// A name to sign in with; without one the platform makes one up.
    #[schema(min_length = 1, max_length = 200)]
    username: Option<String>,
    /// A password.
    #[schema(min_length = 8, max_length = 256)]
    password: Option<String>,
    /// An e-mail address with the code that was sent to it (purpose `register`).
    email: Option<Proved>,
    /// A phone number with the code that was sent to it (purpose `register`).
    phone: Option<Proved>,
    /// What else is asked, all of it optional unless the operator says otherwise.
    #[serde(default)]
    #[schema(required = false)]
    profile: ProfileForm,
    /// How old they are.
    age: Age,
    /// The address of a minor's guardian, who consents by the code that was sent there (purpose `guardian`).
    guardian: Option<Guardian>,
    /// An invitation.
    #[schema(max_length = 64)]
    invitation: Option<String>,
    /// The ticket that signing in with a provider gave, which makes that identity theirs. Good once, in the browser where it
    /// was given.
    #[schema(max_length = 128)]
    identity: Option<String>,
    /// In which language they are written to.
    #[serde(default)]
    #[schema(required = false)]
    language: Tongue,
}

/// An address or number, and the code that was sent to it.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Proved {
    /// The address or number.
    #[schema(max_length = 254)]
    value: String,
    /// The code.
    #[schema(max_length = 16)]
    code: String,
}

/// A guardian.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Guardian {
    /// Their e-mail address or phone number.
    address: super::people::Address,
    /// The code that was sent there.
    #[schema(max_length = 16)]
    code: String,
}

/// How old somebody is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Age {
    /// Eighteen or older.
    Adult,
    /// From 14 to 17.
    #[serde(rename = "under_18")]
    Under18,
    /// Under 14.
    #[serde(rename = "under_14")]
    Under14,
}

impl std::convert::From<Age> for AgeBand {
    fn from(age: Age) -> Self {
        match age {
            Age::Adult => Self::Adult,
            Age::Under18 => Self::Under18,
            Age::Under14 => Self::Under14,
        }
    }
}

impl std::convert::From<AgeBand> for Age {
    fn from(age: AgeBand) -> Self {
        match age {
            AgeBand::Adult => Self::Adult,
            AgeBand::Under18 => Self::Under18,
            AgeBand::Under14 => Self::Under14,
        }
    }
}

/// Fields of a profile.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProfileForm {
    /// Real name.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Company.
    #[schema(max_length = 200)]
    company: Option<String>,
    /// Position there.
    #[schema(max_length = 200)]
    position: Option<String>,
    /// Country.
    #[schema(max_length = 200)]
    country: Option<String>,
    /// Region or province.
    #[schema(max_length = 200)]
    region: Option<String>,
    /// City.
    #[schema(max_length = 200)]
    city: Option<String>,
    /// What the service is to be used for.
    #[schema(max_length = 200)]
    use_case: Option<String>,
    /// Experience with such services.
    #[schema(max_length = 200)]
    experience: Option<String>,
    /// How they heard of it.
    #[schema(max_length = 200)]
    referrer: Option<String>,
}

impl ProfileForm {
    fn place(&mut self, field: ProfileField) -> &mut Option<String> {
        match field {
            ProfileField::Name => &mut self.name,
            ProfileField::Company => &mut self.company,
            ProfileField::Position => &mut self.position,
            ProfileField::Country => &mut self.country,
            ProfileField::Region => &mut self.region,
            ProfileField::City => &mut self.city,
            ProfileField::UseCase => &mut self.use_case,
            ProfileField::Experience => &mut self.experience,
            ProfileField::Referrer => &mut self.referrer,
        }
    }

    pub(super) fn fields(mut self) -> Fields {
        let taken = |field: &ProfileField| self.place(*field).take().map(|value| (*field, Personal::new(value)));
        ProfileField::ALL.iter().filter_map(taken).collect::<BTreeMap<_, _>>()
    }

    pub(super) fn of(fields: Fields) -> Self {
        let mut form = Self::default();
        for (field, value) in fields {
            *form.place(field) = Some(value.into_inner());
        }
        form
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Public, routes!(registration_create))
}

/// Registers, and signs in.
#[utoipa::path(post, path = "/api/v1/registration", tag = "sign-in", request_body = NewAccount, responses(
    (status = 201, description = "Registered and signed in.", body = SignedIn,
        headers(("set-cookie" = String, description = "The session."))),
    (status = 403, description = "Registration is closed, or not set up.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The name, an address or the identity is taken.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn registration_create(
    State(console): State<Console>,
    From(origin): From,
    headers: HeaderMap,
    Input(new): Input<NewAccount>,
) -> Result<Response, Refusal> {
    let proved = |of: fn(&str) -> Result<Contact, Refusal>, field: Option<Proved>| {
        field.map(|proved| Ok::<_, Refusal>((of(&proved.value)?, SecretString::from(proved.code)))).transpose()
    };
    let guardian = new.guardian.map(|g| Ok::<_, Refusal>((g.address.contact()?, SecretString::from(g.code))));
    let identity = new.identity.map(|ticket| {
        let browser = browser(&console, &headers).map_err(|refusal| refusal.about("identity"))?;
        Ok::<_, Refusal>((SecretString::from(ticket), browser))
    });
    let asked = Registration {
        username: new.username.map(Personal::new),
        password: new.password.map(SecretString::from),
        email: proved(email_of, new.email)?,
        phone: proved(phone_of, new.phone)?,
        profile: new.profile.fields(),
        age: new.age.into(),
        guardian: guardian.transpose().map_err(|refusal| refusal.about("guardian.address"))?,
        invitation: new.invitation.map(SecretString::from),
        identity: identity.transpose()?,
        language: new.language.into(),
    };
    let group = console.identity.group_by_name(&console.registration_group).await?.ok_or_else(|| {
        let message = "the operator has not set up registration: its pricing group is missing";
        Fault::new(ErrorKind::Forbidden, "registration.group_missing", message)
    })?;
    let registered = Box::pin(console.identity.register(&console.registration, &asked, group.id, &origin)).await;
    let registered = registered.map_err(|error| match error {
        IdentityError::RegistrationField { field, .. } => Refusal::from(error).about(field),
        IdentityError::SignInLost => Refusal::from(error).about("identity"),
        other => other.into(),
    })?;
    answer(&console, StatusCode::CREATED, &registered)
}
