//! The keyring: epoch keys, wrapped by the master key; bunch keys, wrapped by an epoch's; subject keys, wrapped by the key of
//! their bunch.
//!
//! Epochs exist so that destroying a subject's key can be made final: what remains is wrapped anew under a new epoch, and
//! the old epoch's key is destroyed. Bunches exist so that this costs little: a bunch that lost no key is wrapped anew as
//! a whole, only those that did are opened and their other keys moved to a new bunch.

use crate::master::MasterKey;
use crate::root::RootKey;
use crate::seal::{Aad, SealError, SealKey};
use std::collections::BTreeMap;
use std::fmt;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A bunch's key as it rests in the keyring's database.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedBunch {
    /// Its number.
    pub id: i64,
    /// The epoch whose key wraps it.
    pub epoch: i64,
    /// The sealed key. `None`: the bunch of a keyring from before there were bunches, whose subject keys the epoch's own
    /// key wraps.
    pub wrapped: Option<Vec<u8>>,
}

impl fmt::Debug for WrappedBunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[key] {} of epoch {}", self.id, self.epoch)
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
    /// A bunch is wrapped by an epoch the keyring does not hold.
    #[error("epoch {0} is not in the keyring")]
    UnknownEpoch(i64),
    /// A wrapped key does not open.
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

fn numbered(number: i64) -> Uuid {
    Uuid::from_u128(u128::from(number.cast_unsigned()))
}

fn epoch_place(epoch: i64) -> Aad<'static> {
    Aad { table: "keyring_epochs", column: "wrapped", row: numbered(epoch) }
}

fn bunch_place(bunch: i64) -> Aad<'static> {
    Aad { table: "keyring_bunches", column: "wrapped", row: numbered(bunch) }
}

fn subject_place(subject: Uuid) -> Aad<'static> {
    Aad { table: "subject_keys", column: "wrapped", row: subject }
}

const ROOT_PLACE: Aad<'static> = Aad { table: "keyring_state", column: "wrapped", row: Uuid::nil() };

fn key_of(plain: &Zeroizing<Vec<u8>>) -> Option<SealKey> {
    <[u8; 32]>::try_from(plain.as_slice()).ok().map(SealKey::from_bytes)
}

/// What wraps epochs and root: a key of its own, so that nothing else is ever sealed with it.
fn wrapping(master: &MasterKey) -> SealKey {
    master.seal_key("keyring")
}

/// The root, wrapped by the master key.
#[must_use]
pub fn wrap_root(master: &MasterKey, root: &RootKey) -> Vec<u8> {
    wrapping(master).seal(&ROOT_PLACE, root.expose())
}

/// The root from its wrapped form.
///
/// # Errors
/// [`KeyringError::Damaged`], also if it is another master key's.
pub fn unwrap_root(master: &MasterKey, wrapped: &[u8]) -> Result<RootKey, KeyringError> {
    let plain = wrapping(master).open(&ROOT_PLACE, wrapped)?;
    <[u8; 32]>::try_from(plain.as_slice()).map(RootKey::from_bytes).map_err(|_| KeyringError::Damaged)
}

impl Keyring {
    /// A new epoch's key, wrapped by the master key: what is kept in the keyring's database.
    #[must_use]
    pub fn new_epoch(master: &MasterKey, epoch: i64) -> Vec<u8> {
        wrapping(master).seal(&epoch_place(epoch), SealKey::generate().expose())
    }

    /// An epoch's key, wrapped by another master key.
    ///
    /// # Errors
    /// [`KeyringError::WrongMasterKey`] if the first one does not open it.
    pub fn epoch_to(from: &MasterKey, to: &MasterKey, epoch: i64, wrapped: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let place = epoch_place(epoch);
        let plain = wrapping(from).open(&place, wrapped).map_err(|_| KeyringError::WrongMasterKey(epoch))?;
        Ok(wrapping(to).seal(&place, &plain))
    }

    /// Unlocks all epochs.
    ///
    /// # Errors
    /// [`KeyringError::Empty`] without an epoch, [`KeyringError::WrongMasterKey`] if one does not open.
    pub fn unlock(master: &MasterKey, epochs: &[(i64, Vec<u8>)]) -> Result<Self, KeyringError> {
        let wrapping = wrapping(master);
        let mut open = BTreeMap::new();
        for (epoch, wrapped) in epochs {
            let plain = wrapping.open(&epoch_place(*epoch), wrapped).ok();
            let key = plain.as_ref().and_then(key_of).ok_or(KeyringError::WrongMasterKey(*epoch))?;
            open.insert(*epoch, key);
        }
        let newest = open.last_key_value().map(|(e, k)| (*e, k.clone())).ok_or(KeyringError::Empty)?;
        Ok(Self { epochs: open, newest })
    }

    /// The oldest and the newest epoch held.
    #[must_use]
    pub fn span(&self) -> (i64, i64) {
        (self.epochs.first_key_value().map_or(self.newest.0, |(epoch, _)| *epoch), self.newest.0)
    }

    /// A new bunch of that number, and its wrapped form under the newest epoch.
    #[must_use]
    pub fn new_bunch(&self, id: i64) -> (Bunch, WrappedBunch) {
        let key = SealKey::generate();
        let wrapped = self.wrapped(id, &key);
        (Bunch(key), wrapped)
    }

    fn wrapped(&self, id: i64, key: &SealKey) -> WrappedBunch {
        let (epoch, wrapping) = &self.newest;
        WrappedBunch { id, epoch: *epoch, wrapped: Some(wrapping.seal(&bunch_place(id), key.expose())) }
    }

    /// A bunch from its wrapped form.
    ///
    /// # Errors
    /// [`KeyringError::UnknownEpoch`] or [`KeyringError::Damaged`].
    pub fn bunch(&self, wrapped: &WrappedBunch) -> Result<Bunch, KeyringError> {
        let epoch = self.epochs.get(&wrapped.epoch).ok_or(KeyringError::UnknownEpoch(wrapped.epoch))?;
        let Some(sealed) = &wrapped.wrapped else { return Ok(Bunch(epoch.clone())) };
        let plain = epoch.open(&bunch_place(wrapped.id), sealed)?;
        key_of(&plain).map(Bunch).ok_or(KeyringError::Damaged)
    }

    /// The same bunch under the newest epoch.
    ///
    /// # Errors
    /// As [`Keyring::bunch`]; [`KeyringError::Damaged`] for one that is an epoch's own key, which no other may wrap.
    pub fn renewed(&self, wrapped: &WrappedBunch) -> Result<WrappedBunch, KeyringError> {
        if wrapped.wrapped.is_none() {
            return Err(KeyringError::Damaged);
        }
        Ok(self.wrapped(wrapped.id, &self.bunch(wrapped)?.0))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

/// The key of a bunch. It is never printed.
#[derive(Clone)]
pub struct Bunch(SealKey);

impl Bunch {
    /// A new key for a subject, and its wrapped form.
    #[must_use]
    pub fn wrap_new(&self, subject: Uuid) -> (SealKey, Vec<u8>) {
        let key = SealKey::generate();
        let wrapped = self.0.seal(&subject_place(subject), key.expose());
        (key, wrapped)
    }

    /// A subject's key from its wrapped form.
    ///
    /// # Errors
    /// [`KeyringError::Damaged`].
    pub fn unwrap(&self, subject: Uuid, wrapped: &[u8]) -> Result<SealKey, KeyringError> {
        key_of(&self.0.open(&subject_place(subject), wrapped)?).ok_or(KeyringError::Damaged)
    }

    /// A subject's key, wrapped by another bunch.
    ///
    /// # Errors
    /// [`KeyringError::Damaged`].
    pub fn hand_over(&self, to: &Self, subject: Uuid, wrapped: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let place = subject_place(subject);
        Ok(to.0.seal(&place, &self.0.open(&place, wrapped)?))
    }
}

impl fmt::Debug for Bunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}
