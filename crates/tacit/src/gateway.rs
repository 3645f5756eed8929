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
    gateway.console = Some(config.console.connect.to_link()?);
    gateway.admin_listen = given.admin_listen.0;
    gateway.tls = match (&given.tls_cert, &given.tls_key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }),
        _ => None,
    };
    gateway.sandbox = if given.sandbox == Switch::On { Sandbox::On } else { Sandbox::Off };
    gateway.max_connections = given.max_connections;
    gateway.max_calls = given.max_calls;
    gateway.max_body_bytes = given.max_body_bytes;
    gateway.max_answer_bytes = given.max_answer_bytes;
    gateway.max_bodies_bytes = given.max_bodies_bytes;
    gateway.max_attempts = given.max_attempts;
    gateway.max_unacknowledged = given.max_unacknowledged;
    gateway.trusted_proxies = given.trusted_proxies.clone();
    if given.workers > 0 {
        gateway.workers = usize::try_from(given.workers)?;
    }
    gateway.default_output_tokens = config.money.default_output_tokens;
    gateway.timeouts = Timeouts {
        head: Duration::from_secs(given.head_timeout_seconds),
        body: Duration::from_secs(given.body_timeout_seconds),
        connect: Duration::from_secs(given.connect_timeout_seconds),
        first_byte: Duration::from_secs(given.first_byte_timeout_seconds),
        idle: Duration::from_secs(given.idle_timeout_seconds),
        keep_alive: Duration::from_secs(given.keep_alive_seconds),
        unread: Duration::from_secs(given.unread_timeout_seconds),
        drain: given.drain(),
    };
    Ok(gateway)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::resolve::{Given, resolve};

    #[test]
    fn what_is_set_arrives() {
        let seconds = Duration::from_secs;
        let flags = [
            ("max_connections", 101),
            ("max_calls", 102),
            ("max_body_bytes", 10_003),
            ("max_answer_bytes", 10_004),
            ("max_bodies_bytes", 100_005),
            ("max_attempts", 6),
            ("max_unacknowledged", 107),
            ("workers", 8),
            ("head_timeout_seconds", 9),
            ("body_timeout_seconds", 10),
            ("connect_timeout_seconds", 11),
            ("first_byte_timeout_seconds", 12),
            ("idle_timeout_seconds", 13),
            ("keep_alive_seconds", 14),
            ("unread_timeout_seconds", 15),
            ("drain_seconds", 16),
        ];
        let flags = flags.map(|(key, value)| ("--set".into(), format!("gateway.{key}"), value.to_string()));
        let gateway = settings(&resolve(&Given { flags: flags.into(), ..Given::default() }).unwrap().config).unwrap();
        assert_eq!((gateway.max_connections, gateway.max_calls, gateway.max_body_bytes), (101, 102, 10_003));
        assert_eq!((gateway.max_answer_bytes, gateway.max_bodies_bytes, gateway.max_attempts), (10_004, 100_005, 6));
        assert_eq!((gateway.max_unacknowledged, gateway.workers), (107, 8));
        let Timeouts { head, body, connect, first_byte, idle, keep_alive, unread, drain } = gateway.timeouts;
        assert_eq!((head, body, connect, first_byte), (seconds(9), seconds(10), seconds(11), seconds(12)));
        assert_eq!((idle, keep_alive, unread, drain), (seconds(13), seconds(14), seconds(15), seconds(16)));
    }
}
