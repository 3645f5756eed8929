//! The file itself. An error names the place in the file and never quotes a value, since a secret may have been
//! written where a reference belongs.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use tacit_catalog::channels::{multiplier_by_default, weight_by_default};
use tacit_catalog::models::owner_by_default;
use tacit_catalog::{ChannelSpec, ModelSpec, ProviderSpec};
use tacit_kernel::ids::{GroupId, ModelId, ProviderId};
use tacit_kernel::limits::Limits;
use tacit_kernel::rating::{Price, TokenClass};
use tacit_kernel::{ErrorKind, Fault, Ppm, Timestamp, names};

/// The whole file. A section that is left out is not managed by it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlatformFile {
    /// Pricing groups by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<BTreeMap<String, GroupFile>>,
    /// Providers by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<BTreeMap<String, ProviderSpec>>,
    /// Models by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<BTreeMap<String, ModelFile>>,
    /// Channels by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<BTreeMap<String, ChannelFile>>,
    /// Accounts by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<BTreeMap<String, AccountFile>>,
}

/// A pricing group.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFile {
    /// Applied to every charge of its accounts.
    #[serde(default = "multiplier_by_default")]
    pub multiplier: Ppm,
}

/// A model.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Who made it.
    #[serde(default = "owner_by_default")]
    pub owned_by: String,
    /// Most tokens of input and output together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// Most tokens of output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// Whether it may be used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its price; left out, it stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceFile>,
    /// The price that follows; from its moment on it counts as `price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_price: Option<NextPriceFile>,
}

/// A channel.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelFile {
    /// Name of the provider it leads to.
    pub provider: String,
    /// Higher is tried first.
    #[serde(default)]
    pub priority: i32,
    /// Share among channels of the same priority.
    #[serde(default = "weight_by_default")]
    pub weight: u32,
    /// Applied to every charge of a call that it serves.
    #[serde(default = "multiplier_by_default")]
    pub multiplier: Ppm,
    /// Most calls at the same time in one gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// Whether it may be used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The models it serves, by registered name, with the name that the provider uses.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
    /// Its credentials by name; left out, they stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<BTreeMap<String, SecretRef>>,
}

/// An account.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFile {
    /// Name of its pricing group.
    pub group: String,
    /// Whether its keys may be used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What all its keys together may do at most.
    #[serde(default, with = "limits_form", skip_serializing_if = "no_limits")]
    pub limits: Limits,
    /// Its keys by name; left out, they stay as they are. A new one's text is in the answer of `apply`, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<BTreeMap<String, KeyFile>>,
}

/// An API key.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// Whether it may be used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What it may do at most.
    #[serde(default, with = "limits_form", skip_serializing_if = "no_limits")]
    pub limits: Limits,
}

/// A price: `per_call` and either rates per million tokens (`input`, `output`, …) or `tiers` of them.
#[derive(Clone, PartialEq)]
pub struct PriceFile(pub Price);

/// A price with the moment from which on it holds, `effective_at`.
#[derive(Clone, PartialEq)]
pub struct NextPriceFile {
    /// From when on.
    pub effective_at: Timestamp,
    /// The price.
    pub price: Price,
}

/// Where a secret is to be found, on the side of who applies the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file, without the line break at its end.
    File(String),
}

/// A secret that the file refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretUse {
    /// Where in the file, for messages.
    pub place: String,
    /// What it refers to.
    pub reference: SecretRef,
}

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct BadFile {
    /// The key in the file, such as `channels.main.weight`, or a line.
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

impl From<BadFile> for Fault {
    fn from(bad: BadFile) -> Self {
        Self::new(ErrorKind::Invalid, "platform_file.invalid", bad.to_string())
    }
}

impl SecretRef {
    /// The reference as one text, under which the resolved secret is sent.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Env(name) => format!("env:{name}"),
            Self::File(path) => format!("file:{path}"),
        }
    }
}

impl PlatformFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`BadFile`] names the place.
    pub fn parse(text: &str) -> Result<Self, BadFile> {
        let line = |error: &toml::de::Error| {
            let before = error.span().and_then(|s| text.get(..s.start));
            before.map_or(1, |before| before.matches('\n').count() + 1)
        };
        let table = toml::Deserializer::parse(text)
            .map_err(|e| BadFile { place: format!("line {}", line(&e)), message: e.message().to_owned() })?;
        let file: Self = serde_path_to_error::deserialize(table).map_err(|e| BadFile {
            place: format!("line {}, {}", line(e.inner()), place_of(e.path())),
            message: without_values(e.inner().message()),
        })?;
        file.check()?;
        Ok(file)
    }

    /// The file as text.
    ///
    /// # Errors
    /// A fault of the program only.
    pub fn to_toml(&self) -> Result<String, Fault> {
        toml::to_string_pretty(self).map_err(|_| Fault::internal("platform_file.write", "the file cannot be written"))
    }

    /// Every secret that the file refers to.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretUse> {
        let channels = self.channels.iter().flatten();
        channels
            .flat_map(|(channel, c)| {
                c.credentials.iter().flatten().map(move |(name, reference)| SecretUse {
                    place: format!("channels.{channel}.credentials.{name}"),
                    reference: reference.clone(),
                })
            })
            .collect()
    }

    /// The rules that do not depend on what is there already.
    fn check(&self) -> Result<(), BadFile> {
        let at = |place: String, e: &dyn std::fmt::Display| Err(BadFile { place, message: e.to_string() });
        for (name, group) in self.groups.iter().flatten() {
            if let Err(e) = tacit_identity::groups::group_check(name, group.multiplier) {
                return at(format!("groups.{name}"), &e);
            }
        }
        for (name, spec) in self.providers.iter().flatten() {
            if let Err(e) = spec.checked(name) {
                return at(format!("providers.{name}"), &e);
            }
        }
        for (name, model) in self.models.iter().flatten() {
            if let Err(e) = model.spec().check(name) {
                return at(format!("models.{name}"), &e);
            }
        }
        for (name, channel) in self.channels.iter().flatten() {
            if let Err(e) = channel.spec().check(name) {
                return at(format!("channels.{name}"), &e);
            }
            let ids = channel.provider.parse::<ProviderId>().is_ok()
                || channel.models.keys().any(|m| m.parse::<ModelId>().is_ok());
            if ids {
                return at(format!("channels.{name}"), &"a provider or model is named by its name here, not by its id");
            }
            if !channel.credentials.iter().flatten().all(|(c, _)| names::is_token(c)) {
                let rule = format!("the name of a credential must be {}", names::RULE);
                return at(format!("channels.{name}.credentials"), &rule);
            }
        }
        // The names of accounts and keys are personal; the operator knows which one by its place in the order.
        for (number, (name, account)) in self.accounts.iter().flatten().enumerate() {
            let place = format!("accounts (number {} by name)", number + 1);
            let limits = tacit_identity::limits_check(&account.limits);
            if let Err(e) = tacit_identity::accounts::account_name_check(name).and(limits) {
                return at(place, &e);
            }
            if account.group.parse::<GroupId>().is_ok() {
                return at(place, &"a group is named by its name here, not by its id");
            }
            for (key_name, key) in account.keys.iter().flatten() {
                let limits = tacit_identity::limits_check(&key.limits);
                if let Err(e) = tacit_identity::keys::key_name_check(key_name).and(limits) {
                    return at(format!("{place}.keys"), &e);
                }
            }
        }
        Ok(())
    }
}

impl ModelFile {
    /// Without its prices.
    #[must_use]
    pub fn spec(&self) -> ModelSpec {
        ModelSpec {
            owned_by: self.owned_by.clone(),
            context_tokens: self.context_tokens,
            max_output_tokens: self.max_output_tokens,
            enabled: self.enabled,
        }
    }

    /// The price that the file wants to be in force at that moment.
    #[must_use]
    pub fn price_at(&self, now: Timestamp) -> Option<&Price> {
        let followed = self.next_price.as_ref().filter(|n| n.effective_at <= now).map(|n| &n.price);
        followed.or(self.price.as_ref().map(|p| &p.0))
    }

    /// The price that still lies ahead at that moment.
    #[must_use]
    pub fn next_at(&self, now: Timestamp) -> Option<&NextPriceFile> {
        self.next_price.as_ref().filter(|n| n.effective_at > now)
    }
}

impl ChannelFile {
    /// Without its credentials.
    #[must_use]
    pub fn spec(&self) -> ChannelSpec {
        ChannelSpec {
            provider: self.provider.clone(),
            priority: self.priority,
            weight: self.weight,
            multiplier: self.multiplier,
            max_concurrency: self.max_concurrency,
            models: self.models.clone(),
            enabled: self.enabled,
        }
    }
}

const fn yes() -> bool {
    true
}

fn no_limits(limits: &Limits) -> bool {
    *limits == Limits::default()
}

/// A path in the file; names of accounts and of their keys, which are personal, are left out.
fn place_of(path: &serde_path_to_error::Path) -> String {
    let mut keys: Vec<String> = path.iter().map(ToString::to_string).collect();
    if keys.first().is_some_and(|first| first == "accounts") {
        for personal in [1, 3] {
            if let Some(key) = keys.get_mut(personal) {
                "*".clone_into(key);
            }
        }
    }
    keys.join(".")
}

/// serde quotes unexpected values: `invalid type: string "…", expected …`. What was expected is enough.
fn without_values(message: &str) -> String {
    match (message.starts_with("invalid type:") || message.starts_with("invalid value:"), message.rfind(", expected "))
    {
        (true, Some(at)) => format!("expected {}", message.get(at + ", expected ".len()..).unwrap_or_default()),
        _ => message.to_owned(),
    }
}

/// A moment as text or as TOML's own.
fn moment(value: &toml::Value) -> Result<Timestamp, &'static str> {
    match value {
        toml::Value::String(text) => Timestamp::parse(text),
        toml::Value::Datetime(at) => Timestamp::parse(&at.to_string()),
        _ => Err("not a time: write it as 2026-11-23T04:00:00Z or 2026-11-23"),
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        const RULE: &str = "a secret is given by reference only: { env = \"NAME\" } or { file = \"path\" }";
        let toml::Value::Table(table) = toml::Value::deserialize(d).map_err(|_| D::Error::custom(RULE))? else {
            return Err(D::Error::custom(RULE));
        };
        let mut entries = table.into_iter();
        match (entries.next(), entries.next()) {
            (Some((key, toml::Value::String(text))), None) if key == "env" && !text.is_empty() => Ok(Self::Env(text)),
            (Some((key, toml::Value::String(text))), None) if key == "file" && !text.is_empty() => Ok(Self::File(text)),
            _ => Err(D::Error::custom(RULE)),
        }
    }
}

/// Reads a price from its short or long form.
fn price_of(mut table: toml::Table) -> Result<Price, String> {
    let per_call = table.remove("per_call");
    let tiers = match table.remove("tiers") {
        Some(_) if !table.is_empty() => return Err("give either rates or tiers, not both".to_owned()),
        Some(toml::Value::Array(tiers)) => tiers,
        Some(_) => return Err("tiers must be a list of tables".to_owned()),
        None => {
            table.insert("above_input_tokens".to_owned(), toml::Value::Integer(0));
            vec![toml::Value::Table(table)]
        }
    };
    let known = |key: &str| key == "above_input_tokens" || TokenClass::ALL.into_iter().any(|c| c.as_str() == key);
    for tier in tiers.iter().filter_map(toml::Value::as_table) {
        if let Some(key) = tier.keys().find(|k| !known(k)) {
            return Err(format!("unknown rate `{key}`"));
        }
        let written = |(key, value): (&String, &toml::Value)| key == "above_input_tokens" || value.is_str();
        if let Some((key, _)) = tier.iter().find(|(k, v)| !written((*k, *v))) {
            return Err(format!("{key} must be a decimal number in quotes, such as \"2.50\""));
        }
    }
    if per_call.as_ref().is_some_and(|v| !v.is_str()) {
        return Err("per_call must be a decimal number in quotes, such as \"0.01\"".to_owned());
    }
    let mut whole = toml::Table::new();
    whole.insert("tiers".to_owned(), toml::Value::Array(tiers));
    if let Some(per_call) = per_call {
        whole.insert("per_call".to_owned(), per_call);
    }
    whole.try_into().map_err(|e: toml::de::Error| without_values(e.message()))
}

/// The short form of a price if it has one tier, else the long one.
fn price_table(price: &Price) -> Result<toml::Table, toml::ser::Error> {
    let mut table = toml::Table::try_from(price)?;
    let single = match table.get("tiers") {
        Some(toml::Value::Array(tiers)) if tiers.len() == 1 => tiers.first().and_then(toml::Value::as_table).cloned(),
        _ => None,
    };
    if let Some(mut rates) = single {
        rates.remove("above_input_tokens");
        table.remove("tiers");
        table.extend(rates);
    }
    if table.get("per_call").and_then(toml::Value::as_str) == Some("0") {
        table.remove("per_call");
    }
    Ok(table)
}

impl<'de> Deserialize<'de> for PriceFile {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        price_of(toml::Table::deserialize(d)?).map(Self).map_err(D::Error::custom)
    }
}

impl Serialize for PriceFile {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        price_table(&self.0).map_err(S::Error::custom)?.serialize(s)
    }
}

impl<'de> Deserialize<'de> for NextPriceFile {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(d)?;
        let at = table.remove("effective_at").ok_or(D::Error::custom("effective_at is missing"))?;
        let effective_at = moment(&at).map_err(D::Error::custom)?;
        Ok(Self { effective_at, price: price_of(table).map_err(D::Error::custom)? })
    }
}

impl Serialize for NextPriceFile {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut table = price_table(&self.price).map_err(S::Error::custom)?;
        table.insert("effective_at".to_owned(), toml::Value::String(self.effective_at.to_string()));
        table.serialize(s)
    }
}

/// Limits whose `expires_at` is written as a moment.
pub(super) mod limits_form {
    use super::{Deserialize, Deserializer, Limits, Serialize, Serializer, moment, without_values};
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use tacit_kernel::Timestamp;

    pub(in crate::platform_file) fn table(limits: &Limits) -> Result<toml::Table, toml::ser::Error> {
        let mut table = toml::Table::try_from(limits)?;
        if let Some(Timestamp(at)) = limits.expires_at {
            table.insert("expires_at".to_owned(), toml::Value::String(Timestamp(at).to_string()));
        }
        Ok(table)
    }

    pub(super) fn serialize<S: Serializer>(limits: &Limits, s: S) -> Result<S::Ok, S::Error> {
        table(limits).map_err(S::Error::custom)?.serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Limits, D::Error> {
        let mut table = toml::Table::deserialize(d)?;
        if let Some(at) = table.get("expires_at") {
            let at = moment(at).map_err(|e| D::Error::custom(format!("expires_at: {e}")))?;
            table.insert("expires_at".to_owned(), toml::Value::Integer(at.0));
        }
        let read = serde_path_to_error::deserialize(toml::Value::Table(table));
        read.map_err(|e| D::Error::custom(format!("{}: {}", e.path(), without_values(e.inner().message()))))
    }
}
