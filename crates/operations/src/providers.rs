//! Providers of identities: whom somebody is there is asked of them, and nothing else. OpenID Connect for any issuer, and
//! GitHub, WeChat and QQ as they really are. What a provider gives to ask with is used once and kept nowhere.

mod github;
mod model;
mod oidc;
mod qq;
#[cfg(test)]
mod tests;
mod web;
mod wechat;

pub use model::{Person, Preset, ProviderError, ProviderSettings, Started};

use github::GitHub;
use oidc::OpenId;
use qq::Qq;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Clock;
use web::Web;
use wechat::WeChat;

/// How long one request to a provider may take. There are three of them at most, within the time of a request here.
const TIME: Duration = Duration::from_secs(8);

/// What a provider may ask to have come back.
pub(crate) struct Returned<'r> {
    pub(crate) code: &'r str,
    pub(crate) issuer: Option<&'r str>,
    pub(crate) nonce: &'r str,
    pub(crate) verifier: &'r str,
}

enum Kind {
    OpenId(Box<OpenId>),
    GitHub(Box<GitHub>),
    WeChat(WeChat),
    Qq(Qq),
}

/// A provider.
pub struct Provider {
    id: String,
    name_en: String,
    name_zh: String,
    kind: Kind,
}

impl Provider {
    /// A provider as it is set; nothing is connected.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: ProviderSettings, site: &str, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let web = Web::new(settings.allow_private, settings.authority.as_deref(), TIME)?;
        Self::over(web, settings, site, clock)
    }

    fn over(web: Web, settings: ProviderSettings, site: &str, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if settings.id.is_empty() || settings.id.len() > 32 || !settings.id.chars().all(fine) {
            return Err("id: use 1 to 32 small letters, digits and dashes".into());
        }
        let redirect = format!("{site}/sign-in/callback/{}", settings.id);
        let kind = match settings.preset {
            Preset::Oidc | Preset::Google => Kind::OpenId(Box::new(OpenId::new(&settings, redirect, web, clock)?)),
            Preset::Github => Kind::GitHub(Box::new(GitHub::new(&settings, redirect, web)?)),
            Preset::Wechat => Kind::WeChat(WeChat::new(&settings, redirect, web)?),
            Preset::Qq => Kind::Qq(Qq::new(&settings, redirect, web)?),
        };
        Ok(Self { id: settings.id, name_en: settings.name_en, name_zh: settings.name_zh, kind })
    }

    /// Its id in the settings.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How it is called in English and in Chinese.
    #[must_use]
    pub fn names(&self) -> (&str, &str) {
        (&self.name_en, &self.name_zh)
    }

    /// Where somebody goes to be known, and what is kept until they come back.
    ///
    /// # Errors
    /// [`ProviderError::Unreachable`] where the provider is asked first how it is asked.
    pub async fn start(&self, state: &str) -> Result<Started, ProviderError> {
        match &self.kind {
            Kind::OpenId(provider) => provider.start(state).await,
            Kind::GitHub(provider) => Ok(provider.start(state)),
            Kind::WeChat(provider) => Ok(provider.start(state)),
            Kind::Qq(provider) => Ok(provider.start(state)),
        }
    }

    /// Who came back with that code.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn finish(
        &self,
        (code, issuer): (&str, Option<&str>),
        (nonce, verifier): (&str, &str),
    ) -> Result<Person, ProviderError> {
        let returned = Returned { code, issuer, nonce, verifier };
        match &self.kind {
            Kind::OpenId(provider) => provider.finish(&returned).await,
            Kind::GitHub(provider) => provider.finish(&returned).await,
            Kind::WeChat(provider) => provider.finish(&returned).await,
            Kind::Qq(provider) => provider.finish(&returned).await,
        }
    }
}
