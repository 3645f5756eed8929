//! Size and names of files, module headers, and the layering that `protocol` and `storage` must never meet.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No hand-written file is longer.
const MOST_LINES: usize = 800;
/// Names that say nothing about their subject.
const EMPTY_NAMES: [&str; 5] = ["utils", "util", "common", "helpers", "manager"];

/// Fails with every breach found.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no parent")?;
    let mut breaches = Vec::new();
    let mut sizes = Vec::new();
    for file in tracked(root)? {
        let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
        let name = file.display();
        let stem = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if stem == "mod" {
            breaches.push(format!("{name}: write foo.rs beside foo/, not foo/mod.rs"));
        }
        if EMPTY_NAMES.contains(&stem) {
            breaches.push(format!("{name}: name the file after its subject"));
        }
        let lines = text.lines().count();
        sizes.push(lines);
        if lines > MOST_LINES {
            breaches.push(format!("{name}: {lines} lines; at most {MOST_LINES}, one subject a file"));
        }
        let shipped = !file.iter().any(|part| part == "tests" || part == "examples");
        let headed = text.starts_with("//!") || text.starts_with("#!");
        if shipped && stem != "tests" && !headed {
            breaches.push(format!("{name}: say at the top (//!) what the file is for"));
        }
    }
    breaches.extend(meetings(root)?);
    sizes.sort_unstable();
    let at = |percent: usize| sizes.get(sizes.len() * percent / 100).copied().unwrap_or(0);
    if breaches.is_empty() {
        report(&format!("tidy: {} files, median {} lines, p90 {}", sizes.len(), at(50), at(90)));
        return Ok(());
    }
    bail!("not tidy:\n  {}", breaches.join("\n  "))
}

#[expect(clippy::print_stdout, reason = "a command-line chore")]
fn report(text: &str) {
    println!("{text}");
}

/// Rust files that git knows or would take.
fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root)
        .output()
        .context("git is needed")?;
    let names = String::from_utf8(out.stdout)?;
    Ok(names.lines().map(PathBuf::from).filter(|p| root.join(p).exists()).collect())
}

/// Crates below the program that could carry a body to a database: none may depend on both, however indirectly.
fn meetings(root: &Path) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|n| !["tacit", "testkit"].contains(n)) else { continue };
        let below = reachable(root, name, &mut Vec::new())?;
        if below.iter().any(|b| b == "protocol") && below.iter().any(|b| b == "storage") {
            breaches.push(format!("crates/{name}: sees both protocol and storage"));
        }
    }
    Ok(breaches)
}

fn reachable(root: &Path, name: &str, seen: &mut Vec<String>) -> Result<Vec<String>> {
    if !seen.iter().any(|s| s == name) {
        seen.push(name.to_owned());
        let manifest = fs::read_to_string(root.join("crates").join(name).join("Cargo.toml"))?;
        let manifest: toml::Table = manifest.parse()?;
        for dependency in manifest.get("dependencies").and_then(|d| d.as_table()).into_iter().flat_map(|t| t.keys()) {
            if let Some(next) = dependency.strip_prefix("tacit-") {
                reachable(root, next, seen)?;
            }
        }
    }
    Ok(seen.clone())
}
