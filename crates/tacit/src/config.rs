//! The configuration: one list of settings ([`settings`]), one precedence (flags, environment, file, defaults of the
//! profile), and errors that name the key, where the bad value came from and what to do.

mod backup;
mod messages;
pub(crate) mod resolve;
pub(crate) mod settings;
mod sign_in;
pub(crate) mod source;
#[cfg(test)]
mod tests;
mod verification;

pub(crate) use backup::Backup;
pub(crate) use messages::{MessageTls, Messages, SmsProvider};
use serde::{Deserialize, Serialize};
pub(crate) use sign_in::{IdentityProvider, ProviderPreset, SignIn, site};
use source::{DatabaseUrl, MasterSource, Source};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tacit_identity::registration::{Need, ProfileField, RegistrationRules};
pub(crate) use verification::Verification;

/// What a process of Tacit is told. It holds no secret, only where secrets are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) profile: Profile,
    pub(crate) data_dir: PathBuf,
    pub(crate) database: Database,
    pub(crate) keyring: Keyring,
    pub(crate) gateway: Gateway,
    pub(crate) control: Control,
    pub(crate) console: Console,
    pub(crate) registration: Registration,
    pub(crate) organisations: Organisations,
    pub(crate) sign_in: SignIn,
    pub(crate) verification: Verification,
    pub(crate) privacy: Privacy,
    pub(crate) incidents: Incidents,
    pub(crate) retention: Retention,
    pub(crate) backup: Backup,
    pub(crate) link: Link,
    pub(crate) money: Money,
    pub(crate) messages: Messages,
    pub(crate) practice: Practice,
    pub(crate) log: Log,
}

/// Which defaults hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Profile {
    Production,
    Development,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) url: DatabaseUrl,
    pub(crate) max_connections: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keyring {
    pub(crate) url: DatabaseUrl,
    pub(crate) master_key: MasterSource,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_master_key: Option<MasterSource>,
    pub(crate) erasure_log: PathBuf,
    pub(crate) pkcs11: Pkcs11,
}

/// The token whose key wraps the master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pkcs11 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) module: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    pub(crate) key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pin: Option<Source>,
}

impl Keyring {
    fn contradictions(&self, wrong: &mut impl FnMut(&'static str, String)) {
        let sources = [
            ("keyring.master_key", Some(&self.master_key)),
            ("keyring.next_master_key", self.next_master_key.as_ref()),
        ];
        for (key, source) in sources {
            let on_token = matches!(source, Some(MasterSource::Pkcs11(_)));
            let Pkcs11 { module, token, pin, .. } = &self.pkcs11;
            if on_token && (module.is_none() || token.is_none() || pin.is_none()) {
                wrong(
                    key,
                    "a token opens it: set keyring.pkcs11.module, keyring.pkcs11.token and keyring.pkcs11.pin".into(),
                );
            }
            if on_token && cfg!(not(feature = "pkcs11")) {
                wrong(key, "this build has no PKCS#11: build it with the feature pkcs11".into());
            }
        }
        if self.next_master_key.as_ref() == Some(&self.master_key) {
            wrong(
                "keyring.next_master_key",
                "the same as keyring.master_key: name another one, or leave it out".into(),
            );
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gateway {
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: Listen,
    pub(crate) name: String,
    pub(crate) sandbox: Switch,
    pub(crate) workers: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cert: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) max_connections: usize,
    pub(crate) max_calls: usize,
    pub(crate) max_body_bytes: u64,
    pub(crate) max_answer_bytes: u64,
    pub(crate) max_bodies_bytes: u64,
    pub(crate) max_attempts: usize,
    pub(crate) max_unacknowledged: usize,
    pub(crate) head_timeout_seconds: u64,
    pub(crate) body_timeout_seconds: u64,
    pub(crate) connect_timeout_seconds: u64,
    pub(crate) first_byte_timeout_seconds: u64,
    pub(crate) idle_timeout_seconds: u64,
    pub(crate) keep_alive_seconds: u64,
    pub(crate) unread_timeout_seconds: u64,
    pub(crate) drain_seconds: u64,
    pub(crate) trusted_proxies: Vec<ipnet::IpNet>,
}

impl Gateway {
    /// How long open calls may go on after a request to stop.
    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Control {
    pub(crate) admin_socket: PathBuf,
    pub(crate) admin_listen: Listen,
    pub(crate) lost_after_seconds: u64,
    pub(crate) verify_seconds: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Console {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    pub(crate) listen: Endpoint,
    pub(crate) connect: Endpoint,
    pub(crate) network: Network,
    pub(crate) anonymous_per_minute: NonZeroU32,
    pub(crate) anonymous_per_second: NonZeroU32,
    pub(crate) account_per_minute: NonZeroU32,
}

/// Who may make organisations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Organisations {
    pub(crate) open: Switch,
}

/// Who may register, and what they are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    pub(crate) open: Switch,
    pub(crate) group: String,
    pub(crate) minors: Switch,
    pub(crate) username: Need,
    pub(crate) email: Need,
    pub(crate) phone: Need,
    pub(crate) password: Need,
    pub(crate) invitation: Need,
    pub(crate) phone_countries: Vec<String>,
    pub(crate) texts_per_day: u32,
    pub(crate) name: Need,
    pub(crate) company: Need,
    pub(crate) position: Need,
    pub(crate) country: Need,
    pub(crate) region: Need,
    pub(crate) city: Need,
    pub(crate) use_case: Need,
    pub(crate) experience: Need,
    pub(crate) referrer: Need,
}

impl Registration {
    /// As the identity service asks for it.
    pub(crate) fn rules(&self) -> RegistrationRules {
        let of = |field: ProfileField| match field {
            ProfileField::Name => self.name,
            ProfileField::Company => self.company,
            ProfileField::Position => self.position,
            ProfileField::Country => self.country,
            ProfileField::Region => self.region,
            ProfileField::City => self.city,
            ProfileField::UseCase => self.use_case,
            ProfileField::Experience => self.experience,
            ProfileField::Referrer => self.referrer,
        };
        RegistrationRules {
            open: self.open == Switch::On,
            username: self.username,
            email: self.email,
            phone: self.phone,
            password: self.password,
            invitation: self.invitation,
            minors: self.minors == Switch::On,
            phone_countries: self.phone_countries.clone(),
            profile: ProfileField::ALL.iter().map(|field| (*field, of(*field))).collect(),
        }
    }
}

/// How long things are kept, within the bounds of their classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retention {
    pub(crate) call_records_days: u32,
    pub(crate) audit_days: u32,
    pub(crate) ledger_days: u32,
}

/// What is published about personal data, and who answers for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Privacy {
    pub(crate) profile: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) company: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) contact: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) officer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) regulator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) security_contact: Option<String>,
    pub(crate) cooling_off_days: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) home_country: Option<String>,
    pub(crate) transfers_filing: u64,
    pub(crate) transfers_assessment: u64,
}

/// What is to be done about incidents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Incidents {
    pub(crate) clocks: Vec<String>,
}

/// Which addresses may be used in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Network {
    Loopback,
    Private,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    pub(crate) listen: Endpoint,
    pub(crate) connect: Endpoint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cert: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Money {
    pub(crate) currency: String,
    pub(crate) settlement: Settlement,
    pub(crate) default_output_tokens: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Settlement {
    Grouped,
    Strict,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Practice {
    pub(crate) listen: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) level: Level,
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Json,
    Pretty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Switch {
    On,
    Off,
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) Option<SocketAddr>);

impl Serialize for Listen {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(address) => s.collect_str(&address),
            None => s.serialize_str("off"),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        if text == "off" {
            return Ok(Self(None));
        }
        text.parse().map(|a| Self(Some(a))).map_err(serde::de::Error::custom)
    }
}

/// One end of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// `tcp://host:port`, with mutual TLS.
    Tcp(String),
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}

impl std::str::FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write it as unix:/path or as tcp://host:port";
        match text.strip_prefix("unix:") {
            Some("") => Err(FORM),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None if text.parse::<tacit_link::Endpoint>().is_ok() => Ok(Self::Tcp(text.to_owned())),
            None => Err(FORM),
        }
    }
}

impl Endpoint {
    /// As the link takes it: with an absolute path.
    pub(crate) fn to_link(&self) -> anyhow::Result<tacit_link::Endpoint> {
        let text = match self {
            Self::Unix(path) => format!("unix:{}", std::path::absolute(path)?.display()),
            Self::Tcp(address) => address.clone(),
        };
        Ok(text.parse()?)
    }
}

impl Link {
    /// The certificates for that end, if it is over TCP.
    pub(crate) fn tls(&self, endpoint: &Endpoint) -> anyhow::Result<Option<tacit_link::Tls>> {
        let (Endpoint::Tcp(_), Some(ca), Some(cert), Some(key)) = (endpoint, &self.ca, &self.cert, &self.key) else {
            return Ok(None);
        };
        let read = |path: &Path| std::fs::read(path).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()));
        Ok(Some(tacit_link::Tls::new(read(ca)?, read(cert)?, read(key)?)))
    }
}

impl Serialize for Endpoint {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Config {
    /// Rules that concern more than one setting: `(key, what is wrong and what to do)`.
    pub(crate) fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut wrong = |key, text: String| found.push((key, text));
        if self.gateway.tls_cert.is_some() != self.gateway.tls_key.is_some() {
            wrong(
                "gateway.tls_cert",
                "a certificate needs its key: set both gateway.tls_cert and gateway.tls_key".into(),
            );
        }
        for (key, largest) in [
            ("gateway.max_body_bytes", self.gateway.max_body_bytes),
            ("gateway.max_answer_bytes", self.gateway.max_answer_bytes),
        ] {
            if largest > self.gateway.max_bodies_bytes {
                wrong(
                    key,
                    "more than gateway.max_bodies_bytes, which holds them all: raise that, or lower this".into(),
                );
            }
        }
        let tls = self.link.ca.is_some() && self.link.cert.is_some() && self.link.key.is_some();
        for (key, endpoint) in [("link.listen", &self.link.listen), ("link.connect", &self.link.connect)] {
            match endpoint {
                Endpoint::Tcp(_) if !tls => {
                    wrong(key, "a link over TCP needs mutual TLS: set link.ca, link.cert and link.key".into());
                }
                Endpoint::Unix(path) => socket_length(key, path, &mut wrong),
                Endpoint::Tcp(_) => {}
            }
        }
        for (key, endpoint) in [("console.listen", &self.console.listen), ("console.connect", &self.console.connect)] {
            match endpoint {
                Endpoint::Tcp(address) if self.console.network == Network::Loopback && !is_loopback(address) => {
                    wrong(
                        key,
                        "not a loopback address, and it is not encrypted: give one, or say console.network = \"private\" if \
                         only gateways and control planes can reach that network"
                            .into(),
                    );
                }
                Endpoint::Unix(path) => socket_length(key, path, &mut wrong),
                Endpoint::Tcp(_) => {}
            }
        }
        if self.console.name.trim().is_empty() || self.console.name.chars().count() > 64 {
            wrong("console.name", "use 1 to 64 characters".into());
        }
        socket_length("control.admin_socket", &self.control.admin_socket, &mut wrong);
        if self.money.currency.len() != 3 || !self.money.currency.bytes().all(|b| b.is_ascii_uppercase()) {
            wrong(
                "money.currency",
                "not a currency code: three capital letters of ISO 4217, such as USD or CNY".into(),
            );
        }
        let name = &self.gateway.name;
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        {
            wrong("gateway.name", "use 1 to 64 letters, digits, dots, dashes and underscores".into());
        }
        self.keyring.contradictions(&mut wrong);
        self.backup.contradictions(&mut wrong);
        self.messages.contradictions(&mut wrong);
        self.sign_in.contradictions(self.console.url.as_deref(), &mut wrong);
        self.verification.contradictions(&mut wrong);
        if self.profile == Profile::Development && !self.practice.listen.ip().is_loopback() {
            wrong("practice.listen", "the practice provider asks for no key: give a loopback address".into());
        }
        found
    }
}

/// Whether a `tcp://` endpoint names a loopback address by its number.
fn is_loopback(endpoint: &str) -> bool {
    let address = endpoint.strip_prefix("tcp://").and_then(|text| text.parse::<SocketAddr>().ok());
    address.is_some_and(|address| address.ip().is_loopback())
}

/// The kernel takes at most 107 bytes for the path of a Unix socket.
fn socket_length(key: &'static str, path: &Path, wrong: &mut impl FnMut(&'static str, String)) {
    if path.as_os_str().len() > 107 {
        wrong(key, "path too long for a Unix socket (107 bytes): choose a shorter one, or a shorter data_dir".into());
    }
}
