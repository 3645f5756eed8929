//! Settlement: what gateways report becomes call records, charges and ledger entries, all or nothing, and once only.
//!
//! A commit is one write transaction for any number of batches of any number of sessions. It takes the batches out of the
//! journal, so that whoever comes second finds nothing. Calls that began and have not ended yet are kept in `open_calls`:
//! after a crash each call is settled exactly, lies in the journal, or is known to be open; open calls of a dead gateway
//! are settled by the published rule (docs/billing.md).

mod charge;
mod ending;
mod model;
mod open_calls;
mod plan;
mod record;
pub(crate) mod store;

pub use ending::LostReport;
pub use model::{
    BegunCall, CommitReport, Difference, DifferenceReason, EndedCall, FailedAttempt, SessionBatch, is_charged,
};

use crate::error::Halt;
use crate::journal::store as journal;
use crate::postings::{LedgerAccountKind, PurseIds, store as books};
use crate::{Ledger, LedgerError, aside};
use plan::{Memory, Pending};
use record::{Recorded, record};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tacit_kernel::ids::{AccountId, EventId, LedgerAccountId, PriceId, SessionId};
use tacit_kernel::rating::Price;
use tacit_storage::WriteTx;
use tokio::sync::Mutex;

/// How often a commit is planned anew when others settle the same batches.
const ROUNDS: u32 = 5;

/// Settles what lies in the journal. One in each control plane; commits follow one another.
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

/// The batches of a commit, by their sessions and in order.
type Batches<'b> = BTreeMap<SessionId, Vec<&'b SessionBatch>>;

impl Settler {
    /// A settler that remembers nothing yet.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger, state: Mutex::new(State::default()) }
    }

    /// Settles batches that lie in the journal: charges the calls that ended in them, and takes them out of it. Batches
    /// that do not lie there any more were settled before and are passed over. Nothing at all is taken if this fails, and
    /// it can be called again with the same batches.
    ///
    /// `price_of` must know every price of [`SessionBatch::prices`]; a call whose price it does not know is free, and
    /// reported.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; [`LedgerError::Raced`] if another control plane settles the same batches.
    pub async fn commit(
        &self,
        batches: &[SessionBatch],
        price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    ) -> Result<CommitReport, LedgerError> {
        let mut state = self.state.lock().await;
        let mut batches = plan::by_session(batches);
        let mut careful = false;
        for _ in 0..ROUNDS {
            if batches.is_empty() {
                return Ok(CommitReport::default());
            }
            self.remember(&mut state, &batches).await?;
            let plan = plan::plan(&batches, &state.sessions, price_of)?;
            let revenue = self.revenue(&mut state).await?;
            let (advances, pending, aside, purses) = (&plan.advances, &plan.calls, &plan.aside, &state.purses);
            let now = self.ledger.clock.now();
            let settle = async |tx: &mut WriteTx<'_>| {
                store::advance(tx, advances, now).await?;
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
                    return Ok(CommitReport {
                        calls: recorded.calls.len() as u64,
                        amount: recorded.amount,
                        differences: recorded.differences,
                        aside: plan.aside.into_iter().map(|(_, event)| event).collect(),
                    });
                }
                Err(Halt::Stale) => self.reduce(&mut state, &mut batches).await?,
                Err(Halt::Known) => careful = true,
                // Another control plane was in the way longer than the database layer waits.
                Err(Halt::Failed(error)) if tacit_storage::Retryable::is_retryable(&error) => {}
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
        Err(LedgerError::Raced)
    }

    /// Leaves of these batches those that lie in the journal, and forgets their sessions: another control plane has
    /// settled something of them.
    async fn reduce(&self, state: &mut State, batches: &mut Batches<'_>) -> Result<(), LedgerError> {
        for (session, own) in batches.iter_mut() {
            let session = *session;
            state.sessions.remove(&session);
            let (Some(first), Some(last)) = (own.first(), own.last()) else { continue };
            let ends = (first.batch, last.batch);
            let read = self.ledger.db.read("journal.between", |tx| Box::pin(journal::rows_between(tx, session, ends)));
            let left: HashSet<u64> = read.await?.into_iter().collect();
            own.retain(|batch| left.contains(&batch.batch));
        }
        batches.retain(|_, own| !own.is_empty());
        Ok(())
    }

    /// Records calls that ended in a batch, which stays in the journal: what of it is not refused, when the batch is.
    /// Calls that are recorded already are passed over, now and when the batch is committed; so are all of a batch that
    /// does not lie there any more.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; nothing was taken then.
    pub async fn record_ended(
        &self,
        (session, batch): (SessionId, u64),
        calls: &[EndedCall],
        price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    ) -> Result<CommitReport, LedgerError> {
        self.record_apart("ledger.record_ended", session, calls, Apart::Batch(batch), price_of).await
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
        self.record_apart("ledger.settle_aside", session, std::slice::from_ref(call), Apart::Aside(id), price_of).await
    }

    async fn record_apart(
        &self,
        name: &'static str,
        session: SessionId,
        calls: &[EndedCall],
        of: Apart,
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
            match of {
                Apart::Aside(id) => aside::resolve(tx, id, now).await?,
                Apart::Batch(batch) => {
                    if journal::rows_between(tx, session, (batch, batch)).await?.is_empty() {
                        return Err(Halt::Stale);
                    }
                }
            }
            record(tx, &pending, purses, revenue, true, now).await
        };
        let (settle, _one) = (&settle, self.ledger.one.lock().await);
        let Recorded { calls, amount, differences, .. } =
            match self.ledger.db.write(name, |tx| Box::pin(settle(tx))).await {
                // Settled since.
                Err(Halt::Stale) => Recorded::default(),
                recorded => recorded?,
            };
        Ok(CommitReport { calls: calls.len() as u64, amount, differences, aside: Vec::new() })
    }

    /// Reads what is not remembered of these sessions, or may have changed since.
    async fn remember(&self, state: &mut State, batches: &Batches<'_>) -> Result<(), LedgerError> {
        for (session, own) in batches {
            let session = *session;
            let follows = |memory: &Memory| {
                let next = memory.settled.and_then(|last| last.checked_add(1));
                own.first().is_some_and(|batch| next == Some(batch.batch))
            };
            if !state.sessions.get(&session).is_some_and(follows) {
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
}

/// What calls belong to that are recorded by themselves.
#[derive(Clone, Copy)]
enum Apart {
    Batch(u64),
    Aside(EventId),
}

impl Ledger {
    async fn revenue(&self) -> Result<LedgerAccountId, LedgerError> {
        let now = self.clock.now();
        let kind = LedgerAccountKind::Revenue;
        self.db.write("ledger.revenue", |tx| Box::pin(books::platform_account(tx, kind, now))).await
    }
}
