//! `POST /api/v1/accounts/{account}/unmask`: personal fields of somebody in clear. Who looks says why; that they look is
//! durable in the audit log before anything is unsealed (`recording`), and the person sees it (`looks`). Nothing is granted: a
//! list that is asked for afterwards is masked as before.

use super::reasons::{LookFor, Reasoned};
use super::registration::ProfileForm;
use super::{Access, Answer, Console, Input, Reference, Routes, not_found};
use crate::forms::Moment;
use crate::problem::Refusal;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tacit_identity::access::Permission;
use tacit_identity::contacts::{ContactKind, HeldContact};
use tacit_identity::{IdentityError, registration};
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_kernel::words;
use tacit_storage::ReadTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// How long what was unmasked may stay on a screen, in microseconds.
pub(super) const SHOWN: i64 = 5 * 60_000_000;

words! {
    /// A personal field of an account.
    Field {
        /// Its name.
        Name = "name",
        /// Its e-mail address.
        Email = "email",
        /// Its phone number.
        Phone = "phone",
        /// What it said at registration and since.
        Profile = "profile",
        /// The address of the guardian of a minor.
        Guardian = "guardian",
    }
}

/// Which fields to show, and why.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Unmask {
    /// Which fields.
    #[schema(value_type = Vec<UnmaskField>, min_items = 1, max_items = 5)]
    fields: Vec<Field>,
    /// Why. The person is shown this.
    #[schema(min_length = 1, max_length = 1000)]
    #[serde(rename = "reason")]
    _reason: String,
    /// For what. Of who restricts the use of their data nothing is shown for `support`.
    #[serde(default, rename = "for")]
    #[schema(required = false)]
    _look_for: LookFor,
}

/// A personal field of an account.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the form of another type")]
enum UnmaskField {
    Name,
    Email,
    Phone,
    Profile,
    Guardian,
}

/// Fields in clear. What was not asked for, or is not held, is absent.
#[derive(Serialize, ToSchema)]
struct Unmasked {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// Its e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<String>,
    /// Its phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    phone: Option<String>,
    /// What it said at registration and since.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    profile: Option<ProfileForm>,
    /// The e-mail address or phone number of the guardian of a minor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    guardian: Option<String>,
    /// When whoever shows this hides it again.
    hide_at: Moment,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Needs(Permission::AccountsUnmask), routes!(accounts_unmask))
}

/// Shows personal fields of an account in clear. The look and its reason are recorded before, and shown to the person.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/unmask", tag = "accounts", params(
    ("account" = String, Path, description = "Its id."),
), request_body = Unmask, responses(
    (status = 200, description = "The fields.", body = Unmasked),
    (status = 409, description = "The person was erased.", body = crate::problem::Problem,
        content_type = "application/problem+json"),
))]
async fn accounts_unmask(
    State(console): State<Console>,
    Reference(id): Reference<AccountId>,
    _: Reasoned,
    Input(unmask): Input<Unmask>,
) -> Answer<Unmasked> {
    let identity = &console.identity;
    let read = async |tx: &mut ReadTx<'_>| {
        let account = identity.account_by_id_in_tx(tx, id).await?.ok_or(IdentityError::AccountNotFound)?;
        let name = account.name.ok_or(IdentityError::AccountErased)?;
        let contacts = identity.contacts_of_in_tx(tx, id).await?;
        let guardian = match unmask.fields.contains(&Field::Guardian) {
            true => identity.guardian_in_tx(tx, id).await?,
            false => None,
        };
        Ok::<_, IdentityError>((name, contacts, identity.profile_in_tx(tx, id).await?, guardian))
    };
    let read = &read;
    let found = console.db.read("console.account.unmask", |tx| Box::pin(read(tx))).await;
    let (name, contacts, profile, guardian) = found.map_err(|error| match error {
        IdentityError::AccountNotFound => not_found("account.not_found", "account"),
        other => Refusal::from(other),
    })?;
    let asked = |field| unmask.fields.contains(&field);
    let of = |kind: ContactKind, field: Field| {
        let held = |held: &&HeldContact| held.contact.kind() == kind && asked(field);
        contacts.iter().find(held).map(|held| held.contact.text().to_owned())
    };
    Ok(Json(Unmasked {
        name: asked(Field::Name).then(|| Personal::into_inner(name)),
        email: of(ContactKind::Email, Field::Email),
        phone: of(ContactKind::Phone, Field::Phone),
        profile: profile
            .filter(|_| asked(Field::Profile))
            .map(|profile: registration::Profile| ProfileForm::of(profile.fields)),
        guardian: guardian.map(Personal::into_inner),
        hide_at: console.clock.now().plus_micros(SHOWN).into(),
    }))
}
