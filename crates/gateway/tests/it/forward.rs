//! What is forwarded to the console, and what never is.

use crate::http1::{Raw, call};
use crate::platform::{Platform, Wishes, chat};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tacit_gateway::config::GatewayConfig;
use tacit_link::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What must never reach the console.
const CANARY: &str = "canary-4711-prompt";

struct Came {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

type Log = Arc<Mutex<Vec<Came>>>;

fn socket(link: &Endpoint) -> PathBuf {
    match link {
        Endpoint::Unix(path) => path.with_file_name("console.sock"),
        Endpoint::Tcp { .. } => panic!("the link of these tests is a file"),
    }
}

fn with_console(config: &mut GatewayConfig) {
    config.console = Some(Endpoint::Unix(socket(&config.link)));
    config.timeouts.body = Duration::from_secs(2);
    config.timeouts.idle = Duration::from_secs(1);
}

async fn start() -> Platform {
    Platform::start(Wishes { tune: with_console, ..Wishes::default() }).await
}

/// A console that answers everything with what it was asked, and keeps that.
fn console(p: &Platform) -> Log {
    let log = Log::default();
    let listener = UnixListener::bind(socket(&p.endpoint)).unwrap();
    let kept = Arc::clone(&log);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = Arc::clone(&kept);
            let service = service_fn(move |request: Request<Incoming>| {
                let log = Arc::clone(&log);
                async move {
                    let (parts, body) = request.into_parts();
                    let Ok(body) = body.collect().await else {
                        let broken = Response::builder().status(StatusCode::BAD_REQUEST);
                        return Ok::<_, Infallible>(broken.body(Full::<Bytes>::default()).unwrap());
                    };
                    let body = body.to_bytes();
                    let answer = format!("{} {}", parts.method, parts.uri);
                    let (method, target, headers) = (parts.method, parts.uri.to_string(), parts.headers);
                    let status = if target.contains("same") { 304 } else { 200 };
                    log.lock().unwrap().push(Came { method, target, headers, body });
                    let response = Response::builder()
                        .status(status)
                        .header("set-cookie", "a=1")
                        .header("set-cookie", "b=2")
                        .header("keep-alive", "timeout=5");
                    Ok(response.body(Full::from(answer)).unwrap())
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    log
}

/// A console that answers every connection with these bytes and closes it.
fn blunt(p: &Platform, answer: &'static str, then: Duration) {
    let listener = UnixListener::bind(socket(&p.endpoint)).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !seen.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                    if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let _ = stream.write_all(answer.as_bytes()).await;
                tokio::time::sleep(then).await;
            });
        }
    });
}

fn asking(p: &Platform, method: &str, path: &str, body: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(format!("http://{}{path}", p.address));
    request.header("content-type", "application/json").body(Full::from(body.to_owned())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_the_console_reaches_it() {
    let p = start().await;
    let log = console(&p);
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/docs/a?b=c%20d"),
        ("POST", "/api/v1/keys"),
        ("DELETE", "/api/v1/keys/x"),
        ("PATCH", "/api/v1/a"),
    ] {
        let answer = p.send(asking(&p, method, path, if method == "GET" { "" } else { "{\"a\":1}" })).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, format!("{method} {path}").as_str()));
        assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(answer.header("keep-alive"), "", "what is meant for one hop");
        assert!(answer.header("x-request-id").starts_with("call_"));
    }
    let head = p.send(asking(&p, "HEAD", "/docs", "")).await;
    assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, "10", 0));
    let same = p.send(asking(&p, "GET", "/same", "")).await;
    assert_eq!((same.status.as_u16(), same.header("content-length")), (304, ""));
    let log = std::mem::take(&mut *log.lock().unwrap());
    assert_eq!(log.len(), 7);
    let post = &log[2];
    assert_eq!((post.method.as_str(), &post.body[..]), ("POST", &b"{\"a\":1}"[..]));
    assert_eq!(
        (&post.headers["x-forwarded-for"], &post.headers["x-forwarded-proto"]),
        (&"127.0.0.1".parse().unwrap(), &"http".parse().unwrap())
    );
    assert_eq!(post.headers["content-length"], "7");
    assert!(log.iter().all(|came| came.headers["host"] == p.address.to_string()));
    // A request without a body stays one.
    assert!(!log[0].headers.contains_key("content-length") && !log[0].headers.contains_key("transfer-encoding"));
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_is_not_forwarded() {
    let p = start().await;
    let log = console(&p);
    let body = chat("chat", &format!(",\"note\":\"{CANARY}\""));
    for path in [
        "/chat/completions",
        "/messages",
        "/",
        "/v1",
        "/V1/chat/completions",
        "/v1beta/models/x:generateContent",
        "/%76%31/chat/completions",
        "//v1/chat/completions",
        "/api/chat",
        "/api/generate",
        "/api/v1/chat/completions",
        "/api/v1/messages",
        "/api/v1/%63hat/completions",
        "/api/v1/v1/chat/completions",
        "/openai/deployments/x/chat/completions",
        "/api/v1/keys/../chat/completions",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "QUERY"] {
            let answer = p.send(asking(&p, method, path, &body)).await;
            assert!([404, 405].contains(&answer.status.as_u16()), "{method} {path}: {}", answer.status);
            if path.starts_with("/api/") {
                assert_eq!(answer.json()["code"], "request.path", "{method} {path}");
            }
        }
        // Reading has no body; what is sent with it is left behind.
        let answer = p.send(asking(&p, "GET", path, &body)).await;
        assert!(!answer.body.contains(CANARY), "{path}");
    }
    // The key of a call is no business of the console either.
    let request =
        Request::get(format!("http://{}/models", p.address)).header("authorization", format!("Bearer {CANARY}"));
    let request = request.header("x-api-key", CANARY).body(Full::default()).unwrap();
    assert_eq!(p.send(request).await.status, 200);
    let log = std::mem::take(&mut *log.lock().unwrap());
    assert!(log.iter().any(|came| came.target == "/models"), "reading is forwarded");
    for came in log.iter() {
        assert!(came.method == Method::GET && came.body.is_empty(), "{} {}", came.method, came.target);
        assert!(!format!("{:?}", came.headers).contains(CANARY), "{}", came.target);
        assert!(!came.target.to_ascii_lowercase().trim_start_matches('/').starts_with("v1"), "{}", came.target);
    }
    // And a call goes where it belongs.
    assert_eq!(p.chat("chat", "").await.status, 200);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_console_is_away_it_is_said_and_calls_go_on() {
    let p = start().await;
    let answer = p.send(asking(&p, "POST", "/api/v1/keys", "{}")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (503, "application/problem+json"));
    assert_eq!(answer.json()["code"], "console.unavailable");
    assert_eq!(answer.header("retry-after"), "2");
    let page = p.send(asking(&p, "GET", "/", "")).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (503, "text/plain; charset=utf-8"));
    assert_eq!(p.chat("chat", "").await.status, 200);
    // It comes back.
    let log = console(&p);
    assert_eq!(p.send(asking(&p, "GET", "/", "")).await.status, 200);
    assert_eq!(log.lock().unwrap().len(), 1);
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded_and_pass_through() {
    let p = start().await;
    let log = console(&p);
    let large = "x".repeat(3 << 20);
    let answer = p.send(asking(&p, "POST", "/api/v1/large", &large)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(log.lock().unwrap()[0].body.len(), large.len());

    // In chunks, and the next request on the same connection.
    let mut raw = Raw::new(&p).await;
    raw.send("POST /api/v1/chunks HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    raw.send("2\r\nde\r\n0\r\n\r\n").await;
    assert_eq!(raw.answer().await.body, b"POST /api/v1/chunks");
    raw.send(&call(&p, "", &chat("chat", ""))).await;
    assert_eq!(raw.answer().await.status(), 200);
    assert_eq!(log.lock().unwrap()[1].body, "abcde");

    // More than is taken: announced, and found out on the way.
    let mut raw = Raw::new(&p).await;
    raw.send("POST /api/v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n").await;
    let answer = raw.answer().await;
    assert_eq!(answer.status(), 413);
    assert!(String::from_utf8_lossy(&answer.body).contains("request.too_large"));
    let mut raw = Raw::new(&p).await;
    raw.send("POST /api/v1/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "y".repeat(1 << 20));
    for _ in 0..9 {
        raw.send(&chunk).await;
    }
    assert_eq!(raw.answer().await.status(), 413);

    // A body that does not come, and one that breaks off.
    let mut raw = Raw::new(&p).await;
    raw.send("POST /api/v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc").await;
    assert_eq!(raw.answer().await.status(), 408);
    let mut raw = Raw::new(&p).await;
    raw.send("POST /api/v1/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    drop(raw);
    let mut raw = Raw::new(&p).await;
    raw.send("POST /api/v1/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").await;
    assert_eq!(raw.answer().await.status(), 400);
    assert_eq!(log.lock().unwrap().len(), 2, "none of these came to be a request");
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_not_taken_for_whole() {
    // Of one that breaks off at once not even the head may have left.
    let (soon, never) = (Duration::from_millis(200), Duration::from_secs(60));
    for (answer, then) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", soon),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", soon),
        // Or goes silent.
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", never),
    ] {
        let p = start().await;
        blunt(&p, answer, then);
        let mut raw = Raw::new(&p).await;
        raw.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let rest = raw.rest().await;
        assert!(!rest.ends_with(b"0\r\n\r\n") && rest.len() < 10 + 4, "{}", String::from_utf8_lossy(&rest));

        // Over HTTP/2 the stream is reset.
        let stream = tokio::net::TcpStream::connect(p.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(asking(&p, "GET", "/", "")).await.unwrap();
        assert!(response.into_body().collect().await.is_err());
        p.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_reaches_a_client_that_still_sends() {
    let p = start().await;
    blunt(&p, "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno", Duration::from_secs(5));
    let answer = p.send(asking(&p, "POST", "/api/v1/x", &"x".repeat(600_000))).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (401, "no"));
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_too_much_waits_without_taking_a_place() {
    let p = start().await;
    let told = "HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 4\r\nretry-after: 7\r\n\r\nmuch";
    blunt(&p, told, Duration::ZERO);
    let mut waiting = Vec::new();
    // More than there are places.
    for _ in 0..300 {
        let mut raw = Raw::new(&p).await;
        raw.send("GET /api/v1/me HTTP/1.1\r\nhost: x\r\n\r\n").await;
        waiting.push(raw);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for mut raw in waiting {
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 429 ") && head.to_ascii_lowercase().contains("retry-after: 7"), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-length: 4"), "{head}");
    }
    p.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_bounded_and_come_back() {
    let p = start().await;
    blunt(&p, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", Duration::from_secs(60));
    let mut held = Vec::new();
    for _ in 0..256 {
        let mut raw = Raw::new(&p).await;
        raw.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        held.push(raw);
    }
    for raw in &mut held {
        raw.head().await;
    }
    let answer = p.send(asking(&p, "GET", "/api/v1/me", "")).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (503, Some("console.busy")));
    drop(held);
    for n in 0.. {
        if UnixStream::connect(socket(&p.endpoint)).await.is_ok() {
            let answer = asking(&p, "HEAD", "/", "");
            if p.send(answer).await.status == 200 {
                break;
            }
        }
        assert!(n < 200, "places do not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    p.stop().await;
}
