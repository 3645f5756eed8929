//! The console API from the public port through the gateway to the control plane.

use crate::{both_engines, chat};
use http::Method;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use tacit_storage::Engine;
use tacit_testkit::{Client, Options, Platform, processes};

both_engines! {
    async fn the_console_answers_on_the_public_port(engine) {
        let platform = Platform::start(engine, Options::default().set("console.name", "Tally & Söhne")).await?;
        let client = Client::new(&platform.url(), "");
        let shown = client.get("/api/v1/platform").await?;
        assert_eq!(shown.status, 200, "{}", shown.text());
        assert_eq!(shown.json()["name"], "Tally & Söhne");
        assert_eq!(shown.headers["cache-control"], "no-store");
        assert!(shown.headers["x-request-id"].to_str()?.starts_with("call_"));
        assert!(!shown.headers.contains_key("strict-transport-security"), "plain HTTP");
        let document = client.get("/api/v1/openapi.json").await?.json();
        let committed = include_str!("../../../../docs/reference/openapi.json");
        assert_eq!(document, serde_json::from_str::<Value>(committed)?);

        let models = client.get("/api/v1/models").await?;
        let names: Vec<_> = models.json()["items"].as_array().unwrap().iter().map(|m| m["name"].clone()).collect();
        for name in ["chat", "embed", "claude"] {
            assert!(names.contains(&json!(name)), "{names:?}");
        }
        let request = client.request(Method::GET, "/api/v1/models").header("if-none-match", &models.headers["etag"]);
        assert_eq!(client.send(request.body(Default::default())?).await?.status, 304);

        // Nobody is signed in, whatever they show; a key of the API is no key of the console.
        for key in ["", "tm-anything", platform.key()] {
            let client = Client::new(&platform.url(), key);
            for path in ["/api/v1/me", "/api/v1/roles", "/api/v1/keys", "/api/v1/accounts"] {
                let refused = client.get(path).await?;
                assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (401, &json!("access.unauthenticated")));
            }
        }
        let posted = client.post("/api/v1/keys", &json!({"name": "a"})).await?;
        assert_eq!(posted.status, 401, "{}", posted.text());
        assert_eq!(client.get("/nowhere").await?.json()["code"], "request.path");
        // The admin API is on no public port.
        for path in ["/v1/accounts", "/v1/status", "/api/v1/status", "/admin/v1/accounts"] {
            assert_eq!(client.get(path).await?.status, 404, "{path}");
        }
        let over_2 = Client::http2(&platform.url(), "").get("/api/v1/platform").await?;
        assert_eq!(over_2.json(), shown.json());
        let mode = platform.root().join("data/console.sock").metadata()?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_goes_and_comes_back_with_the_control_plane() {
    let mut platform = Platform::start(Engine::Sqlite, Options::default()).await.unwrap();
    let console = Client::new(&platform.url(), "");
    assert_eq!(console.get("/api/v1/platform").await.unwrap().status, 200);
    let gateway = platform.pid("gateway").unwrap();
    let old = platform.kill("control").unwrap();
    let (mut away, mut back) = (false, false);
    for _ in 0..300 {
        let answer = console.get("/api/v1/platform").await.unwrap();
        match answer.status.as_u16() {
            503 => {
                assert_eq!(answer.headers["content-type"], "application/problem+json");
                away = true;
                let call = platform.client().post("/v1/chat/completions", &chat("chat", "x", false)).await.unwrap();
                assert!(call.status.is_success(), "{}", call.text());
            }
            200 if away => {
                back = true;
                break;
            }
            200 => {}
            other => panic!("{other} {}", answer.text()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    processes::restarted(platform.supervisor(), "control", Some(old)).await.unwrap();
    assert!(away && back, "away {away}, back {back}");
    assert_eq!(platform.pid("gateway").unwrap(), gateway, "the gateway was not restarted");
    platform.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_works_over_tcp() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("tcp://127.0.0.1:{port}");
    let options = Options::default().set("console.listen", &address).set("console.connect", &address);
    let platform = Platform::start(Engine::Sqlite, options).await.unwrap();
    assert_eq!(Client::new(&platform.url(), "").get("/api/v1/platform").await.unwrap().status, 200);
    assert!(!platform.root().join("data/console.sock").exists());
}
