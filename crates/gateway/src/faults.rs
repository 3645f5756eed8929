//! Faults on request, for the canary gate only: they prove that a panic or an abort shows nothing of a body, and that
//! the gate sees a leak where there is one. Compiled with the feature `faults`, which no release has.
//!
//! The header `x-tacit-fault` names one; `testkit/tests/it/canary` says what each must lead to.

use crate::call::Call;
use http::HeaderMap;
use std::os::fd::IntoRawFd as _;
use tacit_link::wire;
use tacit_protocol::Body;
use tacit_protocol::splice::Edits;

/// A fault that strikes later in the life of its call.
pub(crate) struct Later {
    word: Box<str>,
    text: String,
    polled: u32,
}

/// Does what the header asks for, or leaves it in the call for later.
pub(crate) fn asked(call: &mut Call, headers: &HeaderMap, body: &Body) {
    let Some(fault) = headers.get("x-tacit-fault").and_then(|v| v.to_str().ok()) else { return };
    let bytes: Vec<u8> = body.for_provider(&Edits::default()).flatten().collect();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if !at_once(call, fault, &text) {
        call.fault = Some(Box::new(Later { word: fault.into(), text, polled: 0 }));
    }
}

#[expect(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "this is what the module is for, and no release contains it"
)]
fn at_once(call: &Call, fault: &str, text: &str) -> bool {
    match fault {
        "panic" => panic!("{text}"),
        "abort" => std::process::abort(),
        // Past the closed fields of the log, which let no body through.
        "leak-log" => eprintln!("{}", serde_json::json!({"event": "fault.leak", "detail": text})),
        "leak-detail" => tracing::error!(event = "fault.leak", detail = text, "a deliberate leak"),
        "leak-stderr" => eprintln!("{text}"),
        "leak-stdout" => println!("{text}"),
        // The kernel refuses these three within the sandbox; that is the point.
        "leak-file" => drop(std::fs::write(std::env::temp_dir().join("tacit-fault-leak"), text)),
        "leak-deleted-file" => deleted_file(text),
        "leak-core" => core(),
        "leak-metric" => call.gateway.metrics.attempted(&text.into(), None),
        "leak-session" => session_named(call, excerpt(text)),
        "leak-link-header" => link_header(call, text),
        _ => return false,
    }
    true
}

/// A provider has answered, and its stream may not have begun for the client.
#[expect(clippy::panic, reason = "as above")]
pub(crate) fn relayed(call: &Call) {
    if let Some(later) = call.fault.as_ref().filter(|l| &*l.word == "panic-relay") {
        panic!("{}", later.text);
    }
}

/// The stream has been asked for more, or has got something: `polled` is how often something came before.
#[expect(clippy::panic, reason = "as above")]
pub(crate) fn streaming(call: &mut Call, came: bool) {
    let Some(later) = &mut call.fault else { return };
    match (&*later.word, later.polled) {
        ("panic-poll", _) => panic!("{}", later.text),
        ("panic-stream", 3..) => panic!("{}", later.text),
        ("abort-stream", 3..) => std::process::abort(),
        _ => later.polled += u32::from(came),
    }
}

/// The record of a call is on its way to the control plane.
pub(crate) fn recording(call: &Call, ended: &mut wire::Ended) {
    if let Some(later) = call.fault.as_ref().filter(|l| &*l.word == "leak-record") {
        ended.sealed_user_agent = excerpt(&later.text).as_bytes().to_vec();
    }
}

/// What a client wrote as `user`: short enough for every field of the link.
fn excerpt(text: &str) -> &str {
    let value = text.split_once("\"user\":\"").map_or("", |(_, rest)| rest);
    value.split('"').next().unwrap_or_default()
}

fn deleted_file(text: &str) {
    let path = std::env::temp_dir().join("tacit-fault-leak");
    let Ok(mut file) = std::fs::File::create_new(&path) else { return };
    let _ = std::io::Write::write_all(&mut file, text.as_bytes());
    let _ = std::fs::remove_file(path);
    // It stays open for as long as the process lives.
    let _ = file.into_raw_fd();
}

/// A core, where the process may still have one.
fn core() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let highest = getrlimit(Resource::RLIMIT_CORE).map_or(0, |limits| limits.1);
    let _ = setrlimit(Resource::RLIMIT_CORE, highest, highest);
    let _ = nix::sys::prctl::set_dumpable(true);
    std::process::abort();
}

/// Opens another session under a name that a client wrote.
fn session_named(call: &Call, name: &str) {
    let hello = wire::Hello { gateway: name.to_owned(), version: "fault".to_owned(), ..wire::Hello::default() };
    let mut client = call.gateway.link.client();
    tokio::spawn(async move { drop(client.open(hello).await) });
}

/// Puts a body into the head of a request on the link, where HPACK packs it.
fn link_header(call: &Call, text: &str) {
    let plain: String = text.chars().filter(char::is_ascii_graphic).collect();
    let Ok(value) = tonic::metadata::AsciiMetadataValue::try_from(plain) else { return };
    let session = call.gateway.link.session().map(|s| s.id.clone()).unwrap_or_default();
    let mut request = tonic::Request::new(wire::KeyRequest { session, hash: vec![0; 32] });
    request.metadata_mut().insert("x-tacit-leak", value);
    let mut client = call.gateway.link.client();
    tokio::spawn(async move { drop(client.key(request).await) });
}
