//! The process of the practice provider.

use crate::config::Config;
use crate::{control, log};
use anyhow::Context as _;

/// Runs the practice provider until it is told to stop.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    log::start(config.log, "practice");
    crate::cli::block_on(async {
        let stop = control::stop_signal()?;
        let listen = config.practice.listen;
        let (address, _provider) = tacit_practice::serve(listen, tacit_practice::Options::default())
            .await
            .with_context(|| format!("practice.listen {listen} is taken: choose another"))?;
        tracing::info!(event = "practice.ready", address.listen = %address);
        stop.cancelled().await;
        Ok(())
    })
}
