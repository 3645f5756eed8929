//! What a key or an account has used of its limits, in atomics; sums of money that belong together under a small lock.

use crate::moment;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};
use tacit_kernel::Timestamp;
use tacit_kernel::limits::Limits;
use tacit_link::wire;

/// A minute in nanoseconds: the span of every rate limit, and its burst.
const MINUTE: i64 = 60_000_000_000;

/// A rate limit as one number: the moment at which everything that was taken is paid back (the generic cell rate
/// algorithm). Taking moves it forward; it may lie at most a minute ahead.
#[derive(Default)]
pub(crate) struct Rate(AtomicI64);

/// How a rate limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Nanoseconds until everything is there again.
    pub(crate) reset: i64,
}

fn cost(units: u64, limit: u64) -> i64 {
    let nanos = i128::from(units).saturating_mul(i128::from(MINUTE)) / i128::from(limit.max(1));
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

impl Rate {
    /// Takes so many units. `Err`: nanoseconds until they are there.
    pub(crate) fn take(&self, units: u64, limit: u64, now: i64) -> Result<(), i64> {
        let cost = if limit == 0 { MINUTE.saturating_mul(2) } else { cost(units, limit) };
        let mut seen = self.0.load(Relaxed);
        loop {
            let next = seen.max(now).saturating_add(cost);
            let over = next.saturating_sub(now).saturating_sub(MINUTE);
            if over > 0 {
                return Err(over);
            }
            match self.0.compare_exchange_weak(seen, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }

    /// Takes what was used beyond what was taken at first, or gives back what was not.
    pub(crate) fn correct(&self, taken: u64, used: u64, limit: u64) {
        let delta = cost(used, limit).saturating_sub(cost(taken, limit));
        self.0.fetch_add(delta, Relaxed);
    }

    pub(crate) fn standing(&self, limit: u64, now: i64) -> Standing {
        let ahead = self.0.load(Relaxed).saturating_sub(now).clamp(0, MINUTE);
        let room = i128::from(MINUTE - ahead) * i128::from(limit) / i128::from(MINUTE);
        Standing { limit, remaining: u64::try_from(room).unwrap_or(0), reset: ahead }
    }
}

/// What was spent: as the control plane knew it when the grant was loaded, and what it may not have known.
#[derive(Default)]
struct Spent {
    /// Begin of the day and the month that are counted.
    day_start: Timestamp,
    month_start: Timestamp,
    day: i64,
    month: i64,
    total: i64,
    /// Charged here since the counters exist.
    charged: i64,
}

impl Spent {
    /// A new day begins with nothing, and so does a month. Time does not go back.
    fn roll(&mut self, now: Timestamp) {
        let day = now.day_start();
        if day <= self.day_start {
            return;
        }
        (self.day_start, self.day) = (day, 0);
        let month = now.month_start();
        if month > self.month_start {
            (self.month_start, self.month) = (month, 0);
        }
    }

    fn add(&mut self, amount: i64) {
        for sum in [&mut self.day, &mut self.month, &mut self.total] {
            *sum = sum.saturating_add(amount);
        }
    }
}

/// Everything counted for one key or one account; lives as long as either is known, across reloads of the grant.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) requests: Rate,
    pub(crate) tokens: Rate,
    in_flight: AtomicU32,
    /// Locked once a call, and at its begin where there is a limit.
    spent: Mutex<Spent>,
    /// What of that was charged here the control plane has acknowledged.
    acknowledged: AtomicI64,
    /// The most that calls under way may still cost. Taken back only under the lock of what was spent, so that what a
    /// call cost is seen in the one or the other.
    reserved: AtomicI64,
}

/// One call's place among the calls at the same time; given back when dropped.
pub(crate) struct Place(Arc<Counters>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Counters {
    /// A place, and how many there are with it; a call that is one too many is refused and gives it back.
    pub(crate) fn enter(self: &Arc<Self>) -> (Place, u32) {
        let now = self.in_flight.fetch_add(1, Relaxed).saturating_add(1);
        (Place(Arc::clone(self)), now)
    }

    /// Calls at this moment.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// What the control plane has acknowledged so far: whoever asks it from now on hears of all this.
    pub(crate) fn mark(&self) -> i64 {
        self.acknowledged.load(Relaxed)
    }

    /// What the control plane says was spent; `mark` was taken before it was asked. What was not acknowledged then it may
    /// not have known when it answered, even if it knows it now: that is kept on top, until the next answer.
    pub(crate) fn load_spend(&self, spend: &wire::Spend, mark: i64) {
        let mut spent = self.spent.lock();
        spent.roll(Timestamp(spend.as_of));
        (spent.day, spent.month, spent.total) = (spend.day, spend.month, spend.total);
        let here = spent.charged.saturating_sub(mark);
        spent.add(here);
    }

    /// How much may still be spent, with the moment at which there is more again where waiting helps.
    pub(crate) fn room(&self, limits: &Limits, now: Timestamp) -> Option<(i64, Option<Timestamp>)> {
        if limits.spend_per_day.is_none() && limits.spend_per_month.is_none() && limits.spend_total.is_none() {
            return None;
        }
        let (day, month, total, here) = {
            let mut spent = self.spent.lock();
            spent.roll(now);
            (spent.day, spent.month, spent.total, self.reserved.load(Relaxed))
        };
        let tomorrow = now.day_start().plus_micros(86_400_000_000);
        [
            limits.spend_per_day.map(|most| (most.0.saturating_sub(day), Some(tomorrow))),
            limits.spend_per_month.map(|most| (most.0.saturating_sub(month), None)),
            limits.spend_total.map(|most| (most.0.saturating_sub(total), None)),
        ]
        .into_iter()
        .flatten()
        .map(|(room, again)| (room.saturating_sub(here), again))
        .min_by_key(|(room, _)| *room)
    }

    /// A call may cost that much more.
    pub(crate) fn reserve(&self, amount: i64) {
        self.reserved.fetch_add(amount, Relaxed);
    }

    /// A call that had reserved so much is over and cost `amount`.
    pub(crate) fn settle(&self, reserved: i64, amount: i64, now: Timestamp) {
        let mut spent = self.spent.lock();
        spent.roll(now);
        spent.add(amount);
        spent.charged = spent.charged.saturating_add(amount);
        self.reserved.fetch_sub(reserved, Relaxed);
    }

    /// The control plane has that charge.
    pub(crate) fn acknowledged(&self, amount: i64) {
        self.acknowledged.fetch_add(amount, Relaxed);
    }
}

/// Now, for [`Rate`].
pub(crate) fn now() -> i64 {
    moment::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_kernel::Nano;

    #[test]
    fn a_minute_of_requests_and_then_one_at_a_time() {
        let rate = Rate::default();
        for i in 0..6 {
            assert_eq!(rate.standing(6, 0).remaining, 6 - i);
            assert_eq!(rate.take(1, 6, 0), Ok(()));
        }
        assert_eq!(rate.take(1, 6, 0), Err(10_000_000_000));
        assert_eq!(rate.standing(6, 0), Standing { limit: 6, remaining: 0, reset: MINUTE });
        assert_eq!(rate.take(1, 6, 10_000_000_000), Ok(()));
        assert!(rate.take(1, 6, 10_000_000_001).is_err());
        assert!(Rate::default().take(1, 0, 0).is_err());
        assert!(Rate::default().take(7, 6, 0).is_err());
    }

    #[test]
    fn tokens_are_corrected_afterwards() {
        let rate = Rate::default();
        rate.take(100, 1000, 0).unwrap();
        rate.correct(100, 900, 1000);
        assert_eq!(rate.standing(1000, 0).remaining, 100);
        rate.correct(900, 0, 1000);
        assert_eq!(rate.standing(1000, 0).remaining, 1000);
    }

    #[test]
    fn spend_counts_what_the_control_plane_cannot_know_yet() {
        let day = Timestamp::parse("2026-11-23").unwrap();
        let limits = Limits { spend_per_day: Some(Nano(100)), spend_total: Some(Nano(1000)), ..Limits::default() };
        let c = Counters::default();
        assert_eq!(c.room(&Limits::default(), day), None);
        let told = |sum| wire::Spend { day: sum, month: sum, total: sum, as_of: day.0 };
        c.load_spend(&told(10), c.mark());
        c.reserve(50);
        assert_eq!(c.room(&limits, day).unwrap().0, 40);
        c.settle(50, 30, day);
        assert_eq!(c.room(&limits, day).unwrap().0, 60);
        // A grant that was read before the charge was settled there does not lose it.
        let mark = c.mark();
        c.load_spend(&told(10), mark);
        assert_eq!(c.room(&limits, day).unwrap().0, 60);
        // Nor does one that was read before and has arrived after it was settled there.
        c.acknowledged(30);
        c.load_spend(&told(10), mark);
        assert_eq!(c.room(&limits, day).unwrap().0, 60);
        // Read after it was settled, but asked for before: counted twice until the next one.
        c.load_spend(&told(40), mark);
        assert_eq!(c.room(&limits, day).unwrap().0, 30);
        c.load_spend(&told(40), c.mark());
        assert_eq!(c.room(&limits, day).unwrap().0, 60);
        // A new day begins without a word from the control plane, and what was charged here stays with its own day.
        c.settle(0, 25, day);
        assert_eq!(c.room(&limits, day).unwrap().0, 35);
        let tomorrow = day.plus_micros(86_400_000_000);
        assert_eq!(c.room(&limits, tomorrow).unwrap().0, 100);
        c.settle(0, 5, tomorrow);
        assert_eq!(c.room(&limits, tomorrow).unwrap().0, 95);
        let month = Limits { spend_per_month: Some(Nano(100)), ..Limits::default() };
        assert_eq!(c.room(&month, tomorrow).unwrap().0, 30);
        assert_eq!(c.room(&month, Timestamp::parse("2026-12-01").unwrap()).unwrap().0, 100);
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let c = Arc::new(Counters::default());
        let (first, one) = c.enter();
        let (second, two) = c.enter();
        assert_eq!((one, two, c.in_flight()), (1, 2, 2));
        drop((first, second));
        assert_eq!(c.in_flight(), 0);
    }
}
