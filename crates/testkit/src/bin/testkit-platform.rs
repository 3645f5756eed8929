//! Starts a platform of its own for tests in other languages: prints one line of JSON that says where it is, and stops
//! it when its standard input ends. `testkit-platform sqlite|postgres [key=value …]`. With `database` alone it gives an empty
//! PostgreSQL database, for a program that the tests start themselves.

use anyhow::Context as _;
use serde_json::json;
use tacit_storage::Engine;
use tacit_testkit::{Options, Platform};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let engine = match arguments.next().as_deref() {
        Some("sqlite") => Engine::Sqlite,
        Some("postgres") => Engine::Postgres,
        Some("database") => {
            let database = tacit_storage::testing::empty_db(Engine::Postgres).await;
            return until_the_end(&json!({ "database": database.url() })).await;
        }
        _ => anyhow::bail!("usage: testkit-platform sqlite|postgres [key=value …] | database"),
    };
    let mut options = Options::default();
    for pair in arguments {
        let (key, value) = pair.split_once('=').context("settings are written key=value")?;
        options = options.set(key, value);
    }
    let platform = Platform::start(engine, options).await?;
    let line = json!({
        "url": platform.url(),
        "key": platform.key(),
        "provider": platform.provider_url(),
        "credential": platform.credential(),
        "config": platform.root().join("tacit.toml"),
        "root": platform.root(),
        "binary": platform.binary(),
        "supervisor": platform.supervisor(),
    });
    until_the_end(&line).await
}

/// Says that, and waits until nobody needs it any more.
async fn until_the_end(line: &serde_json::Value) -> anyhow::Result<()> {
    #[expect(clippy::print_stdout, reason = "its output is this line")]
    {
        println!("{line}");
    }
    tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await??;
    Ok(())
}
