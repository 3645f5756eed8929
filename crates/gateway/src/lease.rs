//! The money of an account that this gateway may promise: a lease from the account's wallet. Calls reserve from it and
//! give back what they did not use; only when it runs short is the control plane asked for more.
//!
//! It can never be overdrawn: what is reserved is taken from `available` first, and `available` only grows by what the
//! control plane granted or a call gave back.

use crate::link::Link;
use crate::moment;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tacit_kernel::ids::AccountId;
use tacit_link::{convert, wire};

/// How long a call waits for the control plane's answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a refusal holds before the wallet is asked again; an `Invalidate` ends it at once.
const REFUSED: i64 = 250_000_000;
/// A lease that nobody used for that long is given back.
const IDLE: i64 = 20_000_000_000;
/// Top-ups that follow each other faster than this grow, others shrink.
const SOON: i64 = 1_000_000_000;
/// A top-up is at least and at most this many typical reservations.
const STEPS: std::ops::RangeInclusive<i64> = 4..=4096;

/// One account's lease.
pub(crate) struct Budget {
    account: AccountId,
    available: AtomicI64,
    /// Session whose money `available` is; a new session begins with nothing.
    epoch: AtomicU64,
    used_at: AtomicI64,
    /// What a call reserved last.
    typical: AtomicI64,
    steps: AtomicI64,
    topped_at: AtomicI64,
    topping: AtomicBool,
    refused_need: AtomicI64,
    refused_at: AtomicI64,
    /// Session and number of the last request; held while one is under way, so that they go one after the other.
    asking: tokio::sync::Mutex<(u64, u64)>,
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

impl Budget {
    pub(crate) fn new(account: AccountId) -> Self {
        Self {
            account,
            available: AtomicI64::new(0),
            epoch: AtomicU64::new(0),
            used_at: AtomicI64::new(moment::now()),
            typical: AtomicI64::new(0),
            steps: AtomicI64::new(*STEPS.start()),
            topped_at: AtomicI64::new(0),
            topping: AtomicBool::new(false),
            refused_need: AtomicI64::new(0),
            refused_at: AtomicI64::new(i64::MIN / 2),
            asking: tokio::sync::Mutex::new((0, 0)),
        }
    }

    fn take(&self, least: i64, want: i64) -> Option<i64> {
        let mut seen = self.available.load(Relaxed);
        loop {
            let take = seen.min(want);
            if take < least {
                return None;
            }
            match self.available.compare_exchange_weak(seen, seen - take, Relaxed, Relaxed) {
                Ok(_) => return Some(take),
                Err(other) => seen = other,
            }
        }
    }

    /// A new session begins with nothing: the control plane took the money back when the one before ended.
    fn follow(&self, epoch: u64) {
        let before = self.epoch.load(Relaxed);
        if before != epoch && self.epoch.compare_exchange(before, epoch, Relaxed, Relaxed).is_ok() {
            self.available.store(0, Relaxed);
        }
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
        let now = moment::now();
        self.used_at.store(now, Relaxed);
        self.typical.store(want, Relaxed);
        if let Some(session) = link.session_ref().as_ref() {
            self.follow(session.epoch);
        }
        let epoch = self.epoch.load(Relaxed);
        if let Some(amount) = self.take(want, want) {
            self.top_up_early(link);
            return Ok(Reservation { epoch, amount });
        }
        if !self.refused_lately(want, now) {
            let (budget, asked) = (Arc::clone(self), Arc::clone(link));
            // A task of its own: what the control plane grants must arrive here also when the caller is gone.
            let asking = tokio::spawn(async move { budget.ask(&asked, least, want).await });
            match tokio::time::timeout(PATIENCE, asking).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => {
                    return match self.take(least, want) {
                        Some(amount) => Ok(Reservation { epoch: self.epoch.load(Relaxed), amount }),
                        None => Err(NotReserved::Unavailable),
                    };
                }
            }
        }
        let epoch = self.epoch.load(Relaxed);
        self.take(least, want).map(|amount| Reservation { epoch, amount }).ok_or(NotReserved::Insufficient)
    }

    /// Takes more for a call under way, without waiting. Asks for more in the background when that runs short.
    pub(crate) fn extend(self: &Arc<Self>, link: &Arc<Link>, reservation: &mut Reservation, by: i64) -> bool {
        self.used_at.store(moment::now(), Relaxed);
        if reservation.epoch != self.epoch.load(Relaxed) {
            return false;
        }
        let got = self.take(by, by);
        self.top_up_early(link);
        if let Some(amount) = got {
            reservation.amount = reservation.amount.saturating_add(amount);
        }
        got.is_some()
    }

    /// A call is over: what it did not cost is free again.
    pub(crate) fn settle(&self, reservation: &Reservation, amount: i64) {
        let rest = reservation.amount.saturating_sub(amount).max(0);
        if rest > 0 && reservation.epoch == self.epoch.load(Relaxed) {
            self.available.fetch_add(rest, Relaxed);
        }
    }

    fn refused_lately(&self, want: i64, now: i64) -> bool {
        let need = want.saturating_sub(self.available.load(Relaxed));
        now.saturating_sub(self.refused_at.load(Relaxed)) < REFUSED && need >= self.refused_need.load(Relaxed)
    }

    /// The wallet has changed: ask it again.
    pub(crate) fn forget_refusal(&self) {
        self.refused_at.store(i64::MIN / 2, Relaxed);
    }

    /// Asks for more in the background before calls have to wait for it.
    fn top_up_early(self: &Arc<Self>, link: &Arc<Link>) {
        let typical = self.typical.load(Relaxed);
        let low = typical.saturating_mul(*STEPS.start());
        let now = moment::now();
        if self.available.load(Relaxed) >= low
            || now.saturating_sub(self.refused_at.load(Relaxed)) < REFUSED
            || self.topping.swap(true, Relaxed)
        {
            return;
        }
        let (budget, link) = (Arc::clone(self), Arc::clone(link));
        tokio::spawn(async move {
            budget.ask(&link, 1, low).await;
            budget.topping.store(false, Relaxed);
        });
    }

    /// Asks until it is answered, one request after the other. `least` and `want` are what shall be available then.
    async fn ask(&self, link: &Arc<Link>, least: i64, want: i64) {
        let mut last = self.asking.lock().await;
        let available = self.available.load(Relaxed).max(0);
        let now = moment::now();
        if available >= want || self.refused_lately(want, now) {
            return;
        }
        let soon = now.saturating_sub(self.topped_at.swap(now, Relaxed)) < SOON;
        let steps = self.steps.load(Relaxed);
        let steps = if soon { steps.saturating_mul(2) } else { steps / 2 }.clamp(*STEPS.start(), *STEPS.end());
        self.steps.store(steps, Relaxed);
        // What is of use: the whole want if it can be had, else the least.
        let missing = want.saturating_sub(available);
        let need = least.saturating_sub(available).max(1);
        let ask = missing.saturating_add(self.typical.load(Relaxed).saturating_mul(steps)).max(need);
        let granted = self.request(link, &mut last, need, ask, 0).await;
        if granted < missing {
            self.refused_need.store(missing.saturating_sub(granted).max(1), Relaxed);
            self.refused_at.store(moment::now(), Relaxed);
        }
    }

    /// Gives back what no call has reserved.
    pub(crate) async fn give_back(&self, link: &Arc<Link>) {
        let mut last = self.asking.lock().await;
        let amount = self.available.swap(0, Relaxed);
        if amount > 0 {
            self.steps.store(*STEPS.start(), Relaxed);
            self.request(link, &mut last, 0, 0, amount).await;
        } else {
            self.available.fetch_add(amount, Relaxed);
        }
    }

    /// Whether it lies unused and has something to give back.
    pub(crate) fn idle(&self) -> bool {
        moment::now().saturating_sub(self.used_at.load(Relaxed)) > IDLE && self.available.load(Relaxed) > 0
    }

    /// One numbered request, sent again under the same number until it is answered, so that nothing is granted or
    /// given back twice.
    async fn request(&self, link: &Arc<Link>, last: &mut (u64, u64), need: i64, want: i64, give_back: i64) -> i64 {
        let money_of = self.epoch.load(Relaxed);
        let mut pause = Duration::from_millis(20);
        let mut asked_in = None;
        loop {
            if let Some(session) = link.session() {
                self.follow(session.epoch);
                if give_back > 0 && money_of != session.epoch {
                    return 0;
                }
                if last.0 != session.epoch {
                    *last = (session.epoch, 0);
                }
                if asked_in != Some(session.epoch) {
                    last.1 += 1;
                    asked_in = Some(session.epoch);
                }
                let request = wire::LeaseRequest {
                    session: session.id.clone(),
                    account: convert::id_bytes(self.account),
                    request: last.1,
                    need,
                    want: want.max(need),
                    give_back,
                };
                match link.client().lease(request).await {
                    Ok(reply) => {
                        let granted = reply.into_inner().granted.max(0);
                        self.available.fetch_add(granted, Relaxed);
                        return granted;
                    }
                    Err(status) if status.code() == tonic::Code::InvalidArgument => return 0,
                    Err(_) => {}
                }
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(Duration::from_secs(1));
        }
    }
}
