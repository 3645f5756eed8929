//! Who pays what: charges are taken from the session's lease, gift part first; what the lease does not hold (a provider
//! reported more than was reserved) from gift and wallet; what is not there either is borne by the platform. One
//! transaction an account.

use super::plan::Pending;
use crate::leases::{Held, take};
use std::collections::{BTreeMap, HashMap, HashSet};
use tacit_kernel::Nano;
use tacit_kernel::ids::{AccountId, SessionId, TransactionId};

/// What sessions hold of accounts.
pub(crate) type Leases = HashMap<(SessionId, AccountId), Held>;

/// What one call pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paid {
    pub(crate) amount: Nano,
    pub(crate) capped: bool,
    pub(crate) settlement: Option<TransactionId>,
}

/// What one account pays, and out of which pots. Sums are positive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posting {
    pub(crate) id: TransactionId,
    pub(crate) reserved: Nano,
    pub(crate) gift: Nano,
    pub(crate) wallet: Nano,
}

impl Posting {
    pub(crate) fn total(&self) -> Nano {
        self.reserved.saturating_add(self.gift).saturating_add(self.wallet)
    }
}

/// Everything that is paid.
#[derive(Debug, Default)]
pub(crate) struct Charges {
    /// One for each call, in their order.
    pub(crate) paid: Vec<Paid>,
    /// Taken from leases.
    pub(crate) used: BTreeMap<(SessionId, AccountId), Held>,
    /// In the order of accounts, so that concurrent commits lock rows in one order.
    pub(crate) postings: BTreeMap<AccountId, Posting>,
}

/// Accounts whose leases do not cover what is due.
pub(crate) fn uncovered<'a>(calls: impl Iterator<Item = &'a Pending>, leases: &Leases) -> HashSet<AccountId> {
    let mut due: HashMap<(SessionId, AccountId), i128> = HashMap::new();
    for call in calls {
        *due.entry((call.record.session, call.record.account)).or_default() += i128::from(call.due.amount.0);
    }
    due.into_iter()
        .filter(|(of, due)| {
            let held = leases.get(of).copied().unwrap_or_default();
            *due > i128::from(held.from_gift.0) + i128::from(held.from_wallet.0)
        })
        .map(|((_, account), _)| account)
        .collect()
}

/// Charges calls in their order. `purses` holds gift and wallet of the [`uncovered`] accounts.
pub(crate) fn charge<'a>(
    calls: impl Iterator<Item = &'a Pending>,
    mut leases: Leases,
    mut purses: HashMap<AccountId, (Nano, Nano)>,
) -> Charges {
    let mut charges = Charges::default();
    for call in calls {
        let (of, due) = ((call.record.session, call.record.account), call.due.amount);
        let held = leases.entry(of).or_default();
        let (lease_gift, lease_wallet) = take(due, held.from_gift, held.from_wallet);
        held.from_gift = held.from_gift.saturating_sub(lease_gift);
        held.from_wallet = held.from_wallet.saturating_sub(lease_wallet);
        let from_lease = lease_gift.saturating_add(lease_wallet);

        let rest = due.saturating_sub(from_lease);
        let (mut gift, mut wallet) = (Nano::ZERO, Nano::ZERO);
        if let Some(purse) = purses.get_mut(&of.1).filter(|_| rest.0 > 0) {
            (gift, wallet) = take(rest, purse.0, purse.1);
            *purse = (purse.0.saturating_sub(gift), purse.1.saturating_sub(wallet));
        }
        let amount = from_lease.saturating_add(gift).saturating_add(wallet);
        let capped = call.due.capped || amount < due;
        if amount.0 <= 0 {
            charges.paid.push(Paid { amount: Nano::ZERO, capped, settlement: None });
            continue;
        }
        if from_lease.0 > 0 {
            let used = charges.used.entry(of).or_default();
            used.from_gift = used.from_gift.saturating_add(lease_gift);
            used.from_wallet = used.from_wallet.saturating_add(lease_wallet);
        }
        let posting = charges.postings.entry(of.1).or_insert_with(|| Posting {
            id: TransactionId::fresh(),
            reserved: Nano::ZERO,
            gift: Nano::ZERO,
            wallet: Nano::ZERO,
        });
        posting.reserved = posting.reserved.saturating_add(from_lease);
        posting.gift = posting.gift.saturating_add(gift);
        posting.wallet = posting.wallet.saturating_add(wallet);
        charges.paid.push(Paid { amount, capped, settlement: Some(posting.id) });
    }
    charges
}
