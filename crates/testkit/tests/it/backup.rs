//! Backed up at t0, erased at t1, restored from t0: refused without the log, then replayed, and nobody comes back.

use super::erasure::{called, erase, is_gone, receipt};
use super::{both_engines, text};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tacit_storage::testing::empty_db;
use tacit_storage::{Engine, Sql, StorageError};
use tacit_testkit::{Client, Options, Platform};

type Settings = Vec<(String, String)>;

fn with(settings: &Settings, more: &[(&str, &str)]) -> Settings {
    let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    settings.iter().cloned().chain(more).collect()
}

/// Runs a command with these settings.
async fn tacit(platform: &Platform, command: &[&str], settings: &Settings) -> anyhow::Result<(bool, Value, String)> {
    let pairs: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let sets = pairs.iter().flat_map(|pair| ["--set", pair]);
    platform.cli_whatever(&command.iter().copied().chain(sets).collect::<Vec<_>>()).await
}

async fn done(platform: &Platform, command: &[&str], settings: &Settings) -> anyhow::Result<Value> {
    let (success, value, said) = tacit(platform, command, settings).await?;
    assert!(success, "{command:?}: {said}{value}");
    Ok(value)
}

async fn refused(platform: &Platform, command: &[&str], settings: &Settings, why: &str) -> anyhow::Result<()> {
    let (success, value, said) = tacit(platform, command, settings).await?;
    assert!(!success, "{command:?}: {value}");
    let said = format!("{said}{value}");
    assert!(said.contains(why), "{command:?}: {said}");
    Ok(())
}

/// Files of a database of SQLite that hold these bytes.
fn holds(db: &Path, bytes: &[u8]) -> anyhow::Result<bool> {
    for suffix in ["", "-wal"] {
        let file = PathBuf::from(format!("{}{suffix}", db.display()));
        if file.exists() && fs::read(file)?.windows(bytes.len()).any(|at| at == bytes) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn sealed_name(platform: &Platform, account: tacit_kernel::ids::AccountId) -> anyhow::Result<Vec<u8>> {
    const NAME: Sql = Sql::new("SELECT name_sealed FROM accounts WHERE id = $1");
    let db = platform.database().await?;
    let row = db.read("test.name", |tx| Box::pin(async move { tx.one(&NAME, &[account.into()]).await })).await;
    let row: Result<_, StorageError> = row;
    let name = row?.map(|row| row.get("name_sealed")).transpose()?;
    db.close().await;
    name.ok_or_else(|| anyhow::anyhow!("there is no such account"))
}

both_engines! {
    async fn who_was_erased_after_a_backup_does_not_come_back_with_it(engine) {
        let mut platform = Platform::start(engine, Options::default()).await?;
        called(&platform).await?;
        let root = platform.root().to_owned();
        let at = |name: &str| root.join(name).display().to_string();
        let customer = platform.cli(&["account", "show", "customer"]).await?;
        let customer: tacit_kernel::ids::AccountId = text(&customer, "/id").parse()?;
        // What was sealed of the customer, as it lies in the files.
        let name = sealed_name(&platform, customer).await?;
        let (identity, other_identity) = (at("identity"), at("other-identity"));
        let recipient = text(&platform.cli(&["backup", "key", &identity]).await?, "/recipient").to_owned();
        platform.cli(&["backup", "key", &other_identity]).await?;
        platform.stop().await?;
        fs::copy(root.join("data/keyring.db"), root.join("data/older.db"))?;
        assert!(!root.join("data/keyring.db-wal").exists(), "all of it is in the file");
        let settings = with(&Settings::new(), &[
            ("backup.directory", &at("backups")),
            ("backup.recipients", &recipient),
            ("backup.keyring_directory", &at("keyrings")),
            ("backup.keyring_recipients", &recipient),
        ]);
        refused(&platform, &["backup", "data"], &Settings::new(), "set backup.directory").await?;

        // t0: the control plane makes them by itself, and so does the command, while it serves.
        platform.start_again(&with(&settings, &[("backup.every_hours", "24")])).await?;
        let listed = async || done(&platform, &["backup", "list"], &settings).await;
        platform.until("both backups are made", async || {
            listed().await.is_ok_and(|list| list.as_array().is_some_and(|list| list.len() == 2))
        }).await?;
        let metrics = Client::new(&format!("http://{}", platform.admin_addresses()[1]), "").get("/metrics").await?.text();
        for database in ["data", "keyring"] {
            let gauge = format!("tacit_control_backup_age_seconds{{database=\"{database}\"}} ");
            assert!(metrics.contains(&gauge), "{metrics}");
        }
        called(&platform).await?;
        let made = done(&platform, &["backup", "all"], &settings).await?;
        let (data, keyring) = (text(&made, "/0/file").to_owned(), text(&made, "/1/file").to_owned());
        let verified = done(&platform, &["backup", "verify", &data, "--identity", &identity], &settings).await?;
        assert_eq!((text(&verified, "/kind"), &verified["rows"]), ("data", &made[0]["rows"]));
        refused(&platform, &["backup", "verify", &data, "--identity", &other_identity], &settings, "no identity").await?;

        // t1: erased, with a receipt that says until when the keyring of t0 may be about.
        let receipt_at_t1 = erase(&platform).await?;
        assert!(receipt_at_t1["copies_until"].is_string(), "{receipt_at_t1}");
        platform.stop().await?;

        // An older keyring that somebody puts back is refused: the log knows more, and without that the data does.
        let older = format!("sqlite:{}", at("data/older.db"));
        let put_back = with(&settings, &[("keyring.url", &older)]);
        refused(&platform, &["setup"], &put_back, "older copy").await?;
        refused(&platform, &["setup"], &with(&put_back, &[("keyring.erasure_log", &at("data/none.log"))]), "older copy").await?;

        // t0 again, into empty databases.
        let restored = empty_db(engine).await;
        let new = if engine == Engine::Sqlite { format!("sqlite:{}", at("data/new.db")) } else { restored.url().to_owned() };
        let fresh = |name: &str| with(&settings, &[
            ("database.url", new.as_str()),
            ("keyring.url", &format!("sqlite:{}", at(&format!("data/{name}.db")))),
        ]);
        let restore_data = ["restore", "data", &data, "--identity", &identity];
        let restore_keyring = ["restore", "keyring", &keyring, "--identity", &identity, "--erasures"];
        refused(&platform, &restore_data, &settings, "holds tables").await?;
        refused(&platform, &restore_data, &fresh("k1"), "restore that first").await?;
        refused(&platform, &[&restore_keyring[..], &[&at("nowhere.log")]].concat(), &fresh("k1"), "nobody knows who was erased").await?;
        refused(&platform, &["setup"], &with(&fresh("k1"), &[("database.url", &format!("sqlite:{}", at("data/unused.db")))]), "being restored").await?;
        let log = at("data/erasures.log");
        let lines = fs::read_to_string(&log)?;
        fs::write(root.join("shorter.log"), &lines[..lines.len() - 40])?;
        refused(&platform, &[&restore_keyring[..], &[&at("shorter.log")]].concat(), &fresh("k2"), "last line is cut off").await?;
        let done_keyring = done(&platform, &[&restore_keyring[..], &[&log]].concat(), &fresh("k3")).await?;
        assert_eq!((&done_keyring["erased_since"], &done_keyring["keys_gone"]), (&1.into(), &1.into()), "{done_keyring}");
        refused(&platform, &["restore", "data", &keyring, "--identity", &identity], &fresh("k3"), "backup of the keyring").await?;
        let done_data = done(&platform, &restore_data, &fresh("k3")).await?;
        assert_eq!(done_data["erased_since"], 1, "{done_data}");
        refused(&platform, &restore_data, &fresh("k3"), "holds tables").await?;
        let files = root.join("data/new.db");
        assert!(engine != Engine::Sqlite || holds(&files, &name)?, "positive control: the rows are there again");

        // It serves, and first of all erases once more.
        platform.start_again(&fresh("k3")).await?;
        assert!(platform.log().contains("erasure.replayed"), "before anybody was served");
        let erasures = platform.cli(&["privacy", "erasure", "list"]).await?;
        assert_eq!(text(&erasures, "/items/0/reason"), "restored", "{erasures}");
        let id = text(&erasures, "/items/0/id").to_owned();
        receipt(&platform, &id).await?;
        is_gone(&platform).await?;
        assert_eq!(platform.cli(&["ledger", "verify"]).await?["balanced"], true);
        for (action, entries) in [("backup.restore", 1), ("backup.make", 5)] {
            let audit = platform.cli(&["audit", "list", "--action", action]).await?;
            assert_eq!(audit["items"].as_array().map(Vec::len), Some(entries), "{audit}");
        }
        platform.stop().await?;
        if engine == Engine::Sqlite {
            assert!(!holds(&files, &name)?, "the scan is clean");
        }
        Ok(())
    }
}
