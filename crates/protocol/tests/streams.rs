//! Streams in the shapes that providers send, cut at every byte, with the usage worked out by hand.

#![expect(clippy::unwrap_used, reason = "test code")]

use bytes::Bytes;
use proptest::prelude::*;
use tacit_kernel::Dialect;
use tacit_kernel::call::{ErrorCode, UsageSource};
use tacit_kernel::rating::Usage;
use tacit_protocol::{MeterOutput, StreamMeter};

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    forward: String,
    terminal: String,
    complete: bool,
    error: Option<ErrorCode>,
    usage: Usage,
    source: UsageSource,
    so_far: u64,
}

fn run<'a>(dialect: Dialect, hide: bool, chunks: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut meter = StreamMeter::new(dialect, hide);
    let mut out = MeterOutput::default();
    for chunk in chunks {
        meter.feed(Bytes::copy_from_slice(chunk), &mut out);
    }
    meter.finish(&mut out);
    let metered = meter.metered(1000);
    let text = |pieces: &[Bytes]| String::from_utf8_lossy(&pieces.concat()).into_owned();
    Seen {
        forward: text(&out.forward),
        terminal: text(&out.terminal),
        complete: meter.complete(),
        error: meter.provider_error(),
        usage: metered.usage,
        source: metered.source,
        so_far: meter.output_so_far(),
    }
}

/// The whole in one chunk; checks that every way to cut it in two, and single bytes, come to the same.
fn whole(dialect: Dialect, hide: bool, text: &str) -> Seen {
    let bytes = text.as_bytes();
    let seen = run(dialect, hide, [bytes]);
    for cut in 0..=bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert_eq!(run(dialect, hide, [a, b]), seen, "cut at {cut}");
    }
    assert_eq!(run(dialect, hide, bytes.chunks(1)), seen, "byte by byte");
    seen
}

const HEAD: &str =
    r#"data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":"#;

fn delta(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!("{HEAD}{{\"content\":{text}}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null}}\n\n")
}

fn finish() -> String {
    format!("{HEAD}{{}},\"finish_reason\":\"stop\"}}],\"usage\":null}}\n\n")
}

const USAGE: &str = concat!(
    r#"data: {"id":"c1","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":30,"total_tokens":130,"#,
    r#""prompt_tokens_details":{"cached_tokens":64,"audio_tokens":6},"#,
    r#""completion_tokens_details":{"reasoning_tokens":10,"audio_tokens":2,"accepted_prediction_tokens":0}}}"#,
    "\n\n"
);

const REPORTED: Usage = Usage {
    input: 30,
    cache_read: 64,
    cache_write_5m: 0,
    cache_write_1h: 0,
    audio_input: 6,
    image_input: 0,
    output: 18,
    reasoning: 10,
    audio_output: 2,
};

fn openai_stream() -> String {
    let role = format!("{HEAD}{{\"role\":\"assistant\",\"content\":\"\"}},\"finish_reason\":null}}]}}\n\n");
    let words: String = ["Hello", " \"wörld\"\n", " 你好", "\\", "", " tail"].map(delta).concat();
    format!("{role}{words}{}", finish())
}

#[test]
fn openai_with_usage_asked_by_the_caller() {
    let text = format!("{}{USAGE}data: [DONE]\n\n", openai_stream());
    let seen = whole(Dialect::OpenAi, false, &text);
    assert_eq!(seen.forward, format!("{}{USAGE}", openai_stream()));
    assert_eq!(seen.terminal, "data: [DONE]\n\n");
    assert_eq!((seen.complete, seen.error), (true, None));
    assert_eq!((seen.usage, seen.source), (REPORTED, UsageSource::Provider));
}

#[test]
fn openai_with_usage_asked_by_us_is_hidden() {
    let text = format!(": OPENROUTER PROCESSING\n\n{}{USAGE}data: [DONE]\n\n", openai_stream());
    let seen = whole(Dialect::OpenAi, true, &text);
    assert_eq!(seen.forward, format!(": OPENROUTER PROCESSING\n\n{}", openai_stream()));
    assert_eq!(seen.terminal, "data: [DONE]\n\n");
    assert_eq!((seen.usage, seen.source), (REPORTED, UsageSource::Provider));
}

#[test]
fn line_ends_of_every_kind() {
    for end in ["\n", "\r\n", "\r"] {
        let text = format!("\u{feff}{}{USAGE}data: [DONE]\n\n", openai_stream()).replace('\n', end);
        let seen = whole(Dialect::OpenAi, true, &text);
        assert!(seen.complete, "{end:?}");
        assert_eq!((seen.usage, seen.source), (REPORTED, UsageSource::Provider), "{end:?}");
        assert!(!seen.forward.contains("prompt_tokens"));
        assert_eq!(seen.forward, format!("\u{feff}{}", openai_stream()).replace('\n', end));
        assert_eq!(seen.terminal, "data: [DONE]\n\n".replace('\n', end));
    }
}

#[test]
fn usage_in_a_chunk_with_choices_is_not_hidden() {
    let last = finish().replace(
        "\"usage\":null",
        r#""usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"prompt_tokens_details":null}"#,
    );
    let text = format!("{}{last}data: [DONE]\n\n", delta("hi"));
    let seen = whole(Dialect::OpenAi, true, &text);
    assert!(seen.forward.contains("prompt_tokens"));
    assert_eq!(seen.usage, Usage { input: 7, output: 3, ..Usage::default() });
    assert_eq!(seen.source, UsageSource::Provider);
}

#[test]
fn without_usage_the_text_is_counted() {
    let text = format!("{}{}data: [DONE]\n\n", openai_stream(), delta("12345678"));
    let seen = whole(Dialect::OpenAi, true, &text);
    // "Hello" 5, " \"wörld\"\n" 10, " 你好" 7, "\\" 1, " tail" 5, "12345678" 8: 36 bytes of text.
    assert_eq!(seen.usage, Usage { input: 1000, output: 9, ..Usage::default() });
    assert_eq!((seen.source, seen.complete), (UsageSource::Estimate, true));
}

#[test]
fn a_cut_openai_stream_is_not_complete() {
    let text = format!("{}{}", delta("Hello "), delta("there, you"));
    for cut in [text.len(), text.len() - 1, text.len() - 30] {
        let seen = whole(Dialect::OpenAi, true, &text[..cut]);
        assert!(!seen.complete && seen.terminal.is_empty());
        assert_eq!(seen.source, UsageSource::Estimate);
        assert!(seen.forward.ends_with("\n\n"), "ends between two events");
    }
}

#[test]
fn running_usage_is_completed_by_the_text_since() {
    let with = |text: &str, tokens: u64| {
        let usage = format!(r#""usage":{{"prompt_tokens":50,"completion_tokens":{tokens}}}"#);
        delta(text).replace("\"usage\":null", &usage)
    };
    let text = format!("{}{}{}", with("abcd", 1), with("efgh", 3), delta("ijklmnop"));
    let seen = whole(Dialect::OpenAi, false, &text);
    assert_eq!(seen.usage, Usage { input: 50, output: 3 + 2, ..Usage::default() });
    assert_eq!((seen.source, seen.so_far), (UsageSource::Estimate, 5));
}

#[test]
fn no_done_marker_but_a_reason() {
    let text = format!("{}{USAGE}", openai_stream());
    let seen = whole(Dialect::OpenAi, true, &text);
    assert!(seen.complete && seen.terminal.is_empty());
    assert_eq!(seen.usage, REPORTED);
    let seen = whole(Dialect::OpenAi, true, &format!("{text}data: [DONE]"));
    assert_eq!(seen.terminal, "data: [DONE]\n\n");
}

#[test]
fn an_error_event_stops_the_stream() {
    let text = format!(
        "{}data: {{\"error\":{{\"message\":\"org-1 canary\",\"type\":\"rate_limit_exceeded\"}}}}\n\n{}data: [DONE]\n\n",
        delta("Hello"),
        delta("x")
    );
    let seen = whole(Dialect::OpenAi, true, &text);
    assert_eq!(seen.forward, delta("Hello"));
    assert_eq!((seen.complete, seen.error), (false, Some(ErrorCode::ProviderLimited)));
    assert!(seen.terminal.is_empty());
}

#[test]
fn words_in_the_text_are_only_text() {
    let evil = r#"data: [DONE] "usage":{"prompt_tokens":1},"error":{},"finish_reason":"stop" \"#;
    let text = format!("{}{}{}", delta("a"), delta(evil), delta(evil));
    let seen = whole(Dialect::OpenAi, true, &text);
    assert_eq!(seen.forward, text);
    assert_eq!((seen.complete, seen.error, seen.source), (false, None, UsageSource::Estimate));
    assert_eq!(seen.usage.output, (1 + 2 * evil.len() as u64).div_ceil(4));
}

#[test]
fn data_over_several_lines() {
    let text = USAGE.replace(",\"usage\"", ",\ndata:\"usage\"");
    let seen = whole(Dialect::OpenAi, true, &text);
    assert_eq!((seen.usage, seen.forward.as_str()), (REPORTED, ""));
}

#[test]
fn reasoning_and_tool_calls_count_as_text() {
    let tool = delta("x").replace(
        "{\"content\":\"x\"}",
        r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"get","arguments":"{\"a\":1}"}}]}"#,
    );
    let reasoning = delta("x").replace("\"content\"", "\"reasoning_content\"");
    let completion = "data: {\"choices\":[{\"index\":0,\"text\":\"four\",\"finish_reason\":null}]}\n\n";
    let seen = whole(Dialect::OpenAi, false, &format!("{tool}{reasoning}{completion}"));
    assert_eq!(seen.usage.output, (3 + 7 + 1 + 4_u64).div_ceil(4));
}

const START: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",",
    "\"role\":\"assistant\",\"content\":[],\"model\":\"claude\",\"stop_reason\":null,\"usage\":{\"input_tokens\":25,",
    "\"cache_creation_input_tokens\":100,\"cache_read_input_tokens\":2000,",
    "\"cache_creation\":{\"ephemeral_5m_input_tokens\":60,\"ephemeral_1h_input_tokens\":40},\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,",
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n"
);
const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn block(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{text}}}}}\n\n"
    )
}

fn message_delta(usage: &str) -> String {
    format!(
        "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":0}}\n\nevent: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\",\"stop_sequence\":null}},\"usage\":{usage}}}\n\n"
    )
}

#[test]
fn anthropic_whole() {
    let before = format!("{START}{}{}{}", block("Hello"), block(" wörld"), message_delta(r#"{"output_tokens":15}"#));
    let seen = whole(Dialect::Anthropic, false, &format!("{before}{STOP}"));
    assert_eq!((seen.forward.as_str(), seen.terminal.as_str()), (before.as_str(), STOP));
    let usage =
        Usage { input: 25, cache_read: 2000, cache_write_5m: 60, cache_write_1h: 40, output: 15, ..Usage::default() };
    assert_eq!((seen.usage, seen.source, seen.complete), (usage, UsageSource::Provider, true));
}

#[test]
fn anthropic_cache_total_without_split() {
    let start = START.replace(
        r#""cache_creation":{"ephemeral_5m_input_tokens":60,"ephemeral_1h_input_tokens":40}"#,
        r#""cache_creation":null"#,
    );
    let seen = whole(Dialect::Anthropic, false, &format!("{start}{}{STOP}", message_delta(r#"{"output_tokens":2}"#)));
    assert_eq!((seen.usage.cache_write_5m, seen.usage.cache_write_1h), (100, 0));
}

#[test]
fn anthropic_counts_are_cumulative() {
    let delta = message_delta(
        r#"{"input_tokens":30,"cache_creation_input_tokens":100,"cache_read_input_tokens":2000,"output_tokens":15}"#,
    );
    let seen = whole(Dialect::Anthropic, false, &format!("{START}{delta}{STOP}"));
    assert_eq!((seen.usage.input, seen.usage.cache_read, seen.usage.output), (30, 2000, 15));
}

#[test]
fn a_count_from_before_the_text_is_not_the_last_word() {
    let seen = whole(Dialect::Anthropic, false, &format!("{START}{}{STOP}", block("12345678")));
    assert_eq!((seen.complete, seen.source), (true, UsageSource::Estimate));
    assert_eq!((seen.usage.input, seen.usage.output), (25, 2));
}

#[test]
fn anthropic_cut_and_error() {
    let seen = whole(Dialect::Anthropic, false, &format!("{START}{}{}", block("12345678"), block("1234")));
    assert_eq!((seen.usage.input, seen.usage.cache_read, seen.usage.output), (25, 2000, 3));
    assert_eq!((seen.complete, seen.source), (false, UsageSource::Estimate));
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"canary\"}}\n\n";
    let seen = whole(Dialect::Anthropic, false, &format!("{START}{error}{STOP}"));
    assert_eq!((seen.forward.as_str(), seen.terminal.as_str()), (START, ""));
    assert_eq!((seen.complete, seen.error), (false, Some(ErrorCode::ProviderLimited)));
}

#[test]
fn a_huge_event_passes_in_constant_memory() {
    let huge = delta(&"a".repeat(3 << 20));
    let text = format!("{huge}{}{USAGE}data: [DONE]\n\n", delta("b"));
    let mut meter = StreamMeter::new(Dialect::OpenAi, true);
    let (mut out, mut len, mut unsent) = (MeterOutput::default(), 0, 0);
    for chunk in text.as_bytes().chunks(8192) {
        meter.feed(Bytes::copy_from_slice(chunk), &mut out);
        len += out.forward.drain(..).map(|p| p.len()).sum::<usize>();
        unsent = unsent.max(chunk.len() + text.len() - len);
    }
    meter.finish(&mut out);
    assert_eq!(len, huge.len() + delta("b").len());
    assert_eq!(meter.metered(0).usage, REPORTED);
    assert_eq!(out.terminal.concat(), b"data: [DONE]\n\n");
}

proptest! {
    #[test]
    fn any_chunking_of_any_texts(
        texts in proptest::collection::vec("\\PC{0,20}", 0..12),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        crlf in any::<bool>(), hide in any::<bool>(), anthropic in any::<bool>(),
    ) {
        let (dialect, mut stream) = if anthropic {
            let blocks: String = texts.iter().map(|t| block(t)).collect();
            (Dialect::Anthropic, format!("{START}{blocks}{}{STOP}", message_delta(r#"{"output_tokens":9}"#)))
        } else {
            let deltas: String = texts.iter().map(|t| delta(t)).collect();
            (Dialect::OpenAi, format!("{deltas}{}{USAGE}data: [DONE]\n\n", finish()))
        };
        if crlf {
            stream = stream.replace('\n', "\r\n");
        }
        let mut points: Vec<usize> = cuts.iter().map(|c| c.index(stream.len())).collect();
        points.extend([0, stream.len()]);
        points.sort_unstable();
        let pieces = points.windows(2).map(|w| &stream.as_bytes()[w[0]..w[1]]);
        let one = run(dialect, hide, [stream.as_bytes()]);
        prop_assert_eq!(&run(dialect, hide, pieces), &one);
        prop_assert!(one.complete);
        prop_assert_eq!(one.source, UsageSource::Provider);
        if !hide {
            prop_assert_eq!(format!("{}{}", one.forward, one.terminal), stream);
        }
    }

    #[test]
    fn text_is_counted_by_its_bytes(texts in proptest::collection::vec("\\PC{0,30}", 0..12)) {
        let stream: String = texts.iter().map(|t| delta(t)).collect();
        let bytes: u64 = texts.iter().map(|t| t.len() as u64).sum();
        prop_assert_eq!(run(Dialect::OpenAi, false, [stream.as_bytes()]).usage.output, bytes.div_ceil(4));
    }
}

#[test]
fn padded_events() {
    let padded = |text: &str, padding: &str| {
        delta(text).replace("\"usage\":null", &format!("\"usage\":null,\"obfuscation\":\"{padding}\""))
    };
    let finish = finish().replace("\"usage\":null", "\"obfuscation\":\"x\"");
    let text: String =
        [padded("a", "xx"), padded("bc", ""), padded("def\"", "\\\"y"), delta("g"), padded("h", "z")].concat();
    let seen = whole(Dialect::OpenAi, true, &format!("{text}{finish}{USAGE}data: [DONE]\n\n"));
    assert_eq!(seen.forward, format!("{text}{finish}"));
    assert_eq!((seen.usage, seen.complete), (REPORTED, true));
    assert_eq!(whole(Dialect::OpenAi, true, &text).usage.output, 9_u64.div_ceil(4));
}
