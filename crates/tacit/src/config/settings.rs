//! Every setting there is, in the order in which the example file shows them. The file reader, the environment reader,
//! the flags, `tacit config show` and `tacit.example.toml` are all made from this list; a test holds it against the
//! fields of [`super::Config`], so neither can have a setting that the other lacks.

mod backup;
mod people;
mod platform;
mod privacy;
mod serving;

use std::sync::LazyLock;

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A path on this machine.
    Path,
    /// A whole number within bounds.
    Number {
        /// At least.
        min: i64,
        /// At most.
        max: i64,
    },
    /// An IP address and a port.
    Address,
    /// An IP address and a port, or `off`.
    AddressOrOff,
    /// `unix:/path` or `tcp://host:port`.
    Endpoint,
    /// Network ranges.
    Networks,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of these words.
    Words(&'static [&'static str]),
    /// A list of names of models.
    Names,
    /// A code of a country, ISO 3166-1.
    Country,
    /// A list of recipients of age.
    Recipients,
    /// A list of legal clocks.
    Clocks,
    /// A secret: `{ env = "NAME" }` or `{ file = "/path" }`.
    Secret,
    /// The master key: a secret, or `{ command = ["/program"] }`, or `{ pkcs11 = "/path" }`.
    MasterKey,
    /// Providers of identities: an array of tables.
    Providers,
    /// The URL of a database; one with a password in it counts as a secret.
    Database,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Dotted name.
    pub(crate) key: &'static str,
    /// What its value must look like.
    pub(crate) kind: Kind,
    /// Value in the profile `production`, as TOML; `None` if it has none. `{data_dir}` stands for the data directory.
    pub(crate) production: Option<&'static str>,
    /// Value in the profile `development`, where it differs.
    pub(crate) development: Option<&'static str>,
    /// What the example shows if there is no value by default.
    pub(crate) sample: &'static str,
    /// What it is, for the example file.
    pub(crate) doc: &'static str,
}

impl Setting {
    /// The value it has when nobody says otherwise, as TOML.
    pub(crate) fn default_in(&self, development: bool) -> Option<&'static str> {
        match self.development {
            Some(value) if development => Some(value),
            _ => self.production,
        }
    }

    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("TACIT_{}", self.key.replace('.', "__").to_uppercase())
    }
}

const fn setting(key: &'static str, kind: Kind, production: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, production: Some(production), development: None, sample: "", doc }
}

/// A field of registration.
const fn asked(key: &'static str, production: &'static str, doc: &'static str) -> Setting {
    setting(key, Kind::Word(&["required", "optional", "off"]), production, doc)
}

const fn optional(key: &'static str, kind: Kind, sample: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, production: None, development: None, sample, doc }
}

const fn in_development(mut setting: Setting, value: &'static str) -> Setting {
    setting.development = Some(value);
    setting
}

const fn seconds(key: &'static str, production: &'static str, doc: &'static str) -> Setting {
    setting(key, Kind::Number { min: 1, max: 86_400 }, production, doc)
}

/// The settings.
pub(crate) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    [serving::SETTINGS, people::SETTINGS, privacy::SETTINGS, backup::SETTINGS, platform::SETTINGS].concat()
});

/// The setting of that name.
pub(crate) fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.key == key)
}

/// The example file: every setting with its meaning and its default, all commented out.
pub(crate) fn example() -> String {
    let mut out = String::from(
        "# Every setting of Tacit with its default. Made from the program's own list: `tacit config example`.\n\
         #\n\
         # Precedence, strongest first: flags (--set gateway.listen=…), environment (TACIT_GATEWAY__LISTEN), this file,\n\
         # the defaults of the profile. An unknown key or a bad value is an error. {data_dir} stands for data_dir.\n\
         # Secrets are given by reference only: { env = \"NAME\" } or { file = \"/path\" } (mode 0600).\n",
    );
    let mut section = "";
    for setting in SETTINGS.iter() {
        let (table, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if table != section {
            section = table;
            out.push_str(&format!("\n[{table}]\n"));
        } else {
            out.push('\n');
        }
        for line in setting.doc.lines() {
            out.push_str(&format!("# {line}\n"));
        }
        match setting.kind {
            Kind::Word(words) => out.push_str(&format!("# One of: {}.\n", words.join(", "))),
            Kind::Words(words) => out.push_str(&format!("# Any of: {}.\n", words.join(", "))),
            _ => {}
        }
        if let Some(value) = setting.development {
            out.push_str(&format!("# In the profile development: {value}\n"));
        }
        match setting.production {
            Some(value) => out.push_str(&format!("#{name} = {value}\n")),
            None => out.push_str(&format!("# No default. For example:\n#{name} = {}\n", setting.sample)),
        }
    }
    out
}
