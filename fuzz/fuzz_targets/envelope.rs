//! Whatever the bytes and however they are cut, the envelope is the same; where serde_json reads an object too, it reads
//! the same; and the edits change the model's name and nothing else.
#![no_main]

mod pieces;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tacit_kernel::call::Endpoint;
use tacit_protocol::{Body, Envelope, EnvelopeError, EnvelopeScanner};

fn told(envelope: &Result<Envelope, EnvelopeError>) -> Option<String> {
    envelope.as_ref().ok().map(|e| {
        format!(
            "{:?} {} {:?} {} {:?} {} {} {} {}",
            e.model(),
            e.stream(),
            e.max_output_tokens(Endpoint::ChatCompletions),
            e.choices(),
            e.media(),
            e.body_len(),
            e.caller_wants_usage(),
            e.input_estimate(),
            e.input_upper_bound()
        )
    })
}

fn scan<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Envelope, EnvelopeError> {
    let mut scanner = EnvelopeScanner::new();
    for chunk in chunks {
        scanner.push(chunk)?;
    }
    scanner.finish()
}

fuzz_target!(|data: &[u8]| {
    let (text, cut) = pieces::pieces(data);
    let whole = scan([text]);
    assert_eq!(told(&whole), told(&scan(cut.iter().copied())));
    let Ok(envelope) = whole else { return };
    let mut body = Body::new();
    for piece in &cut {
        body.push(Bytes::copy_from_slice(piece));
    }
    let out: Vec<u8> = body.for_provider(&envelope.edits("other", true)).flat_map(|c| c.to_vec()).collect();
    let Ok(before) = serde_json::from_slice::<Value>(text) else { return };
    assert_eq!(before["model"], envelope.model());
    let mut wanted = before;
    wanted["model"] = "other".into();
    if envelope.stream() {
        if wanted["stream_options"].is_null() {
            wanted["stream_options"] = Value::Object(Default::default());
        }
        wanted["stream_options"]["include_usage"] = true.into();
    }
    assert_eq!(serde_json::from_slice::<Value>(&out).expect("still JSON"), wanted);
});
