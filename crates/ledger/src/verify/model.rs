//! What a check of the books tells.

use crate::postings::LedgerAccountKind;
use serde::Serialize;
use tacit_kernel::Nano;
use tacit_kernel::ids::{AccountId, CallId, LedgerAccountId, PriceId, TransactionId};

/// How many violations are listed; the rest is only counted.
pub const MOST_LISTED: usize = 1_000;

/// What was checked and what does not add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// The first [`MOST_LISTED`] violations.
    pub violations: Vec<Violation>,
    /// How many more there are.
    pub not_listed: u64,
    /// How much was looked at.
    pub checked: Checked,
}

impl VerifyReport {
    /// Whether everything adds up.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    pub(super) fn add(&mut self, violation: Violation) {
        if self.violations.len() < MOST_LISTED {
            self.violations.push(violation);
        } else {
            self.not_listed += 1;
        }
    }
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Transactions.
    pub transactions: u64,
    /// Their entries.
    pub entries: u64,
    /// Those of them that settle calls.
    pub settlements: u64,
    /// Accounts of the ledger.
    pub ledger_accounts: u64,
    /// Leases of gateways.
    pub leases: u64,
    /// Call records.
    pub calls: u64,
}

/// Something that does not add up. Sums that may leave the range of a [`Nano`] are texts, in nano.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "violation", rename_all = "snake_case")]
pub enum Violation {
    /// A transaction has no entries, or they do not sum to zero.
    TransactionUnbalanced {
        /// The transaction.
        transaction: TransactionId,
        /// Sum of its entries.
        sum: String,
    },
    /// A balance is not the sum of its entries.
    BalanceWrong {
        /// The account of the ledger.
        ledger_account: LedgerAccountId,
        /// What it stands for.
        kind: LedgerAccountKind,
        /// Whose it is.
        owner: Option<AccountId>,
        /// What it says.
        balance: Nano,
        /// What its entries sum to.
        entries: String,
    },
    /// A customer's balance is below zero.
    BalanceNegative {
        /// The account of the ledger.
        ledger_account: LedgerAccountId,
        /// Its balance.
        balance: Nano,
    },
    /// All balances together are not zero.
    BooksUnbalanced {
        /// Their sum.
        sum: String,
    },
    /// What is reserved of a customer's money is not what gateways hold.
    ReservedWrong {
        /// The customer.
        account: AccountId,
        /// What the ledger says.
        reserved: Nano,
        /// What its leases sum to.
        leased: Nano,
    },
    /// A settlement brought another amount than its calls cost.
    SettlementWrong {
        /// The transaction.
        transaction: TransactionId,
        /// What it brought.
        revenue: String,
        /// What its calls cost.
        calls: Nano,
    },
    /// Calls name a settlement that does not exist or is another kind of transaction.
    SettlementMissing {
        /// The transaction they name.
        transaction: TransactionId,
        /// What they cost.
        calls: Nano,
    },
    /// A call was charged another amount than price, usage and multipliers make.
    CallAmount {
        /// The call.
        call: CallId,
        /// What was charged.
        amount: Nano,
        /// What it should be; where capped, at most.
        computed: Nano,
        /// Whether the charge was capped.
        capped: bool,
    },
    /// A charged call without a settlement, or a free one with.
    CallSettlement {
        /// The call.
        call: CallId,
        /// What was charged.
        amount: Nano,
        /// The settlement it names.
        settlement: Option<TransactionId>,
    },
    /// A call was charged by a price version that is not known.
    PriceUnknown {
        /// The call.
        call: CallId,
        /// The price version.
        price: PriceId,
    },
}
