//! From flags, environment, file and defaults to one [`Config`], remembering where every value came from.

use super::settings::{Kind, SETTINGS, Setting, by_key};
use super::source::{MasterSource, has_password};
use super::{Config, Endpoint, IdentityProvider};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Variables that start with `TACIT_` and are no settings.
const OTHER_VARIABLES: &[&str] = &["TACIT_CONFIG", "TACIT_PROVE_KEY"];
/// Reserved for the project's own tests and benchmarks.
const RESERVED_PREFIXES: &[&str] = &["TACIT_TEST_", "TACIT_BENCH_"];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The defaults of the profile.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The setting, or what was given for one.
    pub(crate) key: String,
    /// Where it was given.
    pub(crate) origin: Origin,
    /// What is wrong and what to do. Never the value: it could be a secret in the wrong place.
    pub(crate) text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.key, self.origin, self.text)
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration cannot be used:\n{}", .0.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"))]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

/// What was given, before it is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// The file, if one was named, and its text.
    pub(crate) file: Option<(PathBuf, String)>,
    /// Environment variables.
    pub(crate) environment: Vec<(String, String)>,
    /// Flags: the flag as typed, the key, the value.
    pub(crate) flags: Vec<(String, String, String)>,
}

/// A configuration and the origin of each of its values.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) config: Config,
    pub(crate) values: BTreeMap<&'static str, (Value, Origin)>,
}

/// Judges what was given.
///
/// # Errors
/// Every problem there is, not only the first.
pub(crate) fn resolve(given: &Given) -> Result<Resolved, Problems> {
    let mut problems = Vec::new();
    let mut values: BTreeMap<&'static str, (Value, Origin)> = BTreeMap::new();

    if let Some((path, text)) = &given.file {
        read_file(path, text, &mut values, &mut problems);
    }
    read_environment(&given.environment, &mut values, &mut problems);
    for (flag, key, text) in &given.flags {
        let origin = Origin::Flag(flag.clone());
        match by_key(key) {
            Some(setting) => match value_of_text(setting, text, &origin) {
                Ok(value) => drop(values.insert(setting.key, (value, origin))),
                Err(text) => problems.push(Problem { key: key.clone(), origin, text }),
            },
            None => problems.push(unknown(key, origin)),
        }
    }
    unclaimed(&given.environment, &values, &mut problems);
    fill_defaults(&mut values);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }

    let config: Config = tree(&values).try_into().map_err(|e: toml::de::Error| {
        Problems(vec![Problem { key: "configuration".into(), origin: Origin::Default, text: e.message().to_owned() }])
    })?;
    for (key, text) in config.contradictions() {
        let origin = values.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        problems.push(Problem { key: key.into(), origin, text });
    }
    if problems.is_empty() { Ok(Resolved { config, values }) } else { Err(Problems(problems)) }
}

fn unknown(key: &str, origin: Origin) -> Problem {
    let nearest = SETTINGS.iter().map(|s| (distance(key, s.key), s.key)).min().filter(|(d, _)| *d <= 4);
    let text = match nearest {
        Some((_, near)) => format!("there is no such setting; did you mean {near}?"),
        None => "there is no such setting; `tacit config example` lists all".to_owned(),
    };
    Problem { key: key.to_owned(), origin, text }
}

/// How many single-letter edits lie between two names.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for ((y, above), diagonal) in b.bytes().zip(row.iter().skip(1)).zip(&row) {
            left = (above + 1).min(left + 1).min(diagonal + usize::from(x != y));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

fn read_file(
    path: &Path,
    text: &str,
    values: &mut BTreeMap<&'static str, (Value, Origin)>,
    problems: &mut Vec<Problem>,
) {
    let origin = Origin::File(path.to_owned());
    let table: Table = match toml::from_str(text) {
        Ok(table) => table,
        Err(e) => {
            let line = e.span().map_or(0, |s| text.get(..s.start).map_or(0, |before| before.lines().count().max(1)));
            let text = format!("not TOML near line {line}: {}", e.message());
            problems.push(Problem { key: "file".into(), origin, text });
            return;
        }
    };
    let mut open = vec![(String::new(), table)];
    while let Some((prefix, table)) = open.pop() {
        for (name, value) in table {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            if let Some(setting) = by_key(&key) {
                match value_of_toml(setting, value) {
                    Ok(value) => drop(values.insert(setting.key, (value, origin.clone()))),
                    Err(text) => problems.push(Problem { key, origin: origin.clone(), text }),
                }
            } else {
                match value {
                    Value::Table(inner) if SETTINGS.iter().any(|s| s.key.starts_with(&format!("{key}."))) => {
                        open.push((key, inner));
                    }
                    _ => problems.push(unknown(&key, origin.clone())),
                }
            }
        }
    }
}

fn read_environment(
    environment: &[(String, String)],
    values: &mut BTreeMap<&'static str, (Value, Origin)>,
    problems: &mut Vec<Problem>,
) {
    for (name, text) in environment {
        let Some(setting) = SETTINGS.iter().find(|s| s.variable() == *name) else { continue };
        let origin = Origin::Environment(name.clone());
        match value_of_text(setting, text, &origin) {
            Ok(value) => drop(values.insert(setting.key, (value, origin))),
            Err(text) => problems.push(Problem { key: setting.key.into(), origin, text }),
        }
    }
}

/// A variable that looks like a setting and is none is a mistake, unless a secret is said to be in it.
fn unclaimed(
    environment: &[(String, String)],
    values: &BTreeMap<&'static str, (Value, Origin)>,
    problems: &mut Vec<Problem>,
) {
    let within = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let named: Vec<String> = values
        .values()
        .flat_map(|(v, _)| {
            let secrets = within(v).into_iter().filter_map(|inner| inner.get("client_secret").cloned());
            std::iter::once(v.clone()).chain(secrets).collect::<Vec<_>>()
        })
        .filter_map(|v| v.get("env").and_then(Value::as_str).map(str::to_owned))
        .collect();
    for (name, _) in environment {
        let Some(rest) = name.strip_prefix("TACIT_") else { continue };
        let known = OTHER_VARIABLES.contains(&name.as_str())
            || RESERVED_PREFIXES.iter().any(|p| name.starts_with(p))
            || named.contains(name)
            || SETTINGS.iter().any(|s| s.variable() == *name);
        if !known {
            problems.push(unknown(&rest.to_lowercase().replace("__", "."), Origin::Environment(name.clone())));
        }
    }
}

fn fill_defaults(values: &mut BTreeMap<&'static str, (Value, Origin)>) {
    let text_of = |values: &BTreeMap<&'static str, (Value, Origin)>, key| {
        values.get(key).and_then(|(v, _)| v.as_str()).map(str::to_owned)
    };
    let development = text_of(values, "profile").as_deref() == Some("development");
    for setting in SETTINGS.iter() {
        if values.contains_key(setting.key) {
            continue;
        }
        if let Some(value) = setting.default_in(development).and_then(literal) {
            values.insert(setting.key, (value, Origin::Default));
        }
    }
    let data_dir = text_of(values, "data_dir").unwrap_or_default();
    for (value, _) in values.values_mut() {
        substitute(value, &data_dir);
    }
}

fn literal(text: &str) -> Option<Value> {
    toml::from_str::<Table>(&format!("v = {text}")).ok()?.remove("v")
}

fn substitute(value: &mut Value, data_dir: &str) {
    match value {
        Value::String(text) if text.contains("{data_dir}") => *text = text.replace("{data_dir}", data_dir),
        Value::Table(table) => table.iter_mut().for_each(|(_, inner)| substitute(inner, data_dir)),
        Value::Array(list) => list.iter_mut().for_each(|inner| substitute(inner, data_dir)),
        _ => {}
    }
}

fn tree(values: &BTreeMap<&'static str, (Value, Origin)>) -> Table {
    let mut root = Table::new();
    for (key, (value, _)) in values {
        let (sections, name) = key.rsplit_once('.').unwrap_or(("", key));
        let mut table = &mut root;
        for section in sections.split('.').filter(|s| !s.is_empty()) {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = inner else { return root };
            table = inner;
        }
        table.insert(name.to_owned(), value.clone());
    }
    root
}

/// A value written as text, in the environment or in a flag.
fn value_of_text(setting: &Setting, text: &str, origin: &Origin) -> Result<Value, String> {
    let value = match setting.kind {
        Kind::Number { .. } => text.trim().parse().map(Value::Integer).map_err(|_| "not a whole number".to_owned())?,
        Kind::Networks | Kind::Words(_) | Kind::Names | Kind::Recipients => Value::Array(
            text.split(',').map(str::trim).filter(|p| !p.is_empty()).map(|p| Value::String(p.to_owned())).collect(),
        ),
        Kind::Clocks => Value::Array(
            text.split(';').map(str::trim).filter(|p| !p.is_empty()).map(|p| Value::String(p.to_owned())).collect(),
        ),
        Kind::MasterKey => match text.split_once(':') {
            Some((how @ ("env" | "file" | "pkcs11"), what)) => reference(how, what),
            Some(("command", program)) => Value::Table(Table::from_iter([(
                "command".to_owned(),
                Value::Array(vec![Value::String(program.to_owned())]),
            )])),
            _ => Value::String(text.to_owned()),
        },
        Kind::Secret | Kind::Database => match (text.split_once(':'), origin) {
            (Some(("env", name)), _) => reference("env", name),
            (Some(("file", path)), _) => reference("file", path),
            // A password in a variable is where it belongs; only the name of the variable is kept.
            (_, Origin::Environment(name)) if setting.kind == Kind::Database && has_password(text) => {
                reference("env", name)
            }
            _ => Value::String(text.to_owned()),
        },
        _ => Value::String(text.to_owned()),
    };
    value_of_toml(setting, value)
}

fn reference(how: &str, what: &str) -> Value {
    Value::Table(Table::from_iter([(how.to_owned(), Value::String(what.to_owned()))]))
}

/// Checks a value against its kind.
fn value_of_toml(setting: &Setting, value: Value) -> Result<Value, String> {
    let text = value.as_str();
    let fine = match setting.kind {
        Kind::Text | Kind::Path => {
            text.is_some_and(|t| !t.is_empty()).then_some(()).ok_or_else(|| "give a text that is not empty".to_owned())
        }
        Kind::Number { min, max } => match value.as_integer() {
            Some(n) if (min..=max).contains(&n) => Ok(()),
            _ => Err(format!("give a whole number from {min} to {max}")),
        },
        Kind::Address => address(text),
        Kind::AddressOrOff if text == Some("off") => Ok(()),
        Kind::AddressOrOff => address(text).map_err(|e| format!("{e}, or \"off\"")),
        Kind::Endpoint => match text.map(str::parse::<Endpoint>) {
            Some(Ok(_)) => Ok(()),
            _ => Err("write it as unix:/path or as tcp://host:port".to_owned()),
        },
        Kind::Networks => {
            let ok = |v: &Value| v.as_str().is_some_and(|t| t.parse::<ipnet::IpNet>().is_ok());
            if value.as_array().is_some_and(|list| list.iter().all(ok)) {
                Ok(())
            } else {
                Err("give network ranges such as [\"10.0.0.0/8\", \"2001:db8::/32\"]".to_owned())
            }
        }
        Kind::Words(words) => {
            let ok = |v: &Value| v.as_str().is_some_and(|word| words.contains(&word));
            if value.as_array().is_some_and(|list| list.iter().all(ok)) {
                Ok(())
            } else {
                Err(format!("give a list of these: {}", words.join(", ")))
            }
        }
        Kind::Names => {
            let ok = |v: &Value| v.as_str().is_some_and(tacit_kernel::names::is_token);
            if value.as_array().is_some_and(|list| list.len() <= 256 && list.iter().all(ok)) {
                Ok(())
            } else {
                Err("give a list of at most 256 names, such as [\"small\"]".to_owned())
            }
        }
        Kind::Country => text
            .and_then(tacit_privacy::recipients::country)
            .map(drop)
            .ok_or_else(|| "give a code of ISO 3166-1 with two capital letters, such as \"CN\"".to_owned()),
        Kind::Recipients => recipients(&value),
        Kind::Clocks => match value.clone().try_into::<Vec<String>>() {
            Ok(texts) => tacit_privacy::incidents::LegalClock::parse_all(&texts).map(drop),
            Err(_) => Err("give a list of clocks, each as \"name 72h English | 中文\"".to_owned()),
        },
        Kind::Word(words) => match text {
            Some(word) if words.contains(&word) => Ok(()),
            _ => Err(format!("give one of: {}", words.join(", "))),
        },
        Kind::Secret => is_reference(&value).then_some(()).ok_or_else(|| {
            "a secret is given by reference only: { env = \"NAME\" } or { file = \"/path\" }".to_owned()
        }),
        Kind::MasterKey => {
            value.clone().try_into::<MasterSource>().ok().filter(MasterSource::is_whole).map(drop).ok_or_else(|| {
                "the master key is given by reference only: { file = \"/path\" }, { env = \"NAME\" }, { command = \
                 [\"/program\"] } or { pkcs11 = \"/path\" }"
                    .to_owned()
            })
        }
        Kind::Providers => providers(&value),
        Kind::Database => database(&value),
    };
    fine.map(|()| value)
}

fn recipients(value: &Value) -> Result<(), String> {
    let list = value.clone().try_into::<Vec<String>>();
    let list = list.map_err(|_| "give a list of recipients of age, such as [\"age1…\"]".to_owned())?;
    if list.is_empty() { Ok(()) } else { tacit_privacy::backup::Recipients::parse(&list).map(drop) }
}

fn address(text: Option<&str>) -> Result<(), String> {
    match text.map(str::parse::<std::net::SocketAddr>) {
        Some(Ok(_)) => Ok(()),
        _ => Err("give an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned()),
    }
}

fn is_reference(value: &Value) -> bool {
    value.as_table().is_some_and(|t| {
        t.len() == 1 && t.iter().all(|(k, v)| (k == "env" || k == "file") && v.as_str().is_some_and(|s| !s.is_empty()))
    })
}

fn providers(value: &Value) -> Result<(), String> {
    match value.clone().try_into::<Vec<IdentityProvider>>() {
        Ok(_) => Ok(()),
        Err(_) => {
            Err("give tables [[sign_in.providers]] in the file, each with id, preset, client_id, client_secret (a \
             reference), name_en and name_zh, and nothing that is not in `tacit config example`"
                .to_owned())
        }
    }
}

fn database(value: &Value) -> Result<(), String> {
    match value.as_str() {
        Some(url) if has_password(url) => Err("a URL with a password is a secret: give { env = \"NAME\" } or \
             { file = \"/path\" } instead"
            .to_owned()),
        Some(url) if ["sqlite:", "postgres:", "postgresql:"].iter().any(|s| url.starts_with(s)) => Ok(()),
        None if is_reference(value) => Ok(()),
        _ => Err("write it as sqlite:/path or postgres://user@host/name, or give { env = \"NAME\" } or \
             { file = \"/path\" }"
            .to_owned()),
    }
}
