//! The money of an account that this gateway may promise: a lease from the account's wallet. Calls reserve from it and
//! give back what they did not use; only when it runs short is the control plane asked for more.

mod asking;
mod money;

use crate::link::Link;
use crate::moment;
use asking::Asking;
use money::Money;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;
use tacit_kernel::ids::AccountId;

/// How long a call waits for the control plane's answer before it begins.
const PATIENCE: Duration = Duration::from_secs(5);
/// A lease that nobody used for that long is given back.
const IDLE: i64 = 20_000_000_000;

/// One account's lease.
pub(crate) struct Budget {
    account: AccountId,
    /// Held for nanoseconds, and never while waiting.
    money: Mutex<Money>,
    used_at: AtomicI64,
    /// What a call reserved last.
    typical: AtomicI64,
    asking: Asking,
}

/// Why nothing was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotReserved {
    /// The balance does not cover it.
    Insufficient,
    /// The control plane could not be asked.
    Unavailable,
}

/// Money taken from a lease for one call.
#[derive(Debug, Default)]
pub(crate) struct Reservation {
    epoch: u64,
    pub(crate) amount: i64,
}

/// A lease that does not hold enough now: `least` must be free for the call to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short {
    pub(crate) least: i64,
    pub(crate) want: i64,
}

impl Budget {
    pub(crate) fn new(account: AccountId) -> Self {
        Self {
            account,
            money: Mutex::default(),
            used_at: AtomicI64::new(moment::now()),
            typical: AtomicI64::new(0),
            asking: Asking::default(),
        }
    }

    fn follow(&self, link: &Link) {
        if let Some(session) = link.session_ref().as_ref() {
            self.money.lock().follow(session.epoch);
        }
    }

    fn take(&self, least: i64, want: i64) -> Option<Reservation> {
        let mut money = self.money.lock();
        let amount = money.take(least, want)?;
        Some(Reservation { epoch: money.epoch, amount })
    }

    /// Reserves `want`, or at least `least` where there is not more.
    ///
    /// # Errors
    /// [`NotReserved`]; nothing was taken.
    pub(crate) async fn reserve(
        self: &Arc<Self>,
        link: &Arc<Link>,
        least: i64,
        want: i64,
    ) -> Result<Reservation, NotReserved> {
        self.used_at.store(moment::now(), Relaxed);
        self.typical.store(want, Relaxed);
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            self.follow(link);
            if let Some(reservation) = self.take(least, want) {
                self.look_ahead(link, 0);
                return Ok(reservation);
            }
            self.replenished(link, Short { least, want }, until).await?;
        }
    }

    /// Takes `want` more for a call under way, or at least `least`, without waiting. A reservation of a session that is
    /// over is replaced by one of the session that stands.
    ///
    /// # Errors
    /// What the lease would have to hold.
    pub(crate) fn extend(
        self: &Arc<Self>,
        link: &Arc<Link>,
        reservation: &mut Reservation,
        least: i64,
        want: i64,
    ) -> Result<i64, Short> {
        self.used_at.store(moment::now(), Relaxed);
        self.follow(link);
        let before = reservation.amount;
        let got = {
            let mut money = self.money.lock();
            let anew = if reservation.epoch == money.epoch { 0 } else { before };
            let (least, want) = (least.saturating_add(anew), want.saturating_add(anew));
            match money.take(least, want) {
                Some(amount) => {
                    let amount = if anew == 0 { before.saturating_add(amount) } else { amount };
                    *reservation = Reservation { epoch: money.epoch, amount };
                    Ok(amount.saturating_sub(before))
                }
                None => Err(Short { least, want }),
            }
        };
        self.look_ahead(link, 0);
        got
    }

    /// A call is over and cost `cost`: what it had reserved beyond that is free again, and what it cost beyond that is
    /// taken from the lease, since that is where the ledger takes it from first.
    pub(crate) fn settle(&self, reservation: &Reservation, cost: i64) {
        self.used_at.store(moment::now(), Relaxed);
        self.money.lock().settle(reservation, cost);
    }

    /// Whether it lies unused and has something to give back.
    pub(crate) fn idle(&self, now: i64) -> bool {
        let money = self.money.lock();
        now.saturating_sub(self.used_at.load(Relaxed)) > IDLE && money.reserved == 0 && money.free() > 0
    }
}

#[cfg(test)]
impl Budget {
    /// One that nobody has used for long.
    pub(crate) fn lying_idle(account: AccountId) -> Self {
        let budget = Self::new(account);
        budget.money.lock().granted(0, 100);
        budget.used_at.store(moment::now() - 2 * IDLE, Relaxed);
        budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_kernel::ids::fresh;

    #[test]
    fn a_lease_that_calls_live_on_is_not_idle() {
        let budget = Budget::new(AccountId(fresh()));
        budget.money.lock().granted(0, 100);
        let later = moment::now() + 2 * IDLE;
        assert!(budget.idle(later));
        let call = budget.take(10, 10).unwrap();
        assert!(!budget.idle(later));
        budget.settle(&call, 4);
        assert!(!budget.idle(moment::now()) && budget.idle(later));
    }
}
