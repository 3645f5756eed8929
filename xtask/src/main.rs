//! Chores of the repository. `cargo xtask tidy` holds the rules of the tree that no other tool knows; `cargo xtask
//! generate` writes the documents that are made from the program.

mod generate;
mod tidy;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy::run(),
        Some("generate") => generate::run(),
        _ => anyhow::bail!("usage: xtask tidy | generate"),
    }
}
