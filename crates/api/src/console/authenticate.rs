//! Who a caller is: what they show, who recognises it, and how a handler is told.

use super::cookies::Cookies;
use crate::problem::Refusal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use secrecy::SecretString;
use std::convert::Infallible;
use std::net::IpAddr;
use std::ops::Deref;
use std::pin::Pin;
use tacit_identity::access::Caller;
use tacit_kernel::Fault;

/// How a management key begins.
const MANAGEMENT_KEY: &str = "tm-";

/// What a caller shows.
#[derive(Debug)]
pub enum Presented {
    /// The token of a sign-in, from its cookie.
    Session(SecretString),
    /// A management key, from `Authorization: Bearer tm-…`.
    ManagementKey(SecretString),
}

impl Presented {
    /// What is shown, of either kind.
    pub(super) const fn token(&self) -> &SecretString {
        match self {
            Self::Session(token) | Self::ManagementKey(token) => token,
        }
    }

    /// What the headers hold. If there is an `Authorization`, the cookie does not count.
    pub(super) fn of(headers: &HeaderMap, cookies: Cookies) -> Option<Self> {
        let Some(authorization) = headers.get(header::AUTHORIZATION) else {
            return cookies.session(headers).map(Self::Session);
        };
        let (scheme, key) = authorization.to_str().ok()?.split_once(' ')?;
        let key = key.trim();
        let ours = scheme.eq_ignore_ascii_case("bearer") && key.starts_with(MANAGEMENT_KEY);
        ours.then(|| Self::ManagementKey(SecretString::from(key)))
    }
}

/// What the gateway tells of the client of a request. An address is personal: seal it where it is kept, log it nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// Whether it came over HTTPS.
    pub https: bool,
}

impl Client {
    /// From the headers that the gateway sets, and takes from nobody.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            address: text("x-forwarded-for").and_then(|text| text.parse().ok()),
            https: text("x-forwarded-proto") == Some("https"),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// What [`Authenticate::authenticate`] returns.
pub type Authenticating<'a> = Pin<Box<dyn Future<Output = Result<Option<Caller>, Fault>> + Send + 'a>>;

/// Recognises callers.
pub trait Authenticate: Send + Sync {
    /// Who that is; `None` if what was shown is unknown, expired, ended or disabled. Which of them is told nobody.
    fn authenticate<'a>(&'a self, presented: &'a Presented, client: &'a Client) -> Authenticating<'a>;
}

/// The caller of a route that is not public. The guard puts it there: a handler that asks for it on a public route
/// answers 401 to everybody.
#[derive(Clone, Debug)]
pub struct Signed(pub Caller);

impl Deref for Signed {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Signed {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let missing = || Fault::new(tacit_kernel::ErrorKind::Unauthenticated, "access.unauthenticated", "sign in");
        Ok(parts.extensions.get::<Self>().cloned().ok_or_else(missing)?)
    }
}
