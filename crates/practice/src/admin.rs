//! The admin endpoint of the practice provider, for tests: `/practice/…`. Off unless [`crate::Options::admin`] is
//! set, because it keeps what it was sent (in memory).
//!
//! - `PUT /practice/faults` `{"faults": "status-500+wait-5", "times": 2, "usage": {…}}`: for the next `times` requests
//!   (1 if absent, 0 clears), on top of what the model name asks for.
//! - `GET /practice/requests`: what was received: method, target, headers as received, body and its length.
//! - `DELETE /practice/requests`: forgets them.
//! - `GET /practice/counters`: requests, answers completed, answers abandoned by the client.

use crate::faults::Faults;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Requests kept at most; the oldest go first.
const KEPT: usize = 10_000;

/// Faults that were asked for ahead.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) words: String,
    pub(crate) usage: Option<Value>,
    left: u64,
}

/// What the admin endpoint holds.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    planned: Mutex<Option<Planned>>,
    received: Mutex<VecDeque<Value>>,
}

impl Desk {
    /// Plans faults; the answer says what was not understood.
    pub(crate) fn plan(&self, body: &[u8]) -> Result<(), String> {
        let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON".to_owned())?;
        let words = value.get("faults").and_then(Value::as_str).unwrap_or_default().to_owned();
        Faults::parse(&words).map_err(|word| format!("unknown fault {word}"))?;
        let left = value.get("times").and_then(Value::as_u64).unwrap_or(1);
        let usage = value.get("usage").cloned();
        *self.planned.lock() = (left > 0).then_some(Planned { words, usage, left });
        Ok(())
    }

    pub(crate) fn next(&self) -> Option<Planned> {
        let mut planned = self.planned.lock();
        let next = planned.clone();
        if let Some(plan) = planned.as_mut() {
            plan.left -= 1;
            if plan.left == 0 {
                *planned = None;
            }
        }
        next
    }

    pub(crate) fn keep(&self, head: &http::request::Parts, body: &[u8]) {
        let headers: Vec<_> =
            head.headers.iter().map(|(n, v)| json!([n.as_str(), String::from_utf8_lossy(v.as_bytes())])).collect();
        let mut received = self.received.lock();
        if received.len() == KEPT {
            received.pop_front();
        }
        received.push_back(json!({
            "method": head.method.as_str(),
            "target": head.uri.to_string(),
            "headers": headers,
            "body": String::from_utf8_lossy(body),
            "bytes": body.len(),
        }));
    }

    pub(crate) fn received(&self) -> Value {
        Value::Array(self.received.lock().iter().cloned().collect())
    }

    pub(crate) fn forget(&self) {
        self.received.lock().clear();
    }
}
