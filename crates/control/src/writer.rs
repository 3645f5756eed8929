//! Group commit: the events of all sessions that arrived while the commit before was under way become durable together.
//! So the busier it is the fuller commits are, and nothing waits on a quiet platform. The ends of sessions go through the
//! same queue, so that they come after the events that arrived before them.
//!
//! Nothing is acknowledged before it is durable. When a commit fails, the streams of its sessions end and the gateways
//! send again what was not acknowledged.

use crate::metrics::{Event, EventLabel, Metrics, Outcome, OutcomeLabel};
use crate::panics::caught;
use crate::{Shared, set_aside, status};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tacit_kernel::ids::{PriceId, SessionId};
use tacit_kernel::rating::Price;
use tacit_ledger::sessions::SessionView;
use tacit_ledger::settlement::{
    BatchState, CommitReport, Difference, DifferenceReason, LostReport, SessionBatch, SessionOutcome,
};
use tacit_ledger::{LedgerError, Settler};
use tacit_storage::Engine;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tonic::Status;

/// As many events are committed together at most, give or take a batch.
const ENOUGH: usize = 2048;
/// Events that may wait for their commit; beyond that gateways are not read from.
const WAITING: usize = 16 * 1024;
/// Jobs that may wait.
const JOBS: usize = 4096;

/// How far the events of one stream have come.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    /// This batch and all before it are durable; 0: none known yet.
    Acknowledged(u64),
    /// The stream is over.
    Failed(Status),
}

/// Told to the stream that a batch came from.
pub(crate) type Answer = Arc<watch::Sender<Progress>>;

/// A stream that waits to hear of a batch. If it hears nothing, because the work was given up or panicked, it ends.
struct Waiting {
    session: SessionId,
    answer: Answer,
    answered: bool,
    _room: OwnedSemaphorePermit,
}

impl Waiting {
    fn answer(&mut self, progress: Progress) {
        self.answered = true;
        self.answer.send_replace(progress);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.answered {
            self.answer.send_replace(Progress::Failed(status::unavailable()));
        }
    }
}

enum Job {
    Commit(SessionBatch, Waiting),
    Lost(SessionId, oneshot::Sender<Result<(), Status>>),
    Away(SessionView, oneshot::Sender<Result<(), Status>>),
    Close(SessionId, oneshot::Sender<Result<(), Status>>),
}

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
}

/// What the writer has to do.
pub(crate) struct Jobs {
    jobs: mpsc::Receiver<Job>,
    room: Arc<Semaphore>,
}

/// A queue and its far end.
pub(crate) fn queue() -> (Queue, Jobs) {
    let (send, jobs) = mpsc::channel(JOBS);
    let room = Arc::new(Semaphore::new(WAITING));
    (Queue { jobs: send, room: Arc::clone(&room) }, Jobs { jobs, room })
}

fn size(batch: &SessionBatch) -> usize {
    batch.begun.len() + batch.ended.len()
}

impl Queue {
    /// Hands in a batch; waits while too many events wait already.
    pub(crate) async fn commit(&self, batch: SessionBatch, answer: Answer) -> Result<(), Status> {
        let events = u32::try_from(size(&batch)).unwrap_or(u32::MAX).max(1);
        let room = Arc::clone(&self.room).acquire_many_owned(events).await.map_err(|_| status::unavailable())?;
        let waiting = Waiting { session: batch.session, answer, answered: false, _room: room };
        self.send(Job::Commit(batch, waiting)).await
    }

    /// Ends a session whose gateway is gone, after what arrived from it.
    pub(crate) async fn settle_lost(&self, session: SessionId) -> Result<(), Status> {
        self.ask(|done| Job::Lost(session, done)).await
    }

    /// Ends a session that has been away for too long, unless something is heard of it until its turn comes.
    pub(crate) async fn settle_away(&self, session: SessionView) -> Result<(), Status> {
        self.ask(|done| Job::Away(session, done)).await
    }

    /// Ends a session cleanly.
    pub(crate) async fn close(&self, session: SessionId) -> Result<(), Status> {
        self.ask(|done| Job::Close(session, done)).await
    }

    async fn ask(&self, job: impl FnOnce(oneshot::Sender<Result<(), Status>>) -> Job) -> Result<(), Status> {
        let (done, answer) = oneshot::channel();
        self.send(job(done)).await?;
        answer.await.unwrap_or_else(|_| Err(status::unavailable()))
    }

    async fn send(&self, job: Job) -> Result<(), Status> {
        self.jobs.send(job).await.map_err(|_| status::unavailable())
    }
}

/// Starts the writer. On SQLite, which works on the thread that calls it, the writer has a thread of its own, so that no
/// other task has to move out of its way at each commit.
pub(crate) fn spawn(tasks: &TaskTracker, shared: Arc<Shared>, jobs: Jobs) {
    let own_thread = shared.db.engine() == Engine::Sqlite;
    let work = tasks.track_future(run(shared, jobs));
    if !own_thread {
        tokio::spawn(work);
        return;
    }
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work));
}

/// Works until the control plane stops; the commit in hand is finished then, what waits is not begun.
async fn run(shared: Arc<Shared>, mut jobs: Jobs) {
    let settler = Settler::new(shared.ledger.clone());
    loop {
        let job = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            job = jobs.jobs.recv() => job,
        };
        let Some(job) = job else { return };
        caught(&shared.metrics, "writer", work(&shared, &settler, &mut jobs, job)).await;
    }
}

async fn work(shared: &Shared, settler: &Settler, jobs: &mut Jobs, first: Job) {
    let mut next = Some(first);
    while let Some(job) = next.take() {
        match job {
            Job::Commit(batch, waiting) => {
                let (group, after) = Group::gather(jobs, batch, waiting);
                let queued = WAITING.saturating_sub(jobs.room.available_permits());
                shared.metrics.queued_events.set(i64::try_from(queued).unwrap_or(i64::MAX));
                group.commit(shared, settler).await;
                next = after;
            }
            Job::Lost(session, done) => {
                let _ = done.send(settle_lost(shared, settler, session).await);
            }
            Job::Away(session, done) => {
                let _ = done.send(settle_away(shared, settler, &session).await);
            }
            Job::Close(session, done) => {
                let _ = done.send(close(shared, settler, session).await);
            }
        }
    }
}

/// Batches that are committed together.
struct Group {
    batches: Vec<SessionBatch>,
    waiting: Vec<Waiting>,
}

impl Group {
    /// Takes the batches that have arrived. A job of another kind ends the group and is handed back.
    fn gather(jobs: &mut Jobs, batch: SessionBatch, waiting: Waiting) -> (Self, Option<Job>) {
        let mut events = size(&batch);
        let mut group = Self { batches: vec![batch], waiting: vec![waiting] };
        while events < ENOUGH {
            match jobs.jobs.try_recv() {
                Ok(Job::Commit(batch, waiting)) => {
                    events += size(&batch);
                    group.batches.push(batch);
                    group.waiting.push(waiting);
                }
                Ok(other) => return (group, Some(other)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    async fn commit(mut self, shared: &Shared, settler: &Settler) {
        match commit(shared, settler, &self.batches).await {
            Ok(report) => self.answer(&report),
            Err(error) => {
                let mut sessions: BTreeMap<SessionId, Vec<SessionBatch>> = BTreeMap::new();
                for batch in std::mem::take(&mut self.batches) {
                    sessions.entry(batch.session).or_default().push(batch);
                }
                if sessions.len() == 1 {
                    return self.fail(&error);
                }
                // One session must not keep the others from being heard: each by itself.
                for (session, batches) in sessions {
                    match commit(shared, settler, &batches).await {
                        Ok(report) => self.answer(&report),
                        Err(error) => {
                            let own = self.waiting.iter_mut().filter(|w| w.session == session);
                            own.for_each(|w| w.answer(Progress::Failed(error.clone())));
                        }
                    }
                }
            }
        }
    }

    fn answer(&mut self, report: &CommitReport) {
        for outcome in &report.sessions {
            let SessionOutcome { session, acknowledged, state } = *outcome;
            let progress = match state {
                BatchState::Durable => Progress::Acknowledged(acknowledged),
                BatchState::Gap => Progress::Failed(status::gap()),
                BatchState::Ended => Progress::Failed(status::session_gone()),
            };
            for waiting in self.waiting.iter_mut().filter(|w| w.session == session) {
                waiting.answer(progress.clone());
            }
        }
    }

    fn fail(&mut self, error: &Status) {
        for waiting in &mut self.waiting {
            waiting.answer(Progress::Failed(error.clone()));
        }
    }
}

async fn commit(shared: &Shared, settler: &Settler, batches: &[SessionBatch]) -> Result<CommitReport, Status> {
    let started = Instant::now();
    let result = settle(shared, settler, batches).await;
    shared.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
    let outcome = if result.is_ok() { Outcome::Ok } else { Outcome::Failed };
    shared.metrics.commits.get_or_create(&OutcomeLabel { outcome }).inc();
    if result.is_ok() {
        let sum = |count: fn(&SessionBatch) -> usize| batches.iter().map(|b| count(b) as u64).sum();
        let events = &shared.metrics.events;
        events.get_or_create(&EventLabel { event: Event::Begun }).inc_by(sum(|b| b.begun.len()));
        events.get_or_create(&EventLabel { event: Event::Ended }).inc_by(sum(|b| b.ended.len()));
    }
    result
}

async fn settle(shared: &Shared, settler: &Settler, batches: &[SessionBatch]) -> Result<CommitReport, Status> {
    let ids = batches.iter().flat_map(SessionBatch::prices).collect();
    let prices = shared.prices.of(ids).await.map_err(status::of_fault)?;
    let price_of = |id| prices.get(&id).cloned();
    let committed = set_aside::commit(&shared.metrics, settler, batches, &price_of).await;
    let report = committed.map_err(set_aside::Failure::into_status)?;
    log_differences(&shared.metrics, &report.differences);
    set_aside::told(&shared.metrics, &report.aside);
    Ok(report)
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

async fn settle_lost(shared: &Shared, settler: &Settler, session: SessionId) -> Result<(), Status> {
    let prices = open_prices(shared, settler, session).await?;
    let report = settler.settle_lost(session, &|id| prices.get(&id).cloned()).await.map_err(status::of_ledger)?;
    settled_lost(shared, session, &report);
    Ok(())
}

async fn settle_away(shared: &Shared, settler: &Settler, session: &SessionView) -> Result<(), Status> {
    let prices = open_prices(shared, settler, session.id).await?;
    let report = settler.settle_away(session, &|id| prices.get(&id).cloned()).await.map_err(status::of_ledger)?;
    if let Some(report) = report {
        settled_lost(shared, session.id, &report);
    }
    Ok(())
}

async fn open_prices(
    shared: &Shared,
    settler: &Settler,
    session: SessionId,
) -> Result<HashMap<PriceId, Arc<Price>>, Status> {
    let prices = settler.open_prices(session).await.map_err(status::of_ledger)?;
    shared.prices.of(prices).await.map_err(status::of_fault)
}

fn settled_lost(shared: &Shared, session: SessionId, report: &LostReport) {
    log_differences(&shared.metrics, &report.differences);
    shared.metrics.sessions_lost.inc();
    let count = report.lost.len();
    tracing::warn!(event = "session.settled_lost", session.id = %session, count, "a lost session is settled");
}

async fn close(shared: &Shared, settler: &Settler, session: SessionId) -> Result<(), Status> {
    match settler.session_close(session).await {
        Ok(_) => {
            tracing::info!(event = "session.closed", session.id = %session, "a gateway has closed its session");
            Ok(())
        }
        Err(LedgerError::CallsOpen) => settle_lost(shared, settler, session).await,
        Err(error) => Err(status::of_ledger(error)),
    }
}
