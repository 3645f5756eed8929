//! End-to-end tests of the real program: one binary, so that it is linked once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "all of this is test code, also what is no test by itself"
)]

mod admin;
mod backup;
mod calls;
mod canary;
mod console;
mod crash;
mod erasure;
mod link;
mod prove;
mod separation;

/// Makes of each `async fn name(engine)` two tests, `name::sqlite` and `name::postgres`.
macro_rules! both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($engine:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn body($engine: tacit_storage::Engine) -> anyhow::Result<()> $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body(tacit_storage::Engine::Sqlite).await.unwrap();
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                body(tacit_storage::Engine::Postgres).await.unwrap();
            }
        }
    )*};
}
use both_engines;

use serde_json::{Value, json};

/// A chat request.
fn chat(model: &str, text: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]})
}

/// A field of a call record as text.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// An amount of money as nano units.
fn nano(value: &Value, pointer: &str) -> i64 {
    let amount = value.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing in {value}"));
    amount.as_str().unwrap_or_else(|| panic!("{amount} is no amount")).parse::<tacit_kernel::Nano>().unwrap().0
}
