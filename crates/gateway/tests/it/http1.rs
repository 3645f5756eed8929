//! HTTP/1.1 as it goes over a socket.

use crate::platform::{Platform, Wishes, chat};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request for a call, with a head of its own.
pub(crate) fn call(p: &Platform, head: &str, body: &str) -> String {
    let key = &p.key;
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{head}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) struct Answer {
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.get(9..12).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
    }
}

pub(crate) struct Raw {
    socket: TcpStream,
    seen: Vec<u8>,
}

impl Raw {
    pub(crate) async fn new(p: &Platform) -> Self {
        Self { socket: TcpStream::connect(p.address).await.unwrap(), seen: Vec::new() }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads on; false at the end.
    async fn more(&mut self) -> bool {
        let reading = self.socket.read_buf(&mut self.seen);
        // A peer that closed with something unread resets: that is an end too.
        tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap().unwrap_or(0) > 0
    }

    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(at) = self.seen.windows(4).position(|w| w == b"\r\n\r\n") {
                let rest = self.seen.split_off(at + 4);
                return String::from_utf8(std::mem::replace(&mut self.seen, rest)).unwrap();
            }
            assert!(self.more().await, "closed before an answer");
        }
    }

    /// All that comes until the end.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.seen)
    }

    async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.seen.len() < count {
            assert!(self.more().await, "closed within an answer");
        }
        let rest = self.seen.split_off(count);
        std::mem::replace(&mut self.seen, rest)
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(at) = self.seen.windows(2).position(|w| w == b"\r\n") {
                let line = self.take(at + 2).await;
                return String::from_utf8(line).unwrap().trim_end().to_owned();
            }
            assert!(self.more().await, "closed within a line");
        }
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let mut answer = Answer { head, body: Vec::new() };
        if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            answer.body = self.take(length).await;
        } else if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(&self.line().await, 16).unwrap();
                answer.body.extend(self.take(size).await);
                assert_eq!(self.line().await, "");
                if size == 0 {
                    break;
                }
            }
        }
        answer
    }

    async fn is_closed(&mut self) -> bool {
        !self.more().await && self.seen.is_empty()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_follow_one_another_on_a_connection() {
    let p = Platform::start(Wishes::default()).await;
    let mut raw = Raw::new(&p).await;
    // Two at once, a streamed one among them, then one more when both are answered.
    let stream = call(&p, "", &chat("chat", r#","stream":true"#));
    raw.send(&format!("{}{stream}", call(&p, "", &chat("chat", "")))).await;
    let first = raw.answer().await;
    assert_eq!((first.status(), first.header("connection")), (200, None));
    assert!(first.header("date").is_some_and(|d| d.ends_with(" GMT")), "{}", first.head);
    assert!(first.header("x-request-id").is_some_and(|id| id.starts_with("call_")));
    assert!(serde_json::from_slice::<serde_json::Value>(&first.body).is_ok());
    let second = raw.answer().await;
    assert!(second.body.ends_with(b"data: [DONE]\n\n"), "{}", second.head);
    raw.send(&call(&p, "connection: close\r\n", &chat("chat", ""))).await;
    let third = raw.answer().await;
    assert_eq!((third.status(), third.header("connection")), (200, Some("close")));
    assert!(raw.is_closed().await);
    p.plane.calls(3).await;
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_come_in_chunks_and_on_invitation() {
    let p = Platform::start(Wishes::default()).await;
    let body = chat("chat", "");
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n", p.key);
    let mut raw = Raw::new(&p).await;
    raw.send(&format!("{head}transfer-encoding: chunked\r\n\r\n")).await;
    for piece in body.as_bytes().chunks(20) {
        raw.send(&format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece))).await;
    }
    raw.send("0\r\n\r\n").await;
    assert_eq!(raw.answer().await.status(), 200);
    raw.send(&format!("{head}expect: 100-continue\r\ncontent-length: {}\r\n\r\n", body.len())).await;
    assert_eq!(raw.answer().await.status(), 100);
    raw.send(&body).await;
    assert_eq!(raw.answer().await.status(), 200);
    // Who is refused before is not invited.
    let head = head.replace(&p.key, "sk-unknown");
    raw.send(&format!("{head}expect: 100-continue\r\ncontent-length: 900000\r\n\r\n")).await;
    let refused = raw.answer().await;
    assert_eq!((refused.status(), refused.header("connection")), (401, Some("close")));
    assert!(raw.is_closed().await);
    p.plane.calls(2).await;
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_wants_stands_in_no_ones_way() {
    let p = Platform::start(Wishes::default()).await;
    let mut raw = Raw::new(&p).await;
    for (path, status) in [("/v1/nothing", 404), ("/elsewhere", 404), ("/v1/models", 405)] {
        raw.send(&format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 50000\r\n\r\n")).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        raw.send(&"x".repeat(50_000)).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.header("connection")), (status, None), "{path}");
    }
    // What is not coded as it says is told so.
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n", p.key);
    raw.send(&format!("{head}transfer-encoding: chunked\r\n\r\nno size\r\n")).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status(), answer.header("connection")), (400, Some("close")));
    assert!(raw.is_closed().await);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn older_clients_get_what_they_can_read() {
    let p = Platform::start(Wishes::default()).await;
    let mut raw = Raw::new(&p).await;
    let stream = call(&p, "", &chat("chat", r#","stream":true"#)).replace("HTTP/1.1", "HTTP/1.0");
    raw.send(&stream).await;
    let answer = raw.answer().await;
    assert_eq!(
        (answer.status(), answer.header("transfer-encoding"), answer.header("connection")),
        (200, None, Some("close"))
    );
    while raw.more().await {}
    assert!(raw.seen.ends_with(b"data: [DONE]\n\n"));
    let mut raw = Raw::new(&p).await;
    let kept = format!("GET /v1/models HTTP/1.0\r\nx-api-key: {}\r\nconnection: keep-alive\r\n\r\n", p.key);
    for _ in 0..2 {
        raw.send(&kept).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status(), answer.header("connection")), (200, Some("keep-alive")));
    }
    let mut raw = Raw::new(&p).await;
    raw.send(&format!("HEAD /v1/models HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n", p.key)).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 200 ") && !head.contains("content-length: 0"), "{head}");
    raw.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(raw.answer().await.body, b"AI API gateway\n", "no body came before it");
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_and_the_connection_closed() {
    let p = Platform::start(Wishes::default()).await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "b".repeat(70_000));
    for (wire, status, code) in [
        (
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
            400,
            "malformed_request",
        ),
        ("GET / HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        ("GET / HTTP/1.1\nhost: x\n\n\r\n\r\n", 400, "malformed_request"),
        ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n", 501, "transfer_encoding"),
        ("GET / HTTP/5.1\r\n", 505, "http_version"),
        (&long, 431, "headers_too_large"),
    ] {
        let mut raw = Raw::new(&p).await;
        raw.send(wire).await;
        let answer = raw.answer().await;
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status(), said["error"]["code"].as_str()), (status, Some(code)), "{wire:.60}");
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(raw.is_closed().await);
    }
    // A request that is smuggled in behind a refused one is not answered.
    let mut raw = Raw::new(&p).await;
    raw.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcdGET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(raw.answer().await.status(), 400);
    assert!(raw.is_closed().await);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed() {
    let tune = |config: &mut tacit_gateway::config::GatewayConfig| config.timeouts.head = Duration::from_millis(300);
    let p = Platform::start(Wishes { tune, ..Wishes::default() }).await;
    for begun in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost:"] {
        let mut raw = Raw::new(&p).await;
        raw.send(begun).await;
        assert!(raw.is_closed().await, "{begun}");
    }
    // After an answer the time begins anew.
    let mut raw = Raw::new(&p).await;
    for _ in 0..4 {
        raw.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(raw.answer().await.status(), 200);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert!(raw.is_closed().await);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_what_is_open_finishes_and_what_is_idle_closes() {
    let mut p = Platform::start(Wishes::default()).await;
    let (mut idle, mut used, mut open) = (Raw::new(&p).await, Raw::new(&p).await, Raw::new(&p).await);
    used.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(used.answer().await.status(), 200);
    // Half of a request is there when the gateway is asked to stop.
    let request = call(&p, "", &chat("chat", ""));
    let (first, rest) = request.split_at(request.len() - 10);
    open.send(first).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    p.ask_to_stop();
    assert!(idle.is_closed().await && used.is_closed().await);
    open.send(rest).await;
    let answer = open.answer().await;
    assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")), "{}", answer.head);
    assert!(open.is_closed().await);
    p.plane.only_call().await;
    p.stop().await;
}
