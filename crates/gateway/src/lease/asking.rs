//! Asking the control plane: one question at a time for all who wait, numbered, so that nothing is granted or given
//! back twice.

use super::{Budget, NotReserved, PATIENCE, Short};
use crate::link::Link;
use crate::moment;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;
use tacit_link::{convert, wire};
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::Code;

/// How long a refusal holds before the wallet is asked again; an `Invalidate` ends it at once.
const REFUSED: i64 = 250_000_000;
/// Top-ups that follow each other faster than this grow, others shrink.
const SOON: i64 = 1_000_000_000;
/// A top-up is at least and at most this many typical reservations.
const STEPS: std::ops::RangeInclusive<i64> = 4..=4096;

/// The state of asking for one lease.
pub(super) struct Asking {
    /// Session and number of the last request; held while one is under way, so that they go one after the other.
    last: tokio::sync::Mutex<(u64, u64)>,
    /// Someone asks for more.
    busy: AtomicBool,
    /// Told when that one has an answer.
    answered: Notify,
    /// Questions that got no answer of use.
    failed: AtomicU64,
    steps: AtomicI64,
    topped_at: AtomicI64,
    /// The least that the wallet did not have.
    refused_need: AtomicI64,
    refused_at: AtomicI64,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            last: tokio::sync::Mutex::default(),
            busy: AtomicBool::new(false),
            answered: Notify::new(),
            failed: AtomicU64::new(0),
            steps: AtomicI64::new(*STEPS.start()),
            topped_at: AtomicI64::new(0),
            refused_need: AtomicI64::new(0),
            refused_at: AtomicI64::new(i64::MIN / 2),
        }
    }
}

/// The one who asks; whatever becomes of it, those who wait go on.
struct Asker(Arc<Budget>);

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.asking.busy.store(false, SeqCst);
        self.0.asking.answered.notify_waiters();
    }
}

/// What came of a request.
struct Answer {
    granted: i64,
    left: i64,
}

impl Budget {
    fn refused_lately(&self, least: i64) -> bool {
        let asking = &self.asking;
        let need = least.saturating_sub(self.money.lock().free());
        moment::now().saturating_sub(asking.refused_at.load(Relaxed)) < REFUSED
            && need >= asking.refused_need.load(Relaxed)
    }

    /// The wallet has changed: ask it again.
    pub(crate) fn forget_refusal(&self) {
        self.asking.refused_at.store(i64::MIN / 2, Relaxed);
    }

    /// Waits until the lease may hold what is missing: the caller looks and waits again if others were faster.
    ///
    /// # Errors
    /// The wallet does not have it, or there was no answer in time.
    pub(crate) async fn replenished(
        self: &Arc<Self>,
        link: &Arc<Link>,
        short: Short,
        until: Instant,
    ) -> Result<(), NotReserved> {
        let failed = self.asking.failed.load(SeqCst);
        let answered = self.asking.answered.notified();
        if self.money.lock().free() >= short.least {
            return Ok(());
        }
        if self.refused_lately(short.least) {
            return Err(NotReserved::Insufficient);
        }
        self.ask(link, short);
        tokio::time::timeout_at(until, answered).await.map_err(|_| NotReserved::Unavailable)?;
        if self.money.lock().free() >= short.least {
            Ok(())
        } else if self.refused_lately(short.least) {
            Err(NotReserved::Insufficient)
        } else if self.asking.failed.load(SeqCst) != failed {
            Err(NotReserved::Unavailable)
        } else {
            Ok(())
        }
    }

    /// Asks for more in the background before calls have to wait for it: for a few typical ones, and for `step`.
    pub(crate) fn look_ahead(self: &Arc<Self>, link: &Arc<Link>, step: i64) {
        let low = self.typical.load(Relaxed).saturating_mul(*STEPS.start()).max(step);
        if self.money.lock().free() < low && !self.refused_lately(low) {
            self.ask(link, Short { least: 1, want: low });
        }
    }

    /// Asks if nobody does, in a task of its own: what is granted must arrive here also when the caller is gone.
    fn ask(self: &Arc<Self>, link: &Arc<Link>, short: Short) {
        if self.asking.busy.swap(true, SeqCst) {
            return;
        }
        let (asker, link) = (Asker(Arc::clone(self)), Arc::clone(link));
        tokio::spawn(async move { asker.0.ask_for(&link, short).await });
    }

    async fn ask_for(&self, link: &Arc<Link>, short: Short) {
        let asking = &self.asking;
        let mut last = asking.last.lock().await;
        let free = self.money.lock().free();
        if free >= short.want {
            return;
        }
        let now = moment::now();
        let soon = now.saturating_sub(asking.topped_at.swap(now, Relaxed)) < SOON;
        let steps = asking.steps.load(Relaxed);
        let steps = if soon { steps.saturating_mul(2) } else { steps / 2 }.clamp(*STEPS.start(), *STEPS.end());
        asking.steps.store(steps, Relaxed);
        // What is of use: the whole want if it can be had, else the least.
        let need = short.least.saturating_sub(free).max(1);
        let missing = short.want.saturating_sub(free).max(need);
        let want = missing.saturating_add(self.typical.load(Relaxed).saturating_mul(steps));
        match self.request(link, &mut last, (need, want), None).await {
            Some(answer) if answer.granted < need => {
                // Whoever needs no more than is left may ask.
                asking.refused_need.store(need.min(answer.left.max(0).saturating_add(1)), Relaxed);
                asking.refused_at.store(moment::now(), Relaxed);
            }
            Some(_) => {}
            None => {
                asking.failed.fetch_add(1, SeqCst);
            }
        }
    }

    /// Gives back what no call has reserved.
    pub(crate) async fn give_back(&self, link: &Arc<Link>) {
        let mut last = self.asking.last.lock().await;
        let free = self.money.lock().give_back();
        if free.is_some() {
            self.asking.steps.store(*STEPS.start(), Relaxed);
            self.request(link, &mut last, (0, 0), free).await;
        }
    }

    /// One numbered request for `need` and `want`, or to give back what a session had. It is sent again under the same
    /// number until it is answered, however long that takes, since nobody knows whether it arrived. An answer that
    /// refuses the request itself tells that nothing was granted: it is tried under other numbers for a moment.
    async fn request(
        &self,
        link: &Arc<Link>,
        last: &mut (u64, u64),
        (need, want): (i64, i64),
        give_back: Option<(u64, i64)>,
    ) -> Option<Answer> {
        let until = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(20);
        let mut asked_in = None;
        loop {
            if let Some(session) = link.session() {
                self.money.lock().follow(session.epoch);
                if give_back.is_some_and(|(epoch, _)| epoch != session.epoch) {
                    return None;
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
                    give_back: give_back.map_or(0, |(_, amount)| amount),
                };
                match link.client().lease(request).await {
                    Ok(reply) => {
                        let reply = reply.into_inner();
                        let granted = reply.granted.max(0);
                        self.money.lock().granted(session.epoch, granted);
                        return Some(Answer { granted, left: reply.left });
                    }
                    Err(status) => match status.code() {
                        Code::InvalidArgument => return None,
                        Code::FailedPrecondition | Code::Internal => {
                            if Instant::now() >= until {
                                return None;
                            }
                            asked_in = None;
                        }
                        _ => {}
                    },
                }
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(Duration::from_secs(1));
        }
    }
}
