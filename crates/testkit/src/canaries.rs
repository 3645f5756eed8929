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

    /// What all of them begin with.
    #[must_use]
    pub fn magic(&self) -> &str {
        &self.magic
    }

    /// A request with a canary in every string and key that a client chooses, model and switches apart; fields of both
    /// dialects, for each passes on what it does not know.
    pub fn body(&mut self, scenario: &str, model: &str, stream: bool) -> Value {
        let mut mint = |field: &str| self.mint(format!("{scenario}: {field}"));
        let image = format!("data:image/png;base64,{}", mint("image"));
        let mut body = json!({
            "model": model,
            "stream": stream,
            "max_tokens": 300,
            "messages": [
                {"role": "user", "name": mint("name"), "content": [
                    {"type": "text", "text": mint("text part"), "cache_control": {"type": mint("cache control")}},
                    {"type": "image_url", "image_url": {"url": image, "detail": mint("detail")}},
                    {"type": "input_audio", "input_audio": {"data": mint("audio"), "format": mint("audio format")}},
                    {"type": "file", "file": {"filename": mint("file name"), "file_data": mint("file data"),
                                              "file_id": mint("file id")}},
                    {"type": "document", "title": mint("document title"), "context": mint("document context"),
                     "source": {"type": "base64", "media_type": mint("media type"), "data": mint("document")}},
                    {"type": "image", "source": {"type": "url", "url": format!("https://{}.example", mint("host"))}},
                ]},
                {"role": "assistant", "content": "earlier", "refusal": mint("refusal"), "tool_calls": [
                    {"id": mint("tool call id"), "type": "function", "function": {"name": mint("tool call"),
                     "arguments": json!({(mint("argument")): mint("value")}).to_string()}}]},
                {"role": "tool", "tool_call_id": mint("tool answer id"), "content": mint("tool answer")},
                {"role": mint("role"), "content": [
                    {"type": "tool_use", "id": mint("tool use id"), "name": mint("tool use"),
                     "input": {(mint("input key")): mint("input value")}},
                    {"type": "thinking", "thinking": mint("thinking"), "signature": mint("signature")},
                    {"type": mint("type of a part"), "text": mint("unknown part")},
                ]},
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
        });
        let more = json!({
            "prompt_cache_key": mint("prompt cache key"),
            "safety_identifier": mint("safety identifier"),
            "service_tier": mint("service tier"),
            "reasoning_effort": mint("reasoning effort"),
            "prediction": {"type": "content", "content": mint("prediction")},
            "logit_bias": {(mint("logit bias")): 1},
            "web_search_options": {"user_location": {"approximate": {"city": mint("city")}}},
            "mcp_servers": [{"type": "url", "name": mint("MCP server"), "authorization_token": mint("MCP token"),
                             "url": format!("https://example.com/{}", mint("MCP path"))}],
            "container": mint("container"),
            (mint("unknown key")): {(mint("inner key")): [mint("inner value")]},
            "hidden": {
                "hex": hex(&mint("as hex")),
                "base64": base64(&mint("as base64")),
                "percent": mint("as percent").bytes().map(|b| format!("%{b:02X}")).collect::<String>(),
                "json": json!({"nested": mint("JSON in JSON")}).to_string(),
            },
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        body
    }

    /// Such a request as text in which every letter of the canaries of two fields, a key and a value, is written as an
    /// escape.
    pub fn escaped(&mut self, scenario: &str, model: &str) -> String {
        let mut body = self.body(scenario, model, false).to_string();
        for field in ["escaped key", "escaped value"] {
            let plain = self.mint(format!("{scenario}: {field}"));
            let escaped: String = plain.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let member =
                if field == "escaped key" { format!("\"{escaped}\":1") } else { format!("\"x\":\"{escaped}\"") };
            body.insert_str(1, &format!("{member},"));
        }
        body
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
            "origin",
            "via",
            "forwarded",
            "x-stainless-runtime",
            "x-app",
            "session_id",
            "baggage",
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

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

/// Standard base64 with padding, one character more in front so that the text does not stand at a boundary.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = [b"-".as_slice(), text.as_bytes()].concat();
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let number = (0..3).fold(0_usize, |sum, at| sum << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = DIGITS.get(number >> (18 - 6 * at) & 63).copied().unwrap_or(b'A');
            out.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_what_others_write() {
        assert_eq!(base64("ab"), "LWFi");
        assert_eq!(base64("abc"), "LWFiYw==");
        assert_eq!(base64("abcd"), "LWFiY2Q=");
    }
}
