//! From the configuration to what the operator has said of who receives data.

use crate::config::{Config, SmsProvider};
use std::collections::BTreeSet;
use tacit_privacy::receivers::Settings;
use tacit_privacy::recipients::Kind;
use tacit_privacy::transfers::Bounds;

/// What the operator has said of who receives data.
pub(crate) fn settings(config: &Config) -> Settings {
    let privacy = &config.privacy;
    Settings {
        configured: configured(config),
        home: privacy.home_country.clone(),
        bounds: Bounds { filing: privacy.transfers_filing, assessment: privacy.transfers_assessment },
    }
}

/// What the configuration sends data of people to, beside model providers.
fn configured(config: &Config) -> BTreeSet<Kind> {
    let smtp = &config.messages.smtp;
    let configured = [
        (Kind::Mail, smtp.host.is_some() && smtp.from.is_some()),
        (Kind::Sms, config.messages.sms.provider != SmsProvider::None),
        (Kind::IdentityAgency, config.verification.agency.provider.named().is_some()),
        (Kind::IdentityProvider, !config.sign_in.providers.is_empty()),
    ];
    configured.into_iter().filter_map(|(kind, is_used)| is_used.then_some(kind)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::resolve::{Given, resolve};

    #[test]
    fn what_is_configured_is_looked_for_in_the_register() {
        let of = |flags: &[(&str, &str)]| {
            let flags = flags.iter().map(|(key, value)| ("--set".into(), (*key).to_owned(), (*value).to_owned()));
            settings(&resolve(&Given { flags: flags.collect(), ..Given::default() }).unwrap().config)
        };
        assert_eq!(of(&[]).configured, BTreeSet::new());
        let mail = [("messages.smtp.host", "mail.example"), ("messages.smtp.from", "tacit@example.org")];
        assert_eq!(of(&mail).configured, [Kind::Mail].into());
        let home = of(&[("privacy.home_country", "CN"), ("privacy.transfers_filing", "10")]);
        assert_eq!((home.home.as_deref(), home.bounds.filing, home.bounds.assessment), (Some("CN"), 10, 1_000_000));
    }

    #[test]
    fn a_home_that_is_no_country_is_refused() {
        let flags = vec![("--set".into(), "privacy.home_country".to_owned(), "cn".to_owned())];
        assert!(resolve(&Given { flags, ..Given::default() }).is_err());
    }
}
