//! What is scanned: files, directories, processes.

use super::report::{Finding, Process, Report};
use super::scan::{Found, INFLATED, Scanner};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// Scans a file, or everything under a directory. Links inside it are not followed; sockets, pipes and devices are
/// passed over. What disappears in between is nothing that is kept.
pub(super) fn path(scanner: &Scanner, root: &Path, report: &mut Report) {
    let kind = match fs::metadata(root) {
        Ok(meta) => meta.file_type(),
        Err(error) => return report.unreadable.push(format!("{}: {error}", root.display())),
    };
    if kind.is_dir() {
        directory(scanner, root, report);
    } else if kind.is_file() {
        file(scanner, root, report);
    } else {
        report.unreadable.push(format!("{}: neither a file nor a directory", root.display()));
    }
}

fn directory(scanner: &Scanner, root: &Path, report: &mut Report) {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return report.unreadable.push(format!("{}: {error}", root.display())),
    };
    for entry in entries {
        let kind = entry.and_then(|e| Ok((e.path(), e.file_type()?)));
        match kind {
            Ok((path, kind)) if kind.is_dir() => directory(scanner, &path, report),
            Ok((path, kind)) if kind.is_file() => file(scanner, &path, report),
            Ok((_, kind)) if kind.is_symlink() || kind.is_socket() || kind.is_fifo() => {}
            Ok((_, kind)) if kind.is_block_device() || kind.is_char_device() => {}
            Ok((path, _)) => report.unreadable.push(format!("{}: of no known kind", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => report.unreadable.push(format!("{}: {error}", root.display())),
        }
    }
    // File names are kept too.
    names(scanner, root, report);
}

fn names(scanner: &Scanner, root: &Path, report: &mut Report) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for name in entries.flatten().map(|e| e.file_name()) {
        let (found, _) = scanner.stream(name.as_encoded_bytes());
        push(&found, &format!("a file name in {}", root.display()), None, report);
    }
}

fn file(scanner: &Scanner, path: &Path, report: &mut Report) {
    let place = path.display().to_string();
    match File::open(path) {
        Ok(file) => {
            report.files += 1;
            opened(scanner, file, &place, report);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => report.unreadable.push(format!("{place}: {error}")),
    }
}

fn opened(scanner: &Scanner, mut file: File, place: &str, report: &mut Report) {
    let (found, result) = scanner.stream(&mut file);
    report.bytes += found.bytes;
    push(&found, place, None, report);
    if let Err(error) = result {
        report.unreadable.push(format!("{place}: {error}"));
    }
    for (packing, start) in found.packed {
        // What looks like a stream but is none ends at once with an error; a broken one gives what it has.
        let unpacked = file.seek(SeekFrom::Start(start)).and_then(|_| packing.open(io::BufReader::new(&file)));
        let Ok(unpacked) = unpacked else { continue };
        let (found, _) = scanner.stream(unpacked.take(INFLATED));
        if found.bytes > 0 {
            report.streams += 1;
        }
        report.bytes += found.bytes;
        push(&found, place, Some(&format!("{} at {start}", packing.as_str())), report);
    }
}

fn push(found: &Found, place: &str, within: Option<&str>, report: &mut Report) {
    for hit in &found.hits {
        report.push(Finding {
            place: place.to_owned(),
            offset: hit.offset,
            within: within.map(str::to_owned),
            encoding: hit.encoding,
            canary: hit.canary.clone(),
            part: hit.part,
        });
    }
}

/// Scans the readable memory of a process and the files it holds open though they are deleted.
pub(super) fn process(scanner: &Scanner, pid: u32, report: &mut Report) {
    let root = Path::new("/proc").join(pid.to_string());
    let opened_all = fs::read_to_string(root.join("maps")).and_then(|maps| Ok((maps, File::open(root.join("mem"))?)));
    let (maps, mut memory) = match opened_all {
        Ok(both) => both,
        Err(error) => return report.unreadable.push(format!("process {pid}: {error}")),
    };
    let mut scanned = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let Some((from, to)) = words.next().and_then(range) else { continue };
        let readable = words.next().is_some_and(|rights| rights.starts_with('r'));
        let name = words.nth(3).unwrap_or("anonymous");
        // The kernel's own pages cannot be read this way and hold nothing of the process.
        if !readable || name.starts_with("[v") {
            continue;
        }
        let (found, result) = match memory.seek(SeekFrom::Start(from)) {
            Ok(_) => scanner.stream((&mut memory).take(to - from)),
            Err(error) => (Found::default(), Err(error)),
        };
        scanned += found.bytes;
        push(&found, &format!("memory of process {pid} ({name} from {from:#x})"), None, report);
        // A region that went away since the list was read gives an error with nothing read.
        if let (Err(error), true) = (result, found.bytes > 0) {
            report.unreadable.push(format!("memory of process {pid} from {from:#x}: {error}"));
        }
    }
    if scanned == 0 {
        report.unreadable.push(format!("process {pid}: none of its memory could be read"));
    }
    report.bytes += scanned;
    deleted_files(scanner, &root, pid, report);
    let io = fs::read_to_string(root.join("io")).unwrap_or_default();
    let count = |name: &str| io.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": ")?.trim().parse().ok());
    report.processes.push(Process {
        pid,
        scanned_bytes: scanned,
        write_bytes: count("write_bytes"),
        written_chars: count("wchar"),
    });
}

fn deleted_files(scanner: &Scanner, root: &Path, pid: u32, report: &mut Report) {
    let Ok(entries) = fs::read_dir(root.join("fd")) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        let deleted = fs::read_link(&path).is_ok_and(|l| l.to_string_lossy().ends_with(" (deleted)"));
        if deleted
            && fs::metadata(&path).is_ok_and(|m| m.is_file())
            && let Ok(file) = File::open(&path)
        {
            report.files += 1;
            opened(scanner, file, &format!("deleted file {} of process {pid}", path.display()), report);
        }
    }
}

fn range(text: &str) -> Option<(u64, u64)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
    (to > from).then_some((from, to))
}

#[cfg(test)]
mod tests;
