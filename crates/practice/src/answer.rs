//! What the practice provider answers: a text derived from the prompt alone, and the tokens of both counted.

use crate::tokens;
use serde_json::Value;

/// How long an answer is if nothing asks otherwise, in tokens.
const USUAL: usize = 40;
/// No answer is longer, whatever is asked for.
const MOST: usize = 100_000;

/// An answer, token by token.
pub(crate) struct Answer {
    /// Each is one token with the white space before it.
    pub(crate) pieces: Vec<String>,
    /// Whether `max_tokens` cut it short.
    pub(crate) cut: bool,
}

impl Answer {
    /// `This is the practice provider. You wrote: …`, then the prompt's last words again and again up to `length`
    /// tokens; cut at `limit`, the client's own bound.
    pub(crate) fn new(last: &str, length: Option<usize>, limit: Option<u64>) -> Self {
        let opening = "This is the practice provider. You wrote:";
        let mut pieces: Vec<String> = tokens::tokens(opening).into_iter().map(str::to_owned).collect();
        let words = tokens::tokens(last.trim());
        let natural = if words.is_empty() { pieces.len() } else { USUAL.max(pieces.len() + words.len().min(4_000)) };
        let wanted = length.unwrap_or(natural).min(MOST);
        let mut again = words.iter().cycle();
        let mut first = true;
        while pieces.len() < wanted {
            match again.next() {
                Some(word) => {
                    let gap =
                        if word.starts_with(char::is_whitespace) || !starts_word(word) && !first { "" } else { " " };
                    pieces.push(format!("{gap}{}", word.trim_end()));
                    first = false;
                }
                None => pieces.push(" word".to_owned()),
            }
        }
        pieces.truncate(wanted);
        let limit = limit.and_then(|l| usize::try_from(l).ok()).unwrap_or(usize::MAX);
        let cut = pieces.len() > limit;
        pieces.truncate(limit);
        Self { pieces, cut }
    }

    pub(crate) fn text(&self) -> String {
        self.pieces.concat()
    }

    pub(crate) fn tokens(&self) -> u64 {
        u64::try_from(self.pieces.len()).unwrap_or(u64::MAX)
    }
}

fn starts_word(piece: &str) -> bool {
    piece.chars().next().is_some_and(char::is_alphanumeric)
}

/// Input tokens by how they are charged.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) fresh: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write_5m: u64,
    pub(crate) cache_write_1h: u64,
}

/// Every text of a request in the order a model reads it.
pub(crate) fn texts(body: &Value) -> Vec<&str> {
    let mut all = Vec::new();
    for field in ["system", "prompt", "input"] {
        if let Some(value) = body.get(field) {
            content(value, &mut all);
        }
    }
    for message in body.get("messages").and_then(Value::as_array).into_iter().flatten() {
        if let Some(value) = message.get("content") {
            content(value, &mut all);
        }
    }
    all
}

/// The text of the last message or prompt.
pub(crate) fn last_text(body: &Value) -> String {
    let mut all = Vec::new();
    match body.get("messages").and_then(Value::as_array).and_then(|m| m.last()) {
        Some(message) => {
            if let Some(value) = message.get("content") {
                content(value, &mut all);
            }
        }
        None => all = texts(body),
    }
    all.join(" ")
}

fn content<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Array(parts) => parts.iter().for_each(|part| content(part, into)),
        Value::Object(part) => {
            for field in ["text", "content"] {
                if let Some(value) = part.get(field) {
                    content(value, into);
                }
            }
        }
        _ => {}
    }
}

/// The input tokens of a request; `seen` says whether a cached beginning was sent before, and remembers it.
pub(crate) fn input(body: &Value, mut seen: impl FnMut(&str) -> bool) -> Input {
    let all: u64 = texts(body).into_iter().map(tokens::count).sum();
    let mut so_far = String::new();
    let mut marks = Vec::new();
    let system = body.get("system").and_then(Value::as_array).into_iter().flatten();
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    let blocks = messages.filter_map(|m| m.get("content")).flat_map(|c| match c {
        Value::Array(parts) => parts.iter().collect::<Vec<_>>(),
        other => vec![other],
    });
    let mut counted = 0;
    for block in system.chain(blocks) {
        let mut found = Vec::new();
        content(block, &mut found);
        for text in found {
            counted += tokens::count(text);
            so_far.push_str(text);
            so_far.push('\0');
        }
        if let Some(control) = block.get("cache_control") {
            let hour = control.get("ttl").and_then(Value::as_str) == Some("1h");
            marks.push((so_far.clone(), counted, hour));
        }
    }
    let mut input = Input::default();
    let mut done = 0;
    for (beginning, upto, hour) in marks {
        let part = upto - done;
        done = upto;
        if seen(&beginning) {
            input.cache_read += part;
        } else if hour {
            input.cache_write_1h += part;
        } else {
            input.cache_write_5m += part;
        }
    }
    input.fresh = all.saturating_sub(done);
    input
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_has_as_many_tokens_as_it_says() {
        for (last, length, limit) in [
            ("Hello, world!", None, None),
            ("", None, None),
            ("a (b) c", Some(60), None),
            ("你好，世界", Some(50), Some(12)),
        ] {
            let answer = Answer::new(last, length, limit);
            assert_eq!(tokens::count(&answer.text()), answer.tokens(), "{}", answer.text());
            assert_eq!(answer.cut, limit.is_some());
        }
        assert!(
            Answer::new("Hello, world!", None, None)
                .text()
                .starts_with("This is the practice provider. You wrote: Hello, world! Hello, world!")
        );
    }

    #[test]
    fn a_cached_beginning_is_written_once_and_read_later() {
        let body = json!({
            "system": [{"type": "text", "text": "one two three", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "four", "cache_control": {"type": "ephemeral"}}]},
                {"role": "user", "content": "five six"},
            ],
        });
        let mut seen = std::collections::HashSet::new();
        let mut ask = |body: &Value| input(body, |b| !seen.insert(b.to_owned()));
        assert_eq!(ask(&body), Input { fresh: 2, cache_read: 0, cache_write_5m: 1, cache_write_1h: 3 });
        assert_eq!(ask(&body), Input { fresh: 2, cache_read: 4, cache_write_5m: 0, cache_write_1h: 0 });
    }
}
