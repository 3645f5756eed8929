//! Double entry: every movement of money is a transaction whose entries sum to zero, and every balance is the sum of
//! its entries. Wallets, gifts and reserved money never go below zero.
//!
//! Signs: wallet, gift, reserved, revenue and refund grow with positive entries; clearing and promotion, where money
//! comes from, go negative.

mod model;
pub(crate) mod store;

pub use model::{EntryView, LedgerAccountKind, TransactionKind, TransactionView};
pub(crate) use model::{Purse, PurseIds};

use crate::{Ledger, LedgerError};
use tacit_kernel::ids::{AccountId, TransactionId};
use tacit_storage::{Page, Paged};

impl Ledger {
    /// Transactions with their entries, newest first. Of one account, only its own lines are shown; without an account,
    /// all lines of all transactions. `page.after` is the id of the last transaction seen.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn entries(&self, account: Option<AccountId>, page: Page) -> Result<Paged<TransactionView>, LedgerError> {
        self.db.read("ledger.entries", |tx| Box::pin(store::transaction_list(tx, account, page))).await
    }

    /// One transaction with all its entries.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn transaction(&self, id: TransactionId) -> Result<Option<TransactionView>, LedgerError> {
        self.db.read("ledger.transaction", |tx| Box::pin(store::transaction_by_id(tx, id))).await
    }
}
