//! The documents that are made from the program: docs/reference.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// What writes them: an example of the crate that they are made from.
const WRITERS: [(&str, &str); 2] = [("tacit-api", "reference"), ("tacit-privacy", "clauses")];

/// Writes them anew. Tests of the crates they are made from fail while they are not current.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no parent")?;
    for (package, example) in WRITERS {
        let status = Command::new(env!("CARGO"))
            .args(["run", "-q", "-p", package, "--example", example, "--", "docs/reference"])
            .current_dir(root)
            .status()?;
        ensure!(status.success(), "the reference of {package} was not written");
    }
    Ok(())
}
