//! tacit
fn main() {}
