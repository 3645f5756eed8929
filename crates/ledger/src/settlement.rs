//! Settlement: what gateways report becomes call records, charges and ledger entries, all or nothing, and once only.
//!
//! A commit is one write transaction for any number of batches of any number of sessions. Calls that began and have not
//! ended yet are kept in a journal (`open_calls`), so that after a crash each call is either settled exactly or known
//! to be open; open calls of a dead gateway are settled by the published rule (docs/billing.md).

mod charge;
pub(crate) mod journal;
mod model;
mod plan;
pub(crate) mod store;

pub use model::{
    BatchState, BegunCall, CommitReport, Difference, DifferenceReason, EndedCall, FailedAttempt, SessionBatch,
    SessionOutcome, is_charged,
};

use crate::postings::{LedgerAccountKind, PurseIds, store as books};
use crate::sessions::SessionView;
use crate::{Ledger, LedgerError, aside, calls, sessions};
use plan::{Memory, Pending};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tacit_kernel::ids::{AccountId, CallId, EventId, LedgerAccountId, PriceId, SessionId};
use tacit_kernel::rating::Price;
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{Retryable, StorageError, WriteTx};
use tokio::sync::Mutex;

/// Settles what gateways report. One in each control plane; commits follow one another.
pub struct Settler {
    ledger: Ledger,
    state: Mutex<State>,
}

/// What is remembered between commits; all of it can be read again from the database.
#[derive(Default)]
struct State {
    sessions: HashMap<SessionId, Memory>,
    purses: HashMap<AccountId, PurseIds>,
    revenue: Option<LedgerAccountId>,
}

/// How the end of a dead session was settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostReport {
    /// Calls that were open, now recorded as lost.
    pub lost: Vec<CallId>,
    /// What they cost together.
    pub amount: Nano,
    /// What went back from the session's leases.
    pub released: Nano,
    /// Calls that could not be charged by the rule.
    pub differences: Vec<Difference>,
}

/// Why a transaction was given up.
enum Halt {
    /// A session is not where it was remembered.
    Stale,
    /// Some of the calls are recorded already.
    Known,
    Failed(LedgerError),
}

impl From<StorageError> for Halt {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Failed(error)
    }
}

impl Retryable for Halt {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_retryable())
    }
}

/// What was recorded.
#[derive(Default)]
struct Recorded {
    calls: Vec<CallId>,
    amount: Nano,
    differences: Vec<Difference>,
    purses: HashMap<AccountId, PurseIds>,
}

impl Settler {
    /// A settler that remembers nothing yet.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger, state: Mutex::new(State::default()) }
    }

    /// Makes batches durable and charges the calls that ended in them. Batches that are durable already are passed
    /// over; a batch after a gap is not taken. Nothing at all is taken if this fails, and it can be called again with
    /// the same batches.
    ///
    /// `price_of` must know every price of [`SessionBatch::prices`]; a call whose price it does not know is free, and
    /// reported.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; [`LedgerError::Raced`] if another control plane settles the same sessions.
    pub async fn commit(
        &self,
        batches: &[SessionBatch],
        price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    ) -> Result<CommitReport, LedgerError> {
        let mut state = self.state.lock().await;
        let (mut careful, mut checked) = (false, HashSet::new());
        for _ in 0..5 {
            self.remember(&mut state, batches).await?;
            let plan = plan::plan(batches, &state.sessions, price_of)?;
            // What looks like a gap may have been settled by another control plane since.
            let mut gap =
                |outcome: &SessionOutcome| outcome.state == BatchState::Gap && checked.insert(outcome.session);
            let doubtful: Vec<SessionOutcome> = plan.outcomes.iter().copied().filter(|outcome| gap(outcome)).collect();
            if !doubtful.is_empty() {
                state.sessions.retain(|session, _| doubtful.iter().all(|outcome| outcome.session != *session));
                continue;
            }
            let mut report = CommitReport { sessions: plan.outcomes, ..CommitReport::default() };
            if plan.advances.is_empty() {
                return Ok(report);
            }
            let revenue = self.revenue(&mut state).await?;
            let (advances, pending, aside, purses) = (&plan.advances, &plan.calls, &plan.aside, &state.purses);
            let now = self.ledger.clock.now();
            let settle = async |tx: &mut WriteTx<'_>| {
                store::advance(tx, advances, now).await.map_err(|error| match error {
                    LedgerError::Raced => Halt::Stale,
                    other => Halt::Failed(other),
                })?;
                aside::insert(tx, aside, now).await?;
                record(tx, pending, purses, revenue, careful, now).await
            };
            let settle = &settle;
            let one = self.ledger.one.lock().await;
            let settled = self.ledger.db.write("ledger.settle", |tx| Box::pin(settle(tx))).await;
            drop(one);
            match settled {
                Ok(recorded) => {
                    for advance in &plan.advances {
                        if let Some(memory) = state.sessions.get_mut(&advance.session) {
                            memory.follow(advance);
                        }
                    }
                    state.purses.extend(recorded.purses);
                    report.calls = recorded.calls.len() as u64;
                    report.amount = recorded.amount;
                    report.differences = recorded.differences;
                    report.aside = plan.aside.into_iter().map(|(_, event)| event).collect();
                    return Ok(report);
                }
                Err(Halt::Stale) => {
                    for advance in &plan.advances {
                        state.sessions.remove(&advance.session);
                    }
                }
                Err(Halt::Known) => careful = true,
                // Another control plane was in the way longer than the database layer waits.
                Err(Halt::Failed(error)) if error.is_retryable() => {}
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
        Err(LedgerError::Raced)
    }

    /// Records calls of a session that ended, without moving the session on: what of a batch is not refused, when the
    /// batch is. Calls that are recorded already are passed over, now and when the batch is committed.
    ///
    /// # Errors
    /// [`LedgerError::SessionUnknown`], [`LedgerError::SessionEnded`], [`LedgerError::Storage`]; nothing was taken then.
    pub async fn record_ended(
        &self,
        session: SessionId,
        calls: &[EndedCall],
        price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    ) -> Result<CommitReport, LedgerError> {
        self.record_apart("ledger.record_ended", session, calls, None, price_of).await
    }

    /// Settles a call whose end was set aside: out of the lease if its session still has one, else out of the wallet.
    /// If it is recorded already, it is not charged again.
    ///
    /// # Errors
    /// [`LedgerError::AsideUnknown`] if it does not wait any more; [`LedgerError::Storage`], and it goes on to wait.
    pub async fn settle_aside(
        &self,
        id: EventId,
        session: SessionId,
        call: &EndedCall,
        price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    ) -> Result<CommitReport, LedgerError> {
        self.record_apart("ledger.settle_aside", session, std::slice::from_ref(call), Some(id), price_of).await
    }

    async fn record_apart(
        &self,
        name: &'static str,
        session: SessionId,
        calls: &[EndedCall],
        aside: Option<EventId>,
        price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    ) -> Result<CommitReport, LedgerError> {
        let mut state = self.state.lock().await;
        let revenue = self.revenue(&mut state).await?;
        let purses = &state.purses;
        let mut once = HashSet::new();
        let calls = calls.iter().filter(|call| once.insert(call.begun.call));
        let pending: Vec<Pending> = calls.map(|call| plan::pending(session, call, price_of)).collect();
        let now = self.ledger.clock.now();
        let settle = async |tx: &mut WriteTx<'_>| {
            match aside {
                Some(id) => aside::resolve(tx, id, now).await?,
                None => sessions::session_must_be_open(tx, session).await?,
            }
            record(tx, &pending, purses, revenue, true, now).await
        };
        let (settle, _one) = (&settle, self.ledger.one.lock().await);
        let recorded = self.ledger.db.write(name, |tx| Box::pin(settle(tx))).await.map_err(|halt| match halt {
            Halt::Failed(error) => error,
            Halt::Stale | Halt::Known => LedgerError::Raced,
        })?;
        let Recorded { calls, amount, differences, .. } = recorded;
        Ok(CommitReport { calls: calls.len() as u64, amount, differences, ..CommitReport::default() })
    }

    /// Reads what is not remembered of the sessions of these batches. Sessions that ended are always read again.
    async fn remember(&self, state: &mut State, batches: &[SessionBatch]) -> Result<(), LedgerError> {
        for session in plan::sessions_of(batches) {
            if state.sessions.get(&session).is_none_or(|memory| memory.ended) {
                let memory = self.ledger.db.read("ledger.remember", |tx| Box::pin(store::memory(tx, session))).await?;
                state.sessions.insert(session, memory);
            }
        }
        Ok(())
    }

    async fn revenue(&self, state: &mut State) -> Result<LedgerAccountId, LedgerError> {
        if let Some(id) = state.revenue {
            return Ok(id);
        }
        let id = self.ledger.revenue().await?;
        state.revenue = Some(id);
        Ok(id)
    }

    /// The price versions of a session's open calls: what [`Settler::settle_lost`] asks for.
    ///
    /// # Errors
    /// [`LedgerError::Storage`], [`LedgerError::Inconsistent`].
    pub async fn open_prices(&self, session: SessionId) -> Result<Vec<PriceId>, LedgerError> {
        let open = self.ledger.db.read("ledger.open_calls", |tx| Box::pin(store::open_calls(tx, session))).await?;
        let prices: HashSet<PriceId> = open.into_iter().filter_map(|(_, call)| call.price).collect();
        Ok(prices.into_iter().collect())
    }

    /// Ends a session whose gateway is gone: its open calls are recorded as lost and charged by the published rule,
    /// what it held goes back. A session that has ended is left as it is.
    ///
    /// # Errors
    /// [`LedgerError::SessionUnknown`], [`LedgerError::Inconsistent`], [`LedgerError::Storage`].
    pub async fn settle_lost(
        &self,
        session: SessionId,
        price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    ) -> Result<LostReport, LedgerError> {
        self.settle_dead(session, None, price_of).await.map(Option::unwrap_or_default)
    }

    /// Ends a session as [`Self::settle_lost`] does, unless something was heard of it since it was looked at, or it has
    /// ended: then it is left as it is, and there is no report.
    ///
    /// # Errors
    /// As [`Self::settle_lost`].
    pub async fn settle_away(
        &self,
        looked_at: &SessionView,
        price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    ) -> Result<Option<LostReport>, LedgerError> {
        self.settle_dead(looked_at.id, Some(looked_at), price_of).await
    }

    async fn settle_dead(
        &self,
        session: SessionId,
        looked_at: Option<&SessionView>,
        price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    ) -> Result<Option<LostReport>, LedgerError> {
        let mut state = self.state.lock().await;
        state.sessions.remove(&session);
        let revenue = self.revenue(&mut state).await?;
        let purses = &state.purses;
        let now = self.ledger.clock.now();
        let settle = async |tx: &mut WriteTx<'_>| {
            let Some(view) = sessions::session_by_id(tx, session).await? else {
                return Err(LedgerError::SessionUnknown.into());
            };
            if looked_at.is_some_and(|looked_at| !looked_at.is_as(&view)) {
                return Ok(None);
            }
            if !sessions::session_end(tx, session, now).await? {
                return Ok(Some(LostReport::default()));
            }
            let open = store::open_calls(tx, session).await?;
            let pending: Vec<Pending> = open.iter().map(|(_, call)| plan::lost(session, call, now, price_of)).collect();
            let recorded = record(tx, &pending, purses, revenue, true, now).await?;
            let released = store::release(tx, session, now).await?;
            store::journal_drop(tx, session).await?;
            Ok::<_, Halt>(Some(LostReport {
                lost: recorded.calls,
                amount: recorded.amount,
                released,
                differences: recorded.differences,
            }))
        };
        let (settle, _one) = (&settle, self.ledger.one.lock().await);
        self.ledger.db.write("ledger.settle_lost", |tx| Box::pin(settle(tx))).await.map_err(|halt| match halt {
            Halt::Failed(error) => error,
            Halt::Stale | Halt::Known => LedgerError::Raced,
        })
    }

    /// Ends a session cleanly: nothing is open any more, and what it held goes back. A session that has ended is left
    /// as it is.
    ///
    /// # Errors
    /// [`LedgerError::CallsOpen`] if calls are open after all: then [`Settler::settle_lost`] is the way;
    /// [`LedgerError::SessionUnknown`], [`LedgerError::Storage`].
    pub async fn session_close(&self, session: SessionId) -> Result<Nano, LedgerError> {
        let mut state = self.state.lock().await;
        let now = self.ledger.clock.now();
        let close = async |tx: &mut WriteTx<'_>| {
            if !sessions::session_end(tx, session, now).await? {
                return match sessions::session_by_id(tx, session).await? {
                    Some(_) => Ok(Nano::ZERO),
                    None => Err(LedgerError::SessionUnknown),
                };
            }
            if !store::open_calls(tx, session).await?.is_empty() {
                return Err(LedgerError::CallsOpen);
            }
            let released = store::release(tx, session, now).await?;
            store::journal_drop(tx, session).await?;
            Ok(released)
        };
        let (close, _one) = (&close, self.ledger.one.lock().await);
        let released = self.ledger.db.write("session.close", |tx| Box::pin(close(tx))).await?;
        state.sessions.remove(&session);
        Ok(released)
    }
}

impl Ledger {
    async fn revenue(&self) -> Result<LedgerAccountId, LedgerError> {
        let now = self.clock.now();
        let kind = LedgerAccountKind::Revenue;
        self.db.write("ledger.revenue", |tx| Box::pin(books::platform_account(tx, kind, now))).await
    }
}

/// Records calls and charges them, within a transaction. Unless `careful`, none of them may be recorded yet.
async fn record(
    tx: &mut WriteTx<'_>,
    pending: &[Pending],
    known_purses: &HashMap<AccountId, PurseIds>,
    revenue: LedgerAccountId,
    careful: bool,
    now: Timestamp,
) -> Result<Recorded, Halt> {
    let already =
        if careful { store::calls_known(tx, pending.iter().map(|call| call.record.id)).await? } else { HashSet::new() };
    let fresh: Vec<&Pending> = pending.iter().filter(|call| !already.contains(&call.record.id)).collect();

    let leases = store::leases(tx, fresh.iter().copied()).await?;
    let mut pots = HashMap::new();
    let mut uncovered: Vec<AccountId> = charge::uncovered(fresh.iter().copied(), &leases).into_iter().collect();
    uncovered.sort();
    for account in uncovered {
        if let Some(purse) = books::purse_read(tx, account).await? {
            pots.insert(account, (purse.gift, purse.wallet));
        }
    }
    let charges = charge::charge(fresh.iter().copied(), leases, pots);

    let unknown: Vec<AccountId> =
        charges.postings.keys().filter(|account| !known_purses.contains_key(account)).copied().collect();
    let found = store::purse_ids(tx, unknown.into_iter()).await?;
    let mut purses: HashMap<AccountId, PurseIds> = found.clone();
    for account in charges.postings.keys() {
        if let Some(ids) = known_purses.get(account) {
            purses.insert(*account, *ids);
        }
    }

    let mut recorded = Recorded { purses: found, ..Recorded::default() };
    for (call, paid) in fresh.iter().zip(&charges.paid) {
        recorded.calls.push(call.record.id);
        recorded.amount = recorded.amount.saturating_add(paid.amount);
        if let Some(reason) = plan::difference(call, paid.amount) {
            let (call, said) = (call.record.id, call.said);
            recorded.differences.push(Difference { call, said, charged: paid.amount, reason });
        }
    }
    let rows = fresh.iter().copied().zip(charges.paid.iter());
    let written = calls::store::insert(
        tx,
        rows.clone().map(|(call, paid)| (&call.record, paid.amount, paid.capped, paid.settlement)),
    )
    .await?;
    if written != fresh.len() as u64 {
        return Err(Halt::Known);
    }
    calls::store::attempts_insert(tx, fresh.iter().map(|call| (call.record.id, call.failed.as_slice()))).await?;
    store::usage_add(tx, rows.map(|(call, paid)| (call, paid.amount))).await?;
    store::pay(tx, &charges, &purses, revenue, now).await?;
    Ok(recorded)
}
