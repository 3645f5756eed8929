//! Control plane and gateway as processes of their own on two machines, as far as one machine can be two: the link over
//! TCP with certificates of both sides.

use crate::{chat, text};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::time::Duration;
use tacit_storage::Engine;
use tacit_testkit::{Client, Options, Platform};

/// An authority that signs the certificates of both sides.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }

    /// The settings of one side, whose certificate bears that name. It trusts `trusted`.
    fn side(&self, dir: &Path, name: &str, bears: &str, trusted: &Self) -> Vec<(String, String)> {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![bears.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let files = [("ca", trusted.pem.clone()), ("cert", cert.pem()), ("key", key.serialize_pem())];
        files
            .into_iter()
            .map(|(what, pem)| {
                let path = dir.join(format!("{name}-{what}.pem"));
                std::fs::write(&path, pem).unwrap();
                (format!("link.{what}"), path.display().to_string())
            })
            .collect()
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn set(settings: &mut Vec<(String, String)>, key: &str, value: &str) {
    settings.push((key.to_owned(), value.to_owned()));
}

/// The names of the gateways that have a session.
async fn gateways(platform: &Platform) -> Vec<String> {
    let status = platform.cli(&["status"]).await.unwrap();
    status["gateways"].as_array().unwrap().iter().map(|gateway| text(gateway, "/gateway").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_works_over_tcp_with_certificates_and_with_no_others() {
    let files = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let address = format!("tcp://127.0.0.1:{}", free_port());
    let mut control = authority.side(files.path(), "control", "127.0.0.1", &authority);
    set(&mut control, "link.listen", &address);
    let mut gateway = authority.side(files.path(), "gateway", "gateway", &authority);
    set(&mut gateway, "link.connect", &address);
    let options = Options { apart: Some([control.clone(), gateway.clone()]), ..Options::default() };
    let mut platform = Platform::start(Engine::Sqlite, options).await.unwrap();
    assert!(!platform.root().join("data/link.sock").exists(), "nothing goes over a Unix socket");
    let status = platform.cli(&["status"]).await.unwrap();
    assert_eq!(status["gateways"][0]["sandbox"], Value::Bool(true), "{status}");
    both_dialects(&platform).await;

    // The gateway finds the next control plane from within its sandbox, and serves meanwhile.
    platform.another_control(&control).unwrap();
    both_dialects(&platform).await;
    platform.ready().await.unwrap();
    both_dialects(&platform).await;
    let first = gateways(&platform).await;
    assert_eq!(first.len(), 1, "{first:?}");

    // Gateways that the control plane must not trust, or that must not trust the control plane, or that bring nothing.
    let strangers = [
        ("foreign", stranger.side(files.path(), "foreign", "gateway", &authority)),
        ("wary", authority.side(files.path(), "wary", "gateway", &stranger)),
    ];
    for (name, mut settings) in strangers {
        let admin = format!("127.0.0.1:{}", free_port());
        let listen = format!("127.0.0.1:{}", free_port());
        set(&mut settings, "link.connect", &address);
        set(&mut settings, "gateway.name", name);
        set(&mut settings, "gateway.listen", &listen);
        set(&mut settings, "gateway.admin_listen", &admin);
        let refused = Stray(platform.spawn("gateway", &settings).unwrap());
        let health = Client::new(&format!("http://{admin}"), "");
        let alive = async || health.get("/healthz").await.is_ok_and(|answer| answer.status.is_success());
        platform.until("the stray gateway runs", alive).await.unwrap();
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(!health.get("/readyz").await.unwrap().status.is_success(), "{name} is ready");
        }
        assert_eq!(gateways(&platform).await, first, "{name} has a session");
        drop(refused);
    }
    let mut bare = vec![("link.connect".to_owned(), address.clone())];
    set(&mut bare, "gateway.listen", &format!("127.0.0.1:{}", free_port()));
    let mut refused = Stray(platform.spawn("gateway", &bare).unwrap());
    assert!(!refused.0.wait().unwrap().success(), "TCP without certificates is refused at the start");
    assert!(platform.log().contains("mutual TLS"), "{}", platform.log_end());
    platform.stop().await.unwrap();
}

/// A process that ends with its test.
struct Stray(Child);

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn both_dialects(platform: &Platform) {
    let client = platform.client();
    for (path, model) in [("/v1/chat/completions", "chat"), ("/v1/messages", "claude")] {
        let mut body = chat(model, "Hello", true);
        body["max_tokens"] = json!(30);
        let answer = client.post(path, &body).await.unwrap();
        assert!(answer.complete_stream(), "{}", answer.text());
        let id = answer.call().unwrap();
        let call = platform.call(&id).await.unwrap();
        assert_eq!(text(&call, "/call/status"), "completed", "{call}");
    }
}
