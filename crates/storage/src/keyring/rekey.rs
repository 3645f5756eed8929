//! Another master key.

use super::masters::{Unlocked, Which};
use super::{KeyStore, fault, store};
use crate::tx::WriteTx;
use tacit_kernel::{ErrorKind, Fault};
use tacit_vault::{Keyring, unwrap_root, wrap_root};

/// What became of a rekeying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rekeyed {
    /// The keyring is wrapped by the next master key now.
    Done,
    /// It was already.
    Before,
}

impl KeyStore {
    /// Wraps root and epochs with the next master key, in one transaction; then the bytes of the old wrapping go. Nothing
    /// else changes: no key of a subject, no hash, no signature. From then on the keyring as it is opens with the next
    /// master key only, and an old copy of it only with the one before.
    ///
    /// # Errors
    /// `keyring.no_next` if no next master key was given; storage faults.
    pub async fn rekey(&self) -> Result<Rekeyed, Fault> {
        let done = self.db.write("keyring.rekey", |tx| Box::pin(self.rekey_in(tx))).await?;
        self.sweep().await?;
        Ok(done)
    }

    async fn rekey_in(&self, tx: &mut WriteTx<'_>) -> Result<Rekeyed, Fault> {
        let Some(next) = &self.masters.next else {
            let message =
                "there is no master key to go on with: set keyring.next_master_key and restart the control plane";
            return Err(Fault::new(ErrorKind::Conflict, "keyring.no_next", message));
        };
        let Unlocked { which: Which::Current, .. } = self.masters.unlock(tx).await? else {
            return Ok(Rekeyed::Before);
        };
        let current = &self.masters.current;
        for (epoch, wrapped) in store::epochs(tx).await? {
            let wrapped = Keyring::epoch_to(current, next, epoch, &wrapped).map_err(fault)?;
            store::epoch_wrap(tx, epoch, wrapped).await?;
        }
        let state = store::state(tx).await?;
        let state = state.ok_or_else(|| Fault::internal("keyring.key", "the keyring has no root"))?;
        let root = unwrap_root(current, &state.root).map_err(fault)?;
        store::state_wrap(tx, wrap_root(next, &root), self.clock.now()).await?;
        store::changed(tx).await?;
        Ok(Rekeyed::Done)
    }
}
