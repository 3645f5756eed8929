//! How fast the envelope of a large body is read, and an event of a stream is metered. Run with
//! `cargo run --release --example envelope_speed -p tacit-protocol`.
#![expect(clippy::print_stdout, reason = "it prints its result")]

use bytes::Bytes;
use std::hint::black_box;
use std::time::Instant;
use tacit_kernel::Dialect;
use tacit_protocol::{Body, Envelope, MeterOutput, StreamMeter};

const SIZE: usize = 200_000;

fn time(rounds: u32, mut work: impl FnMut()) -> f64 {
    // The best of several runs: what else the machine does only ever adds.
    let mut best = f64::MAX;
    for _ in 0..200 {
        let start = Instant::now();
        for _ in 0..rounds {
            work();
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(rounds));
    }
    best
}

fn body(part: &str, around: [&str; 2]) -> String {
    let inner = part.repeat(SIZE / part.len());
    format!("{{\"model\":\"gpt-4o\",\"stream\":true,{}{inner}{},\"max_tokens\":100}}", around[0], around[1])
}

fn main() {
    let text = ["\"messages\":[{\"role\":\"user\",\"content\":\"", "\"}]"];
    let cases = [
        ("prose", body("the quick brown fox jumps over the lazy dog ", text)),
        ("code in strings", body(r#"    let x = map.get(\"key\").unwrap_or(\"\\n\");\n    return x;\n"#, text)),
        (
            "tool schemas",
            body(
                r#"{"type":"function","function":{"name":"read","parameters":{"type":"object","properties":{"path":{"type":"string"}}}}},"#,
                ["\"tools\":[", "{}]"],
            ),
        ),
    ];
    for (name, text) in &cases {
        for piece in [text.len(), 16 * 1024] {
            let mut body = Body::new();
            for chunk in text.as_bytes().chunks(piece) {
                body.push(Bytes::copy_from_slice(chunk));
            }
            let seconds = time(20, || {
                let envelope = Envelope::of(&body).ok();
                black_box(envelope.is_some_and(|e| e.stream()));
            });
            println!(
                "envelope, {name:16} {SIZE} bytes in pieces of {piece:6}: {:6.1} us, {:5.1} GB/s",
                seconds * 1e6,
                text.len() as f64 / seconds / 1e9
            );
        }
    }
    let openai = |text: &str, more: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-ABCDEFGHIJKLMNOPQRSTUVWXYZ\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-4o-2024-08-06\",\"system_fingerprint\":\"fp_abcdef\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"logprobs\":null,\"finish_reason\":null}}],\"usage\":null{more}}}\n\n"
        )
    };
    let words = ["Hello", " there", ",", " how", " are", "\\n", " you", " today", " \\\"", "?"];
    let plain: String = (0..50).map(|i| openai(words.get(i % 10).unwrap_or(&""), "")).collect();
    let padded: String = (0..50)
        .map(|i| openai(words.get(i % 10).unwrap_or(&""), &format!(",\"obfuscation\":\"{}\"", "x".repeat(i % 9))))
        .collect();
    let anthropic: String = (0..50)
        .map(|i| {
            format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{}\"}}}}\n\n",
                words.get(i % 10).unwrap_or(&"")
            )
        })
        .collect();
    for (name, dialect, stream) in [
        ("openai", Dialect::OpenAi, plain),
        ("openai, padded", Dialect::OpenAi, padded),
        ("anthropic", Dialect::Anthropic, anthropic),
    ] {
        let whole = Bytes::from(stream);
        let mut single = Vec::new();
        let mut from = 0;
        while let Some(end) = whole.get(from..).and_then(|rest| memchr::memmem::find(rest, b"\n\n")) {
            single.push(whole.slice(from..from + end + 2));
            from += end + 2;
        }
        for (shape, chunks) in [("one chunk each", single), ("all in one chunk", vec![whole.clone()])] {
            let mut out = MeterOutput::default();
            let seconds = time(50, || {
                let mut meter = StreamMeter::new(dialect, true);
                for chunk in &chunks {
                    meter.feed(chunk.clone(), &mut out);
                    out.forward.clear();
                }
                black_box(meter.output_so_far());
            });
            println!("stream, {name:15} {shape:17} {:6.0} ns an event", seconds / 50.0 * 1e9);
        }
    }
}
