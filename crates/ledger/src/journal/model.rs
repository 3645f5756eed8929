//! Batches, how far sessions have come, and what a write has to do.

use std::collections::{BTreeMap, HashMap, HashSet};
use tacit_kernel::ids::SessionId;

/// A batch of call events as its gateway sent it. Batches of a session count up from 1 without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalBatch {
    /// The session.
    pub session: SessionId,
    /// Number of the batch.
    pub batch: u64,
    /// The events, as the control plane can read them again: ids, numbers and seals.
    pub events: Vec<u8>,
}

/// What a write did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journaled {
    /// One line a session, in the order of their first batch.
    pub sessions: Vec<SessionOutcome>,
    /// For each batch, whether it became durable now. It did not if it was before, nor if it was not taken.
    pub written: Vec<bool>,
}

/// How far a session's batches are durable now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOutcome {
    /// The session.
    pub session: SessionId,
    /// This batch and all before it are durable.
    pub acknowledged: u64,
    /// What became of the batches handed in.
    pub state: BatchState,
}

/// What became of the batches of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// All are durable: now, or since before.
    Durable,
    /// A batch is missing before these; the gateway must send again from `acknowledged + 1`.
    Gap,
    /// The session has ended or is not known; nothing of it was taken.
    Ended,
}

/// What is remembered of a session between writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) acknowledged: u64,
    pub(crate) ended: bool,
}

/// A session that moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advance {
    pub(crate) session: SessionId,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// All that a write has to do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) journaled: Journaled,
    /// In the order of sessions, so that concurrent writes lock rows in one order.
    pub(crate) advances: Vec<Advance>,
}

/// The sessions of these batches, in the order of their first batch.
pub(crate) fn sessions_of(batches: &[JournalBatch]) -> Vec<SessionId> {
    let mut seen = HashSet::new();
    batches.iter().map(|batch| batch.session).filter(|session| seen.insert(*session)).collect()
}

/// Works out a write. `known` holds every session of [`sessions_of`].
pub(crate) fn plan(batches: &[JournalBatch], known: &HashMap<SessionId, Position>) -> Plan {
    let mut plan = Plan::default();
    plan.journaled.written = vec![false; batches.len()];
    // Of a batch that comes twice at once the first is taken.
    let mut by_number: BTreeMap<(SessionId, u64), usize> = BTreeMap::new();
    for (place, batch) in batches.iter().enumerate() {
        by_number.entry((batch.session, batch.batch)).or_insert(place);
    }
    for session in sessions_of(batches) {
        let Some(Position { acknowledged: from, ended }) = known.get(&session).copied() else { continue };
        let (mut to, mut state) = (from, BatchState::Durable);
        if ended {
            state = BatchState::Ended;
        } else {
            for ((_, number), place) in by_number.range((session, from.saturating_add(1))..=(session, u64::MAX)) {
                if *number != to.saturating_add(1) {
                    state = BatchState::Gap;
                    break;
                }
                to = *number;
                if let Some(written) = plan.journaled.written.get_mut(*place) {
                    *written = true;
                }
            }
        }
        plan.journaled.sessions.push(SessionOutcome { session, acknowledged: to, state });
        if to > from {
            plan.advances.push(Advance { session, from, to });
        }
    }
    plan.advances.sort_by_key(|advance| advance.session);
    plan
}
