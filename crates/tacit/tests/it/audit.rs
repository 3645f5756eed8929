//! The audit log of a running platform, exported and checked without it.

use super::{Platform, said, tacit};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

fn verify(dir: &Path, more: &[&str]) -> Output {
    // No configuration, no data directory, no platform.
    let away = tempfile::tempdir().unwrap();
    tacit().current_dir(away.path()).args(["audit", "verify"]).arg(dir).args(more).arg("--json").output().unwrap()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(output)))
}

#[test]
fn the_log_is_exported_and_verified_offline() {
    let platform = Platform::start();
    platform.json(&["group", "add", "audited"]);
    let account = platform.json(&["account", "add", "Ada Lovelace", "--group", "audited"]);
    let id = account["id"].as_str().unwrap();
    platform.json(&["account", "disable", "Ada Lovelace", "--reason", "asked by phone"]);

    let list = platform.json(&["audit", "list", "--subject", "Ada Lovelace", "--action", "account.update"]);
    let entries = list["items"].as_array().unwrap();
    assert_eq!(entries.len(), 2, "{list}");
    assert_eq!((&entries[0]["phase"], &entries[1]["phase"]), (&"done".into(), &"begun".into()));
    assert_eq!((entries[1]["subject"].as_str(), &entries[1]["fields"][0]), (Some(id), &"status".into()));
    let shown = platform.json(&["audit", "show", &entries[1]["seq"].to_string()]);
    assert_eq!(shown["reason"], "asked by phone");
    assert!(said(&platform.run(&["audit", "list"])).contains("account.create"));

    let dir = platform.dir.path().join("exported");
    let to = dir.to_str().unwrap();
    let key = platform.json(&["audit", "key"])["vkey"].as_str().unwrap().to_owned();
    let early = platform.dir.path().join("early");
    let note = platform.run(&["audit", "checkpoint"]);
    std::fs::write(&early, &note.stdout).unwrap();

    let first = platform.json(&["audit", "export", "--to", to]);
    let again = platform.json(&["audit", "export", "--to", to]);
    assert!(again["entries"].as_u64() > first["entries"].as_u64(), "an export is recorded too: {first} {again}");
    let output = verify(&dir, &["--key", &key, "--since", early.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    let fine = report(&output);
    assert_eq!((&fine["intact"], &fine["checked"], &fine["erased"]), (&true.into(), &again["entries"], &0.into()));
    assert!(fine["continues"].as_u64() > Some(3));

    // No name of a person and no reason is in what was exported.
    let opened = std::fs::read_to_string(dir.join("opened/000.jsonl")).unwrap();
    assert!(opened.contains(id) && !opened.contains("Ada") && !opened.contains("phone"));

    std::fs::write(dir.join("opened/000.jsonl"), opened.replacen("account.create", "account.delete", 1)).unwrap();
    let output = verify(&dir, &["--key", &key]);
    assert_eq!(output.status.code(), Some(1));
    let spoilt = report(&output);
    assert_eq!((&spoilt["intact"], &spoilt["problem"]["wrong"]), (&false.into(), &"changed".into()));
    assert!(said(&output).contains("the audit log is not intact: entry "), "{}", said(&output));
    assert_eq!(verify(&dir, &["--key", "nonsense"]).status.code(), Some(2));

    // Signed without being asked for.
    let log = platform.file("log");
    assert!(!log.contains("audit."), "nothing failed: {log}");
}
