//! Clients that do not read what they are sent, or read it slowly.

use crate::platform::{Platform, Wishes, chat};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use tacit_kernel::call::{CallStatus, UsageSource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// More than all sockets on the way hold together.
const LONG: usize = 96 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection of HTTP/2 in clear, whose streams take `window` bytes before they are read.
pub(crate) async fn http2(address: SocketAddr, window: u32) -> SendRequest<Full<Bytes>> {
    let socket = TcpStream::connect(address).await.unwrap();
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (sender, connection) = builder.handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A connection of HTTP/1.1 that sent one request and has read nothing.
async fn http1(p: &Platform, body: &str) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(p.address).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        p.key,
        body.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client
}

/// All that still comes of a body.
pub(crate) async fn rest(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole)
}

/// A provider that answers every request with a lot, as fast as it is taken, and counts what was.
pub(crate) struct Flood {
    pub(crate) address: SocketAddr,
    /// Bytes of the body of each answer.
    pub(crate) size: u64,
    sent: Arc<AtomicU64>,
    over: Arc<Notify>,
}

const LAST: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

impl Flood {
    /// Answers with one JSON of about that size.
    pub(crate) async fn whole(size: usize) -> Self {
        let start = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":""#;
        let end = r#""}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
        let text = "x".repeat(size.saturating_sub(start.len() + end.len()));
        Self::start("application/json", vec![start.into(), text.into(), end.into()]).await
    }

    /// Answers with a stream of about that size.
    pub(crate) async fn stream(size: usize) -> Self {
        let event =
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "x".repeat(1000));
        let piece = Bytes::from(event.repeat(64));
        let mut pieces = vec![piece.clone(); size / piece.len()];
        pieces.push(LAST.into());
        Self::start("text/event-stream", pieces).await
    }

    async fn start(kind: &'static str, pieces: Vec<Bytes>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let size = pieces.iter().map(|p| u64::try_from(p.len()).unwrap()).sum();
        let (sent, over) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
        let (counted, ended) = (Arc::clone(&sent), Arc::clone(&over));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (pieces, counted, ended) = (pieces.clone(), Arc::clone(&counted), Arc::clone(&ended));
                tokio::spawn(async move {
                    // One read brings these small requests.
                    let _ = socket.read(&mut [0; 8192]).await;
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n"
                    );
                    let mut taken = socket.write_all(head.as_bytes()).await;
                    for mut piece in pieces {
                        while taken.is_ok() && !piece.is_empty() {
                            taken = socket.write_buf(&mut piece).await.map(|n| {
                                counted.fetch_add(u64::try_from(n).unwrap(), SeqCst);
                            });
                        }
                    }
                    ended.notify_one();
                });
            }
        });
        Self { address, size, sent, over }
    }

    /// How much was taken when an answer ended, whole or not.
    pub(crate) async fn ended(&self) -> u64 {
        let over = tokio::time::timeout(PATIENCE, self.over.notified()).await;
        assert!(over.is_ok(), "the provider is held on to");
        self.sent.load(SeqCst)
    }

    /// How much was taken when nothing is taken any more.
    async fn stands_at(&self) -> u64 {
        let (mut last, mut same) = (0, 0);
        while same < 15 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.sent.load(SeqCst);
            same = if now == last && now > 0 { same + 1 } else { 0 };
            last = now;
        }
        last
    }
}

/// The one call ends as that of a client that went away, and the provider is told.
async fn let_go(p: &Platform, flood: &Flood) {
    assert!(flood.ended().await < flood.size, "the provider was not stopped");
    let call = p.plane.only_call().await;
    assert_eq!(call.status, CallStatus::ClientGone.number());
    // By the published rule: input and what was delivered, by estimate.
    assert_eq!(call.usage_source, UsageSource::Estimate.number());
    let usage = call.usage.unwrap();
    assert!(usage.input > 0 && usage.output > 0 && call.amount > 0, "{usage:?}");
    let_go_of_one(p).await;
}

async fn let_go_of_one(p: &Platform) {
    let counted = async {
        while !p.get_from(p.admin, "/metrics").await.body.contains("tacit_gateway_unread_total 1") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, counted).await.is_ok(), "what nobody reads is kept");
}

fn impatient(provider: Option<SocketAddr>) -> Wishes {
    Wishes { provider, tune: |c| c.timeouts.unread = Duration::from_secs(1), ..generous() }
}

/// Long answers are dear.
fn generous() -> Wishes {
    Wishes { wallet: i64::MAX / 4, ..Wishes::default() }
}

/// A client that no longer reads must not hold its call, and the money reserved for it, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_is_let_go() {
    let flood = Flood::stream(LONG).await;
    let p = Platform::start(impatient(Some(flood.address))).await;
    let client = http1(&p, &chat("chat", r#","stream":true"#)).await;
    let_go(&p, &flood).await;
    drop(client);
    p.stop().await;
}

/// Nor one of HTTP/2 that keeps the connection well and the window of a stream closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_window_stays_closed_is_let_go_and_its_connection_is_not() {
    let flood = Flood::stream(LONG).await;
    let p = Platform::start(impatient(Some(flood.address))).await;
    let mut client = http2(p.address, 1_000).await;
    let request = p.request("/v1/chat/completions", &chat("chat", r#","stream":true"#));
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let_go(&p, &flood).await;
    let error = rest(response.into_body()).await.unwrap_err();
    assert!(error.to_string().contains("reading a body"), "{error}");
    let request = http::Request::get(format!("http://{}/", p.address)).body(Full::default()).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), 200);
    drop(client);
    p.stop().await;
}

/// An answer that is all handed out, but not taken, is memory all the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_answer_is_not_kept_for_a_client_that_does_not_take_it() {
    for more in ["", r#","stream":true"#] {
        let p = Platform::start(impatient(None)).await;
        let mut client = http2(p.address, 100).await;
        let response = client.send_request(p.request("/v1/chat/completions", &chat("chat", more))).await.unwrap();
        p.plane.only_call().await;
        let_go_of_one(&p).await;
        // What was in the window comes, then the end of it; had the answer been kept, it would come now.
        assert!(rest(response.into_body()).await.is_err(), "the answer was kept until it was read");
        drop(client);
        p.stop().await;
    }
}

/// What a client does not take is not taken from the provider either, and nothing of it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_the_provider() {
    let body = chat("chat", r#","stream":true"#);
    let wishes = |flood: &Flood| Wishes { provider: Some(flood.address), ..generous() };

    let flood = Flood::stream(LONG).await;
    let p = Platform::start(wishes(&flood)).await;
    let mut client = http1(&p, &body).await;
    let taken = flood.stands_at().await;
    assert!(taken < flood.size / 2, "{taken} of {} were taken while nobody read", flood.size);
    let mut whole = Vec::new();
    client.read_to_end(&mut whole).await.unwrap();
    let whole = String::from_utf8(whole).unwrap();
    assert!(whole.contains("data: [DONE]\n\n") && u64::try_from(whole.len()).unwrap() > flood.size);
    assert_eq!(flood.ended().await, flood.size);
    p.stop().await;

    let flood = Flood::stream(LONG).await;
    let p = Platform::start(wishes(&flood)).await;
    let mut client = http2(p.address, 65_535).await;
    let response = client.send_request(p.request("/v1/chat/completions", &body)).await.unwrap();
    let taken = flood.stands_at().await;
    assert!(taken < flood.size / 2, "{taken} of {} were taken while nobody read", flood.size);
    let whole = rest(response.into_body()).await.unwrap();
    assert!(whole.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(u64::try_from(whole.len()).unwrap(), flood.size);
    assert_eq!(flood.ended().await, flood.size);
    drop(client);
    p.stop().await;
}
