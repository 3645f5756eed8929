//! Whatever the bytes and however they are cut, the usage of an answer is the same, and it is never more than the
//! provider's totals.
#![no_main]

mod pieces;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tacit_kernel::Dialect;
use tacit_protocol::Body;
use tacit_protocol::usage::{estimate_output, read_usage};

fn body<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Body {
    let mut body = Body::new();
    for chunk in chunks {
        body.push(Bytes::copy_from_slice(chunk));
    }
    body
}

fuzz_target!(|data: &[u8]| {
    let (text, cut) = pieces::pieces(data);
    for &dialect in Dialect::ALL {
        let (whole, parts) = (body([text]), body(cut.iter().copied()));
        let answer = read_usage(dialect, &whole);
        assert_eq!(answer, read_usage(dialect, &parts));
        assert_eq!(estimate_output(dialect, &whole), estimate_output(dialect, &parts));
        let (Dialect::OpenAi, Some(usage)) = (dialect, answer.usage) else { continue };
        let Ok(value) = serde_json::from_slice::<Value>(text) else { continue };
        let told = |name: &str| value["usage"][name].as_u64();
        if let Some(prompt) = told("prompt_tokens") {
            assert_eq!(usage.input_total(), prompt);
        }
        if let (Some(completion), None) = (told("completion_tokens"), told("total_tokens")) {
            assert_eq!(usage.output_total(), completion);
        }
    }
});
