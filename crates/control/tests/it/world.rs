//! A platform with one model, one account and one key, and a gateway's side of the link.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tacit_catalog::{Catalog, ChannelSpec, ModelSpec, ProviderSpec};
use tacit_control::{Control, ControlConfig};
use tacit_identity::Identity;
use tacit_identity::passwords::{Cost, Hashing};
use tacit_kernel::call::{AgentFamily, CallSource, CallStatus, Endpoint, UsageSource};
use tacit_kernel::ids::{AccountId, CallId, ChannelId, CredentialId, GroupId, KeyId, ModelId, PriceId, ProviderId};
use tacit_kernel::limits::Limits;
use tacit_kernel::rating::{Price, Rates};
use tacit_kernel::{Clock, Dialect, Nano, Personal, Ppm, SystemClock};
use tacit_ledger::Ledger;
use tacit_link::{Client, connect, convert, wire};
use tacit_operations::messages::{Messages, Route, Schedule, Setup, Templates};
use tacit_operations::posting::Posting;
use tacit_privacy::Controller;
use tacit_privacy::erasure::Erasing;
use tacit_privacy::incidents::{self, Incidents};
use tacit_privacy::receivers::{Parts, Receivers, Settings};
use tacit_privacy::requests::Requests;
use tacit_privacy::retention::{Days, Retention};
use tacit_storage::Db;
use tacit_storage::audit::Audit;
use tacit_storage::keyring::KeyStore;
use tacit_storage::testing::test_key_store;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

/// What a call of [`World::ended`] costs: 1,000 input and 100 output tokens at 1 and 10 per million.
pub(crate) const COST: i64 = 2_000_000;

pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) identity: Identity,
    pub(crate) catalog: Catalog,
    pub(crate) ledger: Ledger,
    pub(crate) account: AccountId,
    pub(crate) key: KeyId,
    pub(crate) hash: [u8; 32],
    pub(crate) model: ModelId,
    group: GroupId,
    price: PriceId,
    channel: ChannelId,
    credential: CredentialId,
    provider: ProviderId,
    pub(crate) keys: Arc<KeyStore>,
    dir: tempfile::TempDir,
}

pub(crate) fn flat(input: i64, output: i64) -> Price {
    Price::flat(Nano(0), Rates::new(Nano(input), Nano(output))).unwrap()
}

impl World {
    pub(crate) async fn new(db: Db) -> Self {
        let keys = test_key_store(&Arc::new(SystemClock)).await;
        Self::with_keys(db, keys).await
    }

    pub(crate) async fn with_keys(db: Db, keys: Arc<KeyStore>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let identity = Identity::new(
            db.clone(),
            Arc::clone(&keys),
            Arc::clone(&clock),
            Hashing::start(1, Cost::default()).unwrap(),
        );
        let catalog = Catalog::new(db.clone(), Arc::clone(&keys), Arc::clone(&clock));
        let ledger = Ledger::new(db.clone(), clock);

        let group = identity.group_put("default", Ppm::ONE).await.unwrap().id;
        let name = |text: &str| Personal::new(text.to_owned());
        let limits = Limits::default();
        let account = identity.account_create(&name("somebody"), group, &limits).await.unwrap().id;
        let (key, text) = identity.key_create(account, &name("first"), CallSource::Api, &limits).await.unwrap();

        let model = catalog.model_put("a-model", &ModelSpec::default()).await.unwrap().value.id;
        let price = catalog.price_put(model, &flat(1_000_000_000, 10_000_000_000), None).await.unwrap().value.id;
        let spec = ProviderSpec {
            dialect: Dialect::OpenAi,
            base_url: "http://127.0.0.1:9/v1".into(),
            auth: None,
            allow_private: true,
            enabled: true,
        };
        let provider = catalog.provider_put("practice", &spec).await.unwrap().value.id;
        let spec = ChannelSpec {
            provider: "practice".into(),
            priority: 0,
            weight: 1,
            multiplier: Ppm::ONE,
            max_concurrency: None,
            models: [("a-model".to_owned(), "upstream-name".to_owned())].into(),
            enabled: true,
        };
        let channel = catalog.channel_put("main", &spec).await.unwrap().value.id;
        let credential = catalog.credential_put(channel, "one", &"provider-secret".into()).await.unwrap().value.id;
        let dir = tempfile::tempdir().unwrap();
        let hash = identity.key_hash(&text);
        let key = key.id;
        Self {
            db,
            identity,
            catalog,
            ledger,
            account,
            key,
            hash,
            model,
            group,
            price,
            channel,
            credential,
            provider,
            keys,
            dir,
        }
    }

    fn endpoint(&self, name: &str) -> tacit_link::Endpoint {
        tacit_link::Endpoint::Unix(self.dir.path().join(name))
    }

    pub(crate) async fn start(&self) -> Control {
        self.start_as("link.sock", ControlConfig::LOST_AFTER).await
    }

    pub(crate) async fn start_as(&self, socket: &str, lost_after: Duration) -> Control {
        let parts = (self.db.clone(), Arc::clone(&self.keys), Arc::new(SystemClock) as Arc<dyn Clock>);
        let audit = Audit::new(self.db.clone(), Arc::clone(&self.keys), Arc::new(SystemClock));
        let retention = Retention::new(parts.clone(), self.ledger.clone(), audit.clone(), Days::default());
        let erasing =
            Erasing::new(parts.clone(), self.identity.clone(), self.ledger.clone(), retention.clone(), audit.clone());
        let sending = Setup {
            email: Route::Development,
            sms: Route::Development,
            templates: Templates::load(None, "Test").unwrap(),
            schedule: Schedule::DEFAULT,
            concurrency: 1,
            longest_attempt: Duration::from_secs(1),
        };
        let messages = Messages::new(self.db.clone(), Arc::clone(&self.keys), Arc::new(SystemClock), sending);
        let setup = incidents::Setup { clocks: Vec::new(), controller: Controller::default(), site: None, days: 1095 };
        let incidents = Incidents::new(parts.clone(), self.identity.clone(), messages, setup).unwrap();
        let requests = Requests::new(parts, erasing.clone(), audit, (15, 7));
        let parts = Parts {
            db: self.db.clone(),
            clock: Arc::new(SystemClock),
            catalog: self.catalog.clone(),
            ledger: self.ledger.clone(),
            keys: Arc::clone(&self.keys),
            posting: Arc::new(Posting::new(false, None).unwrap()),
        };
        let receivers = Receivers::new(&parts, Settings::default());
        let config = ControlConfig {
            db: self.db.clone(),
            keys: Arc::clone(&self.keys),
            identity: self.identity.clone(),
            catalog: self.catalog.clone(),
            ledger: self.ledger.clone(),
            retention,
            erasing,
            requests,
            receivers,
            incidents,
            backups: None,
            backup_every: None,
            clock: Arc::new(SystemClock),
            link: self.endpoint(socket),
            tls: None,
            currency: "USD".into(),
            strict: false,
            lost_after,
            verify_every: Some(Duration::from_millis(200)),
        };
        let control = Control::start(config).await.unwrap();
        until("the control plane is ready", async || control.ready()).await;
        control
    }

    pub(crate) fn client(&self) -> Client {
        self.client_of("link.sock")
    }

    pub(crate) fn client_of(&self, socket: &str) -> Client {
        connect(&self.endpoint(socket), None).unwrap().client()
    }

    pub(crate) async fn gateway(&self, name: &str) -> Gateway {
        Gateway::open(self.client(), name).await
    }

    pub(crate) async fn gateway_of(&self, socket: &str, name: &str) -> Gateway {
        Gateway::open(self.client_of(socket), name).await
    }

    pub(crate) fn begun(&self, call: CallId) -> wire::Begun {
        wire::Begun {
            call: Some(call.into()),
            key: Some(self.key.into()),
            account: Some(self.account.into()),
            group: Some(self.group.into()),
            model: Some(self.model.into()),
            price: Some(self.price.into()),
            group_multiplier_ppm: 1_000_000,
            channel_multiplier_ppm: 1_000_000,
            channel: Some(self.channel.into()),
            provider: Some(self.provider.into()),
            started_at: SystemClock.now().0,
            reserved: 2 * COST,
            input_estimate: 1_500,
            endpoint: Endpoint::ChatCompletions.number(),
            stream: true,
            source: CallSource::Api.number(),
            credential: Some(self.credential.into()),
        }
    }

    pub(crate) fn ended(&self, call: CallId) -> wire::Ended {
        wire::Ended {
            begun: Some(self.begun(call)),
            status: CallStatus::Completed.number(),
            error: 0,
            http_status: 200,
            usage: Some(wire::Usage { input: 1_000, output: 100, ..wire::Usage::default() }),
            usage_source: UsageSource::Provider.number(),
            amount: COST,
            capped: false,
            first_byte_micros: 5_000,
            duration_micros: 20_000,
            concurrency: 1,
            agent: AgentFamily::Curl.number(),
            sealed_ip: vec![1; 40],
            sealed_user_agent: vec![],
            risk_marks: 0,
            attempts: vec![],
            tried: 1,
        }
    }

    pub(crate) async fn top_up(&self, amount: i64) {
        self.ledger.top_up(self.account, Nano(amount), &CallId::fresh().to_string()).await.unwrap();
    }

    /// Every balance and every charge is as it is computed anew.
    pub(crate) async fn assert_clean(&self) {
        let prices: HashMap<PriceId, Arc<Price>> =
            self.catalog.price_all().await.unwrap().into_iter().map(|(id, price)| (id, Arc::new(price))).collect();
        let report = self.ledger.verify(&|id| prices.get(&id).cloned()).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
    }

    /// (wallet, reserved)
    pub(crate) async fn wallet(&self) -> (i64, i64) {
        let view = self.ledger.wallet(self.account).await.unwrap();
        (view.wallet.0, view.reserved.0)
    }

    pub(crate) async fn call(&self, call: CallId) -> Option<(CallStatus, i64, Option<String>)> {
        self.ledger.call(call).await.unwrap().map(|c| (c.status, c.amount.0, c.model))
    }
}

/// Waits until what was acknowledged is settled.
pub(crate) async fn settled(control: &Control) {
    assert!(control.settled().await, "it is not settled");
}

/// A gateway's side: a session and its streams.
pub(crate) struct Gateway {
    pub(crate) client: Client,
    pub(crate) session: Vec<u8>,
    pub(crate) acknowledged: u64,
    requests: u64,
}

impl Gateway {
    pub(crate) async fn open(client: Client, name: &str) -> Self {
        Self::resume(client, name, vec![]).await
    }

    pub(crate) async fn resume(mut client: Client, name: &str, session: Vec<u8>) -> Self {
        let hello = wire::Hello { gateway: name.into(), version: "0.1.0".into(), sandbox: 1, session };
        let welcome = client.open(hello).await.unwrap().into_inner();
        assert_eq!((welcome.currency.as_str(), welcome.key_pepper.len()), ("USD", 32));
        Self { client, session: welcome.session, acknowledged: welcome.acknowledged, requests: 0 }
    }

    pub(crate) fn events(&self, batch: u64, begun: Vec<wire::Begun>, ended: Vec<wire::Ended>) -> wire::Events {
        wire::Events { session: self.session.clone(), batch, begun, ended }
    }

    pub(crate) async fn record(&mut self) -> Recording {
        let (send, receive) = mpsc::channel(64);
        let acks = self.client.record(ReceiverStream::new(receive)).await.unwrap().into_inner();
        Recording { send, acks }
    }

    pub(crate) async fn watch(&mut self) -> Streaming<wire::Update> {
        self.client.watch(wire::WatchRequest { session: self.session.clone() }).await.unwrap().into_inner()
    }

    pub(crate) async fn lease(&mut self, account: AccountId, need: i64, want: i64, give_back: i64) -> i64 {
        self.requests += 1;
        let request = wire::LeaseRequest {
            session: self.session.clone(),
            account: convert::id_bytes(account),
            request: self.requests,
            need,
            want,
            give_back,
        };
        self.client.lease(request).await.unwrap().into_inner().granted
    }
}

/// An open stream of events.
pub(crate) struct Recording {
    pub(crate) send: mpsc::Sender<wire::Events>,
    pub(crate) acks: Streaming<wire::Ack>,
}

impl Recording {
    pub(crate) async fn send(&self, events: wire::Events) {
        self.send.send(events).await.unwrap();
    }

    /// Waits until that batch is acknowledged.
    pub(crate) async fn acknowledged(&mut self, batch: u64) {
        loop {
            let ack =
                tokio::time::timeout(Duration::from_secs(10), self.acks.message()).await.unwrap().unwrap().unwrap();
            assert!(ack.batch <= batch, "batch {} was never sent", ack.batch);
            if ack.batch == batch {
                return;
            }
        }
    }

    /// Waits until the stream ends, with a status or without.
    pub(crate) async fn over(&mut self) {
        let end = async { while let Ok(Some(_)) = self.acks.message().await {} };
        tokio::time::timeout(Duration::from_secs(10), end).await.unwrap();
    }

    /// Waits until the stream fails.
    pub(crate) async fn refused(&mut self) -> Code {
        loop {
            match tokio::time::timeout(Duration::from_secs(10), self.acks.message()).await.unwrap() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without a status"),
                Err(status) => return status.code(),
            }
        }
    }
}

/// Waits for something to become true.
pub(crate) async fn until(what: &str, check: impl AsyncFn() -> bool) {
    for _ in 0..500 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain until {what}");
}
