use super::*;
use std::sync::Mutex;
use tracing_subscriber::layer::SubscriberExt;

fn lines(format: Format, work: impl FnOnce()) -> String {
    lines_of("control", format, work)
}

fn lines_of(component: &'static str, format: Format, work: impl FnOnce()) -> String {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let layer = ClosedLayer {
        log: Log { level: Level::Info, format },
        component,
        out: Arc::new(move |line| sink.lock().unwrap().extend_from_slice(line)),
        clock: tacit_kernel::time::ManualClock::at(tacit_kernel::Timestamp(0)),
    };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    let bytes = seen.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn declared_fields_are_written() {
    let call = tacit_kernel::ids::CallId::fresh();
    let text = lines(Format::Json, || {
        tracing::info!(event = "call_settled", call.id = %call, count = 3, model = "gpt-5.2", "prose");
    });
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["event"], "call_settled");
    assert_eq!(line["call.id"], call.to_string());
    assert_eq!(line["count"], 3);
    assert_eq!(line["model"], "gpt-5.2");
    assert_eq!(line["time"], "1970-01-01T00:00:00.000000Z");
    let pretty = lines(Format::Pretty, || tracing::warn!(event = "link_lost", attempt = 2));
    assert_eq!(pretty, "1970-01-01T00:00:00.000000Z WARN  control  link_lost attempt=2\n");
}

#[test]
fn what_is_not_declared_is_dropped_and_counted() {
    let before = dropped();
    let canary = "canary words";
    let text = lines(Format::Json, || {
        tracing::error!(event = "x", prompt = canary, body = ?canary, time = canary, "{canary}");
        tracing::error!(
            event = canary,
            model = canary,
            call.id = canary,
            count = canary,
            path = canary,
            status = canary
        );
    });
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains("canary"), "{text}");
    assert!(dropped() >= before + 9, "three of the first line, six of the second");
}

/// The process that holds bodies has no field that could take one.
#[test]
fn no_field_of_the_gateway_takes_a_body() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"canary"}]}"#;
    let long = "canary ".repeat(20);
    for text in [body, &long, "canary\n"] {
        let write = || tracing::error!(event = "x", detail = text, error.code = text, model = text, path = text);
        assert!(!lines_of("gateway", Format::Json, write).contains("canary"), "{text}");
    }
    let plain = || tracing::warn!(event = "link.lost", detail = "The service is currently unavailable");
    assert!(lines_of("gateway", Format::Json, plain).contains("The service is currently unavailable"));
    let prose = || tracing::warn!(event = "x", detail = "the operator's \"own\" words");
    assert!(lines_of("control", Format::Json, prose).contains("own"));
}

#[test]
fn foreign_events_keep_level_and_target_only() {
    let text = lines(Format::Json, || {
        tracing::warn!(target: "hyper::proto", event = "secret", detail = "secret", count = 1, "secret");
        tracing::info!(target: "hyper::proto", "secret");
        tracing::info!(target: "tacitly_named", "secret");
        tracing::debug!(target: "tacit_gateway", event = "too_fine");
    });
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["target"], "hyper::proto");
    assert_eq!(line.as_object().unwrap().len(), 4, "time, level, component, target: {text}");
}

#[test]
fn a_panic_leaves_its_location_only() {
    let log = Log { level: Level::Info, format: Format::Json };
    let line = String::from_utf8(panic_line(log, "gateway", Some(std::panic::Location::caller()))).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["event"], "panic");
    assert!(line["path"].as_str().unwrap().contains("tests.rs:"));
}

#[test]
fn every_form_refuses_prose() {
    for (element, form) in datamap::FIELDS {
        if !matches!(form, Form::Detail | Form::Words) {
            assert_eq!(form.admit("two words"), None, "{element:?}");
            assert_eq!(form.admit("\"quoted\""), None, "{element:?}");
        }
    }
    assert_eq!(Form::Detail.admit("a\nb").as_deref(), Some("a b"));
}

/// The names of the fields of every event that the crates write, read from their text.
fn fields_of(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for level in ["error", "warn", "info", "debug", "trace"] {
        for part in source.split(&format!("tracing::{level}!(")).skip(1) {
            let (mut depth, mut quoted, mut piece, mut pieces) = (0, false, String::new(), Vec::new());
            for c in part.chars() {
                match c {
                    '"' => quoted = !quoted,
                    '(' | '{' | '[' if !quoted => depth += 1,
                    ')' | '}' | ']' if !quoted && depth == 0 => break,
                    ')' | '}' | ']' if !quoted => depth -= 1,
                    ',' if !quoted && depth == 0 => {
                        pieces.push(std::mem::take(&mut piece));
                        continue;
                    }
                    _ => {}
                }
                piece.push(c);
            }
            pieces.push(piece);
            for piece in pieces.iter().map(|p| p.trim()).filter(|p| !p.is_empty() && !p.starts_with('"')) {
                let name = piece.split_once(" = ").map_or(piece, |(name, _)| name);
                found.push(name.trim_start_matches(['%', '?']).to_owned());
            }
        }
    }
    found
}

#[test]
fn every_field_that_the_crates_log_is_declared() {
    assert_eq!(fields_of(r#"tracing::info!(event = "a,b", x.y = f(1, 2), %z, "text");"#), ["event", "x.y", "z"]);
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut open: Vec<_> = std::fs::read_dir(crates).unwrap().map(|e| e.unwrap().path().join("src")).collect();
    let (mut seen, mut undeclared) = (0, Vec::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("log/tests.rs") {
            let fields = fields_of(&std::fs::read_to_string(&path).unwrap());
            seen += fields.len();
            let bad = fields.into_iter().filter(|f| datamap::declared(f).is_none_or(|(n, _)| OWN.contains(&n)));
            undeclared.extend(bad.map(|f| format!("{}: {f}", path.display())));
        }
    }
    assert!(seen > 20, "the search finds events: {seen}");
    assert_eq!(undeclared, Vec::<String>::new());
}
