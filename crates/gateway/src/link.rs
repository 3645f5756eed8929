//! The session with the control plane: opened, watched, opened again when it is lost. While it is lost the gateway
//! serves from what it holds.

use crate::catalog::{self, Catalog};
use crate::grants::Grants;
use crate::outbox::Outbox;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tacit_kernel::ids::AccountId;
use tacit_link::{Checked, Client, Connection, convert, wire};
use tacit_vault::HashKey;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Status;

/// A batch costs both sides much by itself, however few events are in it: after one of [`BUSY`] events the next one leaves
/// that much later than it did. Calls that are over by then are one event each. An answer waits for its begun event only if
/// the provider was quicker than that. Longer is not cheaper: callers that wait let the processors fall asleep between
/// batches, and calls cost more again than batches saved.
const SPACING: Duration = Duration::from_millis(1);
const BUSY: usize = 8;
/// A link over which nothing came for that long is dead; the control plane sends a tick every few seconds.
const SILENT: Duration = Duration::from_secs(30);
/// A link that stood that long was a good one, even if there was nothing to acknowledge.
const STOOD: Duration = Duration::from_secs(5);

/// One session, as the control plane named it.
pub(crate) struct Session {
    pub(crate) id: Vec<u8>,
    /// Counts the sessions of this process.
    pub(crate) epoch: u64,
    pub(crate) strict: bool,
    pub(crate) key_pepper: HashKey,
}

/// The way to the control plane.
pub(crate) struct Link {
    connection: Connection,
    session: ArcSwapOption<Session>,
    up: AtomicBool,
}

impl Link {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, session: ArcSwapOption::empty(), up: AtomicBool::new(false) }
    }

    /// A client of its own; all share one connection.
    pub(crate) fn client(&self) -> Client {
        self.connection.client()
    }

    /// The session, once there was one.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.session.load_full()
    }

    /// The session for a look, without counting a reference.
    pub(crate) fn session_ref(&self) -> arc_swap::Guard<Option<Arc<Session>>> {
        self.session.load()
    }

    /// Whether it stands now.
    pub(crate) fn up(&self) -> bool {
        self.up.load(Relaxed)
    }
}

/// How long to wait before the next try: twice as long each time, until a link was good for something. That one opens
/// says nothing yet: where commits fail and reads work, each opens, gets the whole catalogue and breaks.
struct Pause(Duration);

impl Pause {
    const SHORTEST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);

    /// A batch was acknowledged.
    const fn acknowledged(&mut self) {
        self.0 = Self::SHORTEST;
    }

    /// A link is lost that stood so long.
    fn lost_after(&mut self, stood: Duration) {
        if stood >= STOOD {
            self.0 = Self::SHORTEST;
        }
    }

    fn next(&mut self) -> Duration {
        let next = self.0.saturating_mul(2).min(Self::LONGEST);
        std::mem::replace(&mut self.0, next)
    }
}

/// What the session keeps up to date.
pub(crate) struct Watched {
    pub(crate) link: Arc<Link>,
    pub(crate) catalog: Arc<ArcSwap<Catalog>>,
    /// Notified when the first catalogue has arrived.
    pub(crate) ready: Arc<Notify>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) hello: wire::Hello,
}

impl Watched {
    /// Keeps the session for as long as it is polled.
    pub(crate) async fn keep(mut self) {
        let mut pause = Pause(Pause::SHORTEST);
        loop {
            let error = match self.once(&mut pause).await {
                Ok(()) => "ended".to_owned(),
                Err(status) => status.code().description().to_owned(),
            };
            if self.link.up.swap(false, Relaxed) {
                tracing::warn!(event = "link.lost", detail = error, "the link to the control plane is lost");
            }
            tokio::time::sleep(pause.next()).await;
        }
    }

    async fn once(&mut self, pause: &mut Pause) -> Result<(), Status> {
        let mut client = self.link.client();
        let welcome = client.open(self.hello.clone()).await?.into_inner();
        welcome.check()?;
        let before = self.link.session();
        let known = before.as_ref().is_some_and(|s| s.id == welcome.session);
        let epoch = before.map_or(0, |s| s.epoch) + u64::from(!known);
        self.hello.session.clone_from(&welcome.session);
        let session = Session {
            id: welcome.session,
            epoch,
            strict: welcome.strict_settlement,
            key_pepper: HashKey::from_bytes(convert::bytes32("key_pepper", &welcome.key_pepper)?),
        };
        let again = self.outbox.reconnected(&session.id, welcome.acknowledged);
        let id = session.id.clone();
        self.link.session.store(Some(Arc::new(session)));
        let updates = client.watch(wire::WatchRequest { session: id }).await?.into_inner();
        self.link.up.store(true, Relaxed);
        let since = Instant::now();
        tracing::info!(event = "link.up", "the link to the control plane stands");
        let result = tokio::select! {
            result = self.watch(updates) => result,
            result = record(&self.outbox, &self.link.connection, again, pause) => result,
        };
        pause.lost_after(since.elapsed());
        result
    }

    async fn watch(&self, mut updates: tonic::Streaming<wire::Update>) -> Result<(), Status> {
        use wire::update::Kind;
        loop {
            let update = tokio::time::timeout(SILENT, updates.message()).await;
            let Some(update) = update.map_err(|_| Status::deadline_exceeded("silent"))?? else { return Ok(()) };
            update.check()?;
            match update.kind {
                Some(Kind::Catalog(message)) => {
                    let (catalog, left_out) = catalog::compile(&message, &self.catalog.load());
                    let count = catalog.list.len();
                    self.catalog.store(Arc::new(catalog));
                    self.ready.notify_one();
                    tracing::info!(event = "catalog.loaded", count, "the catalogue has changed");
                    if left_out > 0 {
                        tracing::warn!(event = "catalog.left_out", count = left_out, "models or channels left out");
                    }
                }
                Some(Kind::Invalidate(what)) => self.grants.invalidate(&what),
                Some(Kind::Recall(recall)) => {
                    let account: AccountId = convert::id("account", &recall.account)?;
                    if let Some(account) = self.grants.account(account) {
                        let link = Arc::clone(&self.link);
                        tokio::spawn(async move { account.budget.give_back(&link).await });
                    }
                }
                Some(Kind::Tick(_)) | None => {}
            }
        }
    }
}

/// Sends events and takes acknowledgements until the stream breaks. One batch is under way at a time: while it is, the
/// next ones gather, so that the busier the gateway the fuller they are, and a quiet one waits for nothing.
async fn record(
    outbox: &Outbox,
    connection: &Connection,
    again: Vec<Arc<wire::Events>>,
    pause: &mut Pause,
) -> Result<(), Status> {
    let (send, receive) = mpsc::unbounded_channel();
    let mut under_way = again.len();
    for batch in again {
        let _ = send.send(batch);
    }
    let answer = connection.record(UnboundedReceiverStream::new(receive));
    tokio::pin!(answer);
    let mut acks: Option<tonic::Streaming<wire::Ack>> = None;
    let mut not_before = Instant::now();
    loop {
        let open = acks.is_some();
        let next_ack = async {
            match acks.as_mut() {
                Some(acks) => acks.message().await,
                None => std::future::pending().await,
            }
        };
        let may_send = async {
            outbox.filled().await;
            tokio::time::sleep_until(not_before).await;
        };
        tokio::select! {
            biased;
            ack = next_ack => match ack? {
                Some(ack) => {
                    under_way = outbox.acknowledge(ack.batch);
                    pause.acknowledged();
                }
                None => return Ok(()),
            },
            response = &mut answer, if !open => acks = Some(response?),
            () = may_send, if under_way == 0 => {
                if let Some(events) = outbox.next_batch() {
                    under_way += 1;
                    let busy = events.begun.len() + events.ended.len() >= BUSY;
                    not_before = Instant::now() + if busy { SPACING } else { Duration::ZERO };
                    if send.send(events).is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_a_link_was_good_for_something() {
        let mut pause = Pause(Pause::SHORTEST);
        let mut grown = |lost_after| {
            pause.lost_after(Duration::from_secs(lost_after));
            pause.next().as_millis()
        };
        assert_eq!([0; 8].map(&mut grown), [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!([1, 6, 0].map(&mut grown), [2000, 50, 100]);
        pause.acknowledged();
        assert_eq!(pause.next(), Pause::SHORTEST);
    }
}
