//! The whole data map of this program, gathered from where its parts stand, and what is published of it.

use crate::config::Config;
use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use std::io::Read as _;
use tacit_privacy::incidents::LegalClock;
use tacit_privacy::{Controller, Map, Policy, PolicyError, Profile};

/// Every element of every process of the platform.
pub(crate) fn map() -> Map {
    let columns = tacit_storage::datamap::COLUMNS.iter();
    let metrics = tacit_control::datamap::ELEMENTS.iter().chain(tacit_gateway::datamap::ELEMENTS);
    let operations = tacit_operations::datamap::ELEMENTS.iter();
    let log = crate::log::datamap::FIELDS.iter().map(|(element, _)| element);
    let cookies = tacit_api::console::COOKIES.iter();
    let told = tacit_privacy::told::ELEMENTS.iter();
    Map::new(columns.chain(metrics).chain(operations).chain(told).chain(log).chain(cookies).copied())
}

/// What is published under that configuration.
pub(crate) fn policy(config: &Config) -> anyhow::Result<Policy> {
    Ok(published(profile(config)?, controller(config))?)
}

/// The published policy that the platform keeps.
pub(crate) fn profile(config: &Config) -> anyhow::Result<Profile> {
    Ok(Profile::named(&config.privacy.profile)?)
}

/// SHA-256 of the program that runs: anybody can compare it with one they built.
pub(crate) fn build() -> anyhow::Result<String> {
    let mut program = std::fs::File::open(std::env::current_exe()?)?;
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = program.read(&mut piece)?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { break };
        digest.update(read);
    }
    Ok(HEXLOWER.encode(digest.finish().as_ref()))
}

/// What is to be done about incidents.
pub(crate) fn incidents(config: &Config) -> anyhow::Result<tacit_privacy::incidents::Setup> {
    let clocks =
        LegalClock::parse_all(&config.incidents.clocks).map_err(|text| anyhow::anyhow!("incidents.clocks: {text}"))?;
    let site = config.console.url.as_deref().and_then(crate::config::site).map(|(origin, _)| origin);
    let (controller, days) = (controller(config), config.retention.audit_days);
    Ok(tacit_privacy::incidents::Setup { clocks, controller, site, days })
}

fn published(profile: Profile, controller: Controller) -> Result<Policy, PolicyError> {
    Policy::new(map(), profile, controller)
}

fn controller(config: &Config) -> Controller {
    let privacy = &config.privacy;
    Controller {
        service: config.console.name.clone(),
        company: privacy.company.clone(),
        address: privacy.address.clone(),
        website: config.console.url.clone(),
        contact: privacy.contact.clone(),
        officer: privacy.officer.clone(),
        regulator: privacy.regulator.clone(),
    }
}

#[cfg(test)]
mod tests;
