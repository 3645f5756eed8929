//! The check of the books: every balance recomputed from its entries, every charge from its call. It reads everything
//! in pages within one unmoving view of the database, so it can run beside a working platform.

mod model;
pub(crate) mod store;

pub use model::{Checked, MOST_LISTED, VerifyReport, Violation};

use crate::calls::{CallRecord, store as call_store};
use crate::postings::{LedgerAccountKind, TransactionKind};
use crate::settlement::is_charged;
use crate::{Ledger, LedgerError, shortening};
use std::collections::HashMap;
use std::sync::Arc;
use store::Sums;
use tacit_kernel::Nano;
use tacit_kernel::ids::{CallId, LedgerAccountId, PriceId, TransactionId};
use tacit_kernel::rating::Price;
use tacit_storage::ReadTx;
use uuid::Uuid;

impl Ledger {
    /// Checks the whole ledger. `price_of` must know every price version that a call was ever charged by.
    ///
    /// # Errors
    /// [`LedgerError::Storage`], [`LedgerError::Inconsistent`]; what does not add up is in the report, not an error.
    pub async fn verify(
        &self,
        price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    ) -> Result<VerifyReport, LedgerError> {
        self.db.read("ledger.verify", |tx| Box::pin(verify(tx, price_of))).await
    }
}

async fn verify(
    tx: &mut ReadTx<'_>,
    price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
) -> Result<VerifyReport, LedgerError> {
    let mut report = VerifyReport::default();
    let sums = transactions(tx, &mut report).await?;
    balances(tx, &sums, &mut report).await?;
    calls(tx, price_of, &mut report).await?;
    Ok(report)
}

/// Every transaction sums to zero, and every settlement is what its calls cost. Gives the sum of each account's entries.
async fn transactions(
    tx: &mut ReadTx<'_>,
    report: &mut VerifyReport,
) -> Result<HashMap<LedgerAccountId, i128>, LedgerError> {
    let revenue = store::revenue(tx).await?;
    let mut by_account: HashMap<LedgerAccountId, i128> = HashMap::new();
    for (account, amount) in shortening::forgotten(tx).await? {
        by_account.insert(account, i128::from(amount.0));
    }
    let mut after = TransactionId(Uuid::nil());
    loop {
        let page = store::transaction_page(tx, after).await?;
        let Some((last, _)) = page.last().copied() else { break };
        let mut sums: HashMap<TransactionId, Sums> = HashMap::new();
        for (transaction, account, amount) in store::entries_between(tx, after, last).await? {
            report.checked.entries += 1;
            let sum = sums.entry(transaction).or_default();
            sum.all += i128::from(amount.0);
            sum.entries += 1;
            if Some(account) == revenue {
                sum.revenue += i128::from(amount.0);
            }
            *by_account.entry(account).or_default() += i128::from(amount.0);
        }
        let mut settled = store::settled_between(tx, after, Some(last)).await?;
        for (id, kind) in page {
            report.checked.transactions += 1;
            let sum = sums.get(&id).copied().unwrap_or_default();
            if sum.all != 0 || sum.entries == 0 {
                report.add(Violation::TransactionUnbalanced { transaction: id, sum: sum.all.to_string() });
            }
            let calls = settled.remove(&id);
            if kind == TransactionKind::Settlement {
                report.checked.settlements += 1;
                let calls = calls.unwrap_or_default();
                if i128::from(calls.0) != sum.revenue {
                    let revenue = sum.revenue.to_string();
                    report.add(Violation::SettlementWrong { transaction: id, revenue, calls });
                }
            } else if let Some(amount) = calls {
                report.add(Violation::SettlementMissing { transaction: id, calls: amount });
            }
        }
        for (transaction, calls) in settled {
            report.add(Violation::SettlementMissing { transaction, calls });
        }
        after = last;
    }
    for (transaction, calls) in store::settled_between(tx, after, None).await? {
        report.add(Violation::SettlementMissing { transaction, calls });
    }
    Ok(by_account)
}

/// Every balance is the sum of its entries, all together are zero, and what is reserved is what sessions hold.
async fn balances(
    tx: &mut ReadTx<'_>,
    sums: &HashMap<LedgerAccountId, i128>,
    report: &mut VerifyReport,
) -> Result<(), LedgerError> {
    let mut leases = store::leases(tx).await?;
    report.checked.leases = leases.values().map(|(count, _)| count).sum();
    let mut total: i128 = 0;
    let mut after = LedgerAccountId(Uuid::nil());
    loop {
        let page = store::account_page(tx, after).await?;
        let Some(last) = page.last().map(|account| account.id) else { break };
        for account in page {
            report.checked.ledger_accounts += 1;
            total += i128::from(account.balance.0);
            let entries = sums.get(&account.id).copied().unwrap_or_default();
            if entries != i128::from(account.balance.0) {
                report.add(Violation::BalanceWrong {
                    ledger_account: account.id,
                    kind: account.kind,
                    owner: account.owner,
                    balance: account.balance,
                    entries: entries.to_string(),
                });
            }
            if account.kind.is_of_customer() && account.balance.0 < 0 {
                report.add(Violation::BalanceNegative { ledger_account: account.id, balance: account.balance });
            }
            if let (LedgerAccountKind::Reserved, Some(owner)) = (account.kind, account.owner) {
                let leased = leases.remove(&owner).map_or(Nano::ZERO, |(_, sum)| sum);
                if leased != account.balance {
                    report.add(Violation::ReservedWrong { account: owner, reserved: account.balance, leased });
                }
            }
        }
        after = last;
    }
    for (account, (_, leased)) in leases {
        if leased != Nano::ZERO {
            report.add(Violation::ReservedWrong { account, reserved: Nano::ZERO, leased });
        }
    }
    if total != 0 {
        report.add(Violation::BooksUnbalanced { sum: total.to_string() });
    }
    Ok(())
}

/// Every charge follows from its call.
async fn calls(
    tx: &mut ReadTx<'_>,
    price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
    report: &mut VerifyReport,
) -> Result<(), LedgerError> {
    let mut after = CallId(Uuid::nil());
    loop {
        let page = call_store::call_page(tx, after, store::PAGE).await?;
        let Some(last) = page.last().map(|call| call.id) else { break };
        for call in &page {
            report.checked.calls += 1;
            if let Some(violation) = call_violation(call, price_of) {
                report.add(violation);
            }
        }
        after = last;
    }
    Ok(())
}

fn call_violation(call: &CallRecord, price_of: &impl Fn(PriceId) -> Option<Arc<Price>>) -> Option<Violation> {
    let computed = match call.price {
        Some(id) if is_charged(call.status) => match price_of(id) {
            Some(price) => price.amount(&call.usage, call.group_multiplier, call.channel_multiplier),
            None => return Some(Violation::PriceUnknown { call: call.id, price: id }),
        },
        _ => Nano::ZERO,
    };
    if call.amount != computed && !(call.capped && call.amount < computed) {
        let (amount, capped) = (call.amount, call.capped);
        return Some(Violation::CallAmount { call: call.id, amount, computed, capped });
    }
    if (call.amount.0 > 0) != call.settlement.is_some() {
        return Some(Violation::CallSettlement { call: call.id, amount: call.amount, settlement: call.settlement });
    }
    None
}
