//! The end of a session: what it still has open is settled, and what it held goes back. Nothing of it may lie in the
//! journal then: a call whose end lies there is not lost.

use super::Settler;
use super::plan::{self, Pending};
use super::record::record;
use super::store;
use crate::LedgerError;
use crate::error::Halt;
use crate::journal::store as journal;
use crate::sessions::{self, SessionView};
use crate::settlement::Difference;
use std::collections::HashSet;
use std::sync::Arc;
use tacit_kernel::Nano;
use tacit_kernel::ids::{CallId, PriceId, SessionId};
use tacit_kernel::rating::Price;
use tacit_storage::WriteTx;

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

impl Settler {
    /// The price versions of a session's open calls: what [`Settler::settle_lost`] asks for.
    ///
    /// # Errors
    /// [`LedgerError::Storage`], [`LedgerError::Inconsistent`].
    pub async fn open_prices(&self, session: SessionId) -> Result<Vec<PriceId>, LedgerError> {
        let open = self.ledger.db.read("ledger.open_calls", |tx| Box::pin(store::open(tx, session))).await?;
        let prices: HashSet<PriceId> = open.into_iter().filter_map(|(_, call)| call.price).collect();
        Ok(prices.into_iter().collect())
    }

    /// Ends a session whose gateway is gone: its open calls are recorded as lost and charged by the published rule,
    /// what it held goes back. A session that has ended is left as it is.
    ///
    /// # Errors
    /// [`LedgerError::Unsettled`] if something of it lies in the journal, which is to be settled first;
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
            journal::must_be_settled(tx, session).await?;
            let open = store::open(tx, session).await?;
            let pending: Vec<Pending> = open.iter().map(|(_, call)| plan::lost(session, call, now, price_of)).collect();
            let recorded = record(tx, &pending, purses, revenue, true, now).await?;
            let released = store::release(tx, session, now).await?;
            store::open_drop(tx, session).await?;
            Ok::<_, Halt>(Some(LostReport {
                lost: recorded.calls,
                amount: recorded.amount,
                released,
                differences: recorded.differences,
            }))
        };
        let (settle, _one) = (&settle, self.ledger.one.lock().await);
        Ok(self.ledger.db.write("ledger.settle_lost", |tx| Box::pin(settle(tx))).await?)
    }

    /// Ends a session cleanly: nothing is open any more, and what it held goes back. A session that has ended is left
    /// as it is.
    ///
    /// # Errors
    /// [`LedgerError::CallsOpen`] if calls are open after all: then [`Settler::settle_lost`] is the way;
    /// [`LedgerError::Unsettled`] as there; [`LedgerError::SessionUnknown`], [`LedgerError::Storage`].
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
            journal::must_be_settled(tx, session).await?;
            if !store::open(tx, session).await?.is_empty() {
                return Err(LedgerError::CallsOpen);
            }
            let released = store::release(tx, session, now).await?;
            store::open_drop(tx, session).await?;
            Ok(released)
        };
        let (close, _one) = (&close, self.ledger.one.lock().await);
        let released = self.ledger.db.write("session.close", |tx| Box::pin(close(tx))).await?;
        state.sessions.remove(&session);
        Ok(released)
    }
}
