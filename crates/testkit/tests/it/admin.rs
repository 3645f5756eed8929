//! The admin socket of the running platform.

use serde_json::{Value, json};
use tacit_storage::Engine;
use tacit_testkit::{Options, Platform};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// The largest body that is taken.
const MOST: usize = 1 << 20;

/// `POST /v1/groups` with a body of that many bytes; the status and the code of the problem.
async fn post(platform: &Platform, bytes: usize, chunked: bool) -> (u16, String) {
    let empty = json!({"name": ""}).to_string().len();
    let body = json!({"name": "x".repeat(bytes - empty)}).to_string();
    assert_eq!(body.len(), bytes);
    let head = "POST /v1/groups HTTP/1.1\r\nhost: tacit\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let request = if chunked {
        let half = body.split_at(bytes / 2);
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        format!("{head}transfer-encoding: chunked\r\n\r\n{}{}0\r\n\r\n", chunk(half.0), chunk(half.1))
    } else {
        format!("{head}content-length: {bytes}\r\n\r\n{body}")
    };
    let mut stream = UnixStream::connect(platform.root().join("data/admin.sock")).await.unwrap();
    let mut answer = Vec::new();
    {
        let (mut read, mut write) = stream.split();
        // It answers before it has read all of what it does not take.
        let (_, read) = tokio::join!(write.write_all(request.as_bytes()), read.read_to_end(&mut answer));
        drop(read);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let problem: Value = answer.split_once("\r\n\r\n").map_or(Value::Null, |(_, b)| serde_json::from_str(b).unwrap());
    (status.unwrap_or_else(|| panic!("no answer: {answer}")), problem["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_socket_takes_no_body_larger_than_it_says() {
    let platform = Platform::start(Engine::Sqlite, Options::default()).await.unwrap();
    let groups = platform.cli(&["group", "list"]).await.unwrap();
    for chunked in [false, true] {
        let (status, code) = post(&platform, MOST, chunked).await;
        assert_eq!((status, code.as_str()), (422, "request.invalid"), "what fits is read, and found wanting");
        for more in [1, 10 * MOST] {
            let (status, code) = post(&platform, MOST + more, chunked).await;
            assert_eq!((status, code.as_str()), (422, "request.body"), "{more} bytes more, chunked: {chunked}");
        }
    }
    assert_eq!(platform.cli(&["group", "list"]).await.unwrap(), groups, "it goes on, and nothing has changed");
    let file = platform.root().join("large.toml");
    std::fs::write(&file, format!("# {}\n", "x".repeat(MOST))).unwrap();
    let (success, _, said) = platform.cli_whatever(&["apply", &file.display().to_string()]).await.unwrap();
    assert!(!success && said.contains("1 MiB"), "{said}");
}
