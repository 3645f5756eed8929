//! Where the master key comes from: a file, a variable, a program, or a file that only a key of a device opens.

mod command;
#[cfg(feature = "pkcs11")]
mod custodian;
#[cfg(feature = "pkcs11")]
mod pkcs11;

use crate::config::Keyring;
use crate::config::source::{MasterSource, Source, read_private, write_private};
use anyhow::Context as _;
use secrecy::{ExposeSecret, SecretString};
use std::path::Path;
use tacit_storage::keyring::Masters;
use tacit_vault::MasterKey;

/// The master key, and the one that shall follow it.
///
/// # Errors
/// If one cannot be had, or is none; with the setting concerned. No part of a key is in the error.
pub(crate) fn read(keyring: &Keyring) -> anyhow::Result<Masters> {
    let one = |key: &str, source| -> anyhow::Result<MasterKey> {
        let text = text(keyring, source)
            .with_context(|| format!("{key} cannot be read; `tacit setup` makes the master key if it is a file"))?;
        MasterKey::from_text(&text).with_context(|| format!("{key} is not a master key of Tacit"))
    };
    let current = one("keyring.master_key", &keyring.master_key)?;
    let next = keyring.next_master_key.as_ref().map(|source| one("keyring.next_master_key", source)).transpose()?;
    Ok(Masters::new(current, next))
}

fn text(keyring: &Keyring, source: &MasterSource) -> anyhow::Result<SecretString> {
    match source {
        MasterSource::Env(name) => Ok(Source::Env(name.clone()).read()?),
        MasterSource::File(path) => Ok(read_private(path)?),
        MasterSource::Command(words) => command::output(words),
        MasterSource::Pkcs11(path) => on_token(keyring, path),
    }
}

/// Makes a master key in the file of that source; sealed, if a device opens it.
///
/// # Errors
/// If it cannot be written or sealed, or is there already.
pub(crate) fn make(keyring: &Keyring, source: &MasterSource) -> anyhow::Result<()> {
    let text = MasterKey::generate().to_text();
    match source {
        MasterSource::File(path) => Ok(write_private(path, text.expose_secret())?),
        MasterSource::Pkcs11(path) => to_token(keyring, path, &text),
        MasterSource::Env(_) | MasterSource::Command(_) => anyhow::bail!("it is not a file of ours"),
    }
}

#[cfg(feature = "pkcs11")]
fn on_token(keyring: &Keyring, path: &Path) -> anyhow::Result<SecretString> {
    let content = read_private(path)?;
    custodian::opened_by(&pkcs11::Token::of(&keyring.pkcs11)?, content.expose_secret())
}

#[cfg(feature = "pkcs11")]
fn to_token(keyring: &Keyring, path: &Path, text: &SecretString) -> anyhow::Result<()> {
    let token = pkcs11::Token::of(&keyring.pkcs11)?;
    token.provide()?;
    Ok(write_private(path, &custodian::sealed_by(&token, text)?)?)
}

#[cfg(not(feature = "pkcs11"))]
fn on_token(_: &Keyring, _: &Path) -> anyhow::Result<SecretString> {
    anyhow::bail!("this build has no PKCS#11")
}

#[cfg(not(feature = "pkcs11"))]
fn to_token(_: &Keyring, _: &Path, _: &SecretString) -> anyhow::Result<()> {
    anyhow::bail!("this build has no PKCS#11")
}
