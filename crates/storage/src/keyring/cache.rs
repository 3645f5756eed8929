//! Subject keys in memory, unwrapped.

use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use tacit_kernel::Timestamp;
use tacit_vault::SealKey;
use uuid::Uuid;

/// Keys kept, at most; about half a kilobyte each.
const MOST: usize = 50_000;
/// For how long they are trusted after the tombstones were last looked at, in microseconds: a process that cannot see what
/// others destroy must not go on to read from memory.
const TRUSTED: i64 = 2_000_000;

#[derive(Default)]
struct Kept {
    keys: HashMap<Uuid, SealKey>,
    by_tomb: HashMap<[u8; 32], Uuid>,
    /// How often something was forgotten.
    forgotten: u64,
}

#[derive(Default)]
pub(super) struct Cache {
    kept: RwLock<Kept>,
    /// When the tombstones were last looked at, in microseconds.
    heard: AtomicI64,
}

impl Cache {
    pub(super) fn get(&self, subject: Uuid, now: Timestamp) -> Option<SealKey> {
        let age = now.0.saturating_sub(self.heard.load(Ordering::Acquire));
        if !(0..=TRUSTED).contains(&age) {
            return None;
        }
        self.kept.read().keys.get(&subject).cloned()
    }

    /// To be asked for before a key is read.
    pub(super) fn before(&self) -> u64 {
        self.kept.read().forgotten
    }

    /// Keeps a key, unless something was forgotten since it was about to be read: it may have been this one.
    pub(super) fn remember(&self, before: u64, subject: Uuid, tomb: [u8; 32], key: &SealKey) {
        let mut kept = self.kept.write();
        if kept.forgotten != before {
            return;
        }
        if kept.keys.len() >= MOST {
            kept.keys.clear();
            kept.by_tomb.clear();
        }
        kept.by_tomb.insert(tomb, subject);
        kept.keys.insert(subject, key.clone());
    }

    pub(super) fn forget<'t>(&self, tombs: impl IntoIterator<Item = &'t [u8; 32]>) {
        let mut kept = self.kept.write();
        kept.forgotten += 1;
        for tomb in tombs {
            if let Some(subject) = kept.by_tomb.remove(tomb) {
                kept.keys.remove(&subject);
            }
        }
    }

    /// The tombstones were looked at, at that moment.
    pub(super) fn heard(&self, now: Timestamp) {
        self.heard.store(now.0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_read_before_something_was_forgotten_is_not_kept() {
        let (cache, key, now) = (Cache::default(), SealKey::generate(), Timestamp(1));
        let (ann, tomb) = (Uuid::from_u128(1), [1; 32]);
        cache.heard(now);
        cache.remember(cache.before(), ann, tomb, &key);
        assert!(cache.get(ann, now).is_some());
        let before = cache.before();
        // Read from the database here, and destroyed by somebody else before it is kept.
        cache.forget(&[tomb]);
        cache.remember(before, ann, tomb, &key);
        assert!(cache.get(ann, now).is_none());
        cache.remember(cache.before(), ann, tomb, &key);
        assert!(cache.get(ann, Timestamp(1 + TRUSTED)).is_some());
        assert!(cache.get(ann, Timestamp(2 + TRUSTED)).is_none());
        assert!(cache.get(ann, Timestamp(0)).is_none(), "a clock that was set back tells nothing");
    }
}
