//! `tacit-bench`: CPU and latency of a call through Tacit against nginx on the same machine in the same run.
fn main() {}
