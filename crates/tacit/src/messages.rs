//! From the configuration to what messages are sent with.

use crate::config::{Config, MessageTls, Profile, SmsProvider, Switch};
use anyhow::{Context as _, anyhow};
use secrecy::SecretString;
use std::path::Path;
use std::time::Duration;
use tacit_operations::messages::{
    Declaration, Protection, ProviderKind, Route, Schedule, Setup, Sms, SmsSettings, Smtp, SmtpSettings, Templates,
};

/// Reads what the configuration names, and checks all of it: nothing is connected.
///
/// # Errors
/// The setting or file that is wrong, and why.
pub(crate) fn setup(config: &Config) -> anyhow::Result<Setup> {
    let messages = &config.messages;
    let development = config.profile == Profile::Development;
    Ok(Setup {
        email: match smtp(config)? {
            Some(smtp) => Route::Open(smtp),
            None if development => Route::Development,
            None => Route::Closed,
        },
        sms: match sms(config)? {
            Some(sms) => Route::Open(sms),
            None if development => Route::Development,
            None => Route::Closed,
        },
        templates: Templates::load(messages.templates.as_deref(), &messages.service_name)
            .context("messages.templates")?,
        schedule: Schedule { attempts: messages.max_attempts, ..Schedule::DEFAULT },
        concurrency: messages.concurrency,
        longest_attempt: Duration::from_secs(messages.timeout_seconds),
    })
}

fn smtp(config: &Config) -> anyhow::Result<Option<Smtp>> {
    let (messages, smtp) = (&config.messages, &config.messages.smtp);
    let (Some(host), Some(from)) = (&smtp.host, &smtp.from) else { return Ok(None) };
    let login = match (&smtp.user, &smtp.password) {
        (Some(user), Some(password)) => Some((user.clone(), password.read().context("messages.smtp.password")?)),
        _ => None,
    };
    let (protection, usual_port) = match smtp.tls {
        MessageTls::StartTls => (Protection::StartTls, 587),
        MessageTls::Implicit => (Protection::Implicit, 465),
        MessageTls::None => (Protection::None, 25),
    };
    let settings = SmtpSettings {
        host: host.clone(),
        port: smtp.port.unwrap_or(usual_port),
        protection,
        login,
        from: from.clone(),
        from_name: smtp.from_name.clone().unwrap_or_else(|| messages.service_name.clone()),
        authority: read("messages.smtp.ca", smtp.ca.as_deref())?,
        timeout: Duration::from_secs(messages.timeout_seconds),
    };
    Smtp::new(settings).map(Some).map_err(|e| anyhow!(e))
}

fn sms(config: &Config) -> anyhow::Result<Option<Sms>> {
    let sms = &config.messages.sms;
    let provider = match sms.provider {
        SmsProvider::None => return Ok(None),
        SmsProvider::Aliyun => ProviderKind::Aliyun,
        SmsProvider::Tencent => ProviderKind::Tencent,
        SmsProvider::Twilio => ProviderKind::Twilio,
        SmsProvider::Generic => ProviderKind::Generic,
    };
    let declared = read("messages.sms.declaration", sms.declaration.as_deref())?.unwrap_or_default();
    let declared = String::from_utf8(declared).context("messages.sms.declaration is not text")?;
    let declaration: Declaration = toml::from_str(&declared).context("messages.sms.declaration")?;
    let settings = SmsSettings {
        provider,
        user: sms.user.clone().unwrap_or_default(),
        secret: match &sms.secret {
            Some(secret) => secret.read().context("messages.sms.secret")?,
            None => SecretString::from(""),
        },
        declaration,
        allow_private: sms.allow_private == Switch::On,
        authority: read("messages.sms.ca", sms.ca.as_deref())?,
        timeout: Duration::from_secs(config.messages.timeout_seconds),
    };
    Sms::new(settings).map(Some).map_err(|e| anyhow!(e))
}

fn read(key: &str, path: Option<&Path>) -> anyhow::Result<Option<Vec<u8>>> {
    path.map(|path| std::fs::read(path).with_context(|| format!("{key}: {} cannot be read", path.display())))
        .transpose()
}
