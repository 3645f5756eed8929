//! Group commit of the journal: the events of all sessions that arrived while the commit before was under way become
//! durable together. So the busier it is the fuller commits are, and nothing waits on a quiet platform. Then they are
//! acknowledged, and handed on to be settled ([`crate::settling`]). The ends of sessions go through the same queues, so
//! that they come after the events that arrived before them.
//!
//! Nothing is acknowledged before it is durable. When a commit fails, the streams of its sessions end and the gateways
//! send again what was not acknowledged.

use crate::metrics::{Event, EventLabel, Outcome, OutcomeLabel};
use crate::panics::caught;
use crate::settling::{Barrier, End, Entry, Search, Unsettled, Work, Works};
use crate::{Shared, status};
use std::collections::BTreeMap;
use std::sync::Arc;
use tacit_kernel::ids::SessionId;
use tacit_ledger::Journal;
use tacit_ledger::journal::{BatchState, JournalBatch, Journaled, SessionOutcome};
use tacit_ledger::sessions::SessionView;
use tacit_ledger::settlement::SessionBatch;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tonic::Status;

/// As many events are committed together at most, give or take a batch.
const ENOUGH: usize = 2048;
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

/// A batch as it is handed in.
struct Arrived {
    row: JournalBatch,
    batch: SessionBatch,
    room: OwnedSemaphorePermit,
    waiting: Waiting,
}

enum Job {
    Commit(Box<Arrived>),
    End(End, oneshot::Sender<Result<(), Status>>),
}

/// The way to the writer.
#[derive(Clone)]
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
    unsettled: Arc<Unsettled>,
    barrier: Barrier,
}

/// What the writer has to do.
pub(crate) struct Jobs {
    jobs: mpsc::Receiver<Job>,
    works: Works,
}

/// A queue and its far end. The writer alone keeps the settling going that is behind it.
pub(crate) fn queue(unsettled: &Arc<Unsettled>, works: Works) -> (Queue, Jobs) {
    let (send, jobs) = mpsc::channel(JOBS);
    let barrier = Barrier::new(Arc::clone(unsettled), works.downgrade());
    (Queue { jobs: send, unsettled: Arc::clone(unsettled), barrier }, Jobs { jobs, works })
}

impl Queue {
    /// Hands in a batch, with the bytes that are kept of it; waits while too many events wait already.
    pub(crate) async fn commit(&self, batch: SessionBatch, events: Vec<u8>, answer: Answer) -> Result<(), Status> {
        let room = self.unsettled.room(&batch).await?;
        let row = JournalBatch { session: batch.session, batch: batch.batch, events };
        let waiting = Waiting { session: batch.session, answer, answered: false };
        self.send(Job::Commit(Box::new(Arrived { row, batch, room, waiting }))).await
    }

    /// Ends a session whose gateway is gone, after what arrived from it.
    pub(crate) async fn settle_lost(&self, session: SessionId) -> Result<(), Status> {
        self.end(End::Lost(session)).await
    }

    /// Ends a session that has been away for too long, unless something is heard of it until its turn comes.
    pub(crate) async fn settle_away(&self, session: SessionView) -> Result<(), Status> {
        self.end(End::Away(session)).await
    }

    /// Ends a session cleanly.
    pub(crate) async fn close(&self, session: SessionId) -> Result<(), Status> {
        self.end(End::Close(session)).await
    }

    /// To wait until what was acknowledged is settled.
    pub(crate) const fn barrier(&self) -> &Barrier {
        &self.barrier
    }

    async fn end(&self, end: End) -> Result<(), Status> {
        let (done, answer) = oneshot::channel();
        self.send(Job::End(end, done)).await?;
        answer.await.unwrap_or_else(|_| Err(status::unavailable()))
    }

    async fn send(&self, job: Job) -> Result<(), Status> {
        self.jobs.send(job).await.map_err(|_| status::unavailable())
    }
}

/// Starts the writer.
pub(crate) fn spawn(tasks: &TaskTracker, shared: Arc<Shared>, jobs: Jobs) {
    let engine = shared.db.engine();
    crate::spawn_writing(tasks, engine, run(shared, jobs));
}

/// Works until the control plane stops; the commit in hand is finished then, what waits is not begun.
async fn run(shared: Arc<Shared>, mut jobs: Jobs) {
    let journal = Journal::new(shared.ledger.clone());
    loop {
        let job = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            job = jobs.jobs.recv() => job,
        };
        let Some(job) = job else { return };
        caught(&shared.metrics, "writer", work(&shared, &journal, &mut jobs, job)).await;
    }
}

async fn work(shared: &Shared, journal: &Journal, jobs: &mut Jobs, first: Job) {
    let mut next = Some(first);
    while let Some(job) = next.take() {
        match job {
            Job::Commit(arrived) => {
                let (group, after) = Group::gather(jobs, *arrived);
                group.commit(shared, journal, &jobs.works).await;
                next = after;
            }
            // Behind what was journaled before it. If nobody settles any more, who asked hears so.
            Job::End(end, done) => drop(jobs.works.send(Work::End(end, done))),
        }
    }
}

/// Batches that are committed together; each has a place in all of these.
#[derive(Default)]
struct Group {
    rows: Vec<JournalBatch>,
    entries: Vec<(SessionBatch, OwnedSemaphorePermit)>,
    waiting: Vec<Waiting>,
}

impl Group {
    fn push(&mut self, arrived: Arrived) {
        self.rows.push(arrived.row);
        self.entries.push((arrived.batch, arrived.room));
        self.waiting.push(arrived.waiting);
    }

    /// Takes the batches that have arrived. A job of another kind ends the group and is handed back.
    fn gather(jobs: &mut Jobs, first: Arrived) -> (Self, Option<Job>) {
        let mut events = first.batch.events();
        let mut group = Self::default();
        group.push(first);
        while events < ENOUGH {
            match jobs.jobs.try_recv() {
                Ok(Job::Commit(arrived)) => {
                    events += arrived.batch.events();
                    group.push(*arrived);
                }
                Ok(other) => return (group, Some(other)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    async fn commit(self, shared: &Shared, journal: &Journal, works: &Works) {
        let error = match write(shared, journal, &self.rows).await {
            Ok(journaled) => return self.done(shared, &journaled, works),
            Err(error) => error,
        };
        let mut sessions: BTreeMap<SessionId, Self> = BTreeMap::new();
        for ((row, (batch, room)), waiting) in self.rows.into_iter().zip(self.entries).zip(self.waiting) {
            sessions.entry(row.session).or_default().push(Arrived { row, batch, room, waiting });
        }
        let one = sessions.len() == 1;
        // One session must not keep the others from being heard: each by itself.
        for group in sessions.into_values() {
            match if one { Err(error.clone()) } else { write(shared, journal, &group.rows).await } {
                Ok(journaled) => group.done(shared, &journaled, works),
                Err(error) => group.fail(&error),
            }
        }
    }

    /// Hands on what is durable now, then answers: who hears of it may ask for what it cost.
    fn done(mut self, shared: &Shared, journaled: &Journaled, works: &Works) {
        let (mut begun, mut ended) = (0, 0);
        for ((batch, room), written) in self.entries.into_iter().zip(&journaled.written) {
            if !*written {
                // Durable since before, as it may be of another control plane: it may lie in the journal still, and its
                // gateway is told now that it can count on it. What came after a gap lies nowhere, and this does no harm.
                drop(works.send(Work::Adopt(batch.session, Search::new(&shared.unsettled))));
                continue;
            }
            begun += batch.begun.len() as u64;
            ended += batch.ended.len() as u64;
            // Where nobody settles any more it is found in the journal.
            drop(works.send(Work::Settle(Entry::new(&shared.unsettled, batch, room))));
        }
        shared.metrics.events.get_or_create(&EventLabel { event: Event::Begun }).inc_by(begun);
        shared.metrics.events.get_or_create(&EventLabel { event: Event::Ended }).inc_by(ended);
        for outcome in &journaled.sessions {
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

    fn fail(mut self, error: &Status) {
        for waiting in &mut self.waiting {
            waiting.answer(Progress::Failed(error.clone()));
        }
    }
}

async fn write(shared: &Shared, journal: &Journal, rows: &[JournalBatch]) -> Result<Journaled, Status> {
    let started = Instant::now();
    let result = journal.write(rows).await;
    shared.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
    let outcome = if result.is_ok() { Outcome::Ok } else { Outcome::Failed };
    shared.metrics.commits.get_or_create(&OutcomeLabel { outcome }).inc();
    result.map_err(status::of_ledger)
}
