//! Token counts as providers report them, brought to the disjoint classes of [`Usage`].
//!
//! | class | OpenAI dialect | Anthropic dialect |
//! | --- | --- | --- |
//! | input | `prompt_tokens` less the next four | `input_tokens` |
//! | cache read | `prompt_tokens_details.cached_tokens` | `cache_read_input_tokens` |
//! | cache write | | `cache_creation` by lifetime; what its total has beyond that counts as five minutes |
//! | audio input | `prompt_tokens_details.audio_tokens` | |
//! | image input | `prompt_tokens_details.image_tokens` | |
//! | output | `completion_tokens` less the next two | `output_tokens` |
//! | reasoning | `completion_tokens_details.reasoning_tokens` | |
//! | audio output | `completion_tokens_details.audio_tokens` | |
//!
//! Details never add to a total: where they are larger than it they are cut, in the order of the table. One exception:
//! some providers of the OpenAI dialect leave reasoning out of `completion_tokens`. They are recognised by a
//! `total_tokens` that is the sum of prompt, completion and reasoning.

use crate::body::Body;
use crate::object::{ObjectScanner, Wanted};
use crate::walk::Walk;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use tacit_kernel::Dialect;
use tacit_kernel::rating::Usage;

/// A count in JSON: a whole number, also in the spelling `12.0`; anything else counts as not given.
#[derive(Clone, Copy, Default)]
struct Count(Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(reader)?;
        Ok(Self(match &value {
            serde_json::Value::Number(n) => n.as_u64().or_else(|| n.as_f64().and_then(whole)),
            _ => None,
        }))
    }
}

fn whole(number: f64) -> Option<u64> {
    // Up to 2^53 a float is exact; more tokens than that in one call is not a count.
    let fits = number >= 0.0 && number.fract() == 0.0 && number < 9_007_199_254_740_992.0;
    fits.then_some(number as u64)
}

/// An object that may be null or of another type.
fn lenient<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned + Default>(reader: D) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(reader)?;
    Ok(T::deserialize(value).unwrap_or_default())
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
    reasoning_tokens: Count,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct OpenAiUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    #[serde(deserialize_with = "lenient")]
    prompt_tokens_details: Details,
    #[serde(deserialize_with = "lenient")]
    completion_tokens_details: Details,
    /// DeepSeek's name of the cached part.
    prompt_cache_hit_tokens: Count,
    /// Moonshot's.
    cached_tokens: Count,
}

/// Reads the raw value of a `usage` member of the OpenAI dialect. `None` if it says nothing about tokens.
pub(crate) fn openai(raw: &[u8]) -> Option<Usage> {
    let told: OpenAiUsage = serde_json::from_slice(raw).ok()?;
    // Embeddings report `prompt_tokens` and `total_tokens` only.
    let (prompt, completion) = match (told.prompt_tokens.0, told.completion_tokens.0, told.total_tokens.0) {
        (None, None, None) => return None,
        (None, None, Some(total)) => (total, 0),
        (None, Some(completion), total) => (total.unwrap_or(completion).saturating_sub(completion), completion),
        (Some(prompt), completion, _) => (prompt, completion.unwrap_or(0)),
    };
    let (details, out) = (told.prompt_tokens_details, told.completion_tokens_details);
    let cached = details.cached_tokens.0.or(told.prompt_cache_hit_tokens.0).or(told.cached_tokens.0).unwrap_or(0);
    let reasoning = out.reasoning_tokens.0.unwrap_or(0);
    let beside = reasoning > 0
        && told.total_tokens.0.is_some_and(|total| {
            Some(total) == prompt.checked_add(completion).and_then(|sum| sum.checked_add(reasoning))
        });
    let mut usage = Usage::default();
    let mut left = prompt;
    let share = |count: u64, left: &mut u64| {
        let part = count.min(*left);
        *left -= part;
        part
    };
    usage.cache_read = share(cached, &mut left);
    usage.audio_input = share(details.audio_tokens.0.unwrap_or(0), &mut left);
    usage.image_input = share(details.image_tokens.0.unwrap_or(0), &mut left);
    usage.input = left;
    let mut left = if beside { completion.saturating_add(reasoning) } else { completion };
    usage.reasoning = share(reasoning, &mut left);
    usage.audio_output = share(out.audio_tokens.0.unwrap_or(0), &mut left);
    usage.output = left;
    Some(usage)
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

/// Counts of the Anthropic dialect. In a stream they come in parts, each of them cumulative.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AnthropicUsage {
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    #[serde(deserialize_with = "lenient")]
    cache_creation: CacheCreation,
}

impl AnthropicUsage {
    /// Reads the raw value of a `usage` member. `None` if it says nothing about tokens.
    pub(crate) fn read(raw: &[u8]) -> Option<Self> {
        let told: Self = serde_json::from_slice(raw).ok()?;
        (told.input_tokens.0.is_some() || told.output_tokens.0.is_some()).then_some(told)
    }

    /// Adds what a later event says. Counts are cumulative, so the larger holds.
    pub(crate) fn merge(&mut self, later: &Self) {
        let take = |mine: &mut Count, other: Count| mine.0 = mine.0.max(other.0);
        take(&mut self.input_tokens, later.input_tokens);
        take(&mut self.output_tokens, later.output_tokens);
        take(&mut self.cache_read_input_tokens, later.cache_read_input_tokens);
        take(&mut self.cache_creation_input_tokens, later.cache_creation_input_tokens);
        let (mine, other) = (&mut self.cache_creation, later.cache_creation);
        take(&mut mine.ephemeral_5m_input_tokens, other.ephemeral_5m_input_tokens);
        take(&mut mine.ephemeral_1h_input_tokens, other.ephemeral_1h_input_tokens);
    }

    pub(crate) fn normalise(&self) -> Usage {
        let five = self.cache_creation.ephemeral_5m_input_tokens.0.unwrap_or(0);
        let hour = self.cache_creation.ephemeral_1h_input_tokens.0.unwrap_or(0);
        let total = self.cache_creation_input_tokens.0.unwrap_or(0);
        Usage {
            input: self.input_tokens.0.unwrap_or(0),
            cache_read: self.cache_read_input_tokens.0.unwrap_or(0),
            cache_write_5m: five.saturating_add(total.saturating_sub(five.saturating_add(hour))),
            cache_write_1h: hour,
            output: self.output_tokens.0.unwrap_or(0),
            ..Usage::default()
        }
    }
}

/// Finds the usage of an answer that is not streamed, chunk by chunk: only the top-level member `usage` is read.
pub struct UsageScanner {
    dialect: Dialect,
    scanner: ObjectScanner<1>,
}

impl UsageScanner {
    /// At the start of an answer.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        static WANTED: [Wanted; 1] = [Wanted { name: "usage", limit: 16 * 1024, count: false }];
        Self { dialect, scanner: ObjectScanner::new(&WANTED) }
    }

    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        // An answer that is not JSON is found out by `finish`.
        let _ = self.scanner.push(chunk);
    }

    /// What the answer said.
    #[must_use]
    pub fn finish(self) -> Answer {
        let Ok(members) = self.scanner.finish() else { return Answer { whole: false, usage: None } };
        let [usage] = members.found;
        let usage = usage.and_then(|found| match self.dialect {
            Dialect::OpenAi => openai(&found.raw),
            Dialect::Anthropic => AnthropicUsage::read(&found.raw).map(|u| u.normalise()),
        });
        Answer { whole: true, usage }
    }
}

/// What an answer that is not streamed said about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is a whole JSON object. If not, the provider broke off or does not speak the dialect.
    pub whole: bool,
    /// The provider's count; `None` if it gave none.
    pub usage: Option<Usage>,
}

/// The usage that a whole answer reports.
#[must_use]
pub fn read_usage(dialect: Dialect, body: &Body) -> Answer {
    let mut scanner = UsageScanner::new(dialect);
    for chunk in body.chunks() {
        scanner.push(chunk);
    }
    scanner.finish()
}

/// Output tokens of an answer that reports no usage, by the rule of [`crate::estimate`]. Copies the body if it came in
/// more than one chunk; providers that report nothing are rare. An embedding has no output.
#[must_use]
pub fn estimate_output(dialect: Dialect, body: &Body) -> u64 {
    let joined: Vec<u8>;
    let text: &[u8] = match body.chunks() {
        [one] => one,
        many => {
            joined = many.iter().flat_map(Bytes::as_ref).copied().collect();
            &joined
        }
    };
    let mut tally = crate::meter::Tally::default();
    let _ = match dialect {
        Dialect::OpenAi => tally.openai(&mut Walk::new(text)),
        Dialect::Anthropic => tally.anthropic_message(&mut Walk::new(text)),
    };
    crate::estimate::tokens(tally.quarters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body {
        let mut body = Body::new();
        for chunk in text.as_bytes().chunks(7) {
            body.push(Bytes::copy_from_slice(chunk));
        }
        body
    }

    fn told(dialect: Dialect, usage: &str) -> Option<Usage> {
        let text = format!(
            r#"{{"id":"x","choices":[{{"usage":{{"prompt_tokens":9}},"message":{{"content":"\"usage\":{{"}}}}],"usage":{usage}}}"#
        );
        let answer = read_usage(dialect, &body(&text));
        assert!(answer.whole);
        answer.usage
    }

    #[test]
    fn openai_shapes() {
        let none = Usage::default();
        let cases = [
            (r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}"#, Usage { input: 10, output: 5, ..none }),
            (r#"{"prompt_tokens":8,"total_tokens":8}"#, Usage { input: 8, ..none }),
            (r#"{"total_tokens":8}"#, Usage { input: 8, ..none }),
            (r#"{"prompt_tokens":10.0,"completion_tokens":null}"#, Usage { input: 10, ..none }),
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6}"#,
                Usage { input: 6, cache_read: 4, output: 5, ..none },
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"cached_tokens":3,"prompt_tokens_details":null}"#,
                Usage { input: 7, cache_read: 3, output: 5, ..none },
            ),
            // Details larger than their total never add to it.
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":8},"completion_tokens_details":{"reasoning_tokens":9}}"#,
                Usage { cache_read: 8, audio_input: 2, reasoning: 5, ..none },
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"image_tokens":4}}"#,
                Usage { input: 6, image_input: 4, output: 5, ..none },
            ),
            // Reasoning beside the completion, as the total shows.
            (
                r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":22,"completion_tokens_details":{"reasoning_tokens":7}}"#,
                Usage { input: 10, output: 5, reasoning: 7, ..none },
            ),
            (
                r#"{"prompt_tokens":10,"completion_tokens":12,"total_tokens":22,"completion_tokens_details":{"reasoning_tokens":7}}"#,
                Usage { input: 10, output: 5, reasoning: 7, ..none },
            ),
        ];
        for (text, usage) in cases {
            assert_eq!(told(Dialect::OpenAi, text), Some(usage), "{text}");
        }
        for text in ["null", "{}", "7", "[]", r#"{"prompt_tokens":"9"}"#, r#"{"prompt_tokens":-1}"#] {
            assert_eq!(told(Dialect::OpenAi, text), None, "{text}");
        }
    }

    #[test]
    fn anthropic_shapes() {
        let none = Usage::default();
        let base = r#""input_tokens":10,"output_tokens":5,"cache_read_input_tokens":100"#;
        let read = Usage { input: 10, output: 5, cache_read: 100, ..none };
        let cases = [
            (String::new(), read),
            (r#","cache_creation_input_tokens":null,"cache_creation":null"#.into(), read),
            (r#","cache_creation_input_tokens":30,"cache_creation":null"#.into(), Usage { cache_write_5m: 30, ..read }),
            (
                r#","cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}"#
                    .into(),
                Usage { cache_write_5m: 10, cache_write_1h: 20, ..read },
            ),
            (
                r#","cache_creation_input_tokens":30,"cache_creation":{"ephemeral_1h_input_tokens":20}"#.into(),
                Usage { cache_write_5m: 10, cache_write_1h: 20, ..read },
            ),
        ];
        for (more, usage) in cases {
            assert_eq!(told(Dialect::Anthropic, &format!("{{{base}{more}}}")), Some(usage), "{more}");
        }
        assert_eq!(told(Dialect::Anthropic, "null"), None);
    }

    #[test]
    fn what_is_not_whole_is_not_trusted() {
        for text in ["", "<html>", r#"{"usage":{"prompt_tokens":1}"#, r#"{"usage":{"prompt_tokens":1}}}"#] {
            assert_eq!(read_usage(Dialect::OpenAi, &body(text)), Answer { whole: false, usage: None }, "{text}");
        }
    }

    #[test]
    fn answers_without_usage_are_estimated() {
        let openai = r#"{"choices":[{"message":{"role":"assistant","content":"12345678","tool_calls":[{"id":"long id","function":{"name":"abcd","arguments":"{\"a\":1}"}}]}},{"text":"1"}]}"#;
        assert_eq!(estimate_output(Dialect::OpenAi, &body(openai)), (8 + 4 + 7 + 1_u64).div_ceil(4));
        let anthropic = r#"{"content":[{"type":"text","text":"12345678"},{"type":"tool_use","id":"x","name":"ab","input":{"a":1}}]}"#;
        assert_eq!(estimate_output(Dialect::Anthropic, &body(anthropic)), (8 + 2 + 7_u64).div_ceil(4));
        assert_eq!(estimate_output(Dialect::OpenAi, &body(r#"{"data":[{"embedding":[1,2]}]}"#)), 0);
    }
}
