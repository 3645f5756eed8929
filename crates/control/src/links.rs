//! Which gateways are connected here, and which sessions have been away for too long.

use crate::leases::Recalls;
use crate::writer::Queue;
use crate::{Shared, catalogue};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::ids::SessionId;
use tacit_ledger::LedgerError;
use tacit_ledger::sessions::SessionView;
use tacit_link::wire::{self, update::Kind};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tonic::Status;

/// What a watching gateway is sent.
pub(crate) type Update = Result<wire::Update, Status>;

/// Updates that may wait for a gateway that does not read; then it is cut off, and gets everything when it is back.
const WAITING: usize = 256;
const TICK: Duration = Duration::from_secs(5);

/// The streams of all gateways that are connected to this control plane.
#[derive(Default)]
pub(crate) struct Links {
    streams: Mutex<HashMap<SessionId, mpsc::Sender<Update>>>,
    pub(crate) recalls: Recalls,
}

impl Links {
    /// A stream of updates for that session. An older stream of it ends.
    pub(crate) fn attach(&self, session: SessionId) -> (mpsc::Sender<Update>, mpsc::Receiver<Update>) {
        let (send, receive) = mpsc::channel(WAITING);
        self.streams.lock().insert(session, send.clone());
        (send, receive)
    }

    /// How many gateways are connected.
    pub(crate) fn connected(&self) -> usize {
        let mut streams = self.streams.lock();
        streams.retain(|_, stream| !stream.is_closed());
        streams.len()
    }

    /// Whether that gateway is connected here.
    pub(crate) fn is_connected(&self, session: SessionId) -> bool {
        self.streams.lock().get(&session).is_some_and(|stream| !stream.is_closed())
    }

    /// Sends to all.
    pub(crate) fn send_all(&self, kind: &Kind) {
        self.send(kind, |_| true);
    }

    /// Sends to all but one, if that is named; whether there was another.
    pub(crate) fn send_others(&self, but: Option<SessionId>, kind: &Kind) -> bool {
        self.send(kind, |session| Some(session) != but)
    }

    fn send(&self, kind: &Kind, to: impl Fn(SessionId) -> bool) -> bool {
        let mut any = false;
        self.streams.lock().retain(|session, stream| {
            if !to(*session) {
                return !stream.is_closed();
            }
            // A gateway that left, or that does not read: dropping its sender ends its stream.
            let sent = stream.try_send(Ok(wire::Update { kind: Some(kind.clone()) })).is_ok();
            any |= sent;
            sent
        });
        any
    }

    /// Ends every stream.
    pub(crate) fn end(&self) {
        self.streams.lock().clear();
    }
}

/// What a gateway is sent when it begins to watch: the whole catalogue, and that whatever it remembers may be old.
pub(crate) fn greeting(catalog: &catalogue::Sent) -> [Kind; 2] {
    let everything = wire::Invalidate { everything: true, ..wire::Invalidate::default() };
    [Kind::Catalog(catalog.message.clone()), Kind::Invalidate(everything)]
}

/// Since when a session has not been seen: neither here, nor by another control plane, nor by what arrived from it. The
/// clocks of control planes are not compared, and no clock that can be set is asked: what counts is that something
/// changed, and when that was noticed here.
struct Away {
    since: Instant,
    session: SessionView,
}

/// The sessions that are not connected here.
///
/// Only looks that succeeded count. While the database cannot be reached no control plane can note whom it sees, so that
/// nobody is away for longer because of it: then all is forgotten.
#[derive(Default)]
struct Absences(HashMap<SessionId, Away>);

impl Absences {
    /// Follows a look; the sessions that have been away for `lost_after`, as they were when they were last looked at.
    fn look(
        &mut self,
        now: Instant,
        lost_after: Duration,
        open: Vec<SessionView>,
        here: &[SessionId],
    ) -> Vec<SessionView> {
        self.0.retain(|id, _| open.iter().any(|session| session.id == *id));
        let mut lost = Vec::new();
        for session in open {
            let id = session.id;
            match self.0.get(&id) {
                Some(away) if !here.contains(&id) && away.session.is_as(&session) => {
                    if now.duration_since(away.since) >= lost_after {
                        lost.push(session);
                    }
                }
                _ => drop(self.0.insert(id, Away { since: now, session })),
            }
        }
        lost
    }

    fn forget_all(&mut self) {
        self.0.clear();
    }
}

/// Sends ticks, by which gateways know that the link is alive; they wait for neither database nor writer. Ends all streams
/// when the control plane stops.
pub(crate) async fn ticks(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => {
                shared.links.end();
                return;
            }
            _ = tick.tick() => shared.links.send_all(&Kind::Tick(wire::Tick {})),
        }
    }
}

/// Notes in the database which gateways are connected here, and settles sessions whose gateway does not come back to any
/// control plane.
pub(crate) async fn run(shared: Arc<Shared>, queue: Queue) {
    let every = (shared.lost_after / 4).clamp(Duration::from_millis(20), Duration::from_secs(30));
    let mut look = tokio::time::interval_at(Instant::now() + every, every);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut absences = Absences::default();
    loop {
        let turn = async {
            look.tick().await;
            if let Err(error) = look_around(&shared, &queue, &mut absences).await {
                absences.forget_all();
                crate::status::log(&error.into());
            }
        };
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = turn => {}
        }
    }
}

async fn look_around(shared: &Shared, queue: &Queue, absences: &mut Absences) -> Result<(), LedgerError> {
    let now = Instant::now();
    let open = shared.ledger.session_list_open().await?;
    let here: Vec<SessionId> = open.iter().map(|s| s.id).filter(|id| shared.links.is_connected(*id)).collect();
    if !here.is_empty() {
        shared.ledger.session_seen(&here).await?;
    }
    for session in absences.look(now, shared.lost_after, open, &here) {
        tracing::warn!(event = "session.lost", session.id = %session.id, "a gateway did not come back");
        // If that fails, it is tried again at the next look.
        drop(queue.settle_away(session).await);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_kernel::Timestamp;

    const LOST_AFTER: Duration = Duration::from_secs(60);

    fn session() -> SessionView {
        SessionView {
            id: SessionId::fresh(),
            gateway: "one".into(),
            version: "0.1.0".into(),
            sandbox: true,
            acknowledged: 7,
            started_at: Timestamp(0),
            seen_at: Timestamp(1),
            ended_at: None,
        }
    }

    #[test]
    fn who_is_away_for_long_enough_is_lost() {
        let (session, start, mut absences) = (session(), Instant::now(), Absences::default());
        let mut look = |after: u64, session: &SessionView, here: &[SessionId]| {
            let now = start + Duration::from_secs(after);
            absences.look(now, LOST_AFTER, vec![session.clone()], here).len()
        };
        assert_eq!([look(0, &session, &[]), look(59, &session, &[]), look(60, &session, &[])], [0, 0, 1]);
        // Not settled after all: named again.
        assert_eq!(look(61, &session, &[]), 1);
        // Connected here; seen by another control plane; an event has arrived.
        assert_eq!([look(62, &session, &[session.id]), look(121, &session, &[])], [0, 0]);
        let seen = SessionView { seen_at: Timestamp(2), ..session };
        assert_eq!([look(122, &seen, &[]), look(181, &seen, &[])], [0, 0]);
        let heard = SessionView { acknowledged: 8, ..seen };
        assert_eq!([look(182, &heard, &[]), look(241, &heard, &[]), look(242, &heard, &[])], [0, 0, 1]);
    }
}
