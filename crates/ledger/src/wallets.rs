//! Money of a customer: what came in, what is left, what gateways hold of it.

use crate::postings::{LedgerAccountKind, Purse, TransactionKind, store};
use crate::{Ledger, LedgerError};
use serde::Serialize;
use tacit_kernel::ids::{AccountId, LedgerAccountId, TransactionId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::WriteTx;
use tacit_storage::changes::{self, Change};

/// The largest amount of one top-up, grant or adjustment, in nano: ten million units, so that no sum leaves its range.
pub const LARGEST: i64 = 10_000_000 * Nano::UNIT;

/// The balances of a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WalletView {
    /// Paid in and not used.
    pub wallet: Nano,
    /// Given and not used; used before the wallet.
    pub gift: Nano,
    /// Held by gateways for calls; comes back or becomes revenue.
    pub reserved: Nano,
}

impl Ledger {
    /// A customer paid `amount`. The same key with the same content is the same transaction.
    ///
    /// # Errors
    /// [`LedgerError::Amount`], [`LedgerError::KeyForm`], [`LedgerError::KeyReused`], [`LedgerError::Storage`].
    pub async fn top_up(&self, account: AccountId, amount: Nano, key: &str) -> Result<TransactionId, LedgerError> {
        self.movement(TransactionKind::TopUp, account, amount, key).await
    }

    /// A customer is given `amount`. The same key with the same content is the same transaction.
    ///
    /// # Errors
    /// As [`Ledger::top_up`].
    pub async fn grant(&self, account: AccountId, amount: Nano, key: &str) -> Result<TransactionId, LedgerError> {
        self.movement(TransactionKind::Grant, account, amount, key).await
    }

    /// A correction of the wallet by `amount`, up or down. The same key with the same content is the same transaction.
    ///
    /// # Errors
    /// As [`Ledger::top_up`], and [`LedgerError::Insufficient`] if the wallet does not hold what is taken.
    pub async fn adjust(&self, account: AccountId, amount: Nano, key: &str) -> Result<TransactionId, LedgerError> {
        self.movement(TransactionKind::Adjustment, account, amount, key).await
    }

    async fn movement(
        &self,
        kind: TransactionKind,
        account: AccountId,
        amount: Nano,
        key: &str,
    ) -> Result<TransactionId, LedgerError> {
        let now = self.clock.now();
        let _one = self.one.lock().await;
        self.db.write("ledger.movement", |tx| Box::pin(move_in_tx(tx, kind, account, amount, key, now))).await
    }

    /// [`Ledger::top_up`] as part of a transaction.
    ///
    /// # Errors
    /// As [`Ledger::top_up`].
    pub async fn top_up_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        amount: Nano,
        key: &str,
    ) -> Result<TransactionId, LedgerError> {
        move_in_tx(tx, TransactionKind::TopUp, account, amount, key, self.clock.now()).await
    }

    /// [`Ledger::grant`] as part of a transaction.
    ///
    /// # Errors
    /// As [`Ledger::top_up`].
    pub async fn grant_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        amount: Nano,
        key: &str,
    ) -> Result<TransactionId, LedgerError> {
        move_in_tx(tx, TransactionKind::Grant, account, amount, key, self.clock.now()).await
    }

    /// The balances of a customer; zero if nothing ever moved.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn wallet(&self, account: AccountId) -> Result<WalletView, LedgerError> {
        let purse = self.db.read("ledger.wallet", |tx| Box::pin(store::purse_read(tx, account))).await?;
        Ok(purse.map_or_else(WalletView::default, |p| WalletView {
            wallet: p.wallet,
            gift: p.gift,
            reserved: p.reserved,
        }))
    }
}

async fn move_in_tx(
    tx: &mut WriteTx<'_>,
    kind: TransactionKind,
    account: AccountId,
    amount: Nano,
    key: &str,
    now: Timestamp,
) -> Result<TransactionId, LedgerError> {
    if amount.0 == 0 || amount.0.unsigned_abs() > LARGEST.unsigned_abs() {
        return Err(LedgerError::Amount);
    }
    if kind != TransactionKind::Adjustment && amount.0 < 0 {
        return Err(LedgerError::Amount);
    }
    if key.is_empty() || key.len() > 200 {
        return Err(LedgerError::KeyForm);
    }
    let purse = store::purse_open(tx, account, now).await?;
    let entries = entries_of(tx, kind, &purse, amount, now).await?;
    if let Some(earlier) = store::transaction_by_key(tx, key).await? {
        let same = earlier.kind == kind
            && earlier.entries.iter().map(|e| (e.ledger_account, e.amount)).eq(entries.iter().copied());
        return if same { Ok(earlier.id) } else { Err(LedgerError::KeyReused) };
    }
    let id = store::post(tx, kind, Some(key), &entries, now).await?;
    // A gateway that was told the wallet is empty must ask again.
    changes::append(tx, &Change::Account(account), now).await?;
    Ok(id)
}

async fn entries_of(
    tx: &mut WriteTx<'_>,
    kind: TransactionKind,
    purse: &Purse,
    amount: Nano,
    now: Timestamp,
) -> Result<[(LedgerAccountId, Nano); 2], LedgerError> {
    let (other, own) = match kind {
        TransactionKind::Grant => (LedgerAccountKind::Promotion, purse.ids.gift),
        TransactionKind::Adjustment => (LedgerAccountKind::Refund, purse.ids.wallet),
        _ => (LedgerAccountKind::Clearing, purse.ids.wallet),
    };
    let other = store::platform_account(tx, other, now).await?;
    Ok([(own, amount), (other, Nano(-amount.0))])
}
