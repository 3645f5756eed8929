//! The chart of accounts and what a transaction is.

use serde::Serialize;
use tacit_kernel::ids::{AccountId, LedgerAccountId, TransactionId};
use tacit_kernel::{Nano, Timestamp};

/// What an account of the ledger stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAccountKind {
    /// What a customer paid in and has not used.
    Wallet,
    /// What a customer was given and has not used.
    Gift,
    /// What gateways hold of a customer's money, for calls.
    Reserved,
    /// What calls have cost.
    Revenue,
    /// Where payments come from; negative.
    Clearing,
    /// Where gifts come from; negative.
    Promotion,
    /// The other side of adjustments: positive where money went back to customers.
    Refund,
}

impl LedgerAccountKind {
    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Gift => "gift",
            Self::Reserved => "reserved",
            Self::Revenue => "revenue",
            Self::Clearing => "clearing",
            Self::Promotion => "promotion",
            Self::Refund => "refund",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Wallet, Self::Gift, Self::Reserved, Self::Revenue, Self::Clearing, Self::Promotion, Self::Refund]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// Whether the balance must not go below zero.
    #[must_use]
    pub const fn is_of_customer(self) -> bool {
        matches!(self, Self::Wallet | Self::Gift | Self::Reserved)
    }
}

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionKind {
    /// A customer paid: clearing to wallet.
    TopUp,
    /// A gift: promotion to gift.
    Grant,
    /// A correction by the operator: wallet against refund.
    Adjustment,
    /// A gateway took money for calls: gift and wallet to reserved.
    Lease,
    /// A gateway gave back: reserved to wallet and gift.
    Release,
    /// Calls were charged: reserved to revenue.
    Settlement,
}

impl TransactionKind {
    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Grant => "grant",
            Self::Adjustment => "adjustment",
            Self::Lease => "lease",
            Self::Release => "release",
            Self::Settlement => "settlement",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::TopUp, Self::Grant, Self::Adjustment, Self::Lease, Self::Release, Self::Settlement]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransactionView {
    /// Its id.
    pub id: TransactionId,
    /// Why money moved.
    pub kind: TransactionKind,
    /// The key under which it was asked for, if it was.
    pub idempotency_key: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// Its entries; all of them sum to zero.
    pub entries: Vec<EntryView>,
}

/// One entry of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryView {
    /// Its place in the transaction, from 1.
    pub line: u32,
    /// The account of the ledger.
    pub ledger_account: LedgerAccountId,
    /// What that stands for.
    pub kind: LedgerAccountKind,
    /// Whose it is; none: the platform's.
    pub owner: Option<AccountId>,
    /// Added to its balance.
    pub amount: Nano,
}

/// The three ledger accounts of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PurseIds {
    pub(crate) wallet: LedgerAccountId,
    pub(crate) gift: LedgerAccountId,
    pub(crate) reserved: LedgerAccountId,
}

/// They and their balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Purse {
    pub(crate) ids: PurseIds,
    pub(crate) wallet: Nano,
    pub(crate) gift: Nano,
    pub(crate) reserved: Nano,
}
