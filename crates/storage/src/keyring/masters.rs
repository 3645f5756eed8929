//! The master keys a keyring may be opened with: the one in use, and the one it is about to be wrapped with.

use super::fault;
use super::store::{self, Pulse};
use crate::tx::{ReadTx, WriteTx};
use std::fmt;
use tacit_kernel::{Fault, Timestamp};
use tacit_vault::{Keyring, KeyringError, MasterKey, RootKey, unwrap_root, wrap_root};

/// The master key, and the one that shall follow it. While both are given, the keyring opens whichever of them wraps it: so
/// it does not matter when a rekeying was cut off.
#[derive(Clone)]
pub struct Masters {
    pub(super) current: MasterKey,
    pub(super) next: Option<MasterKey>,
}

impl Masters {
    /// The master key, and the one that shall follow it.
    #[must_use]
    pub const fn new(current: MasterKey, next: Option<MasterKey>) -> Self {
        Self { current, next }
    }
}

impl From<&MasterKey> for Masters {
    fn from(master: &MasterKey) -> Self {
        Self { current: master.clone(), next: None }
    }
}

impl fmt::Debug for Masters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[keys]")
    }
}

/// Which master key wraps the keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Current,
    Next,
}

/// The epochs, and what wraps them.
pub(super) struct Unlocked {
    pub(super) keyring: Keyring,
    pub(super) which: Which,
}

/// A keyring that is open.
pub(super) struct Opened {
    pub(super) root: RootKey,
    pub(super) keyring: Keyring,
    pub(super) pulse: Pulse,
}

impl Masters {
    fn each(&self) -> impl Iterator<Item = (Which, &MasterKey)> {
        let next = self.next.iter().map(|master| (Which::Next, master));
        std::iter::once((Which::Current, &self.current)).chain(next)
    }

    pub(super) fn get(&self, which: Which) -> &MasterKey {
        match (which, &self.next) {
            (Which::Next, Some(next)) => next,
            _ => &self.current,
        }
    }

    /// Unlocks the epochs as they are.
    pub(super) async fn unlock(&self, tx: &mut ReadTx<'_>) -> Result<Unlocked, Fault> {
        let epochs = store::epochs(tx).await?;
        let mut failed = KeyringError::Empty;
        for (which, master) in self.each() {
            match Keyring::unlock(master, &epochs) {
                Ok(keyring) => return Ok(Unlocked { keyring, which }),
                Err(error) => failed = error,
            }
        }
        Err(fault(failed))
    }

    /// Unlocks a keyring; in an empty one makes root and first epoch. One from before there was a root gets the key it has
    /// used in its place.
    pub(super) async fn open(&self, tx: &mut WriteTx<'_>, now: Timestamp) -> Result<Opened, Fault> {
        let fresh = store::epochs(tx).await?.is_empty();
        if fresh {
            store::epoch_add(tx, 1, Keyring::new_epoch(&self.current, 1), now).await?;
        }
        let Unlocked { keyring, which } = self.unlock(tx).await?;
        let master = self.get(which);
        let root = match store::state(tx).await? {
            // Epochs and root are always wrapped by the same one.
            Some(state) => unwrap_root(master, &state.root).map_err(fault)?,
            None => {
                let root = if fresh { RootKey::generate() } else { master.as_root() };
                store::state_add(tx, wrap_root(master, &root), now).await?;
                root
            }
        };
        Ok(Opened { root, keyring, pulse: store::pulse(tx).await? })
    }
}
