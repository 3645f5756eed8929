//! What a commit has to do, worked out before its transaction begins, from the batches and from what this control
//! plane remembers of the sessions' open calls.

use super::model::{
    BegunCall, DifferenceReason, Due, EndedCall, FailedAttempt, SessionBatch, bounded, due, due_of_lost,
};
use super::open_calls;
use crate::LedgerError;
use crate::aside::SetAside;
use crate::calls::CallRecord;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tacit_kernel::call::{AgentFamily, CallEvent, CallStatus, UsageSource};
use tacit_kernel::ids::{CallId, PriceId, SessionId};
use tacit_kernel::rating::{Price, Usage};
use tacit_kernel::{Nano, Timestamp};

/// What is remembered of a session between commits: the same as its rows in `open_calls`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The last batch that was settled here since this was read. If the next is not the one after it, another control
    /// plane may have settled what lies between.
    pub(crate) settled: Option<u64>,
    pub(crate) ended: bool,
    /// Open calls and the row each is in.
    pub(crate) open: HashMap<CallId, u64>,
    /// How many open calls each row holds.
    pub(crate) rows: HashMap<u64, usize>,
}

impl Memory {
    /// Remembers calls of a row.
    pub(crate) fn add(&mut self, row: u64, calls: impl IntoIterator<Item = CallId>) {
        for call in calls {
            if self.open.insert(call, row).is_none() {
                *self.rows.entry(row).or_default() += 1;
            }
        }
    }

    /// Follows what was settled.
    pub(crate) fn follow(&mut self, advance: &Advance) {
        self.settled = Some(advance.last);
        for call in &advance.closed {
            if let Some(left) = self.open.remove(call).and_then(|row| self.rows.get_mut(&row)) {
                *left = left.saturating_sub(1);
            }
        }
        for row in &advance.finished {
            self.rows.remove(row);
        }
        self.add(advance.last, advance.opened.iter().copied());
    }

    /// Rows that hold nothing but these calls.
    fn finished_by(&self, closed: &[CallId]) -> Vec<u64> {
        let mut gone: HashMap<u64, usize> = HashMap::new();
        for row in closed.iter().filter_map(|call| self.open.get(call)) {
            *gone.entry(*row).or_default() += 1;
        }
        gone.into_iter().filter(|(row, count)| self.rows.get(row) == Some(count)).map(|(row, _)| row).collect()
    }
}

/// A call about to be recorded. `record.amount`, `capped` and `settlement` are decided in the transaction.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) record: CallRecord,
    pub(crate) due: Due,
    pub(crate) said: Nano,
    pub(crate) failed: Vec<FailedAttempt>,
}

/// What is settled of a session, and what becomes of its open calls.
#[derive(Debug)]
pub(crate) struct Advance {
    pub(crate) session: SessionId,
    /// The batches, as runs of numbers without gaps: what is taken out of the journal.
    pub(crate) runs: Vec<(u64, u64)>,
    /// The number of the last of them.
    pub(crate) last: u64,
    /// The row of open calls to write, under that number: calls that began and are still open.
    pub(crate) open: Option<Vec<u8>>,
    /// The calls in it.
    pub(crate) opened: Vec<CallId>,
    /// Calls of earlier rows that ended.
    pub(crate) closed: Vec<CallId>,
    /// Rows whose calls have all ended.
    pub(crate) finished: Vec<u64>,
}

/// All that a commit has to do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) advances: Vec<Advance>,
    pub(crate) calls: Vec<Pending>,
    pub(crate) aside: Vec<(SessionId, SetAside)>,
}

/// The batches of each session, in the order of their numbers.
pub(crate) fn by_session(batches: &[SessionBatch]) -> BTreeMap<SessionId, Vec<&SessionBatch>> {
    let mut sessions: BTreeMap<SessionId, Vec<&SessionBatch>> = BTreeMap::new();
    for batch in batches {
        sessions.entry(batch.session).or_default().push(batch);
    }
    for own in sessions.values_mut() {
        own.sort_by_key(|batch| batch.batch);
        own.dedup_by_key(|batch| batch.batch);
    }
    sessions
}

fn runs(batches: &[&SessionBatch]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for batch in batches {
        match runs.last_mut() {
            Some((_, last)) if last.saturating_add(1) == batch.batch => *last = batch.batch,
            _ => runs.push((batch.batch, batch.batch)),
        }
    }
    runs
}

/// Works out a commit. `memory` holds every session of these batches.
pub(crate) fn plan(
    batches: &BTreeMap<SessionId, Vec<&SessionBatch>>,
    memory: &HashMap<SessionId, Memory>,
    price_of: &impl Fn(PriceId) -> Option<Arc<Price>>,
) -> Result<Plan, LedgerError> {
    let mut plan = Plan::default();
    let mut recorded = HashSet::new();
    for (session, taken) in batches {
        let session = *session;
        let (Some(known), Some(last)) = (memory.get(&session), taken.last()) else { continue };
        // A call whose end is set aside is not open any more either.
        let aside = taken.iter().flat_map(|b| &b.aside);
        let gone = aside.clone().filter(|event| event.event == CallEvent::Ended).filter_map(|event| event.call);
        let ended: HashSet<CallId> =
            taken.iter().flat_map(|b| &b.ended).map(|call| call.begun.call).chain(gone).collect();
        plan.aside.extend(aside.map(|event| (session, event.clone())));
        // Where the session has ended, which a program that does not know the journal may have done, nothing is open.
        let open: Vec<&BegunCall> = taken
            .iter()
            .flat_map(|b| &b.begun)
            .filter(|call| !known.ended && !ended.contains(&call.call) && !known.open.contains_key(&call.call))
            .collect();
        let opened = open.iter().map(|call| call.call).collect();
        let open = if open.is_empty() { None } else { Some(open_calls::encode(open.into_iter())?) };
        for call in taken.iter().flat_map(|b| &b.ended) {
            if recorded.insert(call.begun.call) {
                plan.calls.push(pending(session, call, price_of));
            }
        }
        let closed: Vec<CallId> = ended.into_iter().filter(|call| known.open.contains_key(call)).collect();
        let finished = known.finished_by(&closed);
        plan.advances.push(Advance { session, runs: runs(taken), last: last.batch, open, opened, closed, finished });
    }
    Ok(plan)
}

pub(crate) fn pending(
    session: SessionId,
    call: &EndedCall,
    price_of: &impl Fn(PriceId) -> Option<Arc<Price>>,
) -> Pending {
    let usage = bounded(&call.usage);
    let price = call.begun.price.and_then(price_of);
    let mut record = record(session, &call.begun, usage);
    record.attempts = call.tried;
    record.status = call.status;
    record.error = call.error;
    record.http_status = call.http_status;
    record.usage_source = call.usage_source;
    record.first_byte_micros = call.first_byte_micros;
    record.duration_micros = call.duration_micros;
    record.concurrency = call.concurrency;
    record.risk_marks = call.risk_marks;
    record.agent = call.agent;
    record.ip_sealed.clone_from(&call.sealed_ip);
    record.user_agent_sealed.clone_from(&call.sealed_user_agent);
    Pending { due: due(call, &usage, price.as_deref()), record, said: call.amount, failed: call.failed.clone() }
}

/// A call that was open when its gateway died, by the published rule.
pub(crate) fn lost(
    session: SessionId,
    call: &BegunCall,
    now: Timestamp,
    price_of: &impl Fn(PriceId) -> Option<Arc<Price>>,
) -> Pending {
    let usage = bounded(&Usage { input: call.input_estimate, ..Usage::default() });
    let price = call.price.and_then(price_of);
    let due = due_of_lost(call, &usage, price.as_deref());
    let mut record = record(session, call, usage);
    record.duration_micros = u64::try_from(now.micros_since(call.started_at)).unwrap_or(0);
    Pending { record, due, said: due.amount, failed: Vec::new() }
}

/// The part that a begun call already tells; the rest as of a lost one.
fn record(session: SessionId, call: &BegunCall, usage: Usage) -> CallRecord {
    CallRecord {
        id: call.call,
        account: call.account,
        key: call.key,
        session,
        started_at: call.started_at,
        endpoint: call.endpoint,
        stream: call.stream,
        source: call.source,
        model_id: call.model,
        model: call.model_name.clone(),
        group: call.group,
        group_multiplier: call.group_multiplier,
        channel: call.channel,
        provider: call.provider,
        channel_multiplier: call.channel_multiplier,
        credential: call.credential,
        // Of a lost call it is known that it reached its first channel, and no more.
        attempts: u32::from(call.channel.is_some()),
        price: call.price,
        status: CallStatus::Lost,
        error: None,
        http_status: 0,
        usage,
        usage_source: UsageSource::Estimate,
        amount: Nano::ZERO,
        capped: false,
        settlement: None,
        first_byte_micros: None,
        duration_micros: 0,
        concurrency: 0,
        risk_marks: 0,
        agent: AgentFamily::Other,
        ip_sealed: None,
        user_agent_sealed: None,
    }
}

/// Why a charge is not what was said, if so.
pub(crate) fn difference(pending: &Pending, charged: Nano) -> Option<DifferenceReason> {
    if charged < pending.due.amount { Some(DifferenceReason::Uncovered) } else { pending.due.reason }
}
