//! A console on a loopback address, for tests that try what a document promises (tests/e2e). Two who may do everything ask
//! there: the management key `tm-owner`, and an owner in person, whose cookie of a session says `owner`. Says its address on
//! standard output and ends with standard input. The database is of the engine that the argument names, `sqlite` or `postgres`.
//!
//! Behind the word `owner` is a real session that was opened a moment ago. A fuzzer ends it by signing out, ends all of them,
//! changes the password, takes the role away: whenever the session is not good any more another one is opened, so that what
//! comes after is asked by an owner too.
//!
//! `POST /seed` makes what no request to a console can make, and tells its ids: somebody who is signed in, and of them and of the
//! owner a key, a call and an event that was set aside. Everything else a test can ask for at the console itself.

#[path = "../src/console/tests/called.rs"]
mod called;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use called::called;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tacit_api::console::{
    Authenticate, Authenticating, Client, Console, Cookies, Crowd, Notices, Organisations, People, Platform, Presented,
    Published, Ways, router,
};
use tacit_api::server;
use tacit_catalog::{Catalog, ModelSpec};
use tacit_identity::access::{BuiltInRole, Caller, Scopes, Via};
use tacit_identity::identities::{Arrived, Stranger};
use tacit_identity::passkeys::PasskeySite;
use tacit_identity::passwords::{Cost, Hashing};
use tacit_identity::registration::{AgeBand, Language, Need, Registration, RegistrationRules};
use tacit_identity::roles::Acting;
use tacit_identity::sessions::Origin;
use tacit_identity::sign_in::SignedIn;
use tacit_identity::verification::{KindRules, PaperKind, VerificationRules, VerificationWay};
use tacit_identity::{Identity, IdentityError};
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{AccountId, GroupId, ManagementKeyId};
use tacit_kernel::limits::Limits;
use tacit_kernel::{Clock, Personal, Ppm, SystemClock};
use tacit_ledger::Ledger;
use tacit_operations::messages::{Messages, Route, Schedule, Setup, Templates, delivery};
use tacit_operations::posting::Posting;
use tacit_privacy::copy::Copies;
use tacit_privacy::erasure::Erasing;
use tacit_privacy::incidents::{Incidents, LegalClock};
use tacit_privacy::receivers::{Parts, Receivers, Settings};
use tacit_privacy::requests::Requests;
use tacit_privacy::retention::{Days, Retention};
use tacit_privacy::{Controller, Map, Policy, Profile};
use tacit_storage::audit::Audit;
use tacit_storage::{Engine, Page, testing};
use tokio_util::sync::CancellationToken;

/// Knows the management key, and everybody whom the identity service knows.
struct Known {
    key: Caller,
    people: People,
}

impl Authenticate for Known {
    fn authenticate<'a>(&'a self, presented: &'a Presented, client: &'a Client) -> Authenticating<'a> {
        match presented {
            Presented::ManagementKey(key) if key.expose_secret() == "tm-owner" => {
                Box::pin(async move { Ok(Some(self.key.clone())) })
            }
            _ => self.people.authenticate(presented, client),
        }
    }
}

/// Opens sessions of an owner.
struct Owner {
    identity: Identity,
    ledger: Ledger,
    group: GroupId,
    /// What the session of the moment is known by, and by which name a provider of identities knows who owns it.
    now: tokio::sync::Mutex<(SecretString, String)>,
    /// Each sign-in comes from an address of its own, so that those which fail slow nobody.
    tries: AtomicU32,
}

/// Somebody as a provider of identities knows them.
fn stranger(name: &str) -> Stranger {
    Stranger::new("served", name.to_owned(), None, name)
}

const PASSWORD: &str = "correct horse battery staple";

impl Owner {
    fn of(identity: Identity, ledger: Ledger, group: GroupId) -> Self {
        Self {
            identity,
            ledger,
            group,
            now: tokio::sync::Mutex::new((SecretString::default(), String::new())),
            tries: AtomicU32::new(0),
        }
    }

    fn origin(&self) -> Origin {
        let address = Ipv4Addr::from_bits(0x0a00_0000 | self.tries.fetch_add(1, Ordering::Relaxed));
        Origin::new(address.into(), "a test")
    }

    /// The token of a session whose owner has just proved who they are.
    async fn token(&self) -> Result<SecretString, IdentityError> {
        let mut now = self.now.lock().await;
        let caller = self.identity.caller_by_session(&now.0).await?;
        if caller.is_none_or(|caller| !caller.stepped_up || caller.permissions != BuiltInRole::Owner.permissions()) {
            *now = match self.signed_in(&now.1).await {
                Ok(token) => (token, now.1.clone()),
                // They cannot any more: somebody else is the owner from now on.
                Err(_) => self.another().await?,
            };
        }
        Ok(now.0.clone())
    }

    /// By way of a provider: a fuzzer takes the password away, and the name.
    async fn signed_in(&self, name: &str) -> Result<SecretString, IdentityError> {
        let signed_in = self.arrived(name).await?;
        let account = signed_in.session.account;
        if self.identity.permissions_of(account).await? == BuiltInRole::Owner.permissions() {
            return Ok(signed_in.token);
        }
        // Which ends their sessions.
        self.identity.role_grant(Acting::Operator, account, BuiltInRole::Owner.as_str()).await?;
        Ok(self.arrived(name).await?.token)
    }

    async fn arrived(&self, name: &str) -> Result<SignedIn, IdentityError> {
        let (browser, origin) = (SecretString::from("browser"), self.origin());
        match self.identity.identity_arrived(&stranger(name), &browser, &origin).await? {
            Arrived::SignedIn(signed_in) if signed_in.session.complete => Ok(*signed_in),
            _ => Err(IdentityError::SignInFailed),
        }
    }

    async fn another(&self) -> Result<(SecretString, String), IdentityError> {
        let (name, ..) = self.registered("owner").await?;
        Ok((self.signed_in(&name).await?, name))
    }

    /// Somebody, by a name that begins so; signed in.
    async fn registered(&self, called: &str) -> Result<(String, AccountId, SecretString), IdentityError> {
        let name = format!("{called}-{}", ManagementKeyId::fresh());
        let browser = SecretString::from("browser");
        let arrived = self.identity.identity_arrived(&stranger(&name), &browser, &self.origin()).await?;
        let Arrived::NotKnown { ticket, .. } = arrived else { return Err(IdentityError::SignInFailed) };
        let rules = RegistrationRules { email: Need::Off, password: Need::Required, ..RegistrationRules::default() };
        let asked = Registration {
            username: Some(Personal::new(name.clone())),
            password: Some(SecretString::from(PASSWORD)),
            email: None,
            phone: None,
            profile: BTreeMap::new(),
            age: AgeBand::Adult,
            guardian: None,
            invitation: None,
            identity: Some((ticket, browser)),
            language: Language::En,
        };
        let signed_in = Box::pin(self.identity.register(&rules, &asked, self.group, &self.origin())).await?;
        Ok((name, signed_in.session.account, signed_in.token))
    }

    async fn seed(&self) -> Result<BTreeMap<&'static str, Value>, Failed> {
        let (_, somebody, token) = self.registered("somebody").await?;
        let me = self.identity.caller_by_session(&self.token().await?).await?.ok_or("the owner is gone")?.account;
        let mut seeded = BTreeMap::from([("token", json!(token.expose_secret())), ("account", json!(somebody))]);
        for (account, key, call) in [(somebody, "account_key", "call_record"), (me, "own_key", "call")] {
            let name = Personal::new(format!("laptop of {somebody}"));
            let made = self.identity.key_create(account, &name, CallSource::Api, &Limits::default()).await?.0.id;
            let called = called(&self.identity, &self.ledger, SystemClock.now(), (account, made)).await?;
            seeded.extend([(key, json!(made)), (call, json!(called))]);
        }
        let aside = self.ledger.aside_list(true, Page::default()).await?.items;
        seeded.insert("events", aside.iter().map(|aside| json!(aside.id)).collect());
        Ok(seeded)
    }
}

/// Puts the token of the moment where a request says `owner`. Whoever asks in person shows no key: a fuzzer makes one up where
/// a route takes keys too, and would be nobody there.
async fn in_person(State(owner): State<Arc<Owner>>, mut request: Request, next: Next) -> Response {
    let says = format!("{}=owner", Cookies::Secure.session_name());
    let mut cookies = request.headers().get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    if cookies.any(|cookies| cookies.split("; ").any(|cookie| cookie == says)) {
        request.headers_mut().remove(header::AUTHORIZATION);
        // Without one the run would prove nothing: this is no answer of the document, so that it goes red.
        if let Err(error) = replace(&owner, request.headers_mut()).await {
            return (StatusCode::INTERNAL_SERVER_ERROR, format!("no owner can sign in: {error}")).into_response();
        }
    }
    next.run(request).await
}

async fn replace(owner: &Owner, headers: &mut HeaderMap) -> Result<(), Failed> {
    let cookie = format!("{}={}", Cookies::Secure.session_name(), owner.token().await?.expose_secret());
    headers.insert(header::COOKIE, HeaderValue::from_str(&cookie)?);
    Ok(())
}

async fn seed(State(owner): State<Arc<Owner>>) -> Result<impl IntoResponse, (StatusCode, String)> {
    let seeded = Box::pin(owner.seed()).await;
    seeded.map(Json).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let engine = match std::env::args().nth(1).as_deref() {
        Some("sqlite") => Engine::Sqlite,
        Some("postgres") => Engine::Postgres,
        _ => return Err("name the engine: sqlite or postgres".into()),
    };
    let kept = testing::test_db(engine).await;
    let db = kept.clone();
    let keys = testing::test_key_store(&clock).await;
    let identity = Identity::new(db.clone(), keys.clone(), clock.clone(), Hashing::start(1, Cost::default())?);
    let papers = vec![PaperKind::Passport, PaperKind::IdCardFront];
    let group = identity.group_put("default", Ppm::ONE).await?;
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
    let identity = identity.with_notices(Arc::new(Notices::new(messages.clone(), clock.clone())));
    let ledger = Ledger::new(db.clone(), clock.clone());
    let owner = Arc::new(Owner::of(identity.clone(), ledger.clone(), group.id));
    let stop = CancellationToken::new();
    let delivering = tokio::spawn(delivery::run(messages.clone(), stop.clone()));
    let people = People(identity.clone());
    let audit = Audit::new(db.clone(), keys.clone(), clock.clone());
    let catalog = Catalog::new(db.clone(), keys.clone(), clock.clone());
    let model = catalog.model_put("some/model", &ModelSpec::default()).await?.value;
    let price = serde_json::from_str(r#"{"tiers":[{"above_input_tokens":0,"input":"1","output":"2.5"}]}"#)?;
    catalog.price_put(model.id, &price, None).await?;
    let caller = Caller {
        account: identity.caller_by_session(&owner.token().await?).await?.ok_or("the owner is gone")?.account,
        via: Via::ManagementKey(ManagementKeyId::fresh(), Scopes::all()),
        permissions: BuiltInRole::Owner.permissions(),
        stepped_up: true,
    };
    let policy = Arc::new(Policy::new(map, Profile::named("youyun")?, Controller::default())?);
    let parts = (db.clone(), keys.clone(), clock.clone() as Arc<dyn Clock>);
    let retention = Retention::new(parts.clone(), ledger.clone(), audit.clone(), Days::default());
    let erasing = Erasing::new(parts.clone(), identity.clone(), ledger.clone(), retention, audit.clone());
    let data_parts = erasing.parts();
    let setup = tacit_privacy::incidents::Setup {
        clocks: LegalClock::parse_all(&["cn-4h 4h Provincial cyberspace administration | 省级网信部门".to_owned()])?,
        controller: Controller::default(),
        site: Some("https://tacit.example".into()),
        days: 1095,
    };
    let incidents =
        Incidents::new(parts.clone(), identity.clone(), messages.clone(), setup).map_err(|f| f.to_string())?;
    let requests = Requests::new(parts, erasing, audit.clone(), (15, 7));
    let parts_of = Parts {
        db: db.clone(),
        clock: clock.clone(),
        catalog: catalog.clone(),
        ledger: Ledger::new(db.clone(), clock.clone()),
        keys: keys.clone(),
        posting: Arc::new(Posting::new(false, None)?),
    };
    let receivers = Receivers::new(&parts_of, Settings::default());
    let console = Console {
        parts: data_parts,
        requests,
        receivers,
        incidents,
        copies: Arc::new(Copies::new(db.clone(), keys.clone(), policy.clone(), clock.clone())),
        ledger,
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
            policy,
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
        authenticate: Arc::new(Known { key: caller, people }),
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
    let seeding = Router::new().route("/seed", post(seed)).with_state(owner.clone());
    let routes = router(console).layer(from_fn_with_state(owner, in_person)).merge(seeding);
    server::serve(listener, routes, async { drop(ended.await) }).await;
    stop.cancel();
    delivering.await?;
    Ok(())
}
