//! See `stream.rs`.
#![no_main]

mod pieces;
mod stream;

libfuzzer_sys::fuzz_target!(|data: &[u8]| stream::check(tacit_kernel::Dialect::Anthropic, data));
