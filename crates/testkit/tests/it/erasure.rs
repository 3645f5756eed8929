//! A person is erased from the running platform, and from a backup of its data that is put back.

use super::{both_engines, chat, text};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tacit_storage::Engine;
use tacit_testkit::{Options, Platform};

/// Erases the customer, and waits for the receipt.
pub(super) async fn erase(platform: &Platform) -> anyhow::Result<Value> {
    let begin = ["privacy", "erasure", "begin", "customer", "--irreversible"];
    let (success, _, said) = platform.cli_whatever(&begin).await?;
    assert!(!success && said.contains("holds money"), "{said}");
    let begun = platform.cli(&[&begin[..], &["--forfeit"]].concat()).await?;
    assert_eq!(text(&begun, "/state"), "unreadable", "{begun}");
    let id = text(&begun, "/id").to_owned();
    receipt(platform, &id).await
}

pub(super) async fn receipt(platform: &Platform, id: &str) -> anyhow::Result<Value> {
    let show = ["privacy", "erasure", "show", id];
    // Each has its own patience: gateways are heard every half a minute.
    for reached in [&["purged", "done"][..], &["done"]] {
        let is_reached =
            async || platform.cli(&show).await.is_ok_and(|shown| reached.contains(&text(&shown, "/state")));
        platform.until("the erasure comes further", is_reached).await?;
    }
    platform.cli(&show).await
}

pub(super) async fn is_gone(platform: &Platform) -> anyhow::Result<()> {
    let accounts = platform.cli(&["account", "list"]).await?;
    assert!(!accounts.to_string().contains("customer"), "{accounts}");
    let answer = platform.client().post("/v1/chat/completions", &chat("chat", "is anybody there", false)).await?;
    assert_eq!(answer.status, 401, "{}", answer.text());
    let books = platform.cli(&["ledger", "verify"]).await?;
    assert_eq!(books["balanced"], true, "{books}");
    Ok(())
}

pub(super) async fn called(platform: &Platform) -> anyhow::Result<()> {
    for _ in 0..3 {
        let answer = platform.client().post("/v1/chat/completions", &chat("chat", "a call", false)).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    Ok(())
}

both_engines! {
    async fn somebody_is_erased_while_the_platform_runs(engine) {
        let platform = Platform::start(engine, Options::default()).await?;
        called(&platform).await?;
        let receipt = erase(&platform).await?;
        assert_eq!(receipt["account"], Value::Null);
        assert_eq!(receipt["rows"]["calls"], 3, "{receipt}");
        assert_eq!(receipt["rows"]["accounts"], 1, "{receipt}");
        assert!(receipt["kept"].to_string().contains("Cybersecurity Law"), "{receipt}");
        is_gone(&platform).await
    }
}

/// The files of the data, apart from those of the keyring.
fn copy_data(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for name in ["tacit.db", "tacit.db-wal", "tacit.db-shm"] {
        let (from, to) = (from.join(name), to.join(name));
        if from.exists() {
            fs::copy(from, to)?;
        } else if to.exists() {
            fs::remove_file(to)?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_erased_is_not_brought_back_by_a_backup() -> anyhow::Result<()> {
    let options = Options::default();
    let mut platform = Platform::start(Engine::Sqlite, options.clone()).await?;
    called(&platform).await?;
    let (data, kept) = (platform.root().join("data"), platform.root().join("backup"));
    platform.stop().await?;
    copy_data(&data, &kept)?;
    platform.start_again(&options.settings).await?;
    erase(&platform).await?;
    platform.stop().await?;
    copy_data(&kept, &data)?;
    platform.start_again(&options.settings).await?;
    assert!(platform.log().contains("erasure.replayed"), "before anybody was served");
    let erasures = platform.cli(&["privacy", "erasure", "list"]).await?;
    let id = text(&erasures, "/items/0/id").to_owned();
    assert_eq!(text(&erasures, "/items/0/reason"), "restored", "{erasures}");
    receipt(&platform, &id).await?;
    is_gone(&platform).await
}
