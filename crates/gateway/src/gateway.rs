//! What all calls of a gateway share, whichever lane they are in.

use crate::catalog::Catalog;
use crate::config::GatewayConfig;
use crate::grants::Grants;
use crate::link::Link;
use crate::memory::BodyMemory;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tacit_kernel::Clock;
use tokio::sync::Semaphore;

/// One running gateway.
pub(crate) struct Gateway {
    pub(crate) config: GatewayConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) link: Arc<Link>,
    pub(crate) catalog: Arc<ArcSwap<Catalog>>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) metrics: Metrics,
    pub(crate) bodies: Arc<BodyMemory>,
    /// The first catalogue is there.
    pub(crate) serving: AtomicBool,
    /// Asked to stop: what is open is finished, nothing new is begun.
    pub(crate) draining: AtomicBool,
    /// Places for requests that are forwarded.
    pub(crate) forwards: Arc<Semaphore>,
}

impl Gateway {
    /// Whether calls are served now.
    pub(crate) fn ready(&self) -> bool {
        self.serving.load(Relaxed) && !self.draining.load(Relaxed) && !self.outbox.full()
    }

    /// Whether there is room for one more call.
    pub(crate) fn has_room(&self) -> bool {
        usize::try_from(self.metrics.open.get()).is_ok_and(|open| open < self.config.max_calls)
    }
}
