//! How a provider is set, and what it says.

use secrecy::SecretString;
use tacit_kernel::{ErrorKind, Fault, Personal};

/// How a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// OpenID Connect, with discovery.
    Oidc,
    /// Google, which is that.
    Google,
    /// GitHub.
    Github,
    /// WeChat, by a code that is scanned.
    Wechat,
    /// QQ.
    Qq,
}

/// A provider as the operator sets it.
pub struct ProviderSettings {
    /// What it is called in paths.
    pub id: String,
    /// How it speaks.
    pub preset: Preset,
    /// Who we are there.
    pub client_id: String,
    /// What shows it.
    pub client_secret: SecretString,
    /// How people know it, in English.
    pub name_en: String,
    /// The same in Chinese.
    pub name_zh: String,
    /// The issuer, for [`Preset::Oidc`].
    pub issuer: Option<String>,
    /// Where people go, instead of where the preset says; likewise the following.
    pub authorize_url: Option<String>,
    /// Where the code is redeemed.
    pub token_url: Option<String>,
    /// Where it is asked who they are.
    pub user_url: Option<String>,
    /// Whether it may have an address that is not of the public internet.
    pub allow_private: bool,
    /// Who signed its certificate (PEM), beside the authorities of the web.
    pub authority: Option<Vec<u8>>,
}

/// Where somebody goes, and what is kept meanwhile.
#[derive(Debug)]
pub struct Started {
    /// The address.
    pub url: String,
    /// What its word must hold; empty where there is none.
    pub nonce: SecretString,
    /// What the code is redeemed with; likewise.
    pub verifier: SecretString,
}

/// Somebody, as a provider knows them.
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    /// What it calls them for ever.
    pub subject: Personal<String>,
    /// Another name that it has for them, which it told before it told that one.
    pub also: Option<Personal<String>>,
    /// How they know themselves there; may be empty.
    pub shown: Personal<String>,
}

/// Why nobody is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// No answer, or one that says to come again.
    #[error("the provider does not answer; try again in a moment, or sign in another way")]
    Unreachable,
    /// It does not take the code.
    #[error("the provider did not confirm who you are; begin again")]
    Refused,
    /// What it says cannot be believed: of another issuer, for another program, of another sign-in.
    #[error("what the provider said cannot be believed; begin again, and tell the operator if it goes on")]
    Untrue,
}

impl From<ProviderError> for Fault {
    fn from(error: ProviderError) -> Self {
        let (kind, code) = match error {
            ProviderError::Unreachable => (ErrorKind::Unavailable, "provider.unreachable"),
            ProviderError::Refused => (ErrorKind::Unauthenticated, "provider.refused"),
            ProviderError::Untrue => (ErrorKind::Unauthenticated, "provider.untrue"),
        };
        let fault = Self::new(kind, code, error.to_string());
        if kind == ErrorKind::Unavailable { fault.after(5) } else { fault }
    }
}
