//! Word of an erasure to a recipient, and how often it is sent.

use serde::Serialize;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{ErasureId, ErasureNoticeId, RecipientId};
use zeroize::{Zeroize, ZeroizeOnDrop};

const MINUTE: i64 = 60_000_000;
/// Attempts at most: with the pauses between them, two and a half days.
const MOST: u32 = 8;

tacit_kernel::words! {
    /// What became of it.
    State {
        /// It is to be sent, or sent again.
        Waiting = "waiting",
        /// The recipient took it.
        Confirmed = "confirmed",
        /// The recipient will not.
        Refused = "refused",
        /// The recipient has given no answer that can be understood, however often it was told.
        Unknown = "unknown",
    }
}

/// Word of an erasure to a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: ErasureNoticeId,
    /// Of which erasure.
    pub erasure: ErasureId,
    /// To whom.
    pub recipient: RecipientId,
    /// What became of it.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// When the erasure began.
    pub created_at: Timestamp,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}

/// Something by which a recipient knows the person.
#[derive(Clone, Serialize, serde::Deserialize, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub(super) struct Identity {
    /// As OpenDSR calls it.
    pub(super) identity_type: String,
    /// The value itself.
    pub(super) identity_value: String,
    /// Always `raw`: as the recipient was given it.
    pub(super) identity_format: String,
}

impl Identity {
    pub(super) fn new(kind: &str, value: &str) -> Self {
        let (identity_type, identity_value) = (kind.to_owned(), value.to_owned());
        Self { identity_type, identity_value, identity_format: "raw".to_owned() }
    }
}

/// The request, in the form of OpenDSR 1.0.
#[derive(Serialize)]
pub(super) struct Request<'r> {
    pub(super) api_version: &'static str,
    pub(super) regulation: &'static str,
    pub(super) subject_request_id: String,
    pub(super) subject_request_type: &'static str,
    pub(super) submitted_time: String,
    pub(super) subject_identities: &'r [Identity],
}

/// What is done after an attempt that was answered so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It is over.
    Ends(State),
    /// It is sent again after so many microseconds.
    Again(i64),
}

/// What follows of the answer to the attempt of that number, counted from one.
pub(super) const fn then(status: Option<u16>, attempt: u32) -> Then {
    match status {
        Some(200..=299) => Then::Ends(State::Confirmed),
        // Too early, too much or too slow is none of what it asks.
        Some(400..=499) if !matches!(status, Some(408 | 425 | 429)) => Then::Ends(State::Refused),
        _ if attempt >= MOST => Then::Ends(State::Unknown),
        _ => Then::Again(pause(attempt)),
    }
}

/// A minute, then four times as long each time, and at most half a day.
const fn pause(attempt: u32) -> i64 {
    let longest = 12 * 60 * MINUTE;
    let pause = MINUTE.saturating_mul(4_i64.saturating_pow(attempt.saturating_sub(1)));
    if pause < longest { pause } else { longest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_an_answer() {
        for (status, state) in [(200, State::Confirmed), (201, State::Confirmed), (204, State::Confirmed)] {
            assert_eq!(then(Some(status), 1), Then::Ends(state));
        }
        for status in [400, 401, 404, 410, 422] {
            assert_eq!(then(Some(status), 1), Then::Ends(State::Refused), "{status}");
        }
        for status in [None, Some(302), Some(408), Some(425), Some(429), Some(500), Some(503)] {
            assert_eq!(then(status, 1), Then::Again(MINUTE), "{status:?}");
            assert_eq!(then(status, MOST), Then::Ends(State::Unknown), "{status:?}");
        }
        let whole: i64 = (1..MOST).map(pause).sum();
        assert!(whole < 3 * 24 * 60 * MINUTE && whole > 24 * 60 * MINUTE, "{whole}");
    }
}
