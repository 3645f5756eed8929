//! The settings of messages to people.

use super::{Source, Switch};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Messages {
    pub(crate) service_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) templates: Option<PathBuf>,
    pub(crate) max_attempts: u32,
    pub(crate) concurrency: usize,
    pub(crate) timeout_seconds: u64,
    pub(crate) smtp: Smtp,
    pub(crate) sms: Sms,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smtp {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    pub(crate) tls: MessageTls,
    pub(crate) cleartext: Switch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageTls {
    StartTls,
    Implicit,
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sms {
    pub(crate) provider: SmsProvider,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) declaration: Option<PathBuf>,
    pub(crate) allow_private: Switch,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SmsProvider {
    None,
    Aliyun,
    Tencent,
    Twilio,
    Generic,
}

impl Messages {
    /// Every secret that is referred to, by its setting.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&'static str, &Source)> {
        let named = [("messages.smtp.password", &self.smtp.password), ("messages.sms.secret", &self.sms.secret)];
        named.into_iter().filter_map(|(key, source)| Some((key, source.as_ref()?)))
    }

    /// Rules that concern more than one setting.
    pub(super) fn contradictions(&self, wrong: &mut impl FnMut(&'static str, String)) {
        let smtp = &self.smtp;
        if let Some(host) = &smtp.host {
            if smtp.from.is_none() {
                wrong("messages.smtp.host", "mail needs a sender: set messages.smtp.from too".into());
            }
            let here = host == "localhost" || host.parse().is_ok_and(|a: IpAddr| a.is_loopback());
            if smtp.tls == MessageTls::None && !here && smtp.cleartext == Switch::Off {
                wrong(
                    "messages.smtp.tls",
                    "\"none\" sends codes and addresses in clear: use it with a server on this machine only, or set \
                     messages.smtp.cleartext = \"on\""
                        .into(),
                );
            }
        } else if smtp.from.is_some() || smtp.user.is_some() || smtp.password.is_some() {
            wrong("messages.smtp.host", "no mail is sent without it: set messages.smtp.host too".into());
        }
        if smtp.user.is_some() != smtp.password.is_some() {
            wrong("messages.smtp.user", "set both messages.smtp.user and messages.smtp.password, or neither".into());
        }
        let sms = &self.sms;
        match sms.provider {
            SmsProvider::None => {
                if sms.declaration.is_some() || sms.secret.is_some() {
                    wrong("messages.sms.provider", "nothing is sent with \"none\": name the provider".into());
                }
            }
            provider => {
                if sms.declaration.is_none() {
                    wrong("messages.sms.provider", "set messages.sms.declaration too (docs/messages.md)".into());
                }
                if provider != SmsProvider::Generic && (sms.secret.is_none() || sms.user.is_none()) {
                    let text = "this provider needs a key: set messages.sms.user and messages.sms.secret too";
                    wrong("messages.sms.provider", text.into());
                }
            }
        }
    }
}
