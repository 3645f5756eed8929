//! Passive health: what a channel or a credential did last decides whether it is tried now.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tacit_kernel::ids::CredentialId;

/// A back-off that doubles with each failure in a row. Moments are nanoseconds of [`crate::moment::now`].
pub(crate) struct Backoff {
    failures: AtomicU32,
    /// When the last one came that counted.
    failed_at: AtomicI64,
    until: AtomicI64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { failures: AtomicU32::new(0), failed_at: AtomicI64::new(i64::MIN), until: AtomicI64::new(0) }
    }
}

impl Backoff {
    /// Whether it may be tried now.
    pub(crate) fn ready(&self, now: i64) -> bool {
        self.until.load(Relaxed) <= now
    }

    /// When it may be tried again.
    #[cfg(test)]
    pub(crate) fn until(&self) -> i64 {
        self.until.load(Relaxed)
    }

    /// It worked.
    pub(crate) fn success(&self) {
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
            self.until.store(0, Relaxed);
        }
    }

    /// An attempt that began at `began` failed: wait `first × 2ⁿ`, at most `most`, or as long as the provider asked.
    /// Only what began after the last failure tells of another one: a hundred calls that one blip ends count once, however
    /// long each of them takes to notice.
    pub(crate) fn failure(&self, (began, now): (i64, i64), first: Duration, most: Duration, asked: Option<Duration>) {
        let at = |wait: Duration| now.saturating_add(nanos(wait.min(most)));
        let last = self.failed_at.load(Relaxed);
        // Of several that come here at the same time one counts.
        if began > last && self.failed_at.compare_exchange(last, now, Relaxed, Relaxed).is_ok() {
            let before = self.failures.fetch_add(1, Relaxed).min(16);
            self.until.fetch_max(at(asked.unwrap_or_else(|| first.saturating_mul(1 << before))), Relaxed);
        } else if let Some(asked) = asked {
            self.until.fetch_max(at(asked), Relaxed);
        }
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// What is known of a channel; outlives changes of the catalogue.
#[derive(Default)]
pub(crate) struct ChannelHealth {
    pub(crate) backoff: Backoff,
    in_flight: AtomicU32,
    credentials: Mutex<HashMap<Option<CredentialId>, Arc<Backoff>>>,
    next_credential: AtomicU32,
}

impl ChannelHealth {
    /// The back-off of one of its credentials.
    pub(crate) fn credential(&self, id: Option<CredentialId>) -> Arc<Backoff> {
        Arc::clone(self.credentials.lock().entry(id).or_default())
    }

    /// Where to begin among its credentials, so that they take turns.
    pub(crate) fn turn(&self) -> usize {
        usize::try_from(self.next_credential.fetch_add(1, Relaxed)).unwrap_or(0)
    }

    /// A place among the calls at the same time, if there is one.
    pub(crate) fn enter(self: &Arc<Self>, most: u32) -> Option<ChannelPlace> {
        let taken = self.in_flight.fetch_add(1, Relaxed);
        let place = ChannelPlace(Arc::clone(self));
        (most == 0 || taken < most).then_some(place)
    }
}

/// One of a channel's calls at the same time; given back when dropped.
pub(crate) struct ChannelPlace(Arc<ChannelHealth>);

impl Drop for ChannelPlace {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_and_forgets() {
        let b = Backoff::default();
        let (first, most) = (Duration::from_millis(500), Duration::from_secs(2));
        let mut now = 0;
        for want in [500, 1000, 2000, 2000] {
            b.failure((now, now + 5), first, most, None);
            now += want * 1_000_000 + 5;
            assert_eq!(b.until(), now);
            assert!(!b.ready(now - 1));
            assert!(b.ready(now));
        }
        b.failure((now, now), first, most, Some(Duration::from_secs(1)));
        assert_eq!(b.until(), now + 1_000_000_000);
        b.success();
        assert!(b.ready(0));
        b.failure((now + 1, now + 1), first, most, None);
        assert_eq!(b.until(), now + 500_000_001);
    }

    #[test]
    fn one_blip_is_one_failure_for_all_calls_in_flight() {
        let b = Backoff::default();
        let (first, most) = (Duration::from_millis(500), Duration::from_secs(30));
        for n in 0..64 {
            b.failure((n, 1_000), first, most, None);
        }
        assert_eq!(b.until(), 500_001_000);
        b.failure((64, 2_000), first, most, Some(Duration::from_secs(3)));
        assert_eq!(b.until(), 3_000_002_000, "a provider's own word holds");
        // One of them notices only when it would be tried again: still the same failure.
        b.failure((65, 9_000_000_000), first, most, None);
        assert!(b.ready(9_000_000_000));
        // As a last resort it was tried before its time: that is another one.
        b.failure((1_001, 3_000_000), first, most, None);
        assert_eq!(b.until(), 3_000_002_000);
        b.failure((3_000_001, 4_000_000_000), first, most, None);
        assert_eq!(b.until(), 6_000_000_000);
    }

    #[test]
    fn what_began_before_a_failure_says_nothing_after_a_success_either() {
        let b = Backoff::default();
        let (first, most) = (Duration::from_millis(500), Duration::from_secs(30));
        b.failure((10, 1_000), first, most, None);
        b.success();
        b.failure((20, 2_000), first, most, None);
        assert!(b.ready(2_000));
        b.failure((1_500, 3_000), first, most, None);
        assert_eq!(b.until(), 500_003_000);
    }

    #[test]
    fn places_are_given_back() {
        let health = Arc::new(ChannelHealth::default());
        let first = health.enter(1);
        assert!(first.is_some());
        assert!(health.enter(1).is_none());
        assert!(health.enter(0).is_some());
        drop(first);
        assert!(health.enter(1).is_some());
    }
}
