//! The whole socket: a real server on a real socket, the real client, a real database.

mod recording;

use super::accounts::{Account, AccountPatch, NewAccount};
use super::channels::{Channel, ChannelModel, ChannelPatch, NewChannel, NewCredential};
use super::client::{AdminClient, ClientError, escaped};
use super::forms::{Page, Secret, Status};
use super::groups::{Group, NewGroup};
use super::keys::{CreatedKey, Key, KeyPatch, NewKey};
use super::ledger::Verification;
use super::messages::{DevelopmentMessage, Message, Tried};
use super::models::{Model, NewModel};
use super::prices::{NewPrice, Price};
use super::providers::{NewProvider, Provider, ProviderPatch};
use super::set_aside::AsideEvent;
use super::status::PlatformStatus;
use super::wallets::{Entry, Moved, Movement, NewMovement, Wallet};
use super::{Admin, router, server};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tacit_catalog::Catalog;
use tacit_identity::Identity;
use tacit_identity::passwords::{Cost, Hashing};
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::EventId;
use tacit_kernel::limits::Limits;
use tacit_kernel::{Clock, Dialect, ErrorKind, Fault, Nano, Ppm, SystemClock, rating};
use tacit_ledger::Ledger;
use tacit_operations::messages::{Messages, Route, Schedule, Setup, Templates, delivery};
use tacit_operations::posting::Posting;
use tacit_privacy::copy::Copies;
use tacit_privacy::erasure::Erasing;
use tacit_privacy::incidents::Incidents;
use tacit_privacy::receivers::{Parts, Receivers, Settings};
use tacit_privacy::recipients::Kind;
use tacit_privacy::retention::{Days, Retention};
use tacit_privacy::{Controller, Map, Policy, Profile};
use tacit_storage::audit::Audit;
use tacit_storage::{Db, testing};
use tokio_util::sync::CancellationToken;

struct Served {
    client: AdminClient,
    admin: Admin,
    told: Arc<AtomicUsize>,
    /// How often it was waited for settlement.
    settled: Arc<AtomicUsize>,
    _dir: tempfile::TempDir,
}

async fn served(db: Db) -> Served {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let keys = testing::test_key_store(&clock).await;
    let told = Arc::new(AtomicUsize::new(0));
    let tell = told.clone();
    let settled = Arc::new(AtomicUsize::new(0));
    let waited = settled.clone();
    let setup = Setup {
        email: Route::Development,
        sms: Route::Closed,
        templates: Templates::load(None, "Tacit").unwrap(),
        schedule: Schedule::DEFAULT,
        concurrency: 1,
        longest_attempt: Duration::from_secs(1),
    };
    let messages = Messages::new(db.clone(), keys.clone(), clock.clone(), setup);
    tokio::spawn(delivery::run(messages.clone(), CancellationToken::new()));
    let parts = (db.clone(), keys.clone(), clock.clone() as Arc<dyn Clock>);
    let identity = Identity::new(db.clone(), keys.clone(), clock.clone(), Hashing::start(1, Cost::default()).unwrap());
    let (ledger, audit) = (Ledger::new(db.clone(), clock.clone()), Audit::new(db.clone(), keys.clone(), clock.clone()));
    let retention = Retention::new(parts.clone(), ledger.clone(), audit.clone(), Days::default());
    let setup = tacit_privacy::incidents::Setup {
        clocks: Vec::new(),
        controller: tacit_privacy::Controller::default(),
        site: None,
        days: 1095,
    };
    let incidents = Incidents::new(parts.clone(), identity.clone(), messages.clone(), setup).unwrap();
    let map = Map::new(tacit_storage::datamap::COLUMNS.iter().copied());
    let policy = Arc::new(Policy::new(map, Profile::named("youyun").unwrap(), Controller::default()).unwrap());
    let catalog = Catalog::new(db.clone(), keys.clone(), clock.clone());
    let parts_of = Parts {
        db: db.clone(),
        clock: clock.clone(),
        catalog: catalog.clone(),
        ledger: ledger.clone(),
        keys: keys.clone(),
        posting: Arc::new(Posting::new(false, None).unwrap()),
    };
    let receivers = Receivers::new(&parts_of, Settings { configured: [Kind::Mail].into(), ..Settings::default() });
    let admin = Admin {
        messages,
        copies: Arc::new(Copies::new(db.clone(), keys.clone(), policy, clock.clone())),
        catalog,
        receivers,
        incidents,
        erasing: Erasing::new(parts, identity.clone(), ledger.clone(), retention.clone(), audit.clone()),
        db,
        identity,
        ledger,
        retention,
        audit,
        keys: keys.clone(),
        clock: clock.clone(),
        currency: "USD".into(),
        version: "1.2.3",
        started_at: clock.now(),
        changed: Arc::new(move || {
            tell.fetch_add(1, Ordering::Relaxed);
        }),
        settle: Arc::new(|_| {
            Box::pin(async { Err(Fault::new(ErrorKind::Conflict, "event.refused", "still refused")) })
        }),
        settled: Arc::new(move || {
            waited.fetch_add(1, Ordering::Relaxed);
            Box::pin(async {})
        }),
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("admin.sock");
    let listener = server::bind(&path).unwrap();
    tokio::spawn(server::serve(listener, router(admin.clone()), std::future::pending()));
    Served { client: AdminClient::new(path), admin, told, settled, _dir: dir }
}

fn code(error: &ClientError) -> &str {
    error.code().unwrap_or_else(|| panic!("{error:?}"))
}

async fn catalogue(client: &AdminClient) {
    let new = NewProvider {
        name: "openai".into(),
        dialect: Dialect::OpenAi,
        base_url: "https://api.openai.com/v1/".into(),
        auth: None,
        allow_private: false,
    };
    let made: Provider = client.post("/v1/providers", &new).await.unwrap();
    assert_eq!(made.base_url, "https://api.openai.com/v1");
    let again = client.post::<Provider>("/v1/providers", &new).await.unwrap_err();
    assert_eq!(code(&again), "provider.name_taken");

    let patch = ProviderPatch { status: Some(Status::Disabled), ..ProviderPatch::default() };
    let patched: Provider = client.patch(&format!("/v1/providers/{}", made.id), &patch).await.unwrap();
    assert_eq!((patched.status, patched.base_url), (Status::Disabled, made.base_url));

    let model = NewModel {
        name: "vendor/model-1".into(),
        owned_by: "vendor".into(),
        context_tokens: Some(1000),
        max_output_tokens: None,
    };
    client.post::<Model>("/v1/models", &model).await.unwrap();
    let shown: Model = client.get(&format!("/v1/models/{}", escaped("vendor/model-1"))).await.unwrap();
    assert_eq!(shown.context_tokens, Some(1000));

    let price: rating::Price =
        serde_json::from_str(r#"{"tiers":[{"above_input_tokens":0,"input":"1","output":"2"}]}"#).unwrap();
    let set = NewPrice { model: model.name.clone(), price: price.clone(), effective_at: None };
    assert_eq!(client.post::<Price>("/v1/prices", &set).await.unwrap().version, 1);
    let listed: Vec<Price> = client.get("/v1/prices?model=vendor%2Fmodel-1").await.unwrap();
    assert_eq!(listed[0].price, price);

    let credential = |secret: &str| NewCredential { name: "main".into(), secret: Secret(secret.to_owned().into()) };
    let new = NewChannel {
        name: "first".into(),
        provider: "openai".into(),
        priority: -1,
        weight: 2,
        multiplier: Ppm::ONE,
        max_concurrency: Some(4),
        models: vec![ChannelModel { model: model.name.clone(), upstream_model: "up".into() }],
        credentials: vec![credential("very-secret")],
    };
    let made: Channel = client.post("/v1/channels", &new).await.unwrap();
    assert_eq!((made.priority, made.credentials.len()), (-1, 1));
    assert!(!serde_json::to_string(&made).unwrap().contains("very-secret"));
    let patch = ChannelPatch {
        max_concurrency: Some(0),
        remove_models: vec![model.name],
        remove_credentials: vec!["main".into()],
        ..ChannelPatch::default()
    };
    let patched: Channel = client.patch("/v1/channels/first", &patch).await.unwrap();
    assert_eq!((patched.max_concurrency, patched.models.len(), patched.credentials.len()), (None, 0, 0));
    assert_eq!(patched.weight, 2);
}

async fn people_and_money(client: &AdminClient) {
    client.post::<Group>("/v1/groups", &NewGroup { name: "std".into(), multiplier: Ppm(800_000) }).await.unwrap();
    let new = NewAccount { name: "Ada & Söhne/1".into(), group: "std".into(), limits: Limits::default() };
    let account: Account = client.post("/v1/accounts", &new).await.unwrap();
    let path = format!("/v1/accounts/{}", escaped(&new.name));
    assert_eq!(client.get::<Account>(&path).await.unwrap().id, account.id);
    let taken = client.post::<Account>("/v1/accounts", &new).await.unwrap_err();
    assert_eq!(code(&taken), "account.name_taken");
    let limits = Limits { concurrency: Some(3), ..Limits::default() };
    let patch = AccountPatch { limits: Some(limits.clone()), ..AccountPatch::default() };
    let patched: Account = client.patch(&path, &patch).await.unwrap();
    assert_eq!((patched.limits, patched.group.as_str(), patched.status), (limits, "std", Status::Active));

    let new = NewKey { account: new.name, name: "laptop".into(), source: CallSource::Api, limits: Limits::default() };
    let made: CreatedKey = client.post("/v1/keys", &new).await.unwrap();
    let key_path = format!("/v1/keys/{}", made.key.id);
    let patch = KeyPatch { status: Some(Status::Disabled), ..KeyPatch::default() };
    assert_eq!(client.patch::<Key>(&key_path, &patch).await.unwrap().status, Status::Disabled);
    let listed: Page<Key> = client.get(&format!("/v1/keys?account={}", account.id)).await.unwrap();
    assert_eq!(listed.items.len(), 1);

    let wallet = format!("{path}/wallet");
    let pay = NewMovement { kind: Movement::TopUp, amount: Nano(5_000_000_000), idempotency_key: "k1".into() };
    let first: Moved = client.post(&wallet, &pay).await.unwrap();
    let second: Moved = client.post(&wallet, &pay).await.unwrap();
    assert_eq!(first.transaction, second.transaction);
    let held: Wallet = client.get(&wallet).await.unwrap();
    assert_eq!((held.wallet, held.gift), (Nano(5_000_000_000), Nano::ZERO));
    let entries: Page<Entry> = client.get("/v1/ledger/entries").await.unwrap();
    assert_eq!(entries.items.iter().map(|e| e.amount.0).sum::<i64>(), 0);
    assert_eq!(entries.items.len(), 2);
    let verified: Verification = client.get("/v1/ledger/verify").await.unwrap();
    assert!(verified.balanced && verified.transactions == 1, "{verified:?}");
}

async fn set_aside(client: &AdminClient) {
    let none: Page<AsideEvent> = client.get("/v1/calls/set-aside?all=true").await.unwrap();
    assert!(none.items.is_empty() && none.next.is_none());
    let path = |what: &str| format!("/v1/calls/set-aside/{}/{what}", EventId::fresh());
    let refused = client.post::<AsideEvent>(&path("settle"), &serde_json::json!({})).await.unwrap_err();
    assert_eq!(code(&refused), "event.refused");
    let refused = client.post::<AsideEvent>(&path("drop"), &serde_json::json!({})).await.unwrap_err();
    assert_eq!(code(&refused), "event.unknown");
}

async fn refusals(client: &AdminClient) {
    for (path, wanted) in [
        ("/v1/nowhere", "request.path"),
        ("/v1/providers/none", "provider.not_found"),
        ("/v1/keys/none", "key.not_found"),
        ("/v1/calls/none", "call.not_found"),
        ("/v1/calls?limit=x", "request.query"),
        ("/v1/calls?unknown=1", "request.query"),
        ("/v1/accounts?after=x", "request.page"),
    ] {
        assert_eq!(code(&client.get::<serde_json::Value>(path).await.unwrap_err()), wanted, "{path}");
    }
    let body = serde_json::json!({"name": "x", "multiplier": "1", "surprise": 1});
    let refused = client.post::<Group>("/v1/groups", &body).await.unwrap_err();
    assert_eq!(code(&refused), "request.invalid");
    assert!(refused.to_string().contains("surprise"), "{refused}");
    let large = serde_json::json!({"name": "x".repeat(2 << 20), "multiplier": "1"});
    assert!(matches!(client.post::<Group>("/v1/groups", &large).await.unwrap_err(), ClientError::TooLarge));
    let method = client.delete::<serde_json::Value>("/v1/groups").await.unwrap_err();
    assert_eq!(code(&method), "request.method");
}

async fn messages(client: &AdminClient) {
    let form = |to: &str, queue| serde_json::json!({ "to": to, "language": "zh", "queue": queue });
    let refused =
        async |to: &str, queue| client.post::<Tried>("/v1/messages/test", &form(to, queue)).await.unwrap_err();
    assert_eq!(code(&refused("+8613800000000", true).await), "messages.not_configured");
    assert_eq!(code(&refused("ada@customer.example", false).await), "messages.not_configured");
    assert_eq!(code(&refused("ada", true).await), "messages.address_invalid");
    let queued: Tried = client.post("/v1/messages/test", &form("ada@customer.example", true)).await.unwrap();
    let id = queued.id.unwrap();
    let mut log: Page<Message> = client.get("/v1/messages").await.unwrap();
    for _ in 0..200 {
        if log.items[0].finished_at.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
        log = client.get("/v1/messages").await.unwrap();
    }
    assert_eq!((log.items[0].id, log.items[0].state.as_str()), (id, "sent"));
    let kept: Page<DevelopmentMessage> = client.get("/v1/messages/development").await.unwrap();
    assert!(kept.items[0].development_only);
    let shown: DevelopmentMessage = client.get(&format!("/v1/messages/development/{id}")).await.unwrap();
    let content = shown.content.unwrap();
    assert_eq!(content.to, "ada@customer.example");
    assert!(content.text.contains("测试"), "{}", content.text);
    let missing = client.get::<DevelopmentMessage>("/v1/messages/development/msg_none").await.unwrap_err();
    assert_eq!(code(&missing), "messages.not_found");
}

tacit_storage::both_engines! {
    async fn round_trips(db: Db) {
        let served = served(db).await;
        catalogue(&served.client).await;
        people_and_money(&served.client).await;
        set_aside(&served.client).await;
        refusals(&served.client).await;
        messages(&served.client).await;
        let status: PlatformStatus = served.client.get("/v1/status").await.unwrap();
        assert_eq!((status.version.as_str(), status.currency.as_str()), ("1.2.3", "USD"));
        assert!(status.gateways.is_empty() && !status.warnings.is_empty());
        assert!(served.told.load(Ordering::Relaxed) >= 9, "every change is told");
        // What tells of calls and money waits for settlement; what does not, not.
        let waited = async |path: &str| {
            let before = served.settled.load(Ordering::Relaxed);
            served.client.get::<serde_json::Value>(path).await.unwrap();
            served.settled.load(Ordering::Relaxed) - before
        };
        for path in ["/v1/calls", "/v1/accounts/Ada%20%26%20S%C3%B6hne%2F1/wallet", "/v1/ledger/entries", "/v1/ledger/verify"] {
            assert_eq!(waited(path).await, 1, "{path}");
        }
        for path in ["/v1/status", "/v1/models", "/v1/accounts"] {
            assert_eq!(waited(path).await, 0, "{path}");
        }
    }
}

#[tokio::test]
async fn the_socket_is_private_and_replaced_only_if_stale() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let first = server::bind(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(server::bind(&path).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    drop(first);
    drop(server::bind(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "not a socket").unwrap();
    assert!(server::bind(&path).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a socket");
}

#[tokio::test]
async fn a_platform_that_does_not_run_is_told_plainly() {
    let error = AdminClient::new("/nonexistent/admin.sock").get::<PlatformStatus>("/v1/status").await.unwrap_err();
    assert!(matches!(error, ClientError::NotRunning { .. }));
    assert!(error.to_string().contains("tacit serve"));
}
