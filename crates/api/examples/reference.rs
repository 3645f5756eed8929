//! Writes the generated reference into the directory that is named: `cargo xtask generate` runs it.

use std::path::PathBuf;
use tacit_api::console::{document_text, permissions_page, routes};

fn main() -> std::io::Result<()> {
    let directory = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "docs/reference".to_owned()));
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join("openapi.json"), document_text())?;
    std::fs::write(directory.join("permissions.md"), permissions_page(&routes().table()))
}
