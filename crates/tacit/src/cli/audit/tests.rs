//! Exports that are written, gone on with, and spoilt in every way: each is found, with its number.

use super::export::Writer;
use super::layout::{CHECKPOINT, ENTRIES, bundle, opened_path, tile};
use super::verify::{Report, Wrong, verify};
use data_encoding::BASE64;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tacit_api::admin::audit::ExportedEntry;
use tacit_storage::audit::checkpoint::Checkpoint;
use tacit_storage::audit::committed;
use tacit_storage::audit::tree::Growing;
use tacit_vault::merkle::{commitment, leaf_hash};
use tacit_vault::{NoteKey, RootKey};

fn key() -> NoteKey {
    RootKey::generate().note_key("tacit-audit")
}

/// A log with these contents, `{n}` in them the number; every salt follows from the number.
fn log(size: u64, content: &str) -> Vec<ExportedEntry> {
    let entry = |seq: u64| {
        let salt = commitment("salt", &[0; 32], &seq.to_be_bytes());
        let content = content.replace("{n}", &seq.to_string());
        let commitment = BASE64.encode(&committed(&salt, content.as_bytes()));
        ExportedEntry { seq, commitment, salt: Some(BASE64.encode(&salt)), content: Some(content) }
    };
    (0..size).map(entry).collect()
}

const CONTENT: &str = "{\"seq\":{n},\"action\":\"account.update\"}";

fn raw(entry: &ExportedEntry) -> [u8; 32] {
    BASE64.decode(entry.commitment.as_bytes()).unwrap().try_into().unwrap()
}

fn signed(key: &NoteKey, log: &[ExportedEntry]) -> String {
    let mut growing = Growing::default();
    log.iter().for_each(|entry| growing.push(leaf_hash(&raw(entry))));
    let origin = key.verifier().name().to_owned();
    key.sign(&Checkpoint { origin, size: growing.size(), root: growing.root() }.to_string())
}

/// Writes or brings up to date.
fn export(dir: &Path, key: &NoteKey, log: &[ExportedEntry]) {
    let mut writer = Writer::open(dir, key.verifier()).unwrap();
    for entry in log.iter().filter(|e| e.salt.is_none()) {
        writer.erase(entry.seq).unwrap();
    }
    let known = fs::read_dir(dir.join("tile/entries"))
        .map_or(0, |files| files.flatten().filter(|f| f.path().is_file()).count() * 256);
    for entry in &log[known..] {
        writer.push(entry.clone()).unwrap();
    }
    writer.finish(key.verifier(), &signed(key, log)).unwrap();
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            if entry.path().is_dir() {
                left.push(entry.path());
            } else {
                found.insert(entry.path().strip_prefix(dir).unwrap().to_owned(), fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

struct Made {
    dir: tempfile::TempDir,
    key: NoteKey,
    log: Vec<ExportedEntry>,
}

fn made(size: u64) -> Made {
    let made = Made { dir: tempfile::tempdir().unwrap(), key: key(), log: log(size, CONTENT) };
    export(made.dir.path(), &made.key, &made.log);
    made
}

impl Made {
    fn verify(&self, since: Option<&str>) -> Report {
        verify(self.dir.path(), self.key.verifier(), since).unwrap()
    }

    fn edit(&self, path: PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }

    fn edit_lines(&self, number: u64, change: impl FnOnce(&mut Vec<String>)) {
        self.edit(opened_path(self.dir.path(), number), |bytes| {
            let mut lines: Vec<String> = String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
            change(&mut lines);
            *bytes = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().into_bytes();
        });
    }

    fn bundle(&self, number: u64, width: u64) -> PathBuf {
        tile(self.dir.path(), ENTRIES, number, width)
    }
}

fn wrong(report: &Report) -> (Wrong, Option<u64>) {
    let problem = report.problem.as_ref().unwrap_or_else(|| panic!("nothing found: {report:?}"));
    assert!(!report.intact);
    (problem.wrong, problem.entry)
}

#[test]
fn whole_logs_are_intact() {
    for size in [0, 1, 3, 255, 256, 257, 600, 66_000] {
        let report = made(size).verify(None);
        assert!(report.intact, "{size}: {report:?}");
        assert_eq!((report.entries, report.checked, report.erased), (size, size, 0));
    }
}

#[test]
fn an_export_goes_on() {
    let key = key();
    let whole = log(66_100, CONTENT);
    let (dir, at_once) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut before: Option<String> = None;
    for size in [3, 3, 300, 301, 512, 700, 65_900, 66_100] {
        export(dir.path(), &key, &whole[..size]);
        let report = verify(dir.path(), key.verifier(), before.as_deref()).unwrap();
        assert!(report.intact, "{size}: {report:?}");
        before = Some(fs::read_to_string(dir.path().join(CHECKPOINT)).unwrap());
    }
    export(at_once.path(), &key, &whole);
    assert!(files(dir.path()) == files(at_once.path()), "the same files however it came about");
    assert!(dir.path().join("tile/2/000.p/1").exists());
    // Broken off after some bundles, without a checkpoint.
    let broken = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(broken.path(), key.verifier()).unwrap();
    whole[..600].iter().for_each(|entry| writer.push(entry.clone()).unwrap());
    drop(writer);
    assert_eq!(wrong(&verify(broken.path(), key.verifier(), None).unwrap()), (Wrong::Missing, None));
    export(broken.path(), &key, &whole[..700]);
    assert!(verify(broken.path(), key.verifier(), None).unwrap().intact);
}

#[test]
fn the_export_of_another_log_is_not_gone_on_with() {
    let made = made(5);
    assert!(Writer::open(made.dir.path(), key().verifier()).is_err());
    // Nor is a checkpoint written over entries that do not give it.
    let writer = Writer::open(made.dir.path(), made.key.verifier()).unwrap();
    assert!(writer.finish(made.key.verifier(), &signed(&made.key, &made.log)).is_err());
}

#[test]
fn erased_entries_are_counted_and_break_nothing() {
    let mut made = made(300);
    for seq in [7, 299] {
        made.log[seq].salt = None;
        made.log[seq].content = None;
    }
    made.log.extend(log(310, CONTENT).drain(300..));
    export(made.dir.path(), &made.key, &made.log);
    let report = made.verify(None);
    assert!(report.intact, "{report:?}");
    assert_eq!((report.checked, report.erased), (310, 2));
    let first = fs::read_to_string(opened_path(made.dir.path(), 0)).unwrap();
    assert_eq!(first.lines().nth(7), Some("{\"seq\":7,\"erased\":true}"), "erased in what was exported before, too");
    // Who says so of an entry that has not lost its salt is not believed.
    made.edit_lines(0, |lines| lines[9] = lines[9].replace('}', ",\"erased\":true}"));
    assert_eq!(wrong(&made.verify(None)), (Wrong::Changed, Some(9)));
}

#[test]
fn every_flipped_byte_is_found() {
    let small = made(3);
    let mut flips = 0;
    for (path, bytes) in files(small.dir.path()) {
        let path = small.dir.path().join(path);
        for at in 0..bytes.len() {
            for mask in [1, 0x20, 0x80] {
                let mut other = bytes.clone();
                other[at] ^= mask;
                fs::write(&path, &other).unwrap();
                let report = small.verify(None);
                assert!(!report.intact, "{}: byte {at} with {mask:#x}", path.display());
                flips += 1;
            }
        }
        fs::write(&path, bytes).unwrap();
    }
    assert!(flips > 2000 && small.verify(None).intact);
    // One byte of each file of a larger one, and each file gone or cut.
    let large = made(700);
    for (path, bytes) in files(large.dir.path()) {
        let path = large.dir.path().join(path);
        let mut other = bytes.clone();
        let middle = bytes.len() / 2;
        other[middle] ^= 4;
        for spoilt in [&other[..], &bytes[..bytes.len() - 1], &bytes[..middle], &[bytes.as_slice(), b"x"].concat()] {
            // A cut of the line end of the last line is no loss.
            if spoilt.len() + 1 == bytes.len() && path.extension().is_some_and(|e| e == "jsonl") {
                continue;
            }
            // The last bundle may be there as a longer one: what is behind the end does not count.
            if spoilt.len() > bytes.len() && path.starts_with(large.dir.path().join("tile")) {
                continue;
            }
            fs::write(&path, spoilt).unwrap();
            assert!(!large.verify(None).intact, "{}: {} bytes", path.display(), spoilt.len());
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(wrong(&large.verify(None)).0, Wrong::Missing, "{}", path.display());
        fs::write(&path, bytes).unwrap();
    }
    assert!(large.verify(None).intact);
}

#[test]
fn what_is_wrong_is_told_with_its_number() {
    let fresh = || made(300);
    let check = |change: &dyn Fn(&Made), wanted: (Wrong, Option<u64>)| {
        let made = fresh();
        change(&made);
        let report = made.verify(None);
        assert_eq!(wrong(&report), wanted, "{:?}", report.problem);
    };
    // Flipped.
    check(&|m| m.edit(m.bundle(1, 44), |b| b[34 * 3 + 9] ^= 1), (Wrong::Changed, Some(259)));
    check(&|m| m.edit(m.dir.path().join("tile/0/000"), |b| b[32 * 8] ^= 1), (Wrong::Changed, Some(8)));
    check(&|m| m.edit(m.dir.path().join("tile/1/000.p/1"), |b| b[0] ^= 1), (Wrong::Changed, Some(0)));
    check(&|m| m.edit_lines(0, |l| l[5] = l[5].replace("update", "delete")), (Wrong::Changed, Some(5)));
    // Dropped.
    check(&|m| m.edit_lines(0, |l| drop(l.remove(17))), (Wrong::Missing, Some(17)));
    check(&|m| m.edit_lines(1, |l| drop(l.pop())), (Wrong::Missing, Some(299)));
    check(&|m| fs::remove_file(m.bundle(1, 44)).unwrap(), (Wrong::Missing, Some(256)));
    check(&|m| fs::remove_file(m.dir.path().join("tile/1/000.p/1")).unwrap(), (Wrong::Missing, Some(0)));
    check(&|m| fs::remove_file(m.dir.path().join(CHECKPOINT)).unwrap(), (Wrong::Missing, None));
    // Truncated.
    check(&|m| m.edit(m.bundle(1, 44), |b| b.truncate(34 * 40 + 5)), (Wrong::Missing, Some(296)));
    check(&|m| m.edit_lines(0, |l| l.truncate(200)), (Wrong::Missing, Some(200)));
    // Swapped.
    check(&|m| m.edit_lines(0, |l| l.swap(20, 30)), (Wrong::Reordered, Some(20)));
    let swap = |m: &Made| {
        let mut commitments: Vec<[u8; 32]> = m.log[..256].iter().map(raw).collect();
        commitments.swap(40, 50);
        fs::write(m.bundle(0, 256), bundle(&commitments)).unwrap();
    };
    check(&swap, (Wrong::Reordered, Some(40)));
    // Added.
    check(&|m| m.edit_lines(1, |l| l.push(l[0].clone())), (Wrong::Changed, Some(300)));
}

/// Whoever can write every file, but not sign.
#[test]
fn a_consistent_rewriting_is_found() {
    let forge = |rewrite: &dyn Fn(&mut Vec<ExportedEntry>)| {
        let mut made = made(700);
        let note = fs::read(made.dir.path().join(CHECKPOINT)).unwrap();
        rewrite(&mut made.log);
        let dir = tempfile::tempdir().unwrap();
        export(dir.path(), &made.key, &made.log);
        fs::write(dir.path().join(CHECKPOINT), note).unwrap();
        verify(dir.path(), made.key.verifier(), None).unwrap()
    };
    let swapped = forge(&|log| {
        log.swap(40, 50);
        (log[40].seq, log[50].seq) = (40, 50);
    });
    assert_eq!(wrong(&swapped), (Wrong::Reordered, Some(40)));
    let changed = forge(&|log| log[500] = self::log(501, "{\"seq\":{n}}").remove(500));
    assert_eq!(wrong(&changed), (Wrong::Changed, None));
    let dropped = forge(&|log| log.truncate(699));
    assert_eq!(wrong(&dropped).0, Wrong::Missing);
}

#[test]
fn another_key_and_another_history_are_found() {
    let first = made(300);
    let old = fs::read_to_string(first.dir.path().join(CHECKPOINT)).unwrap();
    // Signed anew by somebody else, with all that belongs to it.
    let other = key();
    fs::write(first.dir.path().join(CHECKPOINT), signed(&other, &first.log)).unwrap();
    assert_eq!(wrong(&first.verify(None)), (Wrong::Forged, None));
    // Their text under our name, with their signature.
    let ours = first.key.verifier().name();
    let posed = signed(&other, &first.log).replace(other.verifier().name(), ours);
    fs::write(first.dir.path().join(CHECKPOINT), posed).unwrap();
    assert_eq!(wrong(&first.verify(None)), (Wrong::Forged, None));

    // The platform itself wrote another history, and signed it.
    let mut log = first.log.clone();
    log[200] = self::log(201, "{\"seq\":{n}}").remove(200);
    log.extend(self::log(400, CONTENT).drain(300..));
    let second = Made { dir: tempfile::tempdir().unwrap(), key: first.key.clone(), log };
    export(second.dir.path(), &second.key, &second.log);
    assert!(second.verify(None).intact);
    assert_eq!(wrong(&second.verify(Some(&old))), (Wrong::Rewritten, None));
    // A shorter one.
    let third = Made { dir: tempfile::tempdir().unwrap(), key: first.key.clone(), log: first.log[..299].to_vec() };
    export(third.dir.path(), &third.key, &third.log);
    assert_eq!(wrong(&third.verify(Some(&old))), (Wrong::Truncated, Some(299)));
    // The same one, gone on with; and an earlier checkpoint that is none.
    let fourth = Made { dir: tempfile::tempdir().unwrap(), key: first.key.clone(), log: self::log(1000, CONTENT) };
    export(fourth.dir.path(), &fourth.key, &fourth.log);
    assert_eq!(fourth.verify(Some(&old)).continues, Some(300));
    assert_eq!(wrong(&fourth.verify(Some(&signed(&other, &first.log)))), (Wrong::Forged, None));
}
