//! What a lease holds and what of it is promised to calls.

use super::Reservation;

/// The money of one session. What is free is never promised twice: it is what is held less what is reserved.
#[derive(Debug, Default)]
pub(super) struct Money {
    /// Session whose money this is; a new session begins with nothing.
    pub(super) epoch: u64,
    /// As the ledger has it once everything that ended here is settled there.
    held: i64,
    /// Promised to calls under way.
    pub(super) reserved: i64,
}

impl Money {
    /// Below zero where a call cost more than it had reserved and was paid out of what others have.
    pub(super) fn free(&self) -> i64 {
        self.held.saturating_sub(self.reserved)
    }

    /// A new session begins with nothing: the control plane took the money back when the one before ended.
    pub(super) fn follow(&mut self, epoch: u64) {
        if epoch > self.epoch {
            *self = Self { epoch, held: 0, reserved: 0 };
        }
    }

    /// Reserves `want`; where there is less, half of what there is, but at least `least`: others want to go on too. What
    /// costs nothing needs nothing.
    pub(super) fn take(&mut self, least: i64, want: i64) -> Option<i64> {
        let free = self.free();
        if free < least && want > 0 {
            return None;
        }
        let amount = if free >= want || want <= 0 { want.max(0) } else { least.max(free / 2) };
        self.reserved = self.reserved.saturating_add(amount);
        Some(amount)
    }

    /// The control plane granted that to a session. What was granted to one that is over is gone with it.
    pub(super) fn granted(&mut self, epoch: u64, amount: i64) {
        if epoch == self.epoch {
            self.held = self.held.saturating_add(amount);
        }
    }

    /// Everything that is free leaves the lease. Returns its session and amount.
    pub(super) fn give_back(&mut self) -> Option<(u64, i64)> {
        let free = self.free();
        (free > 0).then(|| {
            self.held = self.held.saturating_sub(free);
            (self.epoch, free)
        })
    }

    /// A call is over. The ledger charges the session that stands, and what its lease does not hold to the wallet.
    pub(super) fn settle(&mut self, reservation: &Reservation, cost: i64) {
        if reservation.epoch == self.epoch {
            self.reserved = self.reserved.saturating_sub(reservation.amount);
        }
        self.held = self.held.saturating_sub(cost.max(0)).max(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(money: &mut Money, least: i64, want: i64) -> Option<Reservation> {
        let epoch = money.epoch;
        money.take(least, want).map(|amount| Reservation { epoch, amount })
    }

    #[test]
    fn what_is_scarce_is_shared() {
        let mut money = Money::default();
        money.granted(0, 100);
        let mut all = Vec::new();
        while let Some(one) = take(&mut money, 10, 80) {
            all.push(one.amount);
        }
        assert_eq!(all, [80, 10, 10]);
        assert_eq!(money.free(), 0);
    }

    #[test]
    fn more_than_was_reserved_is_missing_until_it_is_granted() {
        let mut money = Money::default();
        money.granted(0, 100);
        let (a, b) = (take(&mut money, 50, 50).unwrap(), take(&mut money, 50, 50).unwrap());
        money.settle(&a, 80);
        assert_eq!((money.free(), take(&mut money, 1, 1).is_some(), money.give_back()), (-30, false, None));
        assert_eq!(take(&mut money, 0, 0).unwrap().amount, 0);
        money.granted(0, 40);
        assert_eq!(money.free(), 10);
        money.settle(&b, 20);
        assert_eq!(money.give_back(), Some((0, 40)));
        // More than the lease ever held: the wallet paid for it.
        money.granted(0, 10);
        let c = take(&mut money, 10, 10).unwrap();
        money.settle(&c, 1000);
        assert_eq!(money.free(), 0);
    }

    #[test]
    fn money_of_a_session_that_is_over_is_gone() {
        let mut money = Money::default();
        money.follow(1);
        money.granted(1, 100);
        let old = take(&mut money, 60, 60).unwrap();
        money.follow(2);
        assert_eq!(money.free(), 0);
        // The answer to a question of the session before comes late.
        money.granted(1, 500);
        assert_eq!(money.free(), 0);
        money.granted(2, 100);
        money.settle(&old, 30);
        assert_eq!(money.free(), 70);
        // Whoever still knows only the session before does not bring it back.
        money.follow(1);
        assert_eq!((money.epoch, money.free()), (2, 70));
    }
}
