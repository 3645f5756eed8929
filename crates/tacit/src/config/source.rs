//! Secrets by reference: the configuration says where a secret is, never what it is.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where a secret is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Source {
    /// In an environment variable.
    Env(String),
    /// In a file that only its owner may read.
    File(PathBuf),
}

/// Why a secret could not be read; holds no part of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    #[error("{path}: {why}")]
    File { path: String, why: String },
    #[error("{0} may be read by others: chmod 600 {0}")]
    Open(String),
}

impl Source {
    /// Reads it.
    pub(crate) fn read(&self) -> Result<SecretString, SourceError> {
        match self {
            Self::Env(name) => std::env::var(name)
                .map(|v| SecretString::from(v.trim().to_owned()))
                .map_err(|_| SourceError::NoVariable(name.clone())),
            Self::File(path) => read_private(path),
        }
    }
}

/// Where the master key is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum MasterSource {
    /// In an environment variable.
    Env(String),
    /// In a file that only its owner may read.
    File(PathBuf),
    /// On the standard output of a program.
    Command(Vec<String>),
    /// In a file, wrapped by a key of the token that `keyring.pkcs11` describes.
    Pkcs11(PathBuf),
}

impl MasterSource {
    /// Whether nothing in it is empty.
    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::Env(name) => !name.is_empty(),
            Self::File(path) | Self::Pkcs11(path) => !path.as_os_str().is_empty(),
            Self::Command(words) => words.first().is_some_and(|program| !program.is_empty()),
        }
    }

    /// The file that `tacit setup` makes, if it is one that it can make.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Pkcs11(path) => Some(path),
            Self::Env(_) | Self::Command(_) => None,
        }
    }
}

impl std::fmt::Display for MasterSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "{{ env = {name:?} }}"),
            Self::File(path) => write!(f, "{{ file = {:?} }}", path.display().to_string()),
            Self::Pkcs11(path) => write!(f, "{{ pkcs11 = {:?} }}", path.display().to_string()),
            // Its arguments may say more than a place.
            Self::Command(words) => write!(f, "{{ command = [{:?}] }}", words.first().map_or("", String::as_str)),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "{{ env = {name:?} }}"),
            Self::File(path) => write!(f, "{{ file = {:?} }}", path.display().to_string()),
        }
    }
}

/// Reads a file that must not be readable by anyone but its owner.
pub(crate) fn read_private(path: &Path) -> Result<SecretString, SourceError> {
    use std::os::unix::fs::MetadataExt;
    let at = path.display().to_string();
    let failed = |e: std::io::Error| SourceError::File { path: at.clone(), why: e.to_string() };
    let mode = std::fs::metadata(path).map_err(failed)?.mode();
    if mode & 0o077 != 0 {
        return Err(SourceError::Open(at));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Ok(SecretString::from(text.trim().to_owned()))
}

/// Writes a file that only its owner may read; fails if it is there already.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// The URL of a database: as it stands if it holds no password, else by reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum DatabaseUrl {
    /// Without a password.
    Plain(String),
    /// By reference.
    Secret(Source),
}

impl DatabaseUrl {
    /// The URL itself.
    pub(crate) fn read(&self) -> Result<SecretString, SourceError> {
        match self {
            Self::Plain(url) => Ok(SecretString::from(url.clone())),
            Self::Secret(source) => source.read(),
        }
    }
}

/// Whether the URL carries a password.
pub(crate) fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
    let in_authority = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    in_authority || url.split_once('?').is_some_and(|(_, query)| query.split('&').any(|p| p.starts_with("password=")))
}
