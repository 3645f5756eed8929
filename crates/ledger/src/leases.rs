//! Leases: what a gateway holds of an account's money, so that a call needs no look at the database. A lease comes out
//! of the gift first, then the wallet; charges use up its gift part first; what goes back goes to the wallet first.

use crate::postings::{TransactionKind, store};
use crate::sessions::session_must_be_open;
use crate::{Ledger, LedgerError};
use tacit_kernel::ids::{AccountId, SessionId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{Retryable as _, Sql, WriteTx};

const LEASE_READ: Sql = Sql::new(
    "SELECT from_gift, from_wallet, last_request, last_granted FROM leases WHERE session_id = $1 AND account_id = $2",
);
const LEASE_PUT: Sql = Sql::new(
    "INSERT INTO leases (session_id, account_id, from_gift, from_wallet, last_request, last_granted) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (session_id, account_id) DO UPDATE SET \
     from_gift = excluded.from_gift, from_wallet = excluded.from_wallet, \
     last_request = excluded.last_request, last_granted = excluded.last_granted",
);

/// Every statement, for the test that prepares them on both engines.
pub(crate) const STATEMENTS: &[&Sql] = &[&LEASE_READ, &LEASE_PUT];

/// How often a lease is taken up again after the database layer gave up. Control planes that all lease from one wallet
/// on PostgreSQL fail each other's transactions, and a gateway that is refused refuses a call.
const ROUNDS: u32 = 8;

/// A gateway's wish. Requests of a session and account count up; the same number is the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The session.
    pub session: SessionId,
    /// Whose money.
    pub account: AccountId,
    /// Number of the request.
    pub request: u64,
    /// The least that is of use; 0 when only giving back.
    pub need: Nano,
    /// What would be convenient.
    pub want: Nano,
    /// Given back first.
    pub give_back: Nano,
}

/// What a gateway gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseOutcome {
    /// 0, or between need and want.
    pub granted: Nano,
    /// What wallet and gift hold after that.
    pub left: Nano,
}

/// What a session holds of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) from_gift: Nano,
    pub(crate) from_wallet: Nano,
}

/// Takes `amount` from two pots in that order; what each gave. The rest that neither holds is in neither.
pub(crate) fn take(amount: Nano, first: Nano, second: Nano) -> (Nano, Nano) {
    let one = amount.0.clamp(0, first.0.max(0));
    let two = amount.0.saturating_sub(one).clamp(0, second.0.max(0));
    (Nano(one), Nano(two))
}

/// What is granted of `available`.
fn grantable(need: Nano, want: Nano, available: Nano) -> Nano {
    let amount = want.max(need).min(available);
    if amount < need { Nano::ZERO } else { amount.max(Nano::ZERO) }
}

impl Ledger {
    /// Gives a gateway money to reserve from, or takes some back. The last request asked again gets the same grant
    /// again, without moving anything.
    ///
    /// # Errors
    /// [`LedgerError::SessionUnknown`], [`LedgerError::SessionEnded`], [`LedgerError::RequestOld`],
    /// [`LedgerError::RequestForm`], [`LedgerError::Storage`].
    pub async fn lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, LedgerError> {
        if request.need.0 < 0 || request.want.0 < 0 || request.give_back.0 < 0 {
            return Err(LedgerError::RequestForm);
        }
        let number = i64::try_from(request.request).map_err(|_| LedgerError::RequestForm)?;
        let now = self.clock.now();
        let _one = self.one.lock().await;
        let request = &request;
        let mut rounds = 1..ROUNDS;
        loop {
            match self.db.write("ledger.lease", |tx| Box::pin(lease(tx, request, number, now))).await {
                Err(error) if error.is_retryable() && rounds.next().is_some() => {}
                done => return done,
            }
        }
    }
}

async fn lease(
    tx: &mut WriteTx<'_>,
    request: &LeaseRequest,
    number: i64,
    now: Timestamp,
) -> Result<LeaseOutcome, LedgerError> {
    session_must_be_open(tx, request.session).await?;
    let mut purse = store::purse_open(tx, request.account, now).await?;
    let mut held = Held::default();
    if let Some(row) = tx.one(&LEASE_READ, &[request.session.into(), request.account.into()]).await? {
        let last: i64 = row.get("last_request")?;
        if number == last {
            let left = purse.gift.saturating_add(purse.wallet);
            return Ok(LeaseOutcome { granted: row.get("last_granted")?, left });
        }
        if number < last {
            return Err(LedgerError::RequestOld);
        }
        held = Held { from_gift: row.get("from_gift")?, from_wallet: row.get("from_wallet")? };
    }
    let ids = purse.ids;

    let (wallet, gift) = take(request.give_back, held.from_wallet, held.from_gift);
    if wallet.0 + gift.0 > 0 {
        let entries = [(ids.reserved, Nano(-(wallet.0 + gift.0))), (ids.wallet, wallet), (ids.gift, gift)];
        store::post(tx, TransactionKind::Release, None, &entries, now).await?;
        held = Held {
            from_gift: held.from_gift.saturating_sub(gift),
            from_wallet: held.from_wallet.saturating_sub(wallet),
        };
        purse.wallet = purse.wallet.saturating_add(wallet);
        purse.gift = purse.gift.saturating_add(gift);
    }

    let granted = grantable(request.need, request.want, purse.gift.saturating_add(purse.wallet));
    let (gift, wallet) = take(granted, purse.gift, purse.wallet);
    if granted.0 > 0 {
        let entries = [(ids.gift, Nano(-gift.0)), (ids.wallet, Nano(-wallet.0)), (ids.reserved, granted)];
        store::post(tx, TransactionKind::Lease, None, &entries, now).await?;
        held = Held {
            from_gift: held.from_gift.saturating_add(gift),
            from_wallet: held.from_wallet.saturating_add(wallet),
        };
        purse.wallet = purse.wallet.saturating_sub(wallet);
        purse.gift = purse.gift.saturating_sub(gift);
    }

    let values = [
        request.session.into(),
        request.account.into(),
        held.from_gift.into(),
        held.from_wallet.into(),
        number.into(),
        granted.into(),
    ];
    tx.execute(&LEASE_PUT, &values).await?;
    Ok(LeaseOutcome { granted, left: purse.gift.saturating_add(purse.wallet) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_nothing_or_at_least_what_is_needed() {
        let case = |need, want, available| grantable(Nano(need), Nano(want), Nano(available)).0;
        assert_eq!(case(10, 100, 1000), 100);
        assert_eq!(case(10, 100, 50), 50);
        assert_eq!(case(10, 100, 10), 10);
        assert_eq!(case(10, 100, 9), 0);
        assert_eq!(case(10, 0, 50), 10);
        assert_eq!(case(0, 0, 50), 0);
        assert_eq!(case(0, 30, 20), 20);
        assert_eq!(case(1, 1, 0), 0);
    }

    #[test]
    fn pots_are_used_in_order() {
        assert_eq!(take(Nano(7), Nano(5), Nano(10)), (Nano(5), Nano(2)));
        assert_eq!(take(Nano(3), Nano(5), Nano(10)), (Nano(3), Nano(0)));
        assert_eq!(take(Nano(30), Nano(5), Nano(10)), (Nano(5), Nano(10)));
        assert_eq!(take(Nano(0), Nano(5), Nano(10)), (Nano(0), Nano(0)));
    }
}
