//! Metrics of the gateway. Labels are words of closed sets and names that the operator registered; nothing of a client
//! or an account. Every label stands in [`crate::datamap`].

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use tacit_kernel::call::{CallStatus, Endpoint, ErrorCode};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    endpoint: &'static str,
    status: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempted {
    provider: Arc<str>,
    code: &'static str,
}

/// Seconds: from a fast answer of a small model to a long stream.
const SECONDS: [f64; 14] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0];

/// Everything that is counted.
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    calls: Family<Ended, Counter>,
    attempts: Family<Attempted, Counter>,
    duration: Histogram,
    first_byte: Histogram,
    /// Calls under way.
    pub(crate) open: Gauge,
    /// Client connections.
    pub(crate) connections: Gauge,
    /// Set when the metrics are read.
    pub(crate) unacknowledged: Gauge,
    /// Set when the metrics are read.
    pub(crate) link_up: Gauge,
    /// Panics in calls.
    pub(crate) panics: Counter,
    /// Records of refused calls that were left out because too much waited.
    pub(crate) unrecorded: Counter,
    /// Connections and streams whose client did not read.
    pub(crate) unread: Counter,
    /// Set when the metrics are read.
    pub(crate) bodies: Gauge,
    pub(crate) out_of_bounds: Counter,
}

impl Metrics {
    pub(crate) fn new(sandbox: bool) -> Self {
        let mut registry = Registry::with_prefix("tacit_gateway");
        let metrics = Self {
            calls: Family::default(),
            attempts: Family::default(),
            duration: Histogram::new(SECONDS),
            first_byte: Histogram::new(SECONDS),
            open: Gauge::default(),
            connections: Gauge::default(),
            unacknowledged: Gauge::default(),
            link_up: Gauge::default(),
            panics: Counter::default(),
            unrecorded: Counter::default(),
            unread: Counter::default(),
            bodies: Gauge::default(),
            out_of_bounds: Counter::default(),
            registry: Registry::default(),
        };
        let sandboxed: Gauge<i64, AtomicI64> = Gauge::default();
        sandboxed.set(i64::from(sandbox));
        registry.register("calls", "Calls by how they ended", metrics.calls.clone());
        registry.register("provider_attempts", "Attempts at providers by outcome", metrics.attempts.clone());
        registry.register_with_unit("call_duration", "Whole calls", Unit::Seconds, metrics.duration.clone());
        registry.register_with_unit(
            "call_first_byte",
            "From the request to the first byte of the answer",
            Unit::Seconds,
            metrics.first_byte.clone(),
        );
        registry.register("open_calls", "Calls under way", metrics.open.clone());
        registry.register("connections", "Client connections", metrics.connections.clone());
        registry.register(
            "unacknowledged_events",
            "Call events that the control plane has not acknowledged",
            metrics.unacknowledged.clone(),
        );
        registry.register("link_up", "1 while the link to the control plane stands", metrics.link_up.clone());
        registry.register("sandbox", "1 if the process has locked itself in", sandboxed);
        registry.register("panics", "Panics in calls", metrics.panics.clone());
        registry.register("unrecorded", "Refused calls that were not recorded", metrics.unrecorded.clone());
        registry.register("unread", "Clients that were let go because they did not read", metrics.unread.clone());
        let bodies = "Memory that request bodies and whole answers take";
        registry.register_with_unit("bodies", bodies, Unit::Bytes, metrics.bodies.clone());
        let out_of_bounds = metrics.out_of_bounds.clone();
        registry.register("events_out_of_bounds", "Call events that had to be mended to be sent", out_of_bounds);
        Self { registry, ..metrics }
    }

    pub(crate) fn ended(
        &self,
        endpoint: Endpoint,
        status: CallStatus,
        error: Option<ErrorCode>,
        duration_micros: i64,
        first_byte_micros: Option<i64>,
    ) {
        let code = error.map_or("", ErrorCode::as_str);
        self.calls.get_or_create(&Ended { endpoint: endpoint.as_str(), status: status.as_str(), code }).inc();
        self.duration.observe(seconds(duration_micros));
        if let Some(micros) = first_byte_micros {
            self.first_byte.observe(seconds(micros));
        }
    }

    pub(crate) fn attempted(&self, provider: &Arc<str>, error: Option<ErrorCode>) {
        let code = error.map_or("", ErrorCode::as_str);
        self.attempts.get_or_create(&Attempted { provider: Arc::clone(provider), code }).inc();
    }
}

fn seconds(micros: i64) -> f64 {
    std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64()
}
