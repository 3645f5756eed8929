//! Money on the wire, for the admin socket and the console: what an account has, how money moves, and the lines of the ledger.

use super::{Moment, Page};
use crate::problem::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use tacit_catalog::Catalog;
use tacit_kernel::ids::{AccountId, TransactionId};
use tacit_kernel::{Fault, Nano};
use tacit_ledger::Ledger;
use tacit_ledger::postings::TransactionView;
use tacit_storage::Paged;
use utoipa::ToSchema;

/// How money moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// Paid in.
    TopUp,
    /// Given by the platform.
    Grant,
    /// A correction, either way.
    Adjustment,
}

/// What an account has.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Wallet {
    /// Whose it is.
    #[schema(value_type = String)]
    pub account: AccountId,
    /// Paid-in money.
    #[schema(value_type = String)]
    pub wallet: Nano,
    /// Gift credit; charges consume it first.
    #[schema(value_type = String)]
    pub gift: Nano,
    /// Held by gateways for calls.
    #[schema(value_type = String)]
    pub reserved: Nano,
    /// Settlement currency.
    pub currency: String,
}

/// A movement that was made, or had been made before under the same key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Moved {
    /// The ledger transaction.
    #[schema(value_type = String)]
    pub transaction: TransactionId,
    /// What the account has now.
    pub wallet: Wallet,
}

/// One line of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// The transaction; its lines sum to zero.
    #[schema(value_type = String)]
    pub transaction: TransactionId,
    /// What kind of transaction.
    pub kind: String,
    /// Line within it.
    pub line: u32,
    /// The ledger account: `wallet`, `gift`, `reserved`, `revenue`, `clearing`, `promotion`, `refund`.
    pub ledger_account: String,
    /// Whose ledger account it is; the platform's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<AccountId>,
    /// How much it changed.
    #[schema(value_type = String)]
    pub amount: Nano,
    /// When.
    pub at: Moment,
}

/// The entries of a transaction, one by one.
pub(crate) fn entries_of(view: TransactionView) -> impl Iterator<Item = Entry> {
    let (transaction, kind, at) = (view.id, view.kind.as_str().to_owned(), Moment(view.created_at));
    view.entries.into_iter().map(move |entry| Entry {
        transaction,
        kind: kind.clone(),
        line: entry.line,
        ledger_account: entry.kind.as_str().to_owned(),
        account: entry.owner,
        amount: entry.amount,
        at,
    })
}

/// A page of transactions as their lines, one by one.
pub(crate) fn page_of_entries(page: Paged<TransactionView>) -> Page<Entry> {
    let next = page.next.map(|id| id.to_string());
    Page { items: page.items.into_iter().flat_map(entries_of).collect(), next }
}

/// What an account has.
///
/// # Errors
/// Storage.
pub(crate) async fn wallet(ledger: &Ledger, currency: &str, account: AccountId) -> Result<Wallet, Refusal> {
    let view = ledger.wallet(account).await?;
    Ok(Wallet { account, wallet: view.wallet, gift: view.gift, reserved: view.reserved, currency: currency.to_owned() })
}

/// Moves money of an account. The same key with the same content moves it once.
///
/// # Errors
/// What the ledger refuses.
pub(crate) async fn moved(
    ledger: &Ledger,
    currency: &str,
    account: AccountId,
    (kind, amount, key): (Movement, Nano, &str),
) -> Result<Moved, Refusal> {
    let transaction = match kind {
        Movement::TopUp => ledger.top_up(account, amount, key).await?,
        Movement::Grant => ledger.grant(account, amount, key).await?,
        Movement::Adjustment => ledger.adjust(account, amount, key).await?,
    };
    Ok(Moved { transaction, wallet: wallet(ledger, currency, account).await? })
}

/// What recomputing everything found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = LedgerVerification)]
pub struct Verification {
    /// Nothing is wrong.
    pub balanced: bool,
    /// Transactions looked at.
    pub transactions: u64,
    /// Calls whose charge was computed again.
    pub calls: u64,
    /// What is wrong.
    #[schema(value_type = Vec<Object>)]
    pub findings: Vec<serde_json::Value>,
    /// How many more there are than are listed.
    pub findings_not_listed: u64,
}

/// Recomputes everything.
///
/// # Errors
/// Storage.
pub(crate) async fn verified(catalog: &Catalog, ledger: &Ledger) -> Result<Verification, Refusal> {
    let prices = catalog.price_all().await?;
    let prices: HashMap<_, _> = prices.into_iter().map(|(id, price)| (id, Arc::new(price))).collect();
    let report = ledger.verify(&|id| prices.get(&id).cloned()).await?;
    let mut findings = Vec::new();
    for violation in &report.violations {
        findings.push(serde_json::to_value(violation).map_err(|e| Fault::internal("ledger.report", e))?);
    }
    Ok(Verification {
        balanced: report.violations.is_empty(),
        transactions: report.checked.transactions,
        calls: report.checked.calls,
        findings,
        findings_not_listed: report.not_listed,
    })
}
