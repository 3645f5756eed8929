//! The turn of the epoch: everything that is left is wrapped under a new epoch's key, and the old one is destroyed.
//!
//! What the database holds says how far it has come, so there is no other record of it: a turn is under way while there
//! are two epochs. Bunches that lost no key are wrapped anew as they are. The keys of the others move to bunches that
//! never knew what was destroyed. When nothing hangs on the old epoch any more it is deleted, and then the bytes of all
//! that go from the files. A key that is destroyed meanwhile marks its bunch; if that was turned already, another turn is
//! due behind this one.

use super::masters::Unlocked;
use super::store;
use super::{KeyStore, fault, slot_of};
use crate::tx::WriteTx;
use crate::value::Value;
use std::collections::HashMap;
use tacit_kernel::Fault;
use tacit_vault::{Bunch, Keyring};

/// Bunches wrapped anew in a transaction.
const WRAPPED: i64 = 1024;
/// Bunches taken apart in a transaction, and the keys moved, at most.
const APART: i64 = 8;
const MOVED: i64 = 2000;

/// What a step of a turn has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A part of a turn; there is more to do.
    Part,
    /// The bytes of what was wrapped before are gone from the files.
    Swept,
    /// Nothing: no turn is under way.
    Nothing,
}

impl KeyStore {
    /// Begins a turn if a key was destroyed since the last; whether one is under way now.
    ///
    /// # Errors
    /// `keyring.master_key` if the keyring was wrapped with a master key that is not known here; storage faults.
    pub async fn turn_begin(&self) -> Result<bool, Fault> {
        self.begin(false).await
    }

    /// Begins a turn in which no bunch stays: every key is wrapped by another one when it is over. If a turn is under way,
    /// what that has done already is turned once more behind it.
    ///
    /// # Errors
    /// As [`Self::turn_begin`].
    pub async fn rotate_begin(&self) -> Result<(), Fault> {
        self.begin(true).await.map(drop)
    }

    async fn begin(&self, whole: bool) -> Result<bool, Fault> {
        let now = self.clock.now();
        self.db
            .write("keyring.turn_begin", |tx| {
                Box::pin(async move {
                    let (oldest, newest) = store::pulse(tx).await?.epochs;
                    if whole {
                        store::bunches_spoil_all(tx).await?;
                    }
                    if oldest != newest {
                        return Ok(true);
                    }
                    if !whole && !store::any_spoilt(tx).await? {
                        return Ok(false);
                    }
                    let Unlocked { which, .. } = self.masters.unlock(tx).await?;
                    // In a keyring that was restored, tombstones may tell of epochs that it never had.
                    let next = newest.max(store::erasures_epoch(tx).await?) + 1;
                    store::epoch_add(tx, next, Keyring::new_epoch(self.masters.get(which), next), now).await?;
                    Ok::<_, Fault>(true)
                })
            })
            .await
    }

    /// Goes a step on with the turn that is under way, or makes the bytes go that the last one left.
    ///
    /// # Errors
    /// As [`Self::turn_begin`]. What was done before stays done.
    pub async fn turn_step(&self) -> Result<Step, Fault> {
        let worked = self.db.write("keyring.turn", |tx| Box::pin(self.step(tx))).await?;
        if worked {
            return Ok(Step::Part);
        }
        if self.sweep().await? { Ok(Step::Swept) } else { Ok(Step::Nothing) }
    }

    /// Makes everything that was destroyed so far final. Steps of other processes count too: who finds a turn under way
    /// goes on with it.
    ///
    /// # Errors
    /// As [`Self::turn_step`].
    pub async fn turn(&self) -> Result<(), Fault> {
        loop {
            while self.turn_step().await? != Step::Nothing {}
            if !self.turn_begin().await? {
                return Ok(());
            }
        }
    }

    /// Whether nothing is left, in the keyring or in old pages of its files, that opens a key which that epoch wrapped when
    /// it was destroyed.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn is_final(&self, epoch: i64) -> Result<bool, Fault> {
        self.db
            .read("keyring.is_final", |tx| {
                Box::pin(async move {
                    let state = store::state(tx).await?;
                    let swept = state.is_some_and(|state| state.swept == state.changed);
                    Ok::<_, Fault>(store::pulse(tx).await?.epochs.0 > epoch && swept)
                })
            })
            .await
    }

    /// A transaction's worth of a turn; false if none is under way.
    async fn step(&self, tx: &mut WriteTx<'_>) -> Result<bool, Fault> {
        let (oldest, newest) = store::pulse(tx).await?.epochs;
        if oldest == newest {
            return Ok(false);
        }
        // Both ends: a process that comes to a turn which others began does not know the new epoch yet.
        let mut keyring = self.keyring();
        if keyring.span() != (oldest, newest) {
            keyring = self.reread(tx).await?;
        }
        let behind = store::bunches_behind(tx, newest, false, WRAPPED).await?;
        if !behind.is_empty() {
            let renewed: Result<Vec<_>, _> = behind.iter().map(|bunch| keyring.renewed(bunch)).collect();
            store::bunches_wrap(tx, renewed.map_err(fault)?).await?;
            return Ok(true);
        }
        if self.take_apart(tx, &keyring).await? {
            return Ok(true);
        }
        store::epochs_drop(tx, newest).await?;
        store::changed(tx).await?;
        Ok(true)
    }

    /// Moves keys from bunches that lost one; false if there are none of an old epoch.
    async fn take_apart(&self, tx: &mut WriteTx<'_>, keyring: &Keyring) -> Result<bool, Fault> {
        let newest = keyring.span().1;
        let spoilt = store::bunches_behind(tx, newest, true, APART).await?;
        if spoilt.is_empty() {
            return Ok(false);
        }
        let mut from = HashMap::new();
        for bunch in &spoilt {
            from.insert(bunch.id, keyring.bunch(bunch).map_err(fault)?);
        }
        let ids: Vec<i64> = spoilt.iter().map(|bunch| bunch.id).collect();
        let keys = store::keys_on(tx, &ids, MOVED).await?;
        let mut slots: Vec<i64> = keys.iter().map(|(subject, ..)| slot_of(*subject)).collect();
        slots.sort_unstable();
        slots.dedup();
        let to = self.bunches_at(tx, keyring, &slots).await?;
        let mut moved = Vec::with_capacity(keys.len() * 3);
        for (subject, bunch, wrapped) in &keys {
            let (Some(from), Some((id, to))) = (from.get(bunch), to.get(&slot_of(*subject))) else { continue };
            let wrapped = from.hand_over(to, *subject, wrapped).map_err(fault)?;
            moved.extend([Value::from(*subject), (*id).into(), wrapped.into()]);
        }
        store::keys_move(tx, &moved).await?;
        if keys.len() < usize::try_from(MOVED).unwrap_or(usize::MAX) {
            store::bunches_drop(tx, &ids).await?;
        }
        Ok(true)
    }

    /// The bunches of the newest epoch for these slots, made where there are none.
    async fn bunches_at(
        &self,
        tx: &mut WriteTx<'_>,
        keyring: &Keyring,
        slots: &[i64],
    ) -> Result<HashMap<i64, (i64, Bunch)>, Fault> {
        let mut there = store::bunches_of_slots(tx, slots, keyring.span().1).await?;
        let mut bunches = HashMap::with_capacity(slots.len());
        for slot in slots {
            let bunch = match there.remove(slot) {
                Some(found) => (found.id, keyring.bunch(&found).map_err(fault)?),
                None => self.bunch_new(tx, *slot).await?,
            };
            bunches.insert(*slot, bunch);
        }
        Ok(bunches)
    }

    /// Makes the bytes of what was wrapped before go; false if they are gone.
    pub(super) async fn sweep(&self) -> Result<bool, Fault> {
        let state = self.db.read("keyring.sweep", |tx| Box::pin(store::state(tx))).await?;
        let Some(state) = state.filter(|state| state.swept < state.changed) else { return Ok(false) };
        // The epochs that are over go from this process too.
        self.reread_now().await?;
        self.db.sweep(store::SMALL_TABLES, store::LARGE_TABLES).await?;
        self.db.write("keyring.sweep", |tx| Box::pin(store::swept(tx, state.changed))).await?;
        Ok(true)
    }
}
