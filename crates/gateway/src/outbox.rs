//! Call events on their way to the control plane. They are kept until they are acknowledged and sent again after a
//! lost connection; a batch that arrives twice counts once there.
//!
//! The first event after a quiet moment leaves at once; while a batch is on its way the next ones gather. A call that
//! ends before its begun event left takes the place of that event: then there is one event of it, not two.

use crate::grants::SharedBudgets;
use crate::limits::Counters;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use tacit_link::{MAX_EVENTS, wire};
use tokio::sync::{Notify, watch};

/// Events in one batch at most.
const BATCH: usize = if MAX_EVENTS < 512 { MAX_EVENTS } else { 512 };

/// The place of an event in the order of all events of this process.
pub(crate) type Ticket = u64;

/// Whose spend a charge stands in until it is acknowledged.
pub(crate) struct Charged {
    pub(crate) key: Arc<Counters>,
    pub(crate) account: Arc<Counters>,
    pub(crate) shared: Option<Arc<SharedBudgets>>,
    pub(crate) amount: i64,
}

impl Charged {
    /// The control plane has it.
    pub(crate) fn acknowledged(&self) {
        self.key.acknowledged(self.amount);
        self.account.acknowledged(self.amount);
        if let Some(shared) = &self.shared {
            shared.acknowledged(self.amount);
        }
    }
}

#[expect(clippy::large_enum_variant, reason = "nearly all of them are ends")]
enum Event {
    Begun(wire::Begun),
    Ended(wire::Ended, Charged),
}

struct Batch {
    events: Arc<wire::Events>,
    last: Ticket,
    charged: Vec<Charged>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Event>,
    sent: VecDeque<Batch>,
    batches: u64,
    /// The last event that left the queue; the one at its front is the next.
    left: Ticket,
    session: Vec<u8>,
}

/// See the module.
pub(crate) struct Outbox {
    state: Mutex<State>,
    wake: Notify,
    /// Up to here all is durable.
    acknowledged: watch::Sender<Ticket>,
    waiting: AtomicUsize,
    most: usize,
}

/// Who waits in one lane for events to become durable. An acknowledgement wakes each lane once, and the lane wakes its
/// own: to wake a task of another thread costs far more than one of the same.
pub(crate) struct Waiting {
    acknowledged: watch::Receiver<Ticket>,
    wakers: Mutex<BTreeMap<Ticket, Waker>>,
}

impl Waiting {
    fn has(&self, ticket: Ticket) -> bool {
        *self.acknowledged.borrow() >= ticket
    }

    /// Waits until that event is durable.
    pub(crate) const fn durable(self: Arc<Self>, ticket: Ticket) -> Durable {
        Durable { of: self, ticket, waits: false }
    }

    /// Wakes those whose events are durable, for as long as the outbox is there.
    pub(crate) async fn follow(&self) {
        let mut acknowledged = self.acknowledged.clone();
        loop {
            let last = *acknowledged.borrow_and_update();
            let ready = {
                let mut wakers = self.wakers.lock();
                let later = wakers.split_off(&last.saturating_add(1));
                std::mem::replace(&mut *wakers, later)
            };
            ready.into_values().for_each(Waker::wake);
            if acknowledged.changed().await.is_err() {
                return;
            }
        }
    }
}

/// The wait until an event is durable. Once it is dropped nothing is left of it: what is to be woken may be as large as
/// the connection of a client, which need not stay until the control plane is back.
pub(crate) struct Durable {
    of: Arc<Waiting>,
    ticket: Ticket,
    waits: bool,
}

impl Future for Durable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.of.has(self.ticket) {
            return Poll::Ready(());
        }
        self.waits = true;
        self.of.wakers.lock().insert(self.ticket, cx.waker().clone());
        // The acknowledgement may have come in between.
        if self.of.has(self.ticket) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        if self.waits {
            self.of.wakers.lock().remove(&self.ticket);
        }
    }
}

impl Outbox {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            state: Mutex::default(),
            wake: Notify::new(),
            acknowledged: watch::Sender::new(0),
            waiting: AtomicUsize::new(0),
            most,
        }
    }

    /// Events that are not acknowledged yet.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Whether so many wait that new calls must be refused.
    pub(crate) fn full(&self) -> bool {
        self.unacknowledged() >= self.most
    }

    /// Whether records that cost nothing should be left out.
    pub(crate) fn half_full(&self) -> bool {
        self.unacknowledged() >= self.most / 2
    }

    /// A call has begun.
    pub(crate) fn begun(&self, begun: wire::Begun) -> Ticket {
        self.push(Event::Begun(begun))
    }

    /// A call has ended; `begun` is the place of its begun event, if there was one.
    pub(crate) fn ended(&self, ended: wire::Ended, charged: Charged, begun: Option<Ticket>) -> Ticket {
        let mut state = self.state.lock();
        let place = begun.and_then(|begun| begun.checked_sub(state.left + 1).map(|at| (begun, at)));
        if let Some((begun, at)) = place
            && let Some(waiting) = usize::try_from(at).ok().and_then(|at| state.queue.get_mut(at))
        {
            *waiting = Event::Ended(ended, charged);
            return begun;
        }
        drop(state);
        self.push(Event::Ended(ended, charged))
    }

    fn push(&self, event: Event) -> Ticket {
        self.waiting.fetch_add(1, Relaxed);
        let (ticket, first) = {
            let mut state = self.state.lock();
            state.queue.push_back(event);
            let count = state.queue.len();
            (state.left.saturating_add(u64::try_from(count).unwrap_or(u64::MAX)), count == 1)
        };
        if first {
            self.wake.notify_one();
        }
        ticket
    }

    /// A place to wait in, for one lane.
    pub(crate) fn waiting(&self) -> Arc<Waiting> {
        Arc::new(Waiting { acknowledged: self.acknowledged.subscribe(), wakers: Mutex::default() })
    }

    /// Ready when there is something to send.
    pub(crate) async fn filled(&self) {
        loop {
            let notified = self.wake.notified();
            if !self.state.lock().queue.is_empty() {
                return;
            }
            notified.await;
        }
    }

    /// Takes the next batch; it is kept for the case that the connection is lost.
    pub(crate) fn next_batch(&self) -> Option<Arc<wire::Events>> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let take = state.queue.len().min(BATCH);
        if take == 0 {
            return None;
        }
        state.batches += 1;
        state.left += u64::try_from(take).unwrap_or(0);
        let mut events = wire::Events { session: state.session.clone(), batch: state.batches, ..Default::default() };
        let ends = state.queue.iter().take(take).filter(|event| matches!(event, Event::Ended(..))).count();
        let mut charged = Vec::with_capacity(ends);
        events.ended.reserve_exact(ends);
        events.begun.reserve_exact(take - ends);
        for event in state.queue.drain(..take) {
            match event {
                Event::Begun(begun) => events.begun.push(begun),
                Event::Ended(ended, charge) => {
                    events.ended.push(ended);
                    charged.push(charge);
                }
            }
        }
        let events = Arc::new(events);
        state.sent.push_back(Batch { events: Arc::clone(&events), last: state.left, charged });
        Some(events)
    }

    /// A connection stands: what the control plane already has is dropped, the rest is returned to be sent again.
    ///
    /// The rest is numbered from what the control plane says it has, whatever it said before: a new session counts its
    /// batches from one, and a database that went back in time (a replica took over, a backup was restored) from where
    /// it went back to. A call that reaches it twice is settled once.
    pub(crate) fn reconnected(&self, session: &[u8], acknowledged: u64) -> Vec<Arc<wire::Events>> {
        if self.state.lock().session == session {
            self.acknowledge(acknowledged);
        }
        let mut state = self.state.lock();
        session.clone_into(&mut state.session);
        state.batches = acknowledged;
        let State { sent, batches, session, .. } = &mut *state;
        for batch in sent.iter_mut() {
            *batches += 1;
            if batch.events.batch != *batches || batch.events.session != *session {
                let events = Arc::make_mut(&mut batch.events);
                events.batch = *batches;
                events.session.clone_from(session);
            }
        }
        state.sent.iter().map(|b| Arc::clone(&b.events)).collect()
    }

    /// That batch and all before it are durable. Returns how many are still on their way.
    pub(crate) fn acknowledge(&self, batch: u64) -> usize {
        let mut done = Vec::new();
        let left = {
            let mut state = self.state.lock();
            while state.sent.front().is_some_and(|b| b.events.batch <= batch) {
                done.extend(state.sent.pop_front());
            }
            state.sent.len()
        };
        let Some(last) = done.last().map(|b| b.last) else { return left };
        for batch in &done {
            self.waiting.fetch_sub(batch.events.begun.len() + batch.events.ended.len(), Relaxed);
            for charge in &batch.charged {
                charge.acknowledged();
            }
        }
        self.acknowledged.send_replace(last);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    fn begun(n: u64) -> wire::Begun {
        wire::Begun { call: Some(wire::Id { high: 0, low: n }), ..Default::default() }
    }

    fn is_durable(outbox: &Outbox, ticket: Ticket) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut outbox.waiting().durable(ticket)).poll(&mut cx).is_ready()
    }

    fn charged() -> Charged {
        Charged { key: Arc::default(), account: Arc::default(), shared: None, amount: 1 }
    }

    #[tokio::test]
    async fn events_wait_for_their_acknowledgement() {
        let outbox = Arc::new(Outbox::new(3));
        outbox.reconnected(&[1; 16], 0);
        let first = outbox.begun(begun(1));
        let second = outbox.ended(wire::Ended::default(), charged(), None);
        let batch = outbox.next_batch().unwrap();
        assert_eq!((batch.batch, batch.begun.len(), batch.ended.len()), (1, 1, 1));
        let third = outbox.begun(begun(2));
        assert!(outbox.full());
        assert_eq!(outbox.next_batch().unwrap().batch, 2);
        assert!(outbox.next_batch().is_none());

        assert!(!is_durable(&outbox, first));
        assert_eq!(outbox.acknowledge(1), 1);
        outbox.waiting().durable(first).await;
        outbox.waiting().durable(second).await;
        assert!(!is_durable(&outbox, third));
        assert_eq!(outbox.unacknowledged(), 1);
        assert_eq!(outbox.acknowledge(2), 0);
        outbox.waiting().durable(third).await;
    }

    #[test]
    fn who_does_not_wait_any_more_leaves_nothing_behind() {
        struct Connection;
        impl std::task::Wake for Connection {
            fn wake(self: Arc<Self>) {}
        }
        let outbox = Outbox::new(100);
        let waiting = outbox.waiting();
        outbox.reconnected(&[1; 16], 0);
        let (gone, stays) = (outbox.begun(begun(1)), outbox.begun(begun(2)));
        let (connection, other) = (Arc::new(Connection), Arc::new(Connection));
        let waits = |ticket, connection: &Arc<Connection>| {
            let mut durable = Arc::clone(&waiting).durable(ticket);
            let waker = Waker::from(Arc::clone(connection));
            assert!(Pin::new(&mut durable).poll(&mut Context::from_waker(&waker)).is_pending());
            durable
        };
        let (gone, _stays) = (waits(gone, &connection), waits(stays, &other));
        assert_eq!((Arc::strong_count(&connection), Arc::strong_count(&other)), (2, 2));
        drop(gone);
        assert_eq!((Arc::strong_count(&connection), Arc::strong_count(&other)), (1, 2));
        outbox.next_batch().unwrap();
        assert_eq!(outbox.acknowledge(1), 0);
        assert!(pin!(waiting.follow()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(Arc::strong_count(&other), 1);
    }

    #[test]
    fn a_lost_connection_loses_nothing() {
        let outbox = Arc::new(Outbox::new(100));
        outbox.reconnected(&[1; 16], 0);
        for n in 1..=3 {
            outbox.begun(begun(n));
            outbox.next_batch().unwrap();
        }
        // The control plane has the first.
        let again = outbox.reconnected(&[1; 16], 1);
        assert_eq!(again.iter().map(|e| e.batch).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(outbox.unacknowledged(), 2);
        // Another session: the same events, counted anew.
        let again = outbox.reconnected(&[2; 16], 0);
        assert_eq!(again.iter().map(|e| (e.batch, e.begun[0].call.unwrap().low)).collect::<Vec<_>>(), [(1, 2), (2, 3)]);
        assert!(again.iter().all(|e| e.session == [2; 16]));
        outbox.begun(begun(4));
        assert_eq!(outbox.next_batch().unwrap().batch, 3);
        assert_eq!(outbox.acknowledge(3), 0);
        assert_eq!(outbox.unacknowledged(), 0);
    }

    #[test]
    fn a_control_plane_that_went_back_in_time_gets_no_gap() {
        let outbox = Arc::new(Outbox::new(100));
        outbox.reconnected(&[1; 16], 0);
        for n in 1..=5 {
            outbox.begun(begun(n));
            outbox.next_batch().unwrap();
        }
        outbox.acknowledge(4);
        // The same session, but of the four it has two only.
        let again = outbox.reconnected(&[1; 16], 2);
        assert_eq!(again.iter().map(|e| (e.batch, e.begun[0].call.unwrap().low)).collect::<Vec<_>>(), [(3, 5)]);
        let next = outbox.begun(begun(6));
        assert_eq!(outbox.next_batch().unwrap().batch, 4);
        assert_eq!(outbox.acknowledge(3), 1);
        assert!(!is_durable(&outbox, next));
        assert_eq!(outbox.acknowledge(4), 0);
        assert!(is_durable(&outbox, next));
        // The same with nothing under way: the next one follows on what it has.
        assert!(outbox.reconnected(&[1; 16], 1).is_empty());
        outbox.begun(begun(7));
        assert_eq!(outbox.next_batch().unwrap().batch, 2);
        assert_eq!(outbox.acknowledge(2), 0);
        assert_eq!(outbox.unacknowledged(), 0);
    }

    #[test]
    fn an_event_that_took_the_place_of_another_outlives_a_reconnect() {
        for (session, acknowledged, numbers) in [([1; 16], 1, [2, 3]), ([1; 16], 0, [1, 2]), ([2; 16], 0, [1, 2])] {
            let outbox = Arc::new(Outbox::new(100));
            outbox.reconnected(&[1; 16], 0);
            outbox.begun(begun(1));
            outbox.next_batch().unwrap();
            outbox.acknowledge(1);
            // One is replaced and leaves before the connection is lost, one is replaced after it.
            let sent = outbox.begun(begun(2));
            assert_eq!(outbox.ended(wire::Ended::default(), charged(), Some(sent)), sent);
            outbox.next_batch().unwrap();
            let queued = outbox.begun(begun(3));
            let again = outbox.reconnected(&session, acknowledged);
            assert_eq!(again.iter().map(|e| e.batch).collect::<Vec<_>>(), numbers[..1]);
            assert_eq!((again[0].begun.len(), again[0].ended.len()), (0, 1));
            assert_eq!(outbox.ended(wire::Ended::default(), charged(), Some(queued)), queued);
            let batch = outbox.next_batch().unwrap();
            assert_eq!((batch.batch, batch.begun.len(), batch.ended.len()), (numbers[1], 0, 1));
            assert_eq!(outbox.unacknowledged(), 2);
            assert_eq!(outbox.acknowledge(numbers[0]), 1);
            assert!(is_durable(&outbox, sent));
            assert!(!is_durable(&outbox, queued));
            assert_eq!(outbox.acknowledge(numbers[1]), 0);
            assert!(is_durable(&outbox, queued));
            assert_eq!(outbox.unacknowledged(), 0);
        }
    }

    #[test]
    fn a_call_that_ends_before_its_begun_event_left_is_one_event() {
        let outbox = Arc::new(Outbox::new(100));
        outbox.reconnected(&[1; 16], 0);
        let gone = outbox.begun(begun(1));
        outbox.next_batch().unwrap();
        let (first, second) = (outbox.begun(begun(2)), outbox.begun(begun(3)));
        assert_eq!(outbox.ended(wire::Ended::default(), charged(), Some(second)), second);
        let late = outbox.ended(wire::Ended::default(), charged(), Some(gone));
        assert_eq!((first, late), (second - 1, second + 1));
        assert_eq!(outbox.unacknowledged(), 4);
        let batch = outbox.next_batch().unwrap();
        assert_eq!((batch.begun.len(), batch.ended.len()), (1, 2));
        assert_eq!(outbox.acknowledge(2), 0);
        assert_eq!(outbox.unacknowledged(), 0);
    }
}
