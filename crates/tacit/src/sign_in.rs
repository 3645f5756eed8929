//! From the configuration to the ways in which people sign in beside passwords and codes.

use crate::config::{Config, IdentityProvider, ProviderPreset, site};
use anyhow::{Context as _, anyhow};
use std::sync::Arc;
use tacit_api::console::Ways;
use tacit_identity::passkeys::PasskeySite;
use tacit_kernel::Clock;
use tacit_operations::providers::{Preset, Provider, ProviderSettings};

/// Reads what the configuration names, and checks all of it: nothing is connected.
///
/// # Errors
/// The provider that is wrong, and why.
pub(crate) fn ways(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Ways> {
    let Some((origin, host)) = config.console.url.as_deref().and_then(site) else { return Ok(Ways::default()) };
    let provider = |set: &IdentityProvider| {
        let made = settings(set).and_then(|s| Provider::new(s, &origin, Arc::clone(clock)).map_err(|e| anyhow!(e)));
        made.with_context(|| format!("sign_in.providers: {}", set.id))
    };
    let providers = config.sign_in.providers.iter().map(provider).collect::<anyhow::Result<_>>()?;
    Ok(Ways { providers, passkeys: PasskeySite::new(&origin, &host) })
}

fn settings(set: &IdentityProvider) -> anyhow::Result<ProviderSettings> {
    Ok(ProviderSettings {
        id: set.id.clone(),
        preset: match set.preset {
            ProviderPreset::Oidc => Preset::Oidc,
            ProviderPreset::Google => Preset::Google,
            ProviderPreset::Github => Preset::Github,
            ProviderPreset::Wechat => Preset::Wechat,
            ProviderPreset::Qq => Preset::Qq,
        },
        client_id: set.client_id.clone(),
        client_secret: set.client_secret.read().context("client_secret")?,
        name_en: set.name_en.clone(),
        name_zh: set.name_zh.clone(),
        issuer: set.issuer.clone(),
        authorize_url: set.authorize_url.clone(),
        token_url: set.token_url.clone(),
        user_url: set.user_url.clone(),
        allow_private: set.allow_private,
        authority: set.ca.as_deref().map(std::fs::read).transpose().context("ca cannot be read")?,
    })
}
