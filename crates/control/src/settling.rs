//! Settling: what the writer has made durable becomes records and charges, many batches in one transaction.
//!
//! On a quiet platform settlement follows at once. On a busy one it goes in large steps ([`pace`]), each of them short
//! enough not to keep the writer waiting, which on SQLite has to wait for it.
//!
//! What fails is let go and lies in the journal still; from there it is taken again every second, in order, until it is
//! settled ([`adoption`]). So is what another control plane has left behind. Settling the same batch twice does no harm:
//! who comes second finds it gone.

mod adoption;
mod ending;
mod pace;
mod unsettled;

pub(crate) use ending::End;
pub(crate) use unsettled::{Barrier, Entry, Of, Search, Unsettled};

use crate::metrics::{Metrics, Outcome, OutcomeLabel};
use crate::panics::caught;
use crate::{Shared, set_aside, status};
use adoption::Unreadable;
use pace::{ENOUGH, Pace};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::ids::SessionId;
use tacit_ledger::Settler;
use tacit_ledger::settlement::{Difference, DifferenceReason, SessionBatch};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::TaskTracker;
use tonic::Status;

/// How often the journal is looked at for what nobody settles.
const LOOK: Duration = Duration::from_secs(1);

/// What is to be done, in this order.
pub(crate) enum Work {
    /// A batch was journaled.
    Settle(Entry),
    /// A gateway is back: what lies in the journal of its session comes before what it sends now.
    Adopt(SessionId, Search),
    /// A session is over.
    End(End, oneshot::Sender<Result<(), Status>>),
    /// Somebody waits until what came before this is settled.
    Asked(Of, oneshot::Sender<Result<(), Status>>),
}

/// The way to settling. It has no bound of its own: what is sent holds room, or a request that waits.
pub(crate) type Works = mpsc::UnboundedSender<Work>;

/// A way and its far end.
pub(crate) fn works() -> (Works, mpsc::UnboundedReceiver<Work>) {
    mpsc::unbounded_channel()
}

/// Starts it. It ends when the writer has, with everything settled that was handed on.
pub(crate) fn spawn(tasks: &TaskTracker, shared: Arc<Shared>, works: mpsc::UnboundedReceiver<Work>) {
    let engine = shared.db.engine();
    // Begun here, before anybody can ask: the thread that settles may be late.
    let start = Search::new(&shared.unsettled);
    crate::spawn_writing(tasks, engine, run(shared, works, start));
}

async fn run(shared: Arc<Shared>, mut works: mpsc::UnboundedReceiver<Work>, start: Search) {
    let mut stage = Stage::new(&shared, start);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = stage.due();
        // By chance where several are ready: none of them keeps the others from their turn.
        let step = tokio::select! {
            _ = look.tick() => Step::Look,
            work = works.recv() => work.map_or(Step::Over, Step::Work),
            () = tokio::time::sleep_until(due), if stage.waits() => Step::Due,
        };
        let (over, looked) = (matches!(step, Step::Over), matches!(step, Step::Look));
        caught(&shared.metrics, "settling", stage.step(step, &mut works)).await;
        if looked {
            // However long it took, the next one comes after that.
            look.reset();
        }
        if over {
            return;
        }
    }
}

enum Step {
    Work(Work),
    /// What was gathered is due.
    Due,
    Look,
    Over,
}

/// What is settled next.
#[derive(Default)]
struct Group {
    entries: Vec<Entry>,
    events: usize,
}

struct Stage<'s> {
    shared: &'s Shared,
    settler: Settler,
    group: Group,
    asked: Vec<(Of, oneshot::Sender<Result<(), Status>>)>,
    pace: Pace,
    unreadable: Unreadable,
    /// Held until the journal was looked through once: what lay there when the control plane started.
    start: Option<Search>,
}

impl<'s> Stage<'s> {
    fn new(shared: &'s Shared, start: Search) -> Self {
        Self {
            shared,
            settler: Settler::new(shared.ledger.clone()),
            group: Group::default(),
            asked: Vec::new(),
            pace: Pace::default(),
            unreadable: Unreadable::default(),
            start: Some(start),
        }
    }

    fn waits(&self) -> bool {
        self.group.events > 0 || !self.asked.is_empty()
    }

    fn due(&self) -> Instant {
        self.pace.due(Instant::now(), !self.asked.is_empty())
    }

    async fn step(&mut self, step: Step, works: &mut mpsc::UnboundedReceiver<Work>) {
        match step {
            Step::Look => self.look().await,
            Step::Due | Step::Over => self.settle().await,
            Step::Work(work) => {
                self.take(work).await;
                // What has arrived meanwhile.
                while self.group.events > 0 && self.group.events < ENOUGH {
                    let Ok(work) = works.try_recv() else { break };
                    self.take(work).await;
                }
                if self.group.events >= ENOUGH {
                    self.settle().await;
                }
            }
        }
    }

    async fn take(&mut self, work: Work) {
        match work {
            // What the session had before lies in the journal and comes first.
            Work::Settle(entry) if self.shared.unsettled.is_deferred(entry.batch.session) => drop(entry),
            Work::Settle(entry) => {
                self.group.events += entry.batch.events().max(1);
                self.group.entries.push(entry);
            }
            Work::Adopt(session, search) => {
                self.settle().await;
                if let Err(error) = self.adopt(session).await {
                    self.defer(session, &error);
                }
                drop(search);
            }
            Work::End(end, done) => {
                self.settle().await;
                // Whoever asked may have gone.
                let _ = done.send(self.end(&end).await);
            }
            Work::Asked(of, done) => self.asked.push((of, done)),
        }
    }

    /// Settles what was gathered, and tells who waited for that.
    async fn settle(&mut self) {
        let group = std::mem::take(&mut self.group);
        if !group.entries.is_empty() {
            self.pace.begins(Instant::now(), group.events);
            let (batches, held): (Vec<SessionBatch>, Vec<_>) = group.entries.into_iter().map(Entry::split).unzip();
            let sessions: BTreeSet<SessionId> = batches.iter().map(|batch| batch.session).collect();
            let settled = caught(&self.shared.metrics, "settling", self.commit(batches)).await;
            let failed = settled.unwrap_or_else(|| sessions.iter().map(|s| (*s, status::unavailable())).collect());
            for (session, error) in &failed {
                self.defer(*session, error);
            }
            drop(held);
        }
        self.answer().await;
    }

    async fn answer(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        // Somebody asks before the journal was looked through for the first time: then it is now.
        if self.start.is_some() {
            Box::pin(self.look()).await;
        }
        // What failed before is tried again for whoever needs it, all at once.
        let needed: BTreeSet<SessionId> =
            self.asked.iter().flat_map(|(of, _)| self.shared.unsettled.deferred(*of)).collect();
        for session in needed {
            self.retry(session).await;
        }
        for (of, done) in self.asked.drain(..) {
            let settled = self.start.is_none() && self.shared.unsettled.none_deferred(of);
            let _ = done.send(if settled { Ok(()) } else { Err(status::unavailable()) });
        }
    }

    /// Settles batches; the sessions that this failed for.
    async fn commit(&self, batches: Vec<SessionBatch>) -> Vec<(SessionId, Status)> {
        let Err(error) = self.commit_together(&batches).await else { return Vec::new() };
        let mut sessions: BTreeMap<SessionId, Vec<SessionBatch>> = BTreeMap::new();
        for batch in batches {
            sessions.entry(batch.session).or_default().push(batch);
        }
        if sessions.len() == 1 {
            return sessions.into_keys().map(|session| (session, error.clone())).collect();
        }
        // One session must not keep the others from being settled: each by itself.
        let mut failed = Vec::new();
        for (session, batches) in sessions {
            if let Err(error) = self.commit_together(&batches).await {
                failed.push((session, error));
            }
        }
        failed
    }

    async fn commit_together(&self, batches: &[SessionBatch]) -> Result<(), Status> {
        let metrics = &self.shared.metrics;
        let started = Instant::now();
        let result = self.commit_measured(batches).await;
        metrics.settle_seconds.observe(started.elapsed().as_secs_f64());
        let outcome = if result.is_ok() { Outcome::Ok } else { Outcome::Failed };
        metrics.settlements.get_or_create(&OutcomeLabel { outcome }).inc();
        result
    }

    async fn commit_measured(&self, batches: &[SessionBatch]) -> Result<(), Status> {
        let metrics = &self.shared.metrics;
        let ids = batches.iter().flat_map(SessionBatch::prices).collect();
        let prices = self.shared.prices.of(ids).await.map_err(status::of_fault)?;
        let price_of = |id| prices.get(&id).cloned();
        // In a box: it would else be a part of everything here that settles.
        let committed = Box::pin(set_aside::commit(metrics, &self.settler, batches, &price_of)).await;
        let report = committed.map_err(set_aside::Failure::into_status)?;
        log_differences(metrics, &report.differences);
        set_aside::told(metrics, &report.aside);
        Ok(())
    }
}

/// A charge that is not what the gateway said is a fault of the program, or of its configuration: never silent.
pub(crate) fn log_differences(metrics: &Metrics, differences: &[Difference]) {
    for difference in differences {
        let detail = match difference.reason {
            DifferenceReason::Computed => "computed",
            DifferenceReason::PriceUnknown => "price_unknown",
            // A provider used more than was reserved and the balance does not cover it: the platform bears the rest.
            DifferenceReason::Uncovered => {
                tracing::warn!(event = "call.uncovered", call.id = %difference.call, "a call cost more than was left");
                continue;
            }
        };
        metrics.differences.inc();
        tracing::error!(event = "call.charge_differs", call.id = %difference.call, detail,
            "a call is charged otherwise than its gateway said");
    }
}
