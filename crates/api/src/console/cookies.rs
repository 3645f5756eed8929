//! The console's cookies: one form for all of them.

use super::COOKIES;
use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite};
use secrecy::SecretString;
use tacit_kernel::Fault;
use tacit_kernel::datamap::Place;

/// How cookies are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookies {
    /// `__Host-` names (no other host or path can set them), `Secure`: sent over HTTPS only.
    Secure,
    /// Without both: a browser takes no such cookie over plain HTTP. Only for the development profile on a loopback
    /// address; whoever reads the traffic could take the sign-in.
    PlainForDevelopment,
}

impl Cookies {
    /// The name of the cookie that holds the token of a sign-in.
    #[must_use]
    pub const fn session_name(self) -> &'static str {
        match self {
            Self::Secure => "__Host-tacit-session",
            Self::PlainForDevelopment => "tacit-session",
        }
    }

    /// The name of the cookie by which a device is known to which somebody signed in before.
    #[must_use]
    pub const fn device_name(self) -> &'static str {
        match self {
            Self::Secure => "__Host-tacit-device",
            Self::PlainForDevelopment => "tacit-device",
        }
    }

    /// The name of the cookie that tells the browser in which signing in with a provider was begun.
    const fn flow_name(self) -> &'static str {
        match self {
            Self::Secure => "__Host-tacit-sign-in",
            Self::PlainForDevelopment => "tacit-sign-in",
        }
    }

    /// The token of a sign-in, if the request shows one.
    #[must_use]
    pub fn session(self, headers: &HeaderMap) -> Option<SecretString> {
        Self::shown(self.session_name(), headers)
    }

    /// What the device is known by, likewise.
    #[must_use]
    pub fn device(self, headers: &HeaderMap) -> Option<SecretString> {
        Self::shown(self.device_name(), headers)
    }

    /// What tells the browser in which signing in with a provider was begun.
    #[must_use]
    pub fn flow(self, headers: &HeaderMap) -> Option<SecretString> {
        Self::shown(self.flow_name(), headers)
    }

    /// The value of a cookie. Two of that name are none.
    fn shown(name: &str, headers: &HeaderMap) -> Option<SecretString> {
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(Cookie::split_parse)
            .filter_map(Result::ok)
            .filter(|cookie| cookie.name() == name && !cookie.value().is_empty());
        let first = found.next()?;
        if found.next().is_some() {
            return None;
        }
        Some(SecretString::from(first.value()))
    }

    /// `Set-Cookie` for the token of a sign-in: gone with the browser, or after so many seconds.
    ///
    /// # Errors
    /// The token has characters that a cookie cannot hold, which no token of ours has.
    pub fn set_session(self, token: &str, seconds: Option<u32>) -> Result<HeaderValue, Fault> {
        self.set(self.session_name(), token, seconds)
    }

    /// `Set-Cookie` for what the device is known by; it outlives sign-ins.
    ///
    /// # Errors
    /// As [`Self::set_session`].
    pub fn set_device(self, token: &str, seconds: u32) -> Result<HeaderValue, Fault> {
        self.set(self.device_name(), token, Some(seconds))
    }

    /// `Set-Cookie` that tells the browser in which signing in with a provider is begun, for so many seconds.
    ///
    /// # Errors
    /// As [`Self::set_session`].
    pub fn set_flow(self, value: &str, seconds: u32) -> Result<HeaderValue, Fault> {
        self.set(self.flow_name(), value, Some(seconds))
    }

    /// `Set-Cookie` that makes the browser forget the sign-in.
    ///
    /// # Errors
    /// As [`Self::set_session`].
    pub fn clear_session(self) -> Result<HeaderValue, Fault> {
        self.set(self.session_name(), "", Some(0))
    }

    /// The one place where a cookie is made.
    fn set(self, name: &'static str, value: &str, seconds: Option<u32>) -> Result<HeaderValue, Fault> {
        let bare = name.trim_start_matches("__Host-");
        let declared = COOKIES.iter().any(|cookie| cookie.place == Place::Cookie { name: bare });
        if !declared {
            return Err(Fault::internal("cookie.undeclared", "a cookie is not in the data map"));
        }
        let secure = self == Self::Secure;
        let cookie = Cookie::build((name, value)).path("/").http_only(true).secure(secure).same_site(SameSite::Lax);
        // Written here: the crate's own Max-Age wants its time library.
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        HeaderValue::from_str(&format!("{}{age}", cookie.build()))
            .map_err(|_| Fault::internal("cookie.value", "a cookie's value is no text of a header"))
    }
}
