//! What the caller is in the organisation that a path names. The guard finds it; whoever is no member is told what they would be
//! told if there were no such organisation.

use super::{Console, not_found, recording};
use crate::problem::Refusal;
use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use tacit_identity::IdentityError;
use tacit_identity::organisations::{OrganisationPermission, OrganisationRole};
use tacit_kernel::ids::AccountId;
use tacit_kernel::{ErrorKind, Fault};

/// A member who acts for an organisation. The guard puts it there: a handler that asks for it on another route answers 404 to
/// everybody.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The organisation.
    pub organisation: AccountId,
    /// The account that acts.
    pub account: AccountId,
    /// What it is there.
    pub role: OrganisationRole,
}

impl Member {
    /// For which organisation who acts, as the identity service asks for it.
    pub(super) const fn by(self) -> (AccountId, AccountId) {
        (self.organisation, self.account)
    }
}

fn absent() -> Refusal {
    not_found("organisation.not_found", "organisation")
}

/// What a request asks of an organisation.
pub(super) struct Asked {
    organisation: Option<AccountId>,
    changes: bool,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        Self {
            organisation: recording::organisation_of(route, request.uri().path()),
            changes: !request.method().is_safe(),
        }
    }

    /// The member that this account is there, if that may use the route.
    ///
    /// # Errors
    /// 404 to who is no member, 403 to who lacks the permission, and where the organisation is closed and something is changed.
    pub(super) async fn member(
        self,
        console: &Console,
        account: AccountId,
        permission: OrganisationPermission,
    ) -> Result<Member, Refusal> {
        let organisation = self.organisation.ok_or_else(absent)?;
        let standing = console.identity.organisation_standing(organisation, account).await?.ok_or_else(absent)?;
        if !standing.role.has(permission) {
            let message = format!("this needs a role in the organisation that allows {}", permission.as_str());
            return Err(Fault::new(ErrorKind::Forbidden, "access.denied", message).into());
        }
        if self.changes && !standing.open && !permission.holds_when_closed() {
            return Err(IdentityError::OrganisationClosed.into());
        }
        Ok(Member { organisation, account, role: standing.role })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Member {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().copied().ok_or_else(absent)
    }
}
