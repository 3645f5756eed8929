//! The load generator: bare HTTP/1.1 connections that each send one request after the other.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What to send, how, for how long.
pub(crate) struct Plan {
    pub(crate) target: SocketAddr,
    pub(crate) request: Vec<u8>,
    pub(crate) connections: usize,
    pub(crate) time: Duration,
}

/// What came of it.
#[derive(Default, Debug)]
pub(crate) struct Outcome {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    /// Microseconds of every call, sorted.
    pub(crate) whole: Vec<u32>,
    /// Microseconds to the first byte of every call, sorted.
    pub(crate) first: Vec<u32>,
}

impl Outcome {
    pub(crate) fn median(sorted: &[u32]) -> u32 {
        sorted.get(sorted.len() / 2).copied().unwrap_or(0)
    }
}

/// The request text for a chat completion of about `bytes` bytes.
pub(crate) fn chat(path: &str, key: &str, model: &str, bytes: usize, stream: bool) -> Vec<u8> {
    let head =
        format!(r#"{{"model":"{model}","stream":{stream},"max_tokens":100,"messages":[{{"role":"user","content":""#);
    let tail = r#""}]}"#;
    let filler = "The quick brown fox jumps over the lazy dog. ";
    let fill = bytes.saturating_sub(head.len() + tail.len());
    let text: String = filler.chars().cycle().take(fill).collect();
    let body = format!("{head}{text}{tail}");
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Runs the plan.
pub(crate) async fn run(plan: Plan) -> Result<Outcome> {
    let plan = Arc::new(plan);
    let failures = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + plan.time;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..plan.connections {
        let (plan, failures) = (Arc::clone(&plan), Arc::clone(&failures));
        tasks.spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let Ok(mut connection) = Connection::open(plan.target).await else {
                    failures.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                while Instant::now() < end {
                    match connection.call(&plan.request).await {
                        Ok(answer) if answer.status == 200 => times.push((answer.first, answer.whole)),
                        Ok(_) | Err(_) => {
                            failures.fetch_add(1, Ordering::Relaxed);
                            break;
                        }
                    }
                }
            }
            times
        });
    }
    let mut outcome = Outcome::default();
    while let Some(times) = tasks.join_next().await {
        for (first, whole) in times? {
            outcome.first.push(first);
            outcome.whole.push(whole);
        }
    }
    outcome.calls = u64::try_from(outcome.whole.len())?;
    outcome.failures = failures.load(Ordering::Relaxed);
    outcome.whole.sort_unstable();
    outcome.first.sort_unstable();
    Ok(outcome)
}

pub(crate) struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Microseconds to the first byte.
    first: u32,
    /// Microseconds to the last byte.
    whole: u32,
}

impl Connection {
    async fn open(target: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect(target).await?)
    }

    pub(crate) fn over(socket: TcpStream) -> Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: vec![0; 64 * 1024] })
    }

    /// Sends the request and reads the whole answer.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Result<Answer> {
        let begun = Instant::now();
        self.socket.write_all(request).await?;
        let mut seen: Vec<u8> = Vec::new();
        let mut first = None;
        let (mut framing, mut status) = (None, 0);
        loop {
            let n = self.socket.read(&mut self.buffer).await?;
            if n == 0 {
                bail!("closed early");
            }
            first.get_or_insert_with(|| micros(begun));
            let bytes = self.buffer.get(..n).unwrap_or_default();
            match &mut framing {
                None => {
                    seen.extend_from_slice(bytes);
                    if let Some(at) = memchr::memmem::find(&seen, b"\r\n\r\n") {
                        let head = String::from_utf8_lossy(seen.get(..at).unwrap_or_default()).to_ascii_lowercase();
                        let code = head.strip_prefix("http/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
                        status = code.context("no HTTP")?;
                        let body = seen.len() - at - 4;
                        framing = Some(if head.contains("transfer-encoding: chunked") {
                            Framing::Chunked { tail: seen.split_off(at + 4) }
                        } else {
                            let length: usize = head
                                .lines()
                                .find_map(|l| l.strip_prefix("content-length:"))
                                .and_then(|v| v.trim().parse().ok())
                                .context("no length")?;
                            Framing::Length { missing: length.saturating_sub(body) }
                        });
                    }
                }
                Some(Framing::Length { missing }) => *missing = missing.saturating_sub(n),
                Some(Framing::Chunked { tail }) => {
                    tail.extend_from_slice(bytes);
                    let cut = tail.len().saturating_sub(8);
                    tail.drain(..cut);
                }
            }
            let whole = match &framing {
                Some(Framing::Length { missing }) => *missing == 0,
                Some(Framing::Chunked { tail }) => tail.ends_with(b"0\r\n\r\n"),
                None => false,
            };
            if whole {
                return Ok(Answer { status, first: first.unwrap_or(0), whole: micros(begun) });
            }
        }
    }
}

enum Framing {
    Length { missing: usize },
    Chunked { tail: Vec<u8> },
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}
