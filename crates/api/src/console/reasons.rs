//! Why somebody of the staff looks at what is somebody else's, and for what.

use crate::problem::Refusal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use tacit_kernel::datamap::Purpose;
use tacit_kernel::{ErrorKind, Fault};
use utoipa::ToSchema;

/// That a request was written down, and why it is made. Whoever shows something in clear asks for it, so that it cannot be
/// forgotten: where nothing was written there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reasoned {
    pub(super) told: bool,
}

/// Why something is to be shown, where nothing else is to be said. What it says is read for the log, before it is looked at here.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// Why; kept sealed in the audit log. The person whose data it is is shown this.
    #[schema(min_length = 1, max_length = 1000)]
    #[serde(rename = "reason")]
    _reason: String,
}

/// For what somebody's data is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LookFor {
    /// To help them. Not of who restricts the use of their data.
    #[default]
    Support,
    /// To keep them or others safe, such as from abuse. The person sees that it was for this.
    Security,
    /// Since a law demands it, or for the claims of somebody. The person sees that it was for this.
    Law,
}

impl LookFor {
    /// The one of that word.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "support" => Some(Self::Support),
            "security" => Some(Self::Security),
            "law" => Some(Self::Law),
            _ => None,
        }
    }

    /// The purpose that it serves.
    pub(super) const fn purpose(self) -> Purpose {
        match self {
            Self::Support => Purpose::Support,
            Self::Security => Purpose::Security,
            Self::Law => Purpose::Law,
        }
    }

    /// What stands in the log among what was shown.
    pub(super) const fn field(self) -> Option<&'static str> {
        match self {
            Self::Support => None,
            Self::Security => Some("for_security"),
            Self::Law => Some("for_law"),
        }
    }
}

/// As [`Why`], and for what. Whoever restricts the use of their data is not safe from being investigated.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyLook {
    /// Why; kept sealed in the audit log. The person whose data it is is shown this.
    #[schema(min_length = 1, max_length = 1000)]
    #[serde(rename = "reason")]
    _reason: String,
    /// For what. Of who restricts the use of their data nothing is shown for `support`.
    #[serde(default, rename = "for")]
    #[schema(required = false)]
    _look_for: LookFor,
}

impl<S: Send + Sync> FromRequestParts<S> for Reasoned {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let missing = || Fault::internal("audit.undeclared", "a route that shows something and is not recorded");
        let reasoned = parts.extensions.get::<Self>().copied().ok_or_else(missing)?;
        if !reasoned.told {
            let message = "say why: reason is a text of 1 to 1,000 bytes";
            return Err(Refusal::from(Fault::new(ErrorKind::Invalid, "request.reason", message)).about("reason"));
        }
        Ok(reasoned)
    }
}
