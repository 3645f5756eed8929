//! Call records: what was called, when, and what it cost. Never what was said.

mod model;
pub(crate) mod store;

pub use model::{Attempt, CallFilter, CallRecord, explain};

use crate::{Ledger, LedgerError};
use tacit_kernel::ids::{CallId, ChannelId};
use tacit_storage::{Page, Paged};

impl Ledger {
    /// Calls newest first. `page.after` is the id of the last call seen.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn call_list(&self, filter: &CallFilter, page: Page) -> Result<Paged<CallRecord>, LedgerError> {
        self.db.read("call.list", |tx| Box::pin(store::call_list(tx, filter, page))).await
    }

    /// One call.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn call(&self, id: CallId) -> Result<Option<CallRecord>, LedgerError> {
        self.db.read("call.show", |tx| Box::pin(store::call_by_id(tx, id))).await
    }

    /// Whether a record that is kept tells of a call, or an attempt at one, over that channel. It may go through all of them, so
    /// it is no part of a transaction that changes something.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn channel_was_called(&self, channel: ChannelId) -> Result<bool, LedgerError> {
        self.db.read("call.of_channel", |tx| Box::pin(store::channel_was_called(tx, channel))).await
    }

    /// Every attempt of a call at a provider, in order.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn call_attempts(&self, call: &CallRecord) -> Result<Vec<Attempt>, LedgerError> {
        let id = call.id;
        let failed = self.db.read("call.attempts", |tx| Box::pin(store::call_attempts(tx, id))).await?;
        Ok(model::attempts(call, &failed))
    }
}
