use crate::prove::canary::Minter;
use crate::prove::encoding::Encoding;
use crate::prove::report::{NotClean, Part};
use crate::prove::{Scanner, no_bodies};
use std::fs;
use std::io::Write as _;

#[test]
fn what_lies_deep_in_a_directory_is_found_and_what_is_clean_is_not() {
    let mut minter = Minter::new();
    let text = minter.mint("the one");
    let scanner = Scanner::new(&minter.minted()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("clean"), vec![b'x'; 5_000_000]).unwrap();
    std::os::unix::fs::symlink("/", deep.join("link")).unwrap();
    let roots = [dir.path().to_path_buf()];
    let report = no_bodies(&scanner, &roots, &[]);
    assert_eq!((report.files, report.bytes, report.verdict()), (1, 5_000_000, Ok(())), "{report}");

    let zstd = zstd::encode_all(format!("---{text}---").as_bytes(), 3).unwrap();
    fs::write(deep.join("packed"), [b"head".as_slice(), &zstd].concat()).unwrap();
    fs::write(deep.join("tacit.db-wal"), format!("{}{text}", "-".repeat(123))).unwrap();
    fs::write(deep.join(&text), "named after it").unwrap();
    let report = no_bodies(&scanner, &roots, &[]);
    assert!(matches!(report.verdict(), Err(NotClean::Found(_))));
    assert_eq!(report.found, 3 + u64::from(raw_in_zstd(&zstd, &text)), "{report}");
    let wal = report.findings.iter().find(|f| f.place.ends_with("-wal")).unwrap();
    assert_eq!(
        (wal.offset, wal.encoding, wal.part, wal.canary.as_str()),
        (123, Encoding::Utf8, Part::Whole, "the one")
    );
    assert!(report.findings.iter().any(|f| f.within.as_deref() == Some("zstd at 4") && f.offset == 3), "{report}");
    let shown = format!("{report}{}", serde_json::to_string(&report).unwrap());
    assert!(!shown.replace(&format!("/{text}"), "").contains(&text), "the text itself is never shown");
}

/// Whether the compressed form happens to hold half of the text as it is.
fn raw_in_zstd(zstd: &[u8], text: &str) -> bool {
    memchr::memmem::find(zstd, &text.as_bytes()[..text.len() / 2]).is_some()
}

#[test]
fn what_cannot_be_read_is_not_clean() {
    let mut minter = Minter::new();
    minter.mint("any");
    let scanner = Scanner::new(&minter.minted()).unwrap();
    let report = no_bodies(&scanner, &["/no/such/place".into()], &[]);
    assert_eq!(report.verdict(), Err(NotClean::Unread(1)));
    let report = no_bodies(&scanner, &[], &[u32::MAX - 1]);
    assert_eq!(report.verdict(), Err(NotClean::Unread(1)));
}

#[test]
fn memory_and_deleted_files_of_a_process_are_read() {
    let mut minter = Minter::new();
    let text = minter.mint("held");
    let scanner = Scanner::new(&minter.minted()).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let mut child = std::process::Command::new("sleep").arg("60").env("HELD", &text).stdin(file).spawn().unwrap();
    while !fs::read(format!("/proc/{}/environ", child.id())).is_ok_and(|e| !e.is_empty()) {
        std::thread::yield_now();
    }
    let report = no_bodies(&scanner, &[], &[child.id()]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(report.findings.iter().any(|f| f.place.starts_with("memory of process")), "{report}");
    assert!(report.findings.iter().any(|f| f.place.starts_with("deleted file")), "{report}");
    assert!(report.processes[0].scanned_bytes > 0 && report.processes[0].written_chars.is_some());
}

/// Prints the rate of a scan; run it with `--release --run-ignored all --no-capture`.
#[test]
#[ignore = "a measurement"]
fn rate() {
    let mut minter = Minter::new();
    (0..300).for_each(|at| drop(minter.mint(format!("c{at}"))));
    let scanner = Scanner::new(&minter.minted()).unwrap();
    let mut state = 1_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33).to_le_bytes()
    };
    let random: Vec<u8> = (0..40_000_000).flat_map(|_| word()).collect();
    let text: Vec<u8> = random.iter().map(|b| b"etaoin shrdlu,\"0123456789abcdef{}"[usize::from(*b) % 33]).collect();
    for (name, data) in [("random", random), ("text", text), ("zeros", vec![0; 320_000_000])] {
        let start = std::time::Instant::now();
        let (found, _) = scanner.stream(data.as_slice());
        println!(
            "{name}: {:.2} GB/s, {} hits",
            data.len() as f64 / 1e9 / start.elapsed().as_secs_f64(),
            found.hits.len()
        );
    }
}
