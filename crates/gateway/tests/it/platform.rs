//! A gateway between the practice provider and a control plane in memory.

use crate::plane::{PEPPER, Plane, Served};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tacit_gateway::Bound;
use tacit_gateway::config::{GatewayConfig, Sandbox};
use tacit_kernel::ids::fresh;
use tacit_kernel::limits::Limits;
use tacit_link::{Endpoint, wire};
use tokio::sync::oneshot;

pub(crate) const UNIT: i64 = 1_000_000_000;

/// 1 and 10 currency units per million tokens: 1,000 and 10,000 nano a token.
fn price(per_call: &str) -> String {
    format!(r#"{{"per_call":"{per_call}","tiers":[{{"above_input_tokens":0,"input":"1","output":"10"}}]}}"#)
}

fn id() -> Vec<u8> {
    fresh().as_bytes().to_vec()
}

/// How a test wants its platform.
pub(crate) struct Wishes {
    pub(crate) wallet: i64,
    pub(crate) key_limits: Limits,
    pub(crate) account_limits: Limits,
    pub(crate) strict: bool,
    pub(crate) keep_alive: Duration,
    pub(crate) idle: Duration,
    pub(crate) max_body: u64,
    pub(crate) max_unacknowledged: usize,
    /// Whatever else is to be other than usual.
    pub(crate) tune: fn(&mut GatewayConfig),
    /// Stands in for the practice provider.
    pub(crate) provider: Option<SocketAddr>,
    /// What a call costs besides its tokens.
    pub(crate) per_call: &'static str,
    /// Of every model; 0: not known. The practice provider does not keep to it.
    pub(crate) max_output_tokens: u64,
    pub(crate) tls: Option<tacit_gateway::config::TlsFiles>,
    /// Models and the channels that serve each: provider's model name and priority.
    pub(crate) models: Vec<(&'static str, Vec<(&'static str, i32)>)>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            wallet: 100 * UNIT,
            key_limits: Limits::default(),
            account_limits: Limits::default(),
            strict: false,
            keep_alive: Duration::from_secs(10),
            idle: Duration::from_secs(10),
            max_body: 1 << 20,
            max_unacknowledged: 10_000,
            tune: |_| (),
            provider: None,
            per_call: "0",
            max_output_tokens: 0,
            tls: None,
            models: vec![("chat", vec![("practice-chat", 0)])],
        }
    }
}

pub(crate) struct Platform {
    pub(crate) plane: Arc<Plane>,
    pub(crate) link: Option<Served>,
    pub(crate) endpoint: Endpoint,
    pub(crate) provider: tacit_practice::Handle,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) key: String,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: Option<oneshot::Sender<()>>,
    gateway: Option<tokio::task::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

impl Platform {
    pub(crate) async fn start(wishes: Wishes) -> Self {
        let options = tacit_practice::Options::default();
        let (provider_address, provider) =
            tacit_practice::serve("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
        let catalog = catalog(&wishes, wishes.provider.unwrap_or(provider_address));
        let plane = Plane::new(wishes.wallet, catalog, wishes.strict);
        let key = {
            use secrecy::ExposeSecret;
            tacit_kernel::keytext::generate(&mut rand::rng()).expose_secret().to_owned()
        };
        let hash = key_hash(&key);
        let grant = wire::KeyGrant {
            key: id(),
            account: id(),
            group: id(),
            group_multiplier_ppm: 1_000_000,
            key_limits_json: serde_json::to_string(&wishes.key_limits).unwrap(),
            account_limits_json: serde_json::to_string(&wishes.account_limits).unwrap(),
            seal_key: vec![9; 32],
            ..Default::default()
        };
        plane.books.lock().unwrap().keys.insert(hash, grant);
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::Unix(folder.path().join("link.sock"));
        let link = plane.listen(&endpoint);
        let mut config = GatewayConfig::new("test", "127.0.0.1:0".parse().unwrap(), endpoint.clone());
        config.admin_listen = Some("127.0.0.1:0".parse().unwrap());
        config.sandbox = Sandbox::Off;
        config.max_body_bytes = wishes.max_body;
        config.max_unacknowledged = wishes.max_unacknowledged;
        config.tls = wishes.tls;
        config.timeouts.keep_alive = wishes.keep_alive;
        config.timeouts.idle = wishes.idle;
        config.timeouts.first_byte = Duration::from_secs(5);
        config.timeouts.drain = Duration::from_secs(5);
        (wishes.tune)(&mut config);
        let bound = Bound::new(config).unwrap();
        let (address, admin) = (bound.address().unwrap(), bound.admin_address().unwrap().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let gateway = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            bound.serve(stopped).await.unwrap();
        });
        let client = Client::builder(TokioExecutor::new()).build_http();
        let platform = Self {
            plane,
            link: Some(link),
            endpoint,
            provider,
            address,
            admin,
            key,
            client,
            stop: Some(stop),
            gateway: Some(gateway),
            _folder: folder,
        };
        for _ in 0..500 {
            if platform.get_from(admin, "/readyz").await.status == 200 {
                return platform;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the gateway does not serve");
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let mut bytes = Vec::new();
        let mut body = body;
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.unwrap().into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(bytes).unwrap() }
    }

    pub(crate) fn request(&self, path: &str, body: &str) -> Request<Full<Bytes>> {
        Request::post(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .unwrap()
    }

    /// Another key of the same account, which shares these budgets.
    pub(crate) fn another_key(&self, budgets: &[wire::SharedBudget]) -> String {
        use secrecy::ExposeSecret;
        let key = tacit_kernel::keytext::generate(&mut rand::rng()).expose_secret().to_owned();
        let mut books = self.plane.books.lock().unwrap();
        let first = books.keys.get(&key_hash(&self.key)).unwrap().clone();
        books.keys.insert(key_hash(&key), wire::KeyGrant { key: id(), budgets: budgets.to_vec(), ..first });
        key
    }

    /// A chat with that key.
    pub(crate) async fn chat_with(&self, key: &str, model: &str, more: &str) -> Answer {
        let mut request = self.request("/v1/chat/completions", &chat(model, more));
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        self.send(request).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(self.request(path, body)).await
    }

    pub(crate) async fn chat(&self, model: &str, more: &str) -> Answer {
        self.post("/v1/chat/completions", &chat(model, more)).await
    }

    pub(crate) async fn get_from(&self, address: SocketAddr, path: &str) -> Answer {
        let request = Request::get(format!("http://{address}{path}"))
            .header("x-api-key", &self.key)
            .body(Full::default())
            .unwrap();
        self.send(request).await
    }

    /// Asks the gateway to stop, without waiting for it.
    pub(crate) fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Ends the gateway well; after it nothing may be leased or open.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.gateway.take().unwrap().await.unwrap();
        let books = self.plane.books.lock().unwrap();
        assert_eq!(books.leased, 0, "money was not given back");
        assert_eq!(books.beyond, 0, "more was charged than was leased");
        assert!(books.begun.iter().all(|call| books.ended.contains_key(call)), "a call has no end");
    }
}

/// What the control plane knows of a key.
pub(crate) fn key_hash(key: &str) -> Vec<u8> {
    let pepper = tacit_vault::HashKey::from_bytes(PEPPER);
    tacit_vault::keyed_hash(&pepper, "api-key", key.as_bytes()).to_vec()
}

pub(crate) fn chat(model: &str, more: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Say hello to the world"}}]{more}}}"#)
}

fn catalog(wishes: &Wishes, provider: SocketAddr) -> wire::Catalog {
    let mut catalog = wire::Catalog { version: 1, ..Default::default() };
    for (name, channels) in &wishes.models {
        let mut routes = Vec::new();
        for (upstream, priority) in channels {
            for dialect in [0, 1] {
                let channel = id();
                routes.push(wire::Route { channel: channel.clone(), upstream_model: (*upstream).into() });
                catalog.channels.push(wire::Channel {
                    id: channel,
                    provider: id(),
                    provider_name: "practice".into(),
                    dialect,
                    base_url: format!("http://{provider}"),
                    auth: dialect,
                    allow_private: true,
                    priority: *priority,
                    weight: 1,
                    multiplier_ppm: 1_000_000,
                    credentials: vec![wire::Credential { id: id(), secret: b"secret".to_vec() }],
                    ..Default::default()
                });
            }
        }
        catalog.models.push(wire::Model {
            id: id(),
            name: (*name).into(),
            owned_by: "practice".into(),
            created: 1_700_000_000_000_000,
            price: id(),
            price_json: price(wishes.per_call),
            price_version: 1,
            max_output_tokens: wishes.max_output_tokens,
            routes,
            ..Default::default()
        });
    }
    catalog
}
