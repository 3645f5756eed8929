//! From the configuration to the agency that is asked.

use crate::config::{Config, Switch};
use anyhow::{Context as _, anyhow};
use secrecy::SecretString;
use tacit_operations::agency::{Agency, AgencySettings};

/// Reads what the configuration names, and checks all of it: nothing is connected. `None`: nobody is asked.
///
/// # Errors
/// The setting or file that is wrong, and why.
pub(crate) fn agency(config: &Config) -> anyhow::Result<Option<Agency>> {
    let agency = &config.verification.agency;
    let Some(provider) = agency.provider.named() else { return Ok(None) };
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).with_context(|| format!("verification.agency.ca: {} cannot be read", path.display()))
    };
    let settings = AgencySettings {
        provider,
        url: agency.url.clone(),
        user: agency.user.clone().unwrap_or_default(),
        secret: match &agency.secret {
            Some(secret) => secret.read().context("verification.agency.secret")?,
            None => SecretString::from(""),
        },
        allow_private: agency.allow_private == Switch::On,
        authority: agency.ca.as_ref().map(read).transpose()?,
    };
    Agency::new(settings).map(Some).map_err(|e| anyhow!(e))
}
