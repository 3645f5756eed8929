//! What this control plane has made durable, or found in the journal, and not settled yet.

use super::Work;
use crate::status;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::ids::SessionId;
use tacit_ledger::settlement::SessionBatch;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tonic::Status;

/// Events that may be in memory until they are settled; beyond that gateways are not read from. At full load that is
/// about a second's worth: settlement may lag so far behind without holding anybody up.
pub(crate) const WAITING: usize = 16 * 1024;
/// How long a request waits until what was acknowledged is settled.
const BARRIER: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Unsettled {
    room: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Batches on their way from the writer.
    entries: HashSet<(SessionId, u64)>,
    /// Looks into the journal that somebody counts on.
    searches: usize,
    /// Sessions whose settlement has failed: what they report is taken from the journal until that is settled, so that it
    /// stays in order and holds no room.
    deferred: HashSet<SessionId>,
}

impl Unsettled {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { room: Arc::new(Semaphore::new(WAITING)), state: Mutex::default() })
    }

    /// Room for the events of a batch; waits for it.
    pub(crate) async fn room(&self, batch: &SessionBatch) -> Result<OwnedSemaphorePermit, Status> {
        let events = u32::try_from(batch.events()).unwrap_or(u32::MAX).max(1);
        Arc::clone(&self.room).acquire_many_owned(events).await.map_err(|_| status::unavailable())
    }

    /// Events received and not yet settled, as far as they are in memory; sessions that lie in the journal.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (WAITING.saturating_sub(self.room.available_permits()), self.state.lock().deferred.len())
    }

    /// Whether that batch is on its way from the writer.
    pub(super) fn holds(&self, batch: (SessionId, u64)) -> bool {
        self.state.lock().entries.contains(&batch)
    }

    pub(super) fn is_deferred(&self, session: SessionId) -> bool {
        self.state.lock().deferred.contains(&session)
    }

    /// Whether nothing of what somebody asks for is deferred.
    pub(super) fn none_deferred(&self, of: Of) -> bool {
        self.deferred(of).is_empty()
    }

    /// Those of the sessions asked for that are deferred.
    pub(super) fn deferred(&self, of: Of) -> Vec<SessionId> {
        let state = self.state.lock();
        let asked = |session: &&SessionId| matches!(of, Of::All) || matches!(of, Of::Session(one) if one == **session);
        state.deferred.iter().filter(asked).copied().collect()
    }

    /// True if it was not deferred before.
    pub(super) fn defer(&self, session: SessionId) -> bool {
        self.state.lock().deferred.insert(session)
    }

    /// All that lay in the journal of the session is settled; true if it had been deferred.
    pub(super) fn resumed(&self, session: SessionId) -> bool {
        self.state.lock().deferred.remove(&session)
    }

    fn is_empty_but_deferred(&self) -> bool {
        let state = self.state.lock();
        state.entries.is_empty() && state.searches == 0
    }
}

/// A batch on its way from the writer, with its room.
pub(crate) struct Entry {
    pub(super) batch: SessionBatch,
    held: Held,
}

/// Held until the batch is settled, or let go because it lies in the journal.
pub(super) struct Held {
    of: Arc<Unsettled>,
    batch: (SessionId, u64),
    _room: OwnedSemaphorePermit,
}

impl Entry {
    /// A batch that was written to the journal.
    pub(crate) fn new(of: &Arc<Unsettled>, batch: SessionBatch, room: OwnedSemaphorePermit) -> Self {
        let key = (batch.session, batch.batch);
        of.state.lock().entries.insert(key);
        Self { batch, held: Held { of: Arc::clone(of), batch: key, _room: room } }
    }

    pub(super) fn split(self) -> (SessionBatch, Held) {
        (self.batch, self.held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.state.lock().entries.remove(&self.batch);
    }
}

/// A look into the journal is to be done; until then nobody may think that all is settled.
pub(crate) struct Search(Arc<Unsettled>);

impl Search {
    pub(crate) fn new(of: &Arc<Unsettled>) -> Self {
        of.state.lock().searches += 1;
        Self(Arc::clone(of))
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.searches = state.searches.saturating_sub(1);
    }
}

/// What somebody wants to be settled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// Everything.
    All,
    /// What that session reported. Another one whose settlement fails is no reason to refuse it anything.
    Session(SessionId),
}

/// A way to wait until everything is settled that this control plane has acknowledged so far.
#[derive(Clone)]
pub(crate) struct Barrier {
    unsettled: Arc<Unsettled>,
    works: mpsc::WeakUnboundedSender<Work>,
}

impl Barrier {
    pub(crate) const fn new(unsettled: Arc<Unsettled>, works: mpsc::WeakUnboundedSender<Work>) -> Self {
        Self { unsettled, works }
    }

    /// Resolves when it is; at once if nothing waits.
    ///
    /// # Errors
    /// Unavailable if it is not within a second.
    pub(crate) async fn settled(&self, of: Of) -> Result<(), Status> {
        if self.unsettled.is_empty_but_deferred() && self.unsettled.none_deferred(of) {
            return Ok(());
        }
        let (done, answer) = oneshot::channel();
        self.send(Work::Asked(of, done))?;
        match tokio::time::timeout(BARRIER, answer).await {
            Ok(Ok(settled)) => settled,
            _ => Err(status::unavailable()),
        }
    }

    /// Has what lies in the journal of a session settled, before anything that is journaled from now on.
    pub(crate) fn adopt(&self, session: SessionId) -> Result<(), Status> {
        self.send(Work::Adopt(session, Search::new(&self.unsettled)))
    }

    fn send(&self, work: Work) -> Result<(), Status> {
        let works = self.works.upgrade().ok_or_else(status::unavailable)?;
        works.send(work).map_err(|_| status::unavailable())
    }
}
