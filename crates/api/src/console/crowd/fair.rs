//! So many requests a second of all together, of which nobody takes all. A network is let in while it has had less of this
//! second than is left of it: so one network has half at most, three that take what they can leave a quarter, and the more
//! there are the less each has, while whoever has had nothing yet is let in as long as anything is left.
//!
//! Only who is let in is remembered, and for a second: that bounds what is kept.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;

#[derive(Default)]
struct Second {
    number: u64,
    all: u32,
    of: HashMap<IpAddr, u32>,
}

/// See the module.
pub(super) struct Fair {
    per_second: u32,
    second: Mutex<Second>,
}

impl Fair {
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self { per_second: per_second.get(), second: Mutex::default() }
    }

    /// Counts a request from that network in that second, counted from anywhere; `false`: it is too much, and not counted.
    pub(super) fn admit(&self, network: IpAddr, second: u64) -> bool {
        let mut now = self.second.lock();
        // Whoever was slow to come here is counted in the newest second.
        let over =
            (second > now.number).then(|| std::mem::replace(&mut *now, Second { number: second, ..Second::default() }));
        let left = self.per_second.saturating_sub(now.all);
        let had = now.of.get(&network).copied().unwrap_or(0);
        let admitted = had < left;
        if admitted {
            now.all += 1;
            now.of.insert(network, had + 1);
        }
        drop(now);
        // What was kept of the second before is let go without holding anybody up.
        drop(over);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    fn fair(per_second: u32) -> Fair {
        Fair::new(NonZeroU32::new(per_second).unwrap())
    }

    fn taken(fair: &Fair, networks: std::ops::Range<u32>, second: u64) -> u32 {
        // By turns, each as often as it likes.
        let turns = (0..100).flat_map(|_| networks.clone());
        turns.map(|n| u32::from(fair.admit(network(n), second))).sum()
    }

    #[test]
    fn few_networks_leave_something_to_others_in_every_second() {
        for (networks, most) in [(1, 25), (2, 34), (3, 38), (9, 45)] {
            let fair = fair(50);
            for second in 1..50 {
                let took = taken(&fair, 0..networks, second);
                assert!(took <= most, "{networks} networks took {took} of second {second}");
                for other in 100..103 {
                    assert!(fair.admit(network(other), second), "another network, after {networks}");
                }
            }
        }
    }

    #[test]
    fn all_together_have_no_more_than_there_is() {
        let fair = fair(50);
        for second in 1..10 {
            assert_eq!(taken(&fair, 0..200, second), 50);
            assert!(!fair.admit(network(777), second));
        }
    }

    #[test]
    fn what_is_kept_is_bounded_by_the_rate_and_goes_with_the_second() {
        let fair = fair(50);
        for n in 0..100_000 {
            fair.admit(network(n), 1);
        }
        assert_eq!(fair.second.lock().of.len(), 50);
        assert!(fair.admit(network(1), 2));
        assert_eq!(fair.second.lock().of.len(), 1);
        // A clock that is read by several at once never goes back.
        assert!(fair.admit(network(1), 1));
        let now = fair.second.lock();
        assert_eq!((now.number, now.all), (2, 2));
    }
}
