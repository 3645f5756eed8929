//! Keys of devices and services that seal the master key, and the file that it rests in then.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// A key that never leaves its device or service, and seals the master key there. Whoever brings another device, or the
/// key service of a cloud, implements this.
pub(super) trait Custodian {
    /// What the file begins with, so that no other custodian is asked to open it.
    const NAME: &'static str;

    /// Seals.
    fn seal(&self, plain: &[u8]) -> anyhow::Result<Vec<u8>>;

    /// Opens.
    fn open(&self, sealed: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>>;
}

/// The content of a file whose content a custodian sealed: its name, a space, base64.
pub(super) fn sealed_by<C: Custodian>(custodian: &C, text: &SecretString) -> anyhow::Result<String> {
    Ok(format!("{} {}", C::NAME, STANDARD.encode(custodian.seal(text.expose_secret().as_bytes())?)))
}

/// The text that a custodian sealed, from the content of the file.
pub(super) fn opened_by<C: Custodian>(custodian: &C, content: &str) -> anyhow::Result<SecretString> {
    let sealed = content.trim().strip_prefix(C::NAME).and_then(|rest| STANDARD.decode(rest.trim()).ok());
    let sealed = sealed.with_context(|| format!("not a master key that was wrapped by {}", C::NAME))?;
    let plain = custodian.open(&sealed)?;
    let text = std::str::from_utf8(&plain).ok().context("what the token opened is not a master key")?;
    Ok(SecretString::from(text.to_owned()))
}
