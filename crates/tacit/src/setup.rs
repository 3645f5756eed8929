//! `tacit setup`: the data directory, the master key, the databases, a configuration file.

use crate::cli::Global;
use crate::config::Config;
use crate::config::settings::example;
use crate::control::{Stores, private_data_dir};
use crate::master;
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use tacit_kernel::{Clock, SystemClock};

#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    /// Also write the commented example configuration to this file, if it is not there.
    #[arg(long, value_name = "FILE")]
    write_config: Option<PathBuf>,
}

#[derive(Serialize)]
struct Done {
    data_dir: PathBuf,
    master_key: String,
    master_key_created: bool,
    config_written: Option<PathBuf>,
}

pub(crate) fn run(global: &Global, args: &SetupArgs) -> anyhow::Result<()> {
    let config = global.resolve()?.config;
    private_data_dir(&config.data_dir)?;
    let created = master_key(&config)?;
    let next = config.keyring.next_master_key.as_ref().and_then(|source| source.file().map(|path| (source, path)));
    if let Some((source, path)) = next.filter(|(_, path)| !path.exists()) {
        master::make(&config.keyring, source)
            .with_context(|| format!("keyring.next_master_key cannot be made at {}", path.display()))?;
    }
    crate::cli::block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let stores = Stores::open(&config, &clock).await?;
        stores.db.close().await;
        Ok(())
    })?;
    let mut config_written = None;
    if let Some(path) = &args.write_config
        && !path.exists()
    {
        std::fs::write(path, example()).with_context(|| format!("{} cannot be written", path.display()))?;
        config_written = Some(path.clone());
    }
    let done = Done {
        data_dir: config.data_dir.clone(),
        master_key: config.keyring.master_key.to_string(),
        master_key_created: created,
        config_written,
    };
    let mut text = format!("The databases are ready, the data directory is {}.\n", done.data_dir.display());
    if created {
        text.push_str(&format!(
            "A new master key is in {}. Keep a copy of it, apart from backups of the databases:\nwithout it the data \
             cannot be read.\n",
            done.master_key
        ));
    }
    if let Some(path) = &done.config_written {
        text.push_str(&format!("An example configuration is in {}.\n", path.display()));
    }
    text.push_str("Next: tacit serve\n");
    global.output().either(&done, &text)
}

/// Makes the master key if it is to be in a file that is not there; true if it was made.
pub(crate) fn master_key(config: &Config) -> anyhow::Result<bool> {
    let Some(path) = config.keyring.master_key.file().filter(|path| !path.exists()) else { return Ok(false) };
    master::make(&config.keyring, &config.keyring.master_key)
        .with_context(|| format!("the master key cannot be made at {}", path.display()))?;
    Ok(true)
}
