//! How much memory bodies take. Those of requests are kept until a provider has them (and can be asked again), whole
//! answers until the client has them; both are counted against one bound. Streams are not: a stream holds what one read
//! brought, and is read no further while its client does not take it.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How much memory the bodies of all calls take.
pub(crate) struct BodyMemory {
    held: AtomicU64,
    most: u64,
}

/// Room that is taken, until it is dropped: for an answer that is read as a whole, until it is delivered.
pub(crate) struct Room {
    size: u64,
    memory: Arc<BodyMemory>,
}

/// A piece of a body, counted until nobody holds it any more, neither we nor the connection to a provider.
struct Counted {
    bytes: Bytes,
    _room: Room,
}

impl BodyMemory {
    /// What a piece takes besides its bytes.
    const OVERHEAD: u64 = 256;

    pub(crate) const fn new(most: u64) -> Self {
        Self { held: AtomicU64::new(0), most }
    }

    /// How much is held now.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Relaxed)
    }

    /// The same bytes, counted; nothing if there is no room for them.
    pub(crate) fn count(self: &Arc<Self>, bytes: Bytes) -> Option<Bytes> {
        let mut room = self.room();
        room.grow(bytes.len()).then(|| Bytes::from_owner(Counted { bytes, _room: room }))
    }

    /// Room for what has not come yet.
    pub(crate) fn room(self: &Arc<Self>) -> Room {
        Room { size: 0, memory: Arc::clone(self) }
    }
}

impl Room {
    /// Makes it larger, whether there is room or not; false if there is none.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let size = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(BodyMemory::OVERHEAD);
        let before = self.memory.held.fetch_add(size, Relaxed);
        self.size = self.size.saturating_add(size);
        before.saturating_add(size) <= self.memory.most
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.memory.held.fetch_sub(self.size, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_counted_while_anybody_holds_them() {
        let memory = Arc::new(BodyMemory::new(2_000));
        let first = memory.count(Bytes::from(vec![b'x'; 1_000])).unwrap();
        assert_eq!(first, vec![b'x'; 1_000]);
        assert!(memory.count(Bytes::from(vec![b'y'; 1_000])).is_none());
        let part = first.slice(10..20);
        drop(first);
        assert!(memory.count(Bytes::from(vec![b'y'; 1_000])).is_none(), "a part of it is still held");
        drop(part);
        assert!(memory.count(Bytes::from(vec![b'y'; 1_000])).is_some());
    }

    #[test]
    fn answers_share_the_room_with_requests() {
        let memory = Arc::new(BodyMemory::new(2_000));
        let mut answer = memory.room();
        assert!(answer.grow(500) && answer.grow(500));
        assert!(memory.count(Bytes::from(vec![b'x'; 500])).is_none());
        assert!(!answer.grow(1_000), "more than there is");
        drop(answer);
        assert!(memory.count(Bytes::from(vec![b'x'; 1_500])).is_some());
        assert_eq!(memory.held(), 0);
    }
}
