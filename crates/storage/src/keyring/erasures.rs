//! Destroying keys, and the tombstones that tell of it.

use super::{KeyStore, store};
use crate::error::StorageError;
use crate::tx::{ReadTx, WriteTx};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;
use tacit_kernel::{Fault, Timestamp};
use tacit_vault::keyed_hash;
use uuid::Uuid;

/// Of the key for the hashes of erased subjects.
pub(super) const LABEL: &str = "keyring-erasures";
const CHAIN: &str = "keyring-erasures-chain";
/// Subjects of a transaction.
const STEP: usize = 500;
/// Tombstones read at once.
const PAGE: i64 = 1000;

/// What was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Destroyed {
    /// Keys that were there and are not any more.
    pub keys: u64,
    /// The newest epoch that wrapped one of them, 0 if there was none: [`KeyStore::is_final`] tells whether it is over.
    pub epoch: i64,
}

/// How far a list of tombstones goes: kept with a backup, it tells what that did not know of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErasuresHead {
    /// How many there are.
    pub count: u64,
    /// A keyed hash over all of them in their order.
    pub chain: [u8; 32],
}

impl ErasuresHead {
    /// Of a list without any.
    pub const NONE: Self = Self { count: 0, chain: [0; 32] };

    /// How far the list of a keyring goes.
    pub(crate) async fn in_tx(tx: &mut ReadTx<'_>) -> Result<Self, StorageError> {
        let (seq, chain) = store::erasures_head(tx).await?;
        Ok(Self { count: u64::try_from(seq).unwrap_or_default(), chain })
    }
}

impl KeyStore {
    /// The keyed hash that stands for a subject on its tombstone.
    pub(crate) fn tomb(&self, subject: Uuid) -> [u8; 32] {
        keyed_hash(&self.tombs, LABEL, subject.as_bytes())
    }

    /// Destroys the keys of subjects: when this returns, nothing that they sealed can be read with this keyring, and each
    /// of them has a tombstone, which keeps it from ever getting a key again. Who has none, or was destroyed before, is
    /// passed over. Other processes hear of it at their next [`KeyStore::follow`]; old copies of the keyring's pages are
    /// worth nothing once [`KeyStore::turn`] was called, which many may share.
    ///
    /// # Errors
    /// Storage faults; `keyring.erasure_log` if the log cannot be written. What was not reached then is as it was: call it
    /// again with the same subjects.
    pub async fn destroy(&self, subjects: &[Uuid]) -> Result<Destroyed, Fault> {
        let mut destroyed = Destroyed::default();
        for subjects in subjects.chunks(STEP) {
            let step = self.db.write("keyring.destroy", |tx| Box::pin(self.destroy_in(tx, subjects)));
            let step = step.await?;
            let tombs: Vec<_> = subjects.iter().map(|subject| self.tomb(*subject)).collect();
            self.cache.forget(&tombs);
            destroyed.keys += step.keys;
            destroyed.epoch = destroyed.epoch.max(step.epoch);
        }
        // What is told to be destroyed is known outside the keyring too: an older copy of it cannot bring the keys back.
        self.log_erasures().await?;
        Ok(destroyed)
    }

    async fn destroy_in(&self, tx: &mut WriteTx<'_>, subjects: &[Uuid]) -> Result<Destroyed, Fault> {
        let now = self.clock.now();
        let dropped = drop_keys(tx, subjects).await?;
        let tombs: BTreeMap<Uuid, [u8; 32]> = subjects.iter().map(|subject| (*subject, self.tomb(*subject))).collect();
        let known = store::erasures_of(tx, &tombs.values().copied().collect::<Vec<_>>()).await?;
        let (mut seq, mut chain) = store::erasures_head(tx).await?;
        for (subject, tomb) in tombs.iter().filter(|(_, tomb)| !known.contains(*tomb)) {
            let epoch = dropped.get(subject).copied().unwrap_or_default();
            seq += 1;
            chain = self.chained(&chain, tomb, epoch, now);
            store::erasure_add(tx, seq, tomb, epoch, &chain, now).await?;
        }
        let keys = u64::try_from(dropped.len()).unwrap_or(u64::MAX);
        Ok(Destroyed { keys, epoch: dropped.values().copied().max().unwrap_or_default() })
    }

    pub(super) fn chained(&self, before: &[u8; 32], tomb: &[u8; 32], epoch: i64, at: Timestamp) -> [u8; 32] {
        let link = [&before[..], tomb, &epoch.to_be_bytes(), &at.0.to_be_bytes()].concat();
        keyed_hash(&self.tombs, CHAIN, &link)
    }

    /// Destroys a key that was made with [`Self::create_fleeting`], if it is there, without a tombstone: the subject may get
    /// another one. Not for others, which another process may have in its memory.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn destroy_fleeting(&self, subject: Uuid) -> Result<(), Fault> {
        self.db.write("keyring.destroy", |tx| Box::pin(async move { drop_keys(tx, &[subject]).await })).await.map(drop)
    }

    /// Which of these subjects were erased.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn erased(&self, subjects: &[Uuid]) -> Result<HashSet<Uuid>, Fault> {
        let mut erased = HashSet::new();
        for subjects in subjects.chunks(STEP) {
            let tombs: Vec<[u8; 32]> = subjects.iter().map(|subject| self.tomb(*subject)).collect();
            let tombs = &tombs;
            let found = self.db.read("keyring.erased", |tx| Box::pin(store::erasures_of(tx, tombs))).await?;
            erased.extend(subjects.iter().zip(tombs).filter(|(_, tomb)| found.contains(*tomb)).map(|(s, _)| *s));
        }
        Ok(erased)
    }

    /// How far the list of erasures goes now.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn erasures_head(&self) -> Result<ErasuresHead, Fault> {
        Ok(self.db.read("keyring.erasures", |tx| Box::pin(ErasuresHead::in_tx(tx))).await?)
    }

    /// Whether this keyring's list continues that one. If not, it is another keyring, or an older copy of this one, which
    /// does not know of all erasures.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn knows(&self, head: &ErasuresHead) -> Result<bool, Fault> {
        let Ok(seq) = i64::try_from(head.count) else { return Ok(false) };
        if seq == 0 {
            return Ok(*head == ErasuresHead::NONE);
        }
        let found = self.db.read("keyring.erasures", |tx| Box::pin(store::erasure_at(tx, seq))).await?;
        Ok(found == Some(head.chain))
    }

    /// Looks at what other processes have done: forgets the keys of whom they erased, and the epochs that are over. To be
    /// called at every look at the feed of changes; keys in memory are used only for a moment after it.
    ///
    /// # Errors
    /// `keyring.master_key` if the keyring was wrapped with a master key that is not known here; storage faults.
    pub async fn follow(&self) -> Result<(), Fault> {
        let now = self.clock.now();
        let pulse = self.db.read("keyring.follow", |tx| Box::pin(store::pulse(tx))).await?;
        let mut seen = self.seen.load(Ordering::Acquire);
        while seen < pulse.erasures {
            let found = self.db.read("keyring.follow", |tx| Box::pin(store::erasures_after(tx, seen, PAGE))).await?;
            let Some((last, _)) = found.last() else { break };
            seen = *last;
            self.cache.forget(found.iter().map(|(_, tomb)| tomb));
            self.seen.fetch_max(seen, Ordering::AcqRel);
        }
        if self.keyring().span() != pulse.epochs {
            self.reread_now().await?;
        }
        self.cache.heard(now);
        Ok(())
    }
}

/// Deletes keys and marks their bunches; of each that was there, the epoch that wrapped it.
pub(super) async fn drop_keys(tx: &mut WriteTx<'_>, subjects: &[Uuid]) -> Result<HashMap<Uuid, i64>, Fault> {
    let dropped = store::keys_drop(tx, subjects).await?;
    if dropped.is_empty() {
        return Ok(HashMap::new());
    }
    let bunches: Vec<i64> = dropped.iter().map(|(_, bunch)| *bunch).collect::<HashSet<_>>().into_iter().collect();
    let epochs = store::bunches_spoil(tx, &bunches).await?;
    Ok(dropped.into_iter().map(|(subject, bunch)| (subject, epochs.get(&bunch).copied().unwrap_or_default())).collect())
}
