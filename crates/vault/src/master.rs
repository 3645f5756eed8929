//! The master key: the one secret an operator keeps outside the databases.

use crate::root::RootKey;
use crate::seal::{SealKey, derive, random_bytes};
use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// What a master key's text starts with, so that a secret scanner recognises it.
const PREFIX: &str = "tacit-master-";

/// The master key. It wraps the root and the epochs of the keyring. It is never printed.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// A text that is not a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a master key: it is `tacit-master-` followed by 52 characters of A-Z and 2-7")]
pub struct BadMasterKey;

impl MasterKey {
    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random_bytes()))
    }

    /// Reads the text form; white space around it is ignored, so that it may be the content of a file.
    ///
    /// # Errors
    /// [`BadMasterKey`] if it is not one.
    pub fn from_text(text: &SecretString) -> Result<Self, BadMasterKey> {
        let digits = text.expose_secret().trim().strip_prefix(PREFIX).ok_or(BadMasterKey)?;
        let mut bytes = BASE32_NOPAD.decode(digits.as_bytes()).map_err(|_| BadMasterKey)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map(|b| Self(Zeroizing::new(b))).map_err(|_| BadMasterKey);
        bytes.zeroize();
        key
    }

    /// The text form, to be kept by the operator.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        let mut text = String::with_capacity(PREFIX.len() + 52);
        text.push_str(PREFIX);
        BASE32_NOPAD.encode_append(self.0.as_slice(), &mut text);
        SecretString::from(text)
    }

    /// What the keys of the platform were derived from while there was no root: this very key.
    #[must_use]
    pub fn as_root(&self) -> RootKey {
        RootKey::from_bytes(*self.0)
    }

    /// The sealing key of that label.
    pub(crate) fn seal_key(&self, label: &str) -> SealKey {
        SealKey::from_bytes(*derive(&self.0, b"tacit master: seal", label))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}
