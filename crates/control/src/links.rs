//! Which gateways are connected here, and which sessions have been away for too long.

use crate::leases::Recalls;
use crate::writer::Queue;
use crate::{Shared, catalogue};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::SessionId;
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
/// clocks of control planes are not compared: what counts is that something changed, and when that was noticed here.
struct Away {
    since: Timestamp,
    acknowledged: u64,
    seen_at: Timestamp,
}

impl Away {
    fn is(&self, session: &SessionView) -> bool {
        (self.acknowledged, self.seen_at) == (session.acknowledged, session.seen_at)
    }
}

/// Sends ticks, notes in the database which gateways are connected here, and settles sessions whose gateway does not
/// come back to any control plane.
pub(crate) async fn run(shared: Arc<Shared>, queue: Queue) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let every = (shared.lost_after / 4).clamp(Duration::from_millis(20), Duration::from_secs(30));
    let mut look = tokio::time::interval_at(Instant::now() + every, every);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = HashMap::new();
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => {
                shared.links.end();
                return;
            }
            _ = tick.tick() => shared.links.send_all(&Kind::Tick(wire::Tick {})),
            _ = look.tick() => look_around(&shared, &queue, &mut away).await,
        }
    }
}

async fn look_around(shared: &Shared, queue: &Queue, away: &mut HashMap<SessionId, Away>) {
    let now = shared.clock.now();
    let open = match shared.ledger.session_list_open().await {
        Ok(open) => open,
        Err(error) => {
            crate::status::log(&error.into());
            return;
        }
    };
    let here: Vec<SessionId> = open.iter().map(|s| s.id).filter(|id| shared.links.is_connected(*id)).collect();
    if !here.is_empty()
        && let Err(error) = shared.ledger.session_seen(&here).await
    {
        crate::status::log(&error.into());
    }
    away.retain(|session, _| open.iter().any(|s| s.id == *session));
    for session in open {
        if here.contains(&session.id) || !away.get(&session.id).is_some_and(|a| a.is(&session)) {
            let SessionView { id, acknowledged, seen_at, .. } = session;
            away.insert(id, Away { since: now, acknowledged, seen_at });
            continue;
        }
        let gone = away.get(&session.id).map_or(0, |a| now.micros_since(a.since));
        if u128::try_from(gone).unwrap_or(0) >= shared.lost_after.as_micros() {
            tracing::warn!(event = "session.lost", session.id = %session.id, "a gateway did not come back");
            if queue.settle_lost(session.id).await.is_ok() {
                away.remove(&session.id);
            }
        }
    }
}
