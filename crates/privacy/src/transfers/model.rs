//! What a transfer is, and from how many people on a law asks for something.

use serde::{Deserialize, Serialize};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, ProviderId, RecipientId};

tacit_kernel::words! {
    /// How near the number of people whose calls were answered abroad in a year is to what a law asks for.
    Level {
        /// Far.
        Below = "below",
        /// Four fifths of the way to the first bound.
        Near = "near",
        /// The first bound is reached: a contract is filed, or a certificate obtained.
        Filing = "filing",
        /// The second bound is reached: the transfer is assessed by the authority.
        Assessment = "assessment",
    }
}

/// From how many people on something is asked for. By default as in China's Provisions on promoting and regulating cross-border
/// flows of data (2024-03-22), articles 7 and 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// From here on a contract is filed.
    pub filing: u64,
    /// From here on the transfer is assessed.
    pub assessment: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { filing: 100_000, assessment: 1_000_000 }
    }
}

impl Bounds {
    /// How near so many people are.
    #[must_use]
    pub const fn level(self, subjects: u64) -> Level {
        if subjects >= self.assessment {
            Level::Assessment
        } else if subjects >= self.filing {
            Level::Filing
        } else if subjects.saturating_mul(5) >= self.filing.saturating_mul(4) {
            Level::Near
        } else {
            Level::Below
        }
    }
}

/// What was sent of somebody to a provider in a country in a year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// In which year (UTC) the calls began.
    pub year: u16,
    /// The provider.
    pub provider: ProviderId,
    /// Which entry of the register it was when it was counted last.
    pub recipient: Option<RecipientId>,
    /// Where it was then; `ZZ` if nobody had said.
    pub country: String,
    /// Whose calls.
    pub account: AccountId,
    /// How many.
    pub calls: u64,
    /// When the first of them began.
    pub first_at: Timestamp,
    /// When the last of them did.
    pub last_at: Timestamp,
}

/// How many people there were, and how many calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The country.
    pub country: String,
    /// The provider, where it is of one.
    pub provider: Option<ProviderId>,
    /// Distinct accounts.
    pub subjects: u64,
    /// Their calls.
    pub calls: u64,
}

/// The transfers of a year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The year.
    pub year: u16,
    /// Where the platform is at home, if that is said.
    pub home: Option<String>,
    /// Distinct accounts whose calls went to another country, or to nobody knows where.
    pub abroad: u64,
    /// How near that is to what a law asks for.
    pub level: Level,
    /// By country.
    pub countries: Vec<Counted>,
    /// By provider and country.
    pub providers: Vec<Counted>,
}

/// The year in which a moment lies, in UTC.
#[must_use]
pub fn year_of(at: Timestamp) -> u16 {
    at.to_string().split('-').next().and_then(|year| year.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_reached_by_whole_people() {
        let bounds = Bounds::default();
        for (subjects, level) in [
            (0, Level::Below),
            (79_999, Level::Below),
            (80_000, Level::Near),
            (99_999, Level::Near),
            (100_000, Level::Filing),
            (999_999, Level::Filing),
            (1_000_000, Level::Assessment),
        ] {
            assert_eq!(bounds.level(subjects), level, "{subjects}");
        }
        assert_eq!(year_of(Timestamp::parse("2026-12-31T23:59:59.999999Z").unwrap()), 2026);
        assert_eq!(year_of(Timestamp::parse("2027-01-01").unwrap()), 2027);
    }
}
