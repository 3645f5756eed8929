//! A console on a loopback address where `tm-owner` is the owner, who has just proved who they are: for tests that try
//! what a document promises (tests/e2e). Says its address on standard output and ends with standard input.

use secrecy::ExposeSecret;
use std::io::{Read, Write};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tacit_api::console::{
    Authenticate, Authenticating, Client, Console, Cookies, Crowd, Organisations, Platform, Presented, Published, Ways,
    router,
};
use tacit_api::server;
use tacit_catalog::{Catalog, ModelSpec};
use tacit_identity::Identity;
use tacit_identity::access::{BuiltInRole, Caller, Scopes, Via};
use tacit_identity::passkeys::PasskeySite;
use tacit_identity::passwords::{Cost, Hashing};
use tacit_identity::verification::{KindRules, PaperKind, VerificationRules, VerificationWay};
use tacit_kernel::ids::ManagementKeyId;
use tacit_kernel::limits::Limits;
use tacit_kernel::{Clock, Personal, Ppm, SystemClock};
use tacit_ledger::Ledger;
use tacit_operations::messages::{Messages, Route, Schedule, Setup, Templates};
use tacit_privacy::{Controller, Map, Policy, Profile};
use tacit_storage::audit::Audit;
use tacit_storage::{Engine, testing};

struct One(Caller);

impl Authenticate for One {
    fn authenticate<'a>(&'a self, presented: &'a Presented, _: &'a Client) -> Authenticating<'a> {
        let known = matches!(presented, Presented::ManagementKey(key) if key.expose_secret() == "tm-owner");
        Box::pin(async move { Ok(known.then(|| self.0.clone())) })
    }
}

type Failed = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let kept = testing::test_db(Engine::Sqlite).await;
    let db = kept.clone();
    let keys = testing::test_key_store(&clock).await;
    let identity = Identity::new(db.clone(), keys.clone(), clock.clone(), Hashing::start(1, Cost::default())?);
    let papers = vec![PaperKind::Passport, PaperKind::IdCardFront];
    let identity = identity.with_verification(VerificationRules {
        person: KindRules { way: Some(VerificationWay::Staff), papers },
        ..VerificationRules::default()
    });
    let map = Map::new(tacit_api::console::COOKIES.iter().chain(tacit_storage::datamap::COLUMNS).copied());
    let messages = Messages::new(
        db.clone(),
        keys.clone(),
        clock.clone(),
        Setup {
            email: Route::Development,
            sms: Route::Development,
            templates: Templates::load(None, "Example")?,
            schedule: Schedule::DEFAULT,
            concurrency: 1,
            longest_attempt: Duration::from_secs(1),
        },
    );
    let audit = Audit::new(db.clone(), keys.clone(), clock.clone());
    let catalog = Catalog::new(db.clone(), keys.clone(), clock.clone());
    let group = identity.group_put("default", Ppm::ONE).await?;
    let account = identity.account_create(&Personal::new("owner".to_owned()), group.id, &Limits::default()).await?;
    let model = catalog.model_put("some/model", &ModelSpec::default()).await?.value;
    let price = serde_json::from_str(r#"{"tiers":[{"above_input_tokens":0,"input":"1","output":"2.5"}]}"#)?;
    catalog.price_put(model.id, &price, None).await?;
    let caller = Caller {
        account: account.id,
        via: Via::ManagementKey(ManagementKeyId::fresh(), Scopes::all()),
        permissions: BuiltInRole::Owner.permissions(),
        stepped_up: true,
    };
    let console = Console {
        ledger: Ledger::new(db.clone(), clock.clone()),
        db: db.clone(),
        keys,
        identity,
        catalog,
        clock,
        platform: Arc::new(Platform {
            name: "Example".into(),
            version: "1".into(),
            currency: "USD".into(),
            languages: vec!["en".into()],
        }),
        published: Arc::new(Published {
            policy: Policy::new(map, Profile::named("youyun")?, Controller::default())?,
            build: "00".into(),
            security_contact: Some("https://tacit.example/report".into()),
            url: Some("https://tacit.example".into()),
        }),
        messages,
        audit,
        registration: Arc::default(),
        registration_group: "default".into(),
        organisations: Organisations { open: true, url: Some("https://tacit.example".into()) },
        ways: Arc::new(Ways {
            passkeys: PasskeySite::new("https://tacit.example", "tacit.example"),
            ..Ways::default()
        }),
        authenticate: Arc::new(One(caller)),
        // Whoever tries what the document promises asks for much.
        crowd: Arc::new(Crowd::new(NonZeroU32::MAX, NonZeroU32::MAX, NonZeroU32::MAX)),
        cookies: Cookies::Secure,
        changed: Arc::new(|| ()),
        settle: Arc::new(|_| Box::pin(async { Ok(()) })),
        settled: Arc::new(|| Box::pin(async {})),
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    server::serve(listener, router(console), async { drop(ended.await) }).await;
    Ok(())
}
