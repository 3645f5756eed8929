//! What the rights of a person do with an element.

use super::retention::Law;
use serde::Serialize;

crate::words! {
    /// Why a copy does not hold an element.
    Withheld {
        /// It guards the account; whoever stole the copy could use it.
        Guards = "guards_the_account",
        /// A keyed hash, or a number of ours: it says nothing about anybody.
        SaysNothing = "says_nothing",
        /// It tells of somebody else.
        OfOthers = "of_others",
    }

    /// How an element is corrected.
    Correcting {
        /// By the person, at any time.
        Themselves = "by_the_person",
        /// By staff, on request.
        OnRequest = "on_request",
        /// Not: it is a record of what happened, and a wrong one gets an entry beside it.
        Record = "record",
        /// Not: it is made of something else, and changes with it.
        Derived = "derived",
    }
}

/// What a copy of somebody's data does with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Copying {
    /// It is in it, opened if it was sealed.
    Given,
    /// It is not, and the copy says why.
    Withheld(Withheld),
}

/// What the erasure of a person does with the rows that lead to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnErasure {
    /// The rows go.
    Deleted,
    /// The rows are another's too: what leads to the person is taken out of them.
    Unlinked,
    /// A law demands that the rows stay: they lead to a random pseudonym from then on, which nothing leads back from. What
    /// was sealed in them cannot be read any more.
    Pseudonymous(Law),
    /// Salt and content go, the commitment stays, so that every proof of the audit log holds.
    Committed,
    /// The rows stay by law and hold nothing of the person but a number that leads nowhere once the account is gone.
    LeadsNowhere(Law),
    /// They lead to the person by a keyed hash only, and are gone within a day anyway.
    Expires,
    /// There are none left: erasure waits until calls are settled and leases are back.
    Settled,
    /// The key is destroyed.
    Destroyed,
    /// The row tells of the erasure itself: it leads to the person until all is done, and to nobody then.
    Itself,
}

impl OnErasure {
    /// What is done, in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Unlinked => "unlinked",
            Self::Pseudonymous(_) => "pseudonymous",
            Self::Committed => "committed",
            Self::LeadsNowhere(_) => "leads_nowhere",
            Self::Expires => "expires",
            Self::Settled => "settled",
            Self::Destroyed => "destroyed",
            Self::Itself => "itself",
        }
    }

    /// The law by which the rows stay, if one demands it.
    #[must_use]
    pub const fn law(self) -> Option<Law> {
        match self {
            Self::Pseudonymous(law) | Self::LeadsNowhere(law) => Some(law),
            _ => None,
        }
    }
}
