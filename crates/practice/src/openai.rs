//! The OpenAI dialect: chat completions, completions, embeddings, models.

use crate::answer::{self, Answer, Input};
use crate::reply::{Asked, Reply};
use crate::tokens;
use base64::Engine as _;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// `{"error": {...}}` as OpenAI writes it.
pub(crate) fn error(status: u16, message: &str) -> Value {
    let kind = match status {
        401 | 403 => "authentication_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "server_error",
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
}

fn usage(input: &Input, output: u64) -> Value {
    let prompt = input.fresh + input.cache_read + input.cache_write_5m + input.cache_write_1h;
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": input.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    })
}

/// `POST /v1/chat/completions` and `POST /v1/completions`.
pub(crate) fn completion(asked: &Asked, chat: bool) -> Reply {
    let Asked { body, faults, .. } = asked;
    let limit = ["max_completion_tokens", "max_tokens"].iter().find_map(|f| body.get(*f)).and_then(Value::as_u64);
    let answer = Answer::new(&answer::last_text(body), asked.length(), limit);
    let usage = asked.usage.clone().unwrap_or_else(|| usage(&asked.input, answer.tokens()));
    let finish = if answer.cut { "length" } else { "stop" };
    let (prefix, object) = match (chat, asked.stream()) {
        (true, true) => ("chatcmpl", "chat.completion.chunk"),
        (true, false) => ("chatcmpl", "chat.completion"),
        (false, _) => ("cmpl", "text_completion"),
    };
    let head = |choices: Value| {
        json!({
            "id": format!("{prefix}-practice-{}", asked.serial),
            "object": object,
            "created": asked.now,
            "model": asked.model,
            "system_fingerprint": "practice",
            "choices": choices,
        })
    };
    if !asked.stream() {
        let choice = if chat {
            json!({"index": 0, "message": {"role": "assistant", "content": answer.text(), "refusal": null},
                   "logprobs": null, "finish_reason": finish})
        } else {
            json!({"index": 0, "text": answer.text(), "logprobs": null, "finish_reason": finish})
        };
        let mut whole = head(json!([choice]));
        if !faults.no_usage {
            put(&mut whole, "usage", usage);
        }
        return Reply::Whole(whole.to_string());
    }
    let include = body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false);
    // The first part of an event does not change within a stream, so that it is written once.
    let mut shell = head(json!([]));
    if include {
        put(&mut shell, "usage", Value::Null);
    }
    let event = |choices: Value| {
        let mut chunk = shell.clone();
        put(&mut chunk, "choices", choices);
        chunk
    };
    let choice = |delta: Value, finish: Value| {
        if chat {
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}])
        } else {
            let text = delta.get("content").cloned().unwrap_or_else(|| json!(""));
            json!([{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}])
        }
    };
    let mut events = Vec::with_capacity(answer.pieces.len() + 4);
    if chat {
        events.push(data(&event(choice(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null))));
    }
    for piece in &answer.pieces {
        events.push(data(&event(choice(json!({"content": piece}), Value::Null))));
    }
    let mut last = event(choice(json!({}), json!(finish)));
    let report = include && !faults.no_usage;
    if report && faults.usage_with_choices {
        put(&mut last, "usage", usage.clone());
    }
    events.push(data(&last));
    if report && !faults.usage_with_choices {
        let mut counts = event(json!([]));
        put(&mut counts, "usage", usage);
        events.push(data(&counts));
    }
    events.push("data: [DONE]\n\n".to_owned());
    Reply::Events(events)
}

pub(crate) fn error_event(message: &str) -> String {
    data(&error(500, message))
}

fn data(value: &Value) -> String {
    let mut text = String::with_capacity(320);
    let _ = write!(text, "data: {value}\n\n");
    text
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(name.to_owned(), value);
    }
}

/// `POST /v1/embeddings`: a unit vector made from the text.
pub(crate) fn embeddings(asked: &Asked) -> Reply {
    let body = &asked.body;
    let inputs: Vec<String> = match body.get("input") {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(all)) if all.iter().all(Value::is_number) => vec![Value::Array(all.clone()).to_string()],
        Some(Value::Array(all)) => {
            all.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect()
        }
        _ => return Reply::Error(400, "input is missing".to_owned()),
    };
    let dimensions = body.get("dimensions").and_then(Value::as_u64).unwrap_or(64).clamp(1, 4_096);
    let packed = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = vector(text, dimensions);
            let embedding = if packed {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                json!(base64::engine::general_purpose::STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let prompt: u64 = inputs.iter().map(|text| tokens::count(text)).sum();
    let mut whole = json!({"object": "list", "data": data, "model": asked.model});
    if !asked.faults.no_usage {
        let counts = asked.usage.clone().unwrap_or_else(|| json!({"prompt_tokens": prompt, "total_tokens": prompt}));
        put(&mut whole, "usage", counts);
    }
    Reply::Whole(whole.to_string())
}

fn vector(text: &str, dimensions: u64) -> Vec<f32> {
    // SplitMix64 over FNV-1a of the text: any fixed rule will do.
    let mut state =
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let raw: Vec<f32> = (0..dimensions)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            f32::from(i16::from_le_bytes([mixed.to_le_bytes()[3], mixed.to_le_bytes()[4]])) / 32_768.0
        })
        .collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    raw.into_iter().map(|x| x / length).collect()
}
