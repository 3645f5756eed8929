//! A flood of sign-ins: from as many addresses as there are connections, with passwords that are wrong, as fast as answers
//! come. It is a process of its own of the lowest priority, since who attacks uses other machines than the one attacked.

use crate::load::Connection;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;
use tokio::process::{Child, Command};

/// Connections, each from an address and a network of its own.
const CONNECTIONS: u8 = 128;

/// Starts the flood beside this process.
pub(crate) fn start(target: SocketAddr, time: Duration) -> Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = Command::new("nice");
    command
        .args(["-n", "19"])
        .arg(program)
        .arg(format!("--flood={target}"))
        .arg(format!("--seconds={}", time.as_secs()));
    command.stdout(Stdio::piped()).kill_on_drop(true).spawn().context("nice, of the coreutils, is not there")
}

/// What that process does; says how many answers of which status came.
pub(crate) async fn run(target: SocketAddr, time: Duration) -> Result<String> {
    let answers = Arc::new(Mutex::new(BTreeMap::<u16, u64>::new()));
    let end = Instant::now() + time;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..CONNECTIONS {
        let answers = Arc::clone(&answers);
        tasks.spawn(async move {
            while Instant::now() < end {
                let mut connection = open(target, n).await?;
                for attempt in 0_u64.. {
                    let Ok(answer) = connection.call(&sign_in(n, attempt)).await else { break };
                    if let Ok(mut answers) = answers.lock() {
                        *answers.entry(answer.status).or_default() += 1;
                    }
                    if Instant::now() >= end {
                        break;
                    }
                }
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let answers = answers.lock().map_err(|_| anyhow::anyhow!("a connection panicked"))?;
    Ok(answers.iter().map(|(status, count)| format!("{count} x {status}")).collect::<Vec<_>>().join(", "))
}

async fn open(target: SocketAddr, n: u8) -> Result<Connection> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 1, n, 1), 0)))?;
    Connection::over(socket.connect(target).await?)
}

fn sign_in(n: u8, attempt: u64) -> Vec<u8> {
    let body = format!(r#"{{"who":"somebody-{n}-{attempt}","password":"wrong horse {attempt}"}}"#);
    let length = body.len();
    format!(
        "POST /api/v1/sign-in/password HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
