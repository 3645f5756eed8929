//! The keyring: epoch keys, wrapped by the master key, and subject keys, wrapped by an epoch key.
//!
//! Epochs exist so that destroying a subject's key can be made final: the remaining keys are wrapped anew under a new
//! epoch and the old epoch's key is destroyed.

use crate::master::MasterKey;
use crate::seal::{Aad, SealError, SealKey};
use std::collections::BTreeMap;
use std::fmt;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A subject's key as it rests in the keyring's database.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The epoch whose key wraps it.
    pub epoch: i64,
    /// The sealed key.
    pub wrapped: Vec<u8>,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[key] of epoch {}", self.epoch)
    }
}

/// Why the keyring does not give a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The keyring has no epoch yet.
    #[error("the keyring is empty")]
    Empty,
    /// The master key is not the one the keyring was made with.
    #[error(
        "the master key does not open epoch {0} of the keyring: it belongs to another keyring, or the keyring is damaged"
    )]
    WrongMasterKey(i64),
    /// A subject key is wrapped by an epoch the keyring does not hold.
    #[error("epoch {0} is not in the keyring")]
    UnknownEpoch(i64),
    /// A wrapped subject key does not open.
    #[error("a wrapped key does not open: it belongs to another subject, or is damaged")]
    Damaged,
}

impl From<SealError> for KeyringError {
    fn from(_: SealError) -> Self {
        Self::Damaged
    }
}

/// The unlocked epochs.
#[derive(Clone)]
pub struct Keyring {
    epochs: BTreeMap<i64, SealKey>,
    newest: (i64, SealKey),
}

fn epoch_place(epoch: i64) -> Aad<'static> {
    Aad { table: "keyring_epochs", column: "wrapped", row: Uuid::from_u128(u128::from(epoch.cast_unsigned())) }
}

fn subject_place(subject: Uuid) -> Aad<'static> {
    Aad { table: "subject_keys", column: "wrapped", row: subject }
}

fn key_of(plain: &Zeroizing<Vec<u8>>) -> Option<SealKey> {
    <[u8; 32]>::try_from(plain.as_slice()).ok().map(SealKey::from_bytes)
}

impl Keyring {
    /// A new epoch's key, wrapped by the master key: what is kept in the keyring's database.
    #[must_use]
    pub fn new_epoch(master: &MasterKey, epoch: i64) -> Vec<u8> {
        master.seal_key("keyring").seal(&epoch_place(epoch), SealKey::generate().expose())
    }

    /// Unlocks all epochs.
    ///
    /// # Errors
    /// [`KeyringError::Empty`] without an epoch, [`KeyringError::WrongMasterKey`] if one does not open.
    pub fn unlock(master: &MasterKey, epochs: Vec<(i64, Vec<u8>)>) -> Result<Self, KeyringError> {
        let wrapping = master.seal_key("keyring");
        let mut open = BTreeMap::new();
        for (epoch, wrapped) in epochs {
            let plain = wrapping.open(&epoch_place(epoch), &wrapped).ok();
            let key = plain.as_ref().and_then(key_of).ok_or(KeyringError::WrongMasterKey(epoch))?;
            open.insert(epoch, key);
        }
        let newest = open.last_key_value().map(|(e, k)| (*e, k.clone())).ok_or(KeyringError::Empty)?;
        Ok(Self { epochs: open, newest })
    }

    /// A new key for a subject, and its wrapped form under the newest epoch.
    #[must_use]
    pub fn wrap_new(&self, subject: Uuid) -> (SealKey, WrappedKey) {
        let key = SealKey::generate();
        let (epoch, wrapping) = &self.newest;
        let wrapped = wrapping.seal(&subject_place(subject), key.expose());
        (key, WrappedKey { epoch: *epoch, wrapped })
    }

    /// A subject's key from its wrapped form.
    ///
    /// # Errors
    /// [`KeyringError::UnknownEpoch`] or [`KeyringError::Damaged`].
    pub fn unwrap(&self, subject: Uuid, wrapped: &WrappedKey) -> Result<SealKey, KeyringError> {
        let wrapping = self.epochs.get(&wrapped.epoch).ok_or(KeyringError::UnknownEpoch(wrapped.epoch))?;
        let plain = wrapping.open(&subject_place(subject), &wrapped.wrapped)?;
        key_of(&plain).ok_or(KeyringError::Damaged)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}
