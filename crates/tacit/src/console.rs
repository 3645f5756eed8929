//! The console API of a control plane: put together, and served where gateways forward to.

use crate::config::{Config, Endpoint, Profile, Switch, site};
use crate::control::Stores;
use anyhow::Context as _;
use std::sync::Arc;
use std::time::Duration;
use tacit_api::admin::Admin;
use tacit_api::console::{self, Console, Cookies, Crowd, Organisations, People, Platform, Published};
use tacit_api::server::{self, Listener};
use tacit_kernel::Clock;
use tacit_operations::messages::Messages;
use tacit_privacy::Policy;
use tacit_privacy::requests::Requests;
use tacit_storage::Db;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often answers kept for idempotency keys are looked through for those that are to be forgotten.
const SWEEP: Duration = Duration::from_secs(600);

/// Starts the console. It ends when `stop` is cancelled.
pub(crate) async fn start(
    config: &Config,
    stores: &Stores,
    admin: &Admin,
    (messages, requests, policy): (&Messages, &Requests, Arc<Policy>),
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let endpoint = &config.console.listen;
    let refused = || format!("console.listen {endpoint} cannot be served");
    let listener: Listener = match endpoint {
        Endpoint::Unix(path) => server::bind(path).with_context(refused)?.into(),
        Endpoint::Tcp(address) => {
            let address = address.strip_prefix("tcp://").unwrap_or(address);
            tokio::net::TcpListener::bind(address).await.with_context(refused)?.into()
        }
    };
    let console = Console {
        requests: requests.clone(),
        receivers: admin.receivers.clone(),
        copies: Arc::clone(&admin.copies),
        parts: admin.erasing.parts(),
        incidents: admin.incidents.clone(),
        db: stores.db.clone(),
        keys: Arc::clone(&stores.keys),
        identity: admin.identity.clone(),
        catalog: admin.catalog.clone(),
        ledger: admin.ledger.clone(),
        clock: Arc::clone(&admin.clock),
        platform: Arc::new(Platform {
            name: config.console.name.clone(),
            version: admin.version.to_owned(),
            currency: admin.currency.clone(),
            languages: vec!["en".to_owned(), "zh".to_owned()],
        }),
        published: Arc::new(Published {
            policy,
            build: crate::privacy::build()?,
            security_contact: config.privacy.security_contact.clone(),
            url: config.console.url.clone(),
        }),
        messages: messages.clone(),
        audit: admin.audit.clone(),
        registration: Arc::new(config.registration.rules()),
        registration_group: config.registration.group.clone(),
        organisations: Organisations {
            open: config.organisations.open == Switch::On,
            url: config.console.url.as_deref().and_then(site).map(|(origin, _)| origin),
        },
        ways: Arc::new(crate::sign_in::ways(config, &admin.clock)?),
        authenticate: Arc::new(People(admin.identity.clone())),
        crowd: Arc::new(Crowd::new(
            config.console.anonymous_per_minute,
            config.console.anonymous_per_second,
            config.console.account_per_minute,
        )),
        cookies: cookies(config),
        changed: Arc::clone(&admin.changed),
        settle: Arc::clone(&admin.settle),
        settled: Arc::clone(&admin.settled),
    };
    let agency = crate::agency::agency(config)?;
    let (asked, asking_stop) = (console.clone(), stop.clone());
    let asking = async move {
        if let Some(agency) = agency {
            console::ask_agency(asked, agency, asking_stop.cancelled_owned()).await;
        }
    };
    let sweeping = sweep(stores.db.clone(), Arc::clone(&admin.clock), stop.clone());
    let serving = server::serve(listener, console::router(console), stop.cancelled_owned());
    Ok(tokio::spawn(async move {
        tokio::join!(serving, sweeping, asking);
    }))
}

/// A browser takes no `Secure` cookie over plain HTTP; that is what a developer has, on their own machine.
fn cookies(config: &Config) -> Cookies {
    let plain = config.gateway.tls_cert.is_none() && config.gateway.listen.ip().is_loopback();
    if config.profile == Profile::Development && plain { Cookies::PlainForDevelopment } else { Cookies::Secure }
}

async fn sweep(db: Db, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut every = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = console::sweep(&db, clock.now()).await {
            let fault = tacit_kernel::Fault::from(error);
            tracing::error!(event = "idempotency.not_swept", error.code = fault.code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::resolve::{Given, resolve};

    #[test]
    fn cookies_are_plain_only_for_a_developer_on_their_own_machine() {
        let of = |flags: &[(&str, &str)]| {
            let flags = flags.iter().map(|(key, value)| ("--set".into(), (*key).to_owned(), (*value).to_owned()));
            cookies(&resolve(&Given { flags: flags.collect(), ..Given::default() }).unwrap().config)
        };
        assert_eq!(of(&[]), Cookies::Secure);
        assert_eq!(of(&[("profile", "development")]), Cookies::PlainForDevelopment);
        assert_eq!(of(&[("profile", "development"), ("gateway.listen", "0.0.0.0:8080")]), Cookies::Secure);
        let tls = [("gateway.tls_cert", "/c"), ("gateway.tls_key", "/k"), ("profile", "development")];
        assert_eq!(of(&tls), Cookies::Secure);
    }
}
