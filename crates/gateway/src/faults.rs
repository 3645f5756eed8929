//! Faults on request, for the canary gate only: they prove that a panic or an abort shows nothing of a body, and that
//! the gate sees a leak where there is one. Compiled with the feature `faults`, which no release has.

use http::HeaderMap;
use tacit_protocol::Body;
use tacit_protocol::splice::Edits;

/// Does what the header `x-tacit-fault` asks for.
#[expect(clippy::panic, clippy::print_stderr, reason = "this is what the module is for, and no release contains it")]
pub(crate) fn asked(headers: &HeaderMap, body: &Body) {
    let Some(fault) = headers.get("x-tacit-fault").and_then(|v| v.to_str().ok()) else { return };
    let text = || -> String {
        let bytes: Vec<u8> = body.for_provider(&Edits::default()).flatten().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    match fault {
        "panic" => panic!("{}", text()),
        "abort" => std::process::abort(),
        // Past the closed fields of the log, which let no body through.
        "leak-log" => eprintln!("{}", serde_json::json!({"event": "fault.leak", "detail": text()})),
        "leak-detail" => tracing::error!(event = "fault.leak", detail = text(), "a deliberate leak"),
        "leak-stderr" => eprintln!("{}", text()),
        "leak-file" => {
            // Refused by the kernel within the sandbox; that is the point.
            let _ = std::fs::write(std::env::temp_dir().join("tacit-fault-leak"), text());
        }
        _ => {}
    }
}
