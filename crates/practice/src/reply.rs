//! A request as the dialects see it, their answer, and how faults turn that answer into the steps of a body.

use crate::answer::Input;
use crate::faults::Faults;
use crate::script::Step;
use bytes::Bytes;
use serde_json::Value;
use std::time::Duration;

/// A parsed request.
pub(crate) struct Asked {
    pub(crate) body: Value,
    pub(crate) model: String,
    pub(crate) faults: Faults,
    pub(crate) input: Input,
    /// Counts requests of this process; goes into the id of the answer.
    pub(crate) serial: u64,
    /// Seconds since 1970.
    pub(crate) now: i64,
    /// Length of an answer if neither the model name nor the client says.
    pub(crate) usual_length: Option<usize>,
    /// Token counts to report instead of the true ones.
    pub(crate) usage: Option<Value>,
}

impl Asked {
    pub(crate) fn stream(&self) -> bool {
        self.body.get("stream").and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn length(&self) -> Option<usize> {
        self.faults.tokens.or(self.usual_length)
    }
}

/// What a dialect answers.
pub(crate) enum Reply {
    /// A JSON document.
    Whole(String),
    /// The events of a stream, each with its empty line; the last one is the end mark.
    Events(Vec<String>),
    /// A refusal.
    Error(u16, String),
}

/// The steps of a stream.
pub(crate) fn play_events(mut events: Vec<String>, faults: &Faults, pace: Option<Duration>, broken: &str) -> Vec<Step> {
    if faults.no_end {
        events.pop();
    }
    if faults.breaks_midway() {
        events.truncate(if faults.at_once { 0 } else { (events.len() / 2).max(1) });
    }
    let mut steps = Vec::with_capacity(events.len() * if pace.is_some() { 2 } else { 1 } + 1);
    for event in events {
        if let Some(time) = pace {
            steps.push(Step::Pause(time));
        }
        push(&mut steps, event, faults.drip);
    }
    if faults.malformed_stream {
        push(&mut steps, "<html>\0\u{1}no event stream\r\r: {{{\n".to_owned(), faults.drip);
    } else if faults.malformed_json {
        push(&mut steps, "data: {\"choices\": [\n\n".to_owned(), faults.drip);
    } else if faults.error_event {
        push(&mut steps, broken.to_owned(), faults.drip);
    }
    end(&mut steps, faults);
    steps
}

/// The steps of one document.
pub(crate) fn play_whole(mut text: String, faults: &Faults) -> Vec<Step> {
    if faults.malformed_json || faults.malformed_stream {
        let half = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(half);
        text.push_str("<not json>");
    }
    let mut steps = Vec::new();
    if faults.breaks_midway() && !faults.malformed_json && !faults.malformed_stream {
        let half = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(half);
    }
    push(&mut steps, text, faults.drip);
    if faults.error_event {
        steps.push(Step::Cut);
    }
    end(&mut steps, faults);
    steps
}

fn push(steps: &mut Vec<Step>, text: String, drip: bool) {
    let bytes = Bytes::from(text);
    if drip {
        for at in 0..bytes.len() {
            steps.push(Step::Bytes(bytes.slice(at..=at)));
            // A chunk a byte, and now and then a segment of the wire of its own.
            if at % 61 == 0 {
                steps.push(Step::Pause(Duration::from_millis(1)));
            }
        }
    } else {
        steps.push(Step::Bytes(bytes));
    }
}

fn end(steps: &mut Vec<Step>, faults: &Faults) {
    // A moment for the bytes to leave before the connection ends: what arrives must be the half that was meant.
    if faults.cut || faults.reset {
        steps.push(Step::Pause(Duration::from_millis(20)));
    }
    if faults.hang_midstream {
        steps.push(Step::Hang);
    } else if faults.reset {
        steps.push(Step::Reset);
    } else if faults.cut {
        steps.push(Step::Cut);
    }
}
