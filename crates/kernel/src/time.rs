//! Time as an argument: code that needs the time is given a [`Clock`].

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

/// Microseconds since 1970-01-01T00:00:00Z; what every time column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The start of the UTC day this moment lies in.
    #[must_use]
    pub const fn day_start(self) -> Self {
        Self(self.0 - self.0.rem_euclid(86_400_000_000))
    }

    /// The start of the UTC calendar month this moment lies in.
    #[must_use]
    pub fn month_start(self) -> Self {
        let zoned = self.to_jiff().to_zoned(jiff::tz::TimeZone::UTC);
        match zoned.first_of_month().and_then(|z| z.start_of_day()) {
            Ok(z) => Self(z.timestamp().as_microsecond()),
            Err(_) => self.day_start(),
        }
    }

    /// This moment plus `micros`.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this moment; negative if it lies later.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or_default()
    }

    /// Parses RFC 3339 (`2026-11-23T04:00:00Z`) or a date (`2026-11-23`, its start in UTC).
    ///
    /// # Errors
    /// A message that names the accepted forms.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(t) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(t.as_microsecond()));
        }
        text.parse::<jiff::civil::Date>()
            .and_then(|d| d.to_zoned(jiff::tz::TimeZone::UTC))
            .map(|z| Self(z.timestamp().as_microsecond()))
            .map_err(|_| "not a time: write it as 2026-11-23T04:00:00Z or 2026-11-23")
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with microseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.to_jiff())
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

/// A clock that stands still until it is moved; for tests.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `at`.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// Moves the clock forward.
    pub fn advance_micros(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_starts() {
        let t = Timestamp::parse("2026-11-23T04:14:15.5Z").unwrap();
        assert_eq!(t.day_start(), Timestamp::parse("2026-11-23").unwrap());
        assert_eq!(t.month_start(), Timestamp::parse("2026-11-01").unwrap());
        assert_eq!(t.to_string(), "2026-11-23T04:14:15.500000Z");
        assert_eq!(Timestamp(-1).day_start(), Timestamp(-86_400_000_000));
        assert!(Timestamp::parse("tomorrow").is_err());
    }
}
