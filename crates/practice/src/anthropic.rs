//! The Anthropic dialect: messages.

use crate::answer::{self, Answer, Input};
use crate::reply::{Asked, Reply};
use serde_json::{Value, json};

/// `{"type": "error", ...}` as Anthropic writes it.
pub(crate) fn error(status: u16, message: &str, request: &str) -> Value {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": request})
}

fn usage(input: &Input, output: u64, no_split: bool) -> Value {
    let split = json!({
        "ephemeral_5m_input_tokens": input.cache_write_5m,
        "ephemeral_1h_input_tokens": input.cache_write_1h,
    });
    json!({
        "input_tokens": input.fresh,
        "cache_creation_input_tokens": input.cache_write_5m + input.cache_write_1h,
        "cache_read_input_tokens": input.cache_read,
        "cache_creation": if no_split { Value::Null } else { split },
        "output_tokens": output,
        "service_tier": "standard",
    })
}

/// `POST /v1/messages`.
pub(crate) fn messages(asked: &Asked) -> Reply {
    let Asked { body, faults, .. } = asked;
    let Some(limit) = body.get("max_tokens").and_then(Value::as_u64) else {
        return Reply::Error(400, "max_tokens: Field required".to_owned());
    };
    let answer = Answer::new(&answer::last_text(body), asked.length(), Some(limit));
    let stop = if answer.cut { "max_tokens" } else { "end_turn" };
    let counts = |output| asked.usage.clone().unwrap_or_else(|| usage(&asked.input, output, faults.split_cache_absent));
    let message = |content: Value, stop: Value, counts: Option<Value>| {
        let mut message = json!({
            "id": format!("msg_practice{}", asked.serial),
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": null,
        });
        if let (Some(map), Some(counts)) = (message.as_object_mut(), counts) {
            map.insert("usage".to_owned(), counts);
        }
        message
    };
    if !asked.stream() {
        let content = json!([{"type": "text", "text": answer.text()}]);
        let counts = (!faults.no_usage).then(|| counts(answer.tokens()));
        return Reply::Whole(message(content, json!(stop), counts).to_string());
    }
    let mut events = Vec::with_capacity(answer.pieces.len() + 6);
    let start = message(json!([]), Value::Null, (!faults.no_usage).then(|| counts(1)));
    events.push(event("message_start", &json!({"type": "message_start", "message": start})));
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    events.push(event("content_block_start", &block));
    events.push(event("ping", &json!({"type": "ping"})));
    for piece in &answer.pieces {
        let delta = json!({
            "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece},
        });
        events.push(event("content_block_delta", &delta));
    }
    events.push(event("content_block_stop", &json!({"type": "content_block_stop", "index": 0})));
    let mut delta = json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}});
    if let (Some(map), false) = (delta.as_object_mut(), faults.no_usage) {
        let last = asked.usage.clone().unwrap_or_else(|| json!({"output_tokens": answer.tokens()}));
        map.insert("usage".to_owned(), last);
    }
    events.push(event("message_delta", &delta));
    events.push(event("message_stop", &json!({"type": "message_stop"})));
    Reply::Events(events)
}

pub(crate) fn error_event(message: &str) -> String {
    let value = json!({"type": "error", "error": {"type": "api_error", "message": message}});
    event("error", &value)
}

fn event(name: &str, value: &Value) -> String {
    format!("event: {name}\ndata: {value}\n\n")
}
