//! When to settle: at once while little comes, in large steps while much does. A transaction costs the same whether it
//! settles one call or a hundred.

use std::time::Duration;
use tokio::time::Instant;

/// As many events are settled together at most, give or take a batch: two to four milliseconds on SQLite, where the
/// journal is not written meanwhile.
pub(super) const ENOUGH: usize = 512;
/// A settlement of so many events shows that the platform is busy.
const MANY: usize = 8;
/// How far the beginnings of settlements lie apart then.
const STEP: Duration = Duration::from_millis(50);
/// The same while somebody waits: many that ask one after the other must not make it small steps.
const SOON: Duration = Duration::from_millis(10);

/// When the last settlement began, if it was a large one.
#[derive(Debug, Default)]
pub(super) struct Pace(Option<Instant>);

impl Pace {
    /// A settlement of so many events begins.
    pub(super) fn begins(&mut self, now: Instant, events: usize) {
        self.0 = (events >= MANY).then_some(now);
    }

    /// When the next may begin; `now` or earlier: at once.
    pub(super) fn due(&self, now: Instant, asked: bool) -> Instant {
        self.0.map_or(now, |last| last + if asked { SOON } else { STEP })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_large_only_when_much_comes() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let later = start + Duration::from_millis(5);
        assert_eq!([pace.due(later, false), pace.due(later, true)], [later, later]);
        pace.begins(start, MANY - 1);
        assert_eq!(pace.due(later, false), later);
        pace.begins(start, MANY);
        assert_eq!([pace.due(later, false), pace.due(later, true)], [start + STEP, start + SOON]);
        pace.begins(start, 1);
        assert_eq!(pace.due(later, false), later);
    }
}
