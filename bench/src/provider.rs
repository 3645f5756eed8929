//! The mock provider: a bare HTTP/1.1 server that costs as little as it can, so that the machine's time goes to what is
//! measured. One port per behaviour.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a port answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    /// A whole answer after this pause.
    Json { pause: Duration },
    /// An event stream: that many events, that long apart (zero: as fast as they can be written, one write each).
    Stream { events: usize, gap: Duration },
}

/// Starts a port and returns its address.
pub(crate) async fn serve(behaviour: Behaviour) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answer = Arc::new(Answer::new(behaviour));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = socket.set_nodelay(true);
            tokio::spawn(serve_one(socket, Arc::clone(&answer)));
        }
    });
    Ok(address)
}

struct Answer {
    behaviour: Behaviour,
    /// Head and body of a whole answer, or the head of a stream.
    head: Vec<u8>,
    event: Vec<u8>,
    last: Vec<u8>,
}

impl Answer {
    fn new(behaviour: Behaviour) -> Self {
        let usage = r#""usage":{"prompt_tokens":250,"completion_tokens":50,"total_tokens":300}"#;
        match behaviour {
            Behaviour::Json { .. } => {
                let body = format!(
                    r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}"}},"finish_reason":"stop"}}],{usage}}}"#,
                    "word ".repeat(50)
                );
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                Self { behaviour, head: head.into(), event: Vec::new(), last: Vec::new() }
            }
            Behaviour::Stream { .. } => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                let event = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}],"usage":null}"#;
                let last = format!(
                    r#"data: {{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"bench","choices":[],{usage}}}"#
                );
                let mut end = chunk(&format!("{last}\n\n"));
                end.extend(chunk("data: [DONE]\n\n"));
                end.extend(b"0\r\n\r\n");
                Self { behaviour, head: head.into(), event: chunk(&format!("{event}\n\n")), last: end }
            }
        }
    }
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

async fn serve_one(mut socket: TcpStream, answer: Arc<Answer>) {
    let mut buffer = vec![0_u8; 64 * 1024];
    let mut filled = 0;
    loop {
        // One request at a time: head, then as many bytes as it announces.
        let (head_end, length) = loop {
            if let Some(at) = buffer.get(..filled).and_then(|b| memchr::memmem::find(b, b"\r\n\r\n")) {
                let length = buffer.get(..at).map_or(Some(0), body_length);
                break (at + 4, length);
            }
            match buffer.get_mut(filled..) {
                Some(free) if !free.is_empty() => match socket.read(free).await {
                    Ok(0) | Err(_) => return,
                    Ok(n) => filled += n,
                },
                _ => return,
            }
        };
        match length {
            Some(length) => {
                let mut missing = (head_end + length).saturating_sub(filled);
                while missing > 0 {
                    match socket.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(n) => missing = missing.saturating_sub(n),
                    }
                }
            }
            None => {
                // Chunked: the generator's bodies never hold the terminator by chance.
                let mut tail: Vec<u8> = buffer.get(head_end..filled).unwrap_or_default().to_vec();
                while !tail.ends_with(b"0\r\n\r\n") {
                    match socket.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(n) => {
                            tail.extend_from_slice(buffer.get(..n).unwrap_or_default());
                            let cut = tail.len().saturating_sub(16);
                            tail.drain(..cut);
                        }
                    }
                }
            }
        }
        filled = 0;
        if respond(&mut socket, &answer).await.is_err() {
            return;
        }
    }
}

/// `None`: chunked.
fn body_length(head: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        return None;
    }
    let length = text.lines().find_map(|l| l.strip_prefix("content-length:")).and_then(|v| v.trim().parse().ok());
    Some(length.unwrap_or(0))
}

async fn respond(socket: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    match answer.behaviour {
        Behaviour::Json { pause } => {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            socket.write_all(&answer.head).await
        }
        Behaviour::Stream { events, gap } => {
            socket.write_all(&answer.head).await?;
            for _ in 0..events {
                socket.write_all(&answer.event).await?;
                if gap.is_zero() {
                    tokio::task::yield_now().await;
                } else {
                    tokio::time::sleep(gap).await;
                }
            }
            socket.write_all(&answer.last).await
        }
    }
}
