//! Canaries for the tests: made here on purpose, so that the scanner of the program is not judged by its own hand.

use rand::RngExt as _;
use serde_json::{Value, json};

/// The canaries of one run: all begin alike.
#[derive(Debug)]
pub struct Canaries {
    magic: String,
    made: Vec<(String, String)>,
}

impl Default for Canaries {
    fn default() -> Self {
        let mut rng = rand::rng();
        let magic = (0..10).map(|_| char::from(b'p' + rng.random_range(0..9_u8))).collect();
        Self { magic, made: Vec::new() }
    }
}

impl Canaries {
    /// A new one.
    pub fn mint(&mut self, name: impl Into<String>) -> String {
        let half = format!("{}{:05}", self.magic, self.made.len());
        let text = format!("{half}{half}");
        self.made.push((name.into(), text.clone()));
        text
    }

    /// One a line, as `tacit prove no-bodies --canary-file` reads them.
    #[must_use]
    pub fn file(&self) -> String {
        self.made.iter().map(|(_, text)| format!("{text}\n")).collect()
    }

    /// What the canary of that line (counted from 1) was planted in.
    #[must_use]
    pub fn name(&self, line: usize) -> &str {
        self.made.get(line.wrapping_sub(1)).map_or("unknown", |(name, _)| name)
    }

    /// A request with a canary in every string and key that a client chooses, model and switches apart.
    pub fn body(&mut self, scenario: &str, model: &str, stream: bool) -> Value {
        let mut mint = |field: &str| self.mint(format!("{scenario}: {field}"));
        let image = format!("data:image/png;base64,{}", mint("image"));
        json!({
            "model": model,
            "stream": stream,
            "max_tokens": 300,
            "messages": [
                {"role": "user", "name": mint("name"), "content": [
                    {"type": "text", "text": mint("text part")},
                    {"type": "image_url", "image_url": {"url": image, "detail": mint("detail")}},
                    {"type": "file", "file": {"filename": mint("file name"), "file_data": mint("file data")}},
                ]},
                {"role": "assistant", "content": "earlier", "tool_calls": [{"id": mint("tool call id"), "type": "function",
                    "function": {"name": mint("tool call"), "arguments": json!({(mint("argument")): mint("value")}).to_string()}}]},
                {"role": "tool", "tool_call_id": mint("tool answer id"), "content": mint("tool answer")},
                {"role": "user", "content": format!("{} \"quoted\" \u{1f642} {}", mint("message"), mint("end of message"))},
            ],
            "system": mint("system"),
            "user": mint("user"),
            "metadata": {"user_id": mint("metadata"), (mint("metadata key")): mint("metadata value")},
            "stop": [mint("stop")],
            "stop_sequences": [mint("stop sequence")],
            "tools": [{"type": "function", "name": mint("tool name"), "input_schema": {"type": "object"}, "function": {
                "name": mint("function name"),
                "description": mint("description"),
                "parameters": {"type": "object", "properties": {(mint("schema key")): {"enum": [mint("enum")]}}},
            }}],
            "tool_choice": {"type": "function", "function": {"name": mint("tool choice")}},
            "response_format": {"type": "json_schema", "json_schema": {"name": mint("schema name"), "schema": {}}},
            "prompt_cache_key": mint("prompt cache key"),
            "service_tier": mint("service tier"),
            (mint("unknown key")): {(mint("inner key")): [mint("inner value")]},
        })
    }

    /// Headers of a request with canaries in them.
    pub fn headers(&mut self, scenario: &str) -> Vec<(String, String)> {
        let mut mint = |field: &str| self.mint(format!("{scenario}: header {field}"));
        let mut headers: Vec<(String, String)> = [
            "anthropic-beta",
            "anthropic-version",
            "openai-organization",
            "idempotency-key",
            "x-request-id",
            "x-claude-code-session-id",
            "x-stainless-lang",
            "traceparent",
            "referer",
            "x-forwarded-for",
            "accept-language",
        ]
        .iter()
        .map(|name| ((*name).to_owned(), mint(name)))
        .collect();
        headers.push(("user-agent".to_owned(), format!("OpenAI/Python {}", mint("user-agent"))));
        headers.push(("cookie".to_owned(), format!("session={}", mint("cookie"))));
        headers.push((format!("x-{}", mint("name")), mint("value of an unknown one")));
        headers
    }
}
