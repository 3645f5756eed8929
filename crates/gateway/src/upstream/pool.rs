//! Idle connections, by where they lead.

use crate::upstream::connect::Io;
use http::Uri;
use http::uri::{Authority, Scheme};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, ReadBuf};

/// Idle connections kept to one host, and for how long.
const IDLE: usize = 1024;
const IDLE_FOR: Duration = Duration::from_secs(60);

/// Where a connection leads. One that was made to any address is never used for a channel that may only reach public
/// ones.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    tls: bool,
    authority: Authority,
    allow_private: bool,
}

/// A host and its idle connections, the last used one at the end: what is not needed stays idle and is closed.
pub(crate) struct Host {
    place: Place,
    idle: Mutex<Vec<(Io, Instant)>>,
}

/// A connection in use.
pub(crate) struct Conn {
    pub(crate) io: Io,
    pub(crate) host: Arc<Host>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Hosts {
    known: Mutex<HashMap<Place, Arc<Host>>>,
}

impl Hosts {
    /// The host of a URL; `None` if it names none.
    pub(crate) fn find(&self, target: &Uri, allow_private: bool) -> Option<Arc<Host>> {
        let tls = target.scheme()? == &Scheme::HTTPS;
        let place = Place { tls, authority: target.authority()?.clone(), allow_private };
        let mut known = self.known.lock();
        if let Some(host) = known.get(&place) {
            return Some(Arc::clone(host));
        }
        let host = Arc::new(Host { place: place.clone(), idle: Mutex::default() });
        known.insert(place, Arc::clone(&host));
        Some(host)
    }

    /// Closes what has been idle for long, and forgets hosts that nobody uses.
    pub(crate) fn sweep(&self) {
        let mut old = Vec::new();
        let now = Instant::now();
        self.known.lock().retain(|_, host| {
            let mut idle = host.idle.lock();
            old.extend(idle.extract_if(.., |(_, since)| now.duration_since(*since) >= IDLE_FOR));
            !idle.is_empty() || Arc::strong_count(host) > 1
        });
        // Closed here, without a lock.
        drop(old);
    }
}

impl Host {
    /// The name or address, an IPv6 address without its brackets.
    pub(crate) fn name(&self) -> &str {
        let host = self.place.authority.host();
        host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
    }

    pub(crate) fn port(&self) -> u16 {
        self.place.authority.port_u16().unwrap_or(if self.place.tls { 443 } else { 80 })
    }

    pub(crate) const fn tls(&self) -> bool {
        self.place.tls
    }

    pub(crate) const fn allow_private(&self) -> bool {
        self.place.allow_private
    }

    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.idle.lock().len()
    }
}

/// An idle connection to that host that is still open.
pub(crate) fn take(host: &Arc<Host>) -> Option<Conn> {
    loop {
        let (mut io, since) = host.idle.lock().pop()?;
        if since.elapsed() < IDLE_FOR && silent(&mut io) {
            return Some(Conn { io, host: Arc::clone(host) });
        }
    }
}

/// Whether nothing has come, not even the end: what comes between two answers belongs to none of them.
fn silent(io: &mut Io) -> bool {
    let mut space = [0_u8; 1];
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(io).poll_read(&mut cx, &mut ReadBuf::new(&mut space)).is_pending()
}

impl Conn {
    /// The next call may use it.
    pub(crate) fn give_back(self) {
        let mut idle = self.host.idle.lock();
        if idle.len() < IDLE {
            idle.push((self.io, Instant::now()));
        }
    }
}
