//! The documents that are made from the program: docs/reference.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// Writes them anew. Tests of the crates they are made from fail while they are not current.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no parent")?;
    let status = Command::new(env!("CARGO"))
        .args(["run", "-q", "-p", "tacit-api", "--example", "reference", "--", "docs/reference"])
        .current_dir(root)
        .status()?;
    ensure!(status.success(), "the reference was not written");
    Ok(())
}
