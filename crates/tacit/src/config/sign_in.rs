//! The settings of signing in beside passwords and codes, and of the public URL that both of its ways need.

use super::Source;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Providers of identities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    pub(crate) providers: Vec<IdentityProvider>,
}

/// A provider of identities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityProvider {
    pub(crate) id: String,
    pub(crate) preset: ProviderPreset,
    pub(crate) client_id: String,
    pub(crate) client_secret: Source,
    pub(crate) name_en: String,
    pub(crate) name_zh: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authorize_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_url: Option<String>,
    #[serde(default)]
    pub(crate) allow_private: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

/// How a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProviderPreset {
    Oidc,
    Google,
    Github,
    Wechat,
    Qq,
}

impl SignIn {
    /// Every secret that is referred to, by its setting.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&'static str, &Source)> {
        self.providers.iter().map(|provider| ("sign_in.providers", &provider.client_secret))
    }

    /// Rules that concern more than one setting.
    pub(super) fn contradictions(&self, url: Option<&str>, wrong: &mut impl FnMut(&'static str, String)) {
        if url.is_some_and(|url| site(url).is_none()) {
            wrong(
                "console.url",
                "give scheme and host alone, such as https://ai.example; http is for localhost only".into(),
            );
        }
        if url.is_none() && !self.providers.is_empty() {
            wrong("sign_in.providers", "providers send people back to console.url: set it".into());
        }
        let ids: BTreeSet<&str> = self.providers.iter().map(|provider| provider.id.as_str()).collect();
        if ids.len() < self.providers.len() {
            wrong("sign_in.providers", "two providers have the same id: give each its own".into());
        }
        for provider in &self.providers {
            if provider.preset == ProviderPreset::Oidc && provider.issuer.is_none() {
                wrong("sign_in.providers", "the preset \"oidc\" needs an issuer".into());
            }
            if provider.preset == ProviderPreset::Google && provider.issuer.is_some() {
                let said = "the preset \"google\" has its own issuer: leave it out, or use the preset \"oidc\"";
                wrong("sign_in.providers", said.into());
            }
        }
    }
}

/// Origin and host of a public URL, if it is one: `https`, or `http` on this machine.
pub(crate) fn site(url: &str) -> Option<(String, String)> {
    let parsed: url::Url = url.parse().ok()?;
    let host = parsed.host_str()?.to_owned();
    let local = parsed.scheme() == "http" && (host == "localhost" || host == "127.0.0.1");
    let bare = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
    let named = parsed.username().is_empty() && parsed.password().is_none();
    let fine = (parsed.scheme() == "https" || local) && bare && named;
    fine.then(|| (parsed.origin().ascii_serialization(), host))
}
