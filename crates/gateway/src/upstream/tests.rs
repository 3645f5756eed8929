//! Against a provider that does exactly what the test says.

use super::*;
use bytes::Bytes;
use std::sync::Arc;
use tacit_protocol::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

struct Scene {
    upstream: Upstream,
    listener: TcpListener,
    target: Uri,
}

impl Scene {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}/v1/x", listener.local_addr().unwrap()).parse().unwrap();
        Self { upstream: Upstream::new(Duration::from_secs(5)).unwrap(), listener, target }
    }

    async fn send(&self, body: &'static [u8]) -> Result<Answer, Failure> {
        let request = Request { target: &self.target, headers: &[], credential: None, allow_private: true };
        let chunks = || {
            let mut sent = Body::new();
            body.chunks(100_000).for_each(|c| sent.push(Bytes::from_static(c)));
            sent.into_chunks_for_provider()
        };
        self.upstream.send(request, chunks).await
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    fn idle(&self) -> usize {
        self.upstream.hosts.find(&self.target, true).unwrap().idle()
    }
}

/// Reads one request.
async fn asked(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        assert!(socket.read_buf(&mut text).await.unwrap() > 0, "the connection was closed within a request");
        let text = String::from_utf8_lossy(&text);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            return text.into_owned();
        }
    }
}

async fn all(mut body: AnswerBody) -> Result<String, Failure> {
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        text.extend_from_slice(&data?);
    }
    Ok(String::from_utf8(text).unwrap())
}

async fn closed(socket: &mut TcpStream) {
    let end = tokio::time::timeout(Duration::from_secs(5), socket.read(&mut [0; 16])).await;
    assert!(matches!(end.unwrap(), Ok(0) | Err(_)), "the connection is still open");
}

#[tokio::test]
async fn one_connection_serves_call_after_call() {
    let scene = Scene::new().await;
    let provider = async {
        let mut socket = scene.accept().await;
        for answer in [OK, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"] {
            assert!(asked(&mut socket).await.ends_with("\r\n\r\nbody"));
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    };
    let caller = async {
        for _ in 0..2 {
            assert_eq!(all(scene.send(b"body").await.unwrap().body).await, Ok("hi".to_owned()));
            assert_eq!(scene.idle(), 1);
        }
    };
    tokio::join!(provider, caller);
}

#[tokio::test]
async fn a_pooled_connection_that_was_closed_costs_no_call() {
    let scene = Scene::new().await;
    // Seen before it is used, and seen only when the request got no answer.
    for late in [false, true] {
        let provider = async {
            let mut socket = scene.accept().await;
            asked(&mut socket).await;
            socket.write_all(OK.as_bytes()).await.unwrap();
            if late {
                asked(&mut socket).await;
            }
            drop(socket);
            let mut socket = scene.accept().await;
            assert!(asked(&mut socket).await.ends_with("second"));
            socket.write_all(OK.as_bytes()).await.unwrap();
            // A second failure is one: there is no endless repeating.
            asked(&mut socket).await;
            drop(socket);
            drop(scene.accept().await);
        };
        let caller = async {
            all(scene.send(b"first").await.unwrap().body).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(all(scene.send(b"second").await.unwrap().body).await, Ok("hi".to_owned()));
            assert_eq!(scene.send(b"third").await.err(), Some(Failure::Unreachable));
        };
        tokio::join!(provider, caller);
    }
}

#[tokio::test]
async fn what_comes_unasked_answers_no_one() {
    let scene = Scene::new().await;
    let provider = async {
        let mut socket = scene.accept().await;
        asked(&mut socket).await;
        socket.write_all(format!("{OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfake").as_bytes()).await.unwrap();
        let mut second = scene.accept().await;
        asked(&mut second).await;
        second.write_all(OK.as_bytes()).await.unwrap();
        // And when it comes later.
        tokio::time::sleep(Duration::from_millis(20)).await;
        second.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfake").await.unwrap();
        let mut third = scene.accept().await;
        asked(&mut third).await;
        third.write_all(OK.as_bytes()).await.unwrap();
    };
    let caller = async {
        for _ in 0..3 {
            assert_eq!(all(scene.send(b"").await.unwrap().body).await, Ok("hi".to_owned()));
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    };
    tokio::join!(provider, caller);
}

#[tokio::test]
async fn an_early_refusal_is_heard_while_the_body_is_written() {
    static LARGE: [u8; 16 << 20] = [b'x'; 16 << 20];
    let scene = Scene::new().await;
    let provider = async {
        let mut socket = scene.accept().await;
        socket.read_exact(&mut [0; 1000]).await.unwrap();
        socket.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
        socket
    };
    let caller = async {
        let answer = scene.send(&LARGE).await.unwrap();
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(all(answer.body).await, Ok("no".to_owned()));
        assert_eq!(scene.idle(), 0);
    };
    tokio::join!(provider, caller);
}

#[tokio::test]
async fn an_answer_that_begins_early_still_gets_the_whole_request() {
    static LARGE: [u8; 16 << 20] = [b'x'; 16 << 20];
    let scene = Scene::new().await;
    let provider = async {
        let mut socket = scene.accept().await;
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nh").await.unwrap();
        asked(&mut socket).await;
        socket.write_all(b"i").await.unwrap();
    };
    let caller = async {
        assert_eq!(all(scene.send(&LARGE).await.unwrap().body).await, Ok("hi".to_owned()));
        assert_eq!(scene.idle(), 1);
    };
    tokio::join!(provider, caller);
}

#[tokio::test]
async fn nobody_waiting_closes_the_connection() {
    let scene = Scene::new().await;
    // Before the answer, and within it.
    let waiting = tokio::time::timeout(Duration::from_millis(50), scene.send(b"x"));
    let (mut socket, answer) = tokio::join!(scene.accept(), waiting);
    assert!(answer.is_err());
    asked(&mut socket).await;
    closed(&mut socket).await;
    let provider = async {
        let mut socket = scene.accept().await;
        asked(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n").await.unwrap();
        closed(&mut socket).await;
    };
    let caller = async {
        let mut answer = scene.send(b"x").await.unwrap();
        assert_eq!(answer.body.data().await.unwrap().unwrap(), "hi");
        drop(answer);
        assert_eq!(scene.idle(), 0);
    };
    tokio::join!(provider, caller);
}

#[tokio::test]
async fn one_that_is_left_comes_back_with_the_end_of_the_coding() {
    let scene = Scene::new().await;
    let mut socket = {
        let provider = async {
            let mut socket = scene.accept().await;
            asked(&mut socket).await;
            socket.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n").await.unwrap();
            socket
        };
        let caller = async {
            let mut answer = scene.send(b"x").await.unwrap();
            assert_eq!(answer.body.data().await.unwrap().unwrap(), "hi");
            answer.body.leave();
        };
        tokio::join!(provider, caller).0
    };
    assert_eq!(scene.idle(), 0);
    socket.write_all(b"0\r\n\r\n").await.unwrap();
    for _ in 0..500 {
        if scene.idle() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the connection did not come back");
}

#[tokio::test]
async fn what_is_cut_or_malformed_is_broken() {
    for (wire, head) in [
        ("HTTP/1.1 200 OK\r\ncontent-le", Some(Failure::Broken)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", Some(Failure::Broken)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz", Some(Failure::Broken)),
        ("HTTP/1.1 100 Continue\r\n\r\n", Some(Failure::Broken)),
        ("", Some(Failure::Unreachable)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi", None),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n", None),
    ] {
        let scene = Scene::new().await;
        let provider = async {
            let mut socket = scene.accept().await;
            asked(&mut socket).await;
            socket.write_all(wire.as_bytes()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(scene.send(b"x"), provider);
        match head {
            Some(failure) => assert_eq!(answer.err(), Some(failure), "{wire:?}"),
            None => assert_eq!(all(answer.unwrap().body).await, Err(Failure::Broken), "{wire:?}"),
        }
        assert_eq!(scene.idle(), 0);
    }
}

#[tokio::test]
async fn over_tls_to_the_name_of_the_certificate_only() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let mut scene = Scene::new().await;
    scene.upstream.connector = Connector::trusting(roots, Duration::from_secs(5)).unwrap();
    let port = scene.listener.local_addr().unwrap().port();
    for (host, calls) in [("localhost", 2), ("127.0.0.1", 0)] {
        scene.target = format!("https://{host}:{port}/").parse().unwrap();
        let provider = async {
            let Ok(mut socket) = acceptor.accept(scene.accept().await).await else { return };
            for _ in 0..calls {
                let mut seen = Vec::new();
                while !seen.ends_with(b"body") {
                    socket.read_buf(&mut seen).await.unwrap();
                }
                socket.write_all(OK.as_bytes()).await.unwrap();
            }
        };
        let caller = async {
            for _ in 0..calls {
                assert_eq!(all(scene.send(b"body").await.unwrap().body).await, Ok("hi".to_owned()));
                assert_eq!(scene.idle(), 1);
            }
            if calls == 0 {
                assert_eq!(scene.send(b"body").await.err(), Some(Failure::Unreachable));
            }
        };
        tokio::join!(provider, caller);
    }
}

#[tokio::test]
async fn a_connection_to_anywhere_is_not_used_where_only_public_addresses_may_be() {
    let scene = Scene::new().await;
    let provider = async {
        let mut socket = scene.accept().await;
        asked(&mut socket).await;
        socket.write_all(OK.as_bytes()).await.unwrap();
        socket
    };
    let (_open, answer) = tokio::join!(provider, scene.send(b"x"));
    all(answer.unwrap().body).await.unwrap();
    assert_eq!(scene.idle(), 1);
    let request = Request { target: &scene.target, headers: &[], credential: None, allow_private: false };
    assert_eq!(scene.upstream.send(request, Chunks::default).await.err(), Some(Failure::Unreachable));
}
