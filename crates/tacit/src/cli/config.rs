//! `tacit config`: is it right, what holds and why, and an example.

use super::Global;
use crate::config::settings::{SETTINGS, example};
use crate::output::{self, Row};
use clap::Subcommand;
use serde::Serialize;
use std::sync::Arc;
use tacit_kernel::{Clock, SystemClock};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration and every secret it refers to.
    Check,
    /// Show every value and where it comes from; never a secret.
    Show,
    /// Print the commented example file.
    Example,
}

#[derive(Serialize)]
struct Value {
    key: &'static str,
    value: serde_json::Value,
    origin: String,
}

impl Row for Value {
    const HEAD: &'static [&'static str] = &["key", "value", "origin"];

    fn cells(&self) -> Vec<String> {
        let value = match &self.value {
            serde_json::Value::Null => "-".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        vec![self.key.to_owned(), value, self.origin.clone()]
    }
}

pub(crate) fn run(global: &Global, command: &ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Example => output::write(&example()),
        ConfigCommand::Show => {
            let resolved = global.resolve()?;
            let values = SETTINGS.iter().map(|s| match resolved.values.get(s.key) {
                Some((value, origin)) => {
                    Ok(Value { key: s.key, value: serde_json::to_value(value)?, origin: origin.to_string() })
                }
                None => Ok(Value { key: s.key, value: serde_json::Value::Null, origin: "not set".into() }),
            });
            global.output().list(&values.collect::<anyhow::Result<Vec<_>>>()?)
        }
        ConfigCommand::Check => {
            let config = global.resolve()?.config;
            let mut wrong = Vec::new();
            if let Err(e) = crate::master::read(&config.keyring) {
                wrong.push(format!("{e:#}"));
            }
            for (key, read) in [
                ("database.url", config.database.url.read().map(drop)),
                ("keyring.url", config.keyring.url.read().map(drop)),
            ] {
                if let Err(e) = read {
                    wrong.push(format!("{key}: {e}"));
                }
            }
            let files = [
                &config.gateway.tls_cert,
                &config.gateway.tls_key,
                &config.link.ca,
                &config.link.cert,
                &config.link.key,
            ];
            for path in files.into_iter().flatten() {
                if let Err(e) = std::fs::File::open(path) {
                    wrong.push(format!("{}: {e}", path.display()));
                }
            }
            let secrets =
                config.messages.secrets().chain(config.sign_in.secrets()).chain(config.verification.secrets());
            for (key, source) in secrets {
                if let Err(e) = source.read() {
                    wrong.push(format!("{key}: {e}"));
                }
            }
            // It reads the secrets too, which are told above.
            if wrong.is_empty()
                && let Err(e) = crate::messages::setup(&config)
            {
                wrong.push(format!("{e:#}"));
            }
            if wrong.is_empty()
                && let Err(e) = crate::agency::agency(&config)
            {
                wrong.push(format!("{e:#}"));
            }
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            if wrong.is_empty()
                && let Err(e) = crate::sign_in::ways(&config, &clock)
            {
                wrong.push(format!("{e:#}"));
            }
            if wrong.is_empty() {
                return global.output().either(&serde_json::json!({ "ok": true }), "the configuration is right\n");
            }
            anyhow::bail!("{}", wrong.join("\n"))
        }
    }
}
