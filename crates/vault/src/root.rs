//! The root: what the keys of the platform itself are derived from.

use crate::hash::HashKey;
use crate::note::NoteKey;
use crate::seal::{SealKey, derive, random_bytes};
use std::fmt;
use zeroize::Zeroizing;

/// Keys for look-ups, for the platform's own secrets and for signatures are derived from it. It rests in the keyring,
/// wrapped by the master key, so that another master key changes none of them. It is never printed.
#[derive(Clone)]
pub struct RootKey(Zeroizing<[u8; 32]>);

impl RootKey {
    /// A new random root.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_bytes(random_bytes())
    }

    /// Takes the bytes as the root.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash key of that label.
    #[must_use]
    pub fn hash_key(&self, label: &str) -> HashKey {
        HashKey::from_bytes(*derive(&self.0, b"tacit master: hash", label))
    }

    /// The sealing key of that label.
    #[must_use]
    pub fn seal_key(&self, label: &str) -> SealKey {
        SealKey::from_bytes(*derive(&self.0, b"tacit master: seal", label))
    }

    /// The key that signs notes under that label, which has no spaces and no plus.
    #[must_use]
    pub fn note_key(&self, label: &str) -> NoteKey {
        NoteKey::from_seed(label, &derive(&self.0, b"tacit master: note", label))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}
