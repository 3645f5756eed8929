//! What a provider is.

use crate::CatalogError;
use serde::{Deserialize, Serialize};
use tacit_kernel::ids::{ProviderId, RecipientId};
use tacit_kernel::{Auth, Dialect, Timestamp, names};
use url::Url;

/// What an operator says of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it is: `http` or `https`, without credentials, query or fragment.
    pub base_url: String,
    /// How credentials are sent; left out, as the dialect does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Whether its host may resolve to a private, loopback or link-local address.
    #[serde(default)]
    pub allow_private: bool,
    /// Whether it may be used.
    #[serde(default = "crate::enabled_by_default")]
    pub enabled: bool,
}

impl ProviderSpec {
    /// The same in its one written form: the way of authentication spelt out, the URL without a final slash.
    ///
    /// # Errors
    /// [`CatalogError::ProviderInvalid`].
    pub fn checked(&self, name: &str) -> Result<Self, CatalogError> {
        if !names::is_token(name) || name.parse::<ProviderId>().is_ok() {
            return Err(CatalogError::ProviderInvalid {
                message: "its name must be 1 to 128 letters, digits or any of . _ : / @ + -",
            });
        }
        let base_url = checked_url(&self.base_url).map_err(|message| CatalogError::ProviderInvalid { message })?;
        Ok(Self { base_url, auth: Some(self.auth.unwrap_or(Auth::of(self.dialect))), ..self.clone() })
    }
}

const URL_MAX: usize = 512;

fn checked_url(text: &str) -> Result<String, &'static str> {
    if text.len() > URL_MAX {
        return Err("base_url is longer than 512 bytes");
    }
    let url = Url::parse(text).map_err(|_| "base_url is not a URL such as https://api.openai.com/v1")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("base_url must begin with https:// or http://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("base_url must not hold credentials; add them to a channel");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("base_url must not have a query or a fragment");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A model provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Unique name, a token.
    pub name: String,
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it is; no slash at the end.
    pub base_url: String,
    /// How credentials are sent.
    pub auth: Auth,
    /// Whether its host may resolve to a private, loopback or link-local address.
    pub allow_private: bool,
    /// Whether it may be used.
    pub enabled: bool,
    /// Its entry in the register of recipients, if it has one.
    pub recipient: Option<RecipientId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Provider {
    /// What an operator would say to have it so; to change one thing and put it back.
    #[must_use]
    pub fn spec(&self) -> ProviderSpec {
        ProviderSpec {
            dialect: self.dialect,
            base_url: self.base_url.clone(),
            auth: Some(self.auth),
            allow_private: self.allow_private,
            enabled: self.enabled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!(checked_url("https://API.openai.com/v1/").unwrap(), "https://api.openai.com/v1");
        assert_eq!(checked_url("http://127.0.0.1:8080").unwrap(), "http://127.0.0.1:8080");
        for bad in [
            "",
            "api.openai.com",
            "ftp://x/",
            "file:///etc/passwd",
            "https://user@x/",
            "https://u:p@x/",
            "https://x/?k=1",
            "https://x/#a",
            "https://",
            "unix:/x",
        ] {
            assert!(checked_url(bad).is_err(), "{bad}");
        }
        assert!(checked_url(&format!("https://x/{}", "a".repeat(URL_MAX))).is_err());
    }
}
