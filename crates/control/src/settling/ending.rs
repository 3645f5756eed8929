//! The ends of sessions, after everything that they reported.

use super::{Stage, log_differences};
use crate::{Shared, status};
use std::collections::HashMap;
use std::sync::Arc;
use tacit_kernel::ids::{PriceId, SessionId};
use tacit_kernel::rating::Price;
use tacit_ledger::LedgerError;
use tacit_ledger::sessions::SessionView;
use tacit_ledger::settlement::LostReport;
use tonic::Status;

/// How often an end is tried when something of the session lies in the journal.
const ROUNDS: u32 = 3;

/// How a session ends.
pub(crate) enum End {
    /// Its gateway is gone.
    Lost(SessionId),
    /// The same, unless something was heard of it since.
    Away(SessionView),
    /// Its gateway says so.
    Close(SessionId),
}

impl End {
    const fn session(&self) -> SessionId {
        match self {
            Self::Lost(session) | Self::Close(session) => *session,
            Self::Away(view) => view.id,
        }
    }
}

impl Stage<'_> {
    /// Ends a session. What lies in its journal, written by whomever, is settled first.
    pub(super) async fn end(&mut self, end: &End) -> Result<(), Status> {
        let mut rounds = 1..ROUNDS;
        loop {
            match self.try_end(end).await? {
                Err(LedgerError::Unsettled) if rounds.next().is_some() => self.adopt(end.session()).await?,
                done => return done.map_err(status::of_ledger),
            }
        }
    }

    async fn try_end(&self, end: &End) -> Result<Result<(), LedgerError>, Status> {
        let ended = match end {
            End::Close(session) => match self.settler.session_close(*session).await {
                Err(LedgerError::CallsOpen) => self.lost(*session, None).await?,
                Ok(_) => {
                    tracing::info!(event = "session.closed", session.id = %session, "a gateway has closed its session");
                    Ok(())
                }
                Err(error) => Err(error),
            },
            End::Lost(session) => self.lost(*session, None).await?,
            End::Away(view) => self.lost(view.id, Some(view)).await?,
        };
        Ok(ended)
    }

    async fn lost(
        &self,
        session: SessionId,
        looked_at: Option<&SessionView>,
    ) -> Result<Result<(), LedgerError>, Status> {
        let prices = self.open_prices(session).await?;
        let price_of = |id| prices.get(&id).cloned();
        let report = match looked_at {
            None => self.settler.settle_lost(session, &price_of).await.map(Some),
            Some(view) => self.settler.settle_away(view, &price_of).await,
        };
        Ok(report.map(|report| {
            if let Some(report) = report {
                told(self.shared, session, &report);
            }
        }))
    }

    async fn open_prices(&self, session: SessionId) -> Result<HashMap<PriceId, Arc<Price>>, Status> {
        let prices = self.settler.open_prices(session).await.map_err(status::of_ledger)?;
        self.shared.prices.of(prices).await.map_err(status::of_fault)
    }
}

fn told(shared: &Shared, session: SessionId, report: &LostReport) {
    log_differences(&shared.metrics, &report.differences);
    shared.metrics.sessions_lost.inc();
    let count = report.lost.len();
    tracing::warn!(event = "session.settled_lost", session.id = %session, count, "a lost session is settled");
}
