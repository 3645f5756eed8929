//! The console API over a real socket.

mod access;
mod called;
mod choices;
mod crawl;
mod development_outbox;
mod generated;
mod identities;
mod incidents;
mod keys;
mod organisations;
mod own_data;
mod people;
mod published;
mod requests;
mod rights_desk;
mod rights_requests;
mod staff_accounts;
mod staff_catalogue;
mod staff_records;
mod verification;
mod verification_agency;

use super::{
    Access, Authenticate, Authenticating, Client, Console, Cookies, Crowd, Notices, Organisations, People, Platform,
    Presented, Published, Routes, Ways, routes, serving,
};
use crate::server;
use axum::http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tacit_catalog::Catalog;
use tacit_identity::Identity;
use tacit_identity::access::{BuiltInRole, Caller, Permission, Permissions, Scope, Scopes, Via};
use tacit_identity::organisations::OrganisationRole;
use tacit_identity::passwords::{Cost, Hashing};
use tacit_identity::verification::VerificationRules;
use tacit_kernel::ids::{AccountId, ManagementKeyId, SignInId};
use tacit_kernel::limits::Limits;
use tacit_kernel::time::ManualClock;
use tacit_kernel::{Personal, Ppm};
use tacit_ledger::Ledger;
use tacit_operations::messages::{Messages, Route, Schedule, Setup, Templates};
use tacit_operations::posting::Posting;
use tacit_privacy::copy::Copies;
use tacit_privacy::erasure::Erasing;
use tacit_privacy::incidents::Incidents;
use tacit_privacy::receivers::{Parts, Receivers, Settings};
use tacit_privacy::requests::Requests;
use tacit_privacy::retention::{Days, Retention};
use tacit_privacy::{Controller, Map, Policy, Profile};
use tacit_storage::audit::Audit;
use tacit_storage::{Db, testing};

/// Tokens of these tests: whoever shows one is the caller it stands for.
/// Whom nobody knows here is asked of the identity service.
struct Known {
    people: People,
    callers: HashMap<String, Caller>,
}

impl Authenticate for Known {
    fn authenticate<'a>(&'a self, presented: &'a Presented, client: &'a Client) -> Authenticating<'a> {
        let token = match presented {
            Presented::Session(token) | Presented::ManagementKey(token) => token.expose_secret(),
        };
        match self.callers.get(token).cloned() {
            Some(caller) => Box::pin(async move { Ok(Some(caller)) }),
            None => self.people.authenticate(presented, client),
        }
    }
}

/// A console with two accounts, `ann` and `bob`, and staff of every role.
struct Served {
    socket: std::path::PathBuf,
    clock: Arc<ManualClock>,
    console: Console,
    told: Arc<AtomicUsize>,
    ann: AccountId,
    /// Who is what in the organisations of these tests; their tokens are `org-` and the role.
    members: Vec<(OrganisationRole, AccountId)>,
    _dir: tempfile::TempDir,
}

struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Status and code of a refusal.
    fn refusal(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.status);
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        (self.status.as_u16(), problem["code"].as_str().unwrap().to_owned())
    }
}

/// What a console is to be like.
struct Wishes {
    routes: Routes,
    verification: VerificationRules,
    /// Requests a minute of one address that is not signed in.
    crowd: NonZeroU32,
    /// Requests a minute of one account.
    account: NonZeroU32,
    /// Messages are refused, as in production without a channel, and not kept to be read.
    closed: bool,
    ways: Ways,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            routes: routes(),
            verification: VerificationRules::default(),
            crowd: NonZeroU32::MAX,
            account: NonZeroU32::MAX,
            closed: false,
            ways: Ways::default(),
        }
    }
}

/// What a management key of these tests may do with what is its owner's own: everything, but where its token ends otherwise.
fn scopes_of(token: &str) -> Scopes {
    let one = Scope::ALL.iter().copied().find(|scope| token.ends_with(scope.as_str()));
    match one {
        Some(scope) => [scope].into_iter().collect(),
        None if token.ends_with("-bare") => Scopes::NONE,
        None => Scopes::all(),
    }
}

async fn served(db: Db) -> Served {
    served_with(db, Wishes::default()).await
}

async fn served_with(db: Db, wishes: Wishes) -> Served {
    let Wishes { routes, verification, crowd, account: of_account, closed, ways } = wishes;
    let clock = Arc::new(ManualClock::at(testing::MIGRATED_AT));
    let keys = testing::test_key_store(&clock).await;
    let identity = Identity::new(db.clone(), keys.clone(), clock.clone(), Hashing::start(1, Cost::default()).unwrap());
    let setup = Setup {
        email: if closed { Route::Closed } else { Route::Development },
        sms: if closed { Route::Closed } else { Route::Development },
        templates: Templates::load(None, "Test").unwrap(),
        schedule: Schedule::DEFAULT,
        concurrency: 1,
        longest_attempt: std::time::Duration::from_secs(1),
    };
    let messages = Messages::new(db.clone(), keys.clone(), clock.clone(), setup);
    let notices = Arc::new(Notices::new(messages.clone(), clock.clone()));
    let identity = identity.with_verification(verification).with_notices(notices);
    let group = identity.group_put("default", Ppm::ONE).await.unwrap();
    let mut callers = HashMap::new();
    let account = async |name: &str| {
        let name = Personal::new(name.to_owned());
        identity.account_create(&name, group.id, &Limits::default()).await.unwrap().id
    };
    let (ann, bob, staff) = (account("ann").await, account("bob").await, account("staff").await);
    let mut knows = |token: &str, account, permissions, stepped_up| {
        let via = match token.starts_with("tm-") {
            true => Via::ManagementKey(ManagementKeyId::fresh(), scopes_of(token)),
            false => Via::Session(SignInId::fresh()),
        };
        callers.insert(token.to_owned(), Caller { account, via, permissions, stepped_up });
    };
    knows("ann", ann, Permissions::NONE, false);
    knows("tm-ann", ann, Permissions::NONE, false);
    knows("tm-ann-bare", ann, Permissions::NONE, false);
    for scope in Scope::ALL {
        knows(&format!("tm-ann-{scope}"), ann, Permissions::NONE, false);
    }
    knows("bob", bob, Permissions::NONE, false);
    knows("tm-owner", staff, Permissions::all(), false);
    // May change channels, and no prices.
    knows("wirer", staff, [Permission::ProvidersWrite].into_iter().collect(), true);
    for role in BuiltInRole::ALL {
        knows(role.as_str(), staff, role.permissions(), false);
        knows(&format!("{}-stepped-up", role.as_str()), staff, role.permissions(), true);
    }
    let mut members = Vec::new();
    for role in OrganisationRole::ALL {
        let token = format!("org-{}", role.as_str());
        let account = account(&token).await;
        knows(&token, account, Permissions::NONE, false);
        knows(&format!("tm-{token}"), account, Permissions::NONE, false);
        knows(&format!("tm-{token}-bare"), account, Permissions::NONE, false);
        knows(&format!("{token}-stepped-up"), account, Permissions::NONE, true);
        members.push((role, account));
    }
    let map = Map::new(super::COOKIES.iter().chain(tacit_storage::datamap::COLUMNS).copied());
    let told = Arc::new(AtomicUsize::new(0));
    let tell = told.clone();
    let policy = Arc::new(Policy::new(map, Profile::named("youyun").unwrap(), Controller::default()).unwrap());
    let parts = (db.clone(), keys.clone(), clock.clone() as Arc<dyn tacit_kernel::Clock>);
    let (ledger, audit) = (Ledger::new(db.clone(), clock.clone()), Audit::new(db.clone(), keys.clone(), clock.clone()));
    let retention = Retention::new(parts.clone(), ledger.clone(), audit.clone(), Days::default());
    let erasing = Erasing::new(parts.clone(), identity.clone(), ledger, retention, audit.clone());
    let data_parts = erasing.parts();
    let incidents = Incidents::new(parts.clone(), identity.clone(), messages.clone(), incidents::setup()).unwrap();
    let requests = Requests::new(parts, erasing, audit, (15, 7));
    let catalog = Catalog::new(db.clone(), keys.clone(), clock.clone());
    let parts_of = Parts {
        db: db.clone(),
        clock: clock.clone(),
        catalog: catalog.clone(),
        ledger: Ledger::new(db.clone(), clock.clone()),
        keys: keys.clone(),
        posting: Arc::new(Posting::new(false, None).unwrap()),
    };
    let receivers = Receivers::new(&parts_of, Settings::default());
    let console = Console {
        parts: data_parts,
        requests,
        receivers,
        incidents,
        copies: Arc::new(Copies::new(db.clone(), keys.clone(), policy.clone(), clock.clone())),
        db: db.clone(),
        keys: keys.clone(),
        identity: identity.clone(),
        catalog,
        ledger: Ledger::new(db.clone(), clock.clone()),
        clock: clock.clone(),
        platform: Arc::new(Platform {
            name: "Test".into(),
            version: "1.2.3".into(),
            currency: "USD".into(),
            languages: vec!["en".into(), "zh".into()],
        }),
        published: Arc::new(Published {
            policy,
            build: "00".into(),
            security_contact: Some("https://tacit.example/report".into()),
            url: Some("https://tacit.example".into()),
        }),
        messages: messages.clone(),
        audit: Audit::new(db.clone(), keys.clone(), clock.clone()),
        registration: Arc::default(),
        registration_group: "default".into(),
        organisations: Organisations { open: true, url: Some("https://tacit.example".into()) },
        ways: Arc::new(ways),
        authenticate: Arc::new(Known { people: People(identity.clone()), callers }),
        crowd: Arc::new(Crowd::new(crowd, NonZeroU32::MAX, of_account)),
        cookies: Cookies::Secure,
        changed: Arc::new(move || {
            tell.fetch_add(1, Ordering::Relaxed);
        }),
        settle: Arc::new(|_| Box::pin(async { Ok(()) })),
        settled: Arc::new(|| Box::pin(async {})),
    };
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("console.sock");
    let listener = server::bind(&socket).unwrap();
    tokio::spawn(server::serve(listener, serving(routes, console.clone()), std::future::pending()));
    Served { socket, clock, console, told, ann, members, _dir: dir }
}

/// A request to be sent.
struct Asking<'s> {
    served: &'s Served,
    request: axum::http::request::Builder,
    body: Vec<u8>,
}

impl Served {
    fn ask(&self, method: Method, path: &str) -> Asking<'_> {
        let request = hyper::Request::builder().method(method).uri(path).header("host", "tacit.example");
        Asking { served: self, request, body: Vec::new() }
    }

    fn get(&self, path: &str) -> Asking<'_> {
        self.ask(Method::GET, path)
    }
}

impl Asking<'_> {
    fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Signed in with that token.
    fn by(self, token: &str) -> Self {
        match token.starts_with("tm-") {
            true => self.header("authorization", &format!("Bearer {token}")),
            false => self.header("cookie", &format!("other=1; __Host-tacit-session={token}")),
        }
    }

    fn json(self, body: &Value) -> Self {
        let asking = self.header("content-type", "application/json");
        Self { body: body.to_string().into_bytes(), ..asking }
    }

    fn raw(self, body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..self }
    }

    async fn send(self) -> Got {
        let stream = tokio::net::UnixStream::connect(&self.served.socket).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = self.request.body(Full::new(axum::body::Bytes::from(self.body))).unwrap();
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Got { status: parts.status, headers: parts.headers, body }
    }
}
