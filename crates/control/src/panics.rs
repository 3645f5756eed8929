//! Panics are caught where they can be the failure of one piece of work alone.

use crate::metrics::Metrics;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;

/// Runs work; nothing if it panicked, which is counted and logged. The payload of a panic is never looked at.
pub(crate) async fn caught<T>(metrics: &Metrics, component: &'static str, work: impl Future<Output = T>) -> Option<T> {
    let done = AssertUnwindSafe(work).catch_unwind().await.ok();
    if done.is_none() {
        metrics.panics.inc();
        tracing::error!(event = "control.panic", component, "a piece of work panicked");
    }
    done
}
