//! Floods of what costs most of those who are not signed in: from as many addresses as there are connections, as fast as
//! answers come. It is a process of its own of the lowest priority, since who attacks uses other machines than the one attacked.

use crate::load::Connection;
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;
use tokio::process::{Child, Command};

/// Connections, each from an address and a network of its own.
const CONNECTIONS: u8 = 128;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Sign-ins with passwords that are wrong.
    SignIns,
    /// The same, over a new connection each.
    NewConnections,
    /// Codes, each for an address of its own.
    Codes,
    /// What is somebody's own, with cookies of nobody.
    Cookies,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::SignIns, Self::NewConnections, Self::Codes, Self::Cookies];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SignIns => "sign-ins",
            Self::NewConnections => "new-connections",
            Self::Codes => "codes",
            Self::Cookies => "cookies",
        }
    }

    fn request(self, n: u8, attempt: u64) -> Vec<u8> {
        match self {
            Self::SignIns | Self::NewConnections => {
                let body = format!(r#"{{"who":"somebody-{n}-{attempt}","password":"wrong horse {attempt}"}}"#);
                post("/api/v1/sign-in/password", &body)
            }
            Self::Codes => {
                let to = format!("somebody-{n}-{attempt}@example.org");
                post("/api/v1/codes", &format!(r#"{{"purpose":"register","to":{{"email":"{to}"}}}}"#))
            }
            // Both names that the cookie has, for a platform with TLS and one without.
            Self::Cookies => format!(
                "GET /api/v1/me HTTP/1.1\r\nhost: bench\r\n\
                 cookie: tacit-session=bogus-{n}-{attempt}; __Host-tacit-session=bogus-{n}-{attempt}\r\n\r\n"
            )
            .into_bytes(),
        }
    }
}

/// Starts the flood beside this process.
pub(crate) fn start(kind: Kind, target: SocketAddr, time: Duration) -> Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = Command::new("nice");
    command
        .args(["-n", "19"])
        .arg(program)
        .arg(format!("--flood={target}"))
        .arg(format!("--flood-of={}", kind.name()))
        .arg(format!("--seconds={}", time.as_secs()));
    command.stdout(Stdio::piped()).kill_on_drop(true).spawn().context("nice, of the coreutils, is not there")
}

/// What that process does; says how many answers of which status came.
pub(crate) async fn run(kind: Kind, target: SocketAddr, time: Duration) -> Result<String> {
    let answers = Arc::new(Mutex::new(BTreeMap::<u16, u64>::new()));
    let end = Instant::now() + time;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..CONNECTIONS {
        let answers = Arc::clone(&answers);
        tasks.spawn(async move {
            let mut attempt = 0;
            while Instant::now() < end {
                let mut connection = open(target, n).await?;
                loop {
                    attempt += 1;
                    let Ok(answer) = connection.call(&kind.request(n, attempt)).await else { break };
                    if let Ok(mut answers) = answers.lock() {
                        *answers.entry(answer.status).or_default() += 1;
                    }
                    if kind == Kind::NewConnections || Instant::now() >= end {
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

fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
