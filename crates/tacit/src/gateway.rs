//! The gateway process. It hands its configuration over before any thread is started, for the sandbox must cover them
//! all.

use crate::config::{Config, Switch};
use crate::log;
use std::time::Duration;
use tacit_gateway::config::{GatewayConfig, Sandbox, Timeouts, TlsFiles};

/// Runs a gateway until it is told to stop.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    log::start(config.log, "gateway");
    let stop = async {
        match crate::control::stop_signal() {
            Ok(stop) => stop.cancelled().await,
            Err(_) => tracing::error!(event = "gateway.signals_refused"),
        }
    };
    Ok(tacit_gateway::run(settings(config)?, stop)?)
}

fn settings(config: &Config) -> anyhow::Result<GatewayConfig> {
    let given = &config.gateway;
    let mut gateway = GatewayConfig::new(given.name.clone(), given.listen, config.link.connect.to_link()?);
    gateway.link_tls = config.link.tls(&config.link.connect)?;
    gateway.admin_listen = given.admin_listen.0;
    gateway.tls = match (&given.tls_cert, &given.tls_key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }),
        _ => None,
    };
    gateway.sandbox = if given.sandbox == Switch::On { Sandbox::On } else { Sandbox::Off };
    gateway.max_body_bytes = given.max_body_bytes;
    gateway.trusted_proxies = given.trusted_proxies.clone();
    if given.workers > 0 {
        gateway.workers = usize::try_from(given.workers)?;
    }
    gateway.default_output_tokens = config.money.default_output_tokens;
    gateway.timeouts = Timeouts {
        body: Duration::from_secs(given.body_timeout_seconds),
        connect: Duration::from_secs(given.connect_timeout_seconds),
        first_byte: Duration::from_secs(given.first_byte_timeout_seconds),
        idle: Duration::from_secs(given.idle_timeout_seconds),
        keep_alive: Duration::from_secs(given.keep_alive_seconds),
        drain: given.drain(),
        ..Timeouts::default()
    };
    Ok(gateway)
}
