//! Writes docs/reference/clauses.md: `cargo xtask generate`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args_os().nth(1).ok_or("say into which directory")?;
    std::fs::write(std::path::Path::new(&dir).join("clauses.md"), tacit_privacy::Profile::table()?)?;
    Ok(())
}
