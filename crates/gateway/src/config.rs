//! What the program that starts a gateway decides for it. Nothing here is read from the environment.

use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Everything a gateway is told at its start.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Name, unique in the cluster.
    pub name: String,
    /// The public address.
    pub listen: SocketAddr,
    /// Where `/healthz`, `/readyz` and `/metrics` are served, if anywhere. Never the public address.
    pub admin_listen: Option<SocketAddr>,
    /// Certificate of the public address; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// Where the control plane is.
    pub link: tacit_link::Endpoint,
    /// Certificates of the link, if it is over TCP.
    pub link_tls: Option<tacit_link::Tls>,
    /// Where the console is, to which requests that are no calls are forwarded; without, they are answered 404.
    pub console: Option<tacit_link::Endpoint>,
    /// Whether the process locks itself in.
    pub sandbox: Sandbox,
    /// Client connections at the same time, as far as the limit of open files allows; more wait to be accepted.
    pub max_connections: usize,
    /// Calls at the same time; more are refused.
    pub max_calls: usize,
    /// Largest request body, in bytes.
    pub max_body_bytes: u64,
    /// Largest answer that is no stream, in bytes.
    pub max_answer_bytes: u64,
    /// Most memory for the request bodies and the whole answers of all calls, in bytes; calls beyond it are refused.
    pub max_bodies_bytes: u64,
    /// Attempts at a provider that a call makes at most.
    pub max_attempts: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Threads that serve, each its own connections.
    pub workers: usize,
    /// Events that may wait for their acknowledgement before new calls are refused.
    pub max_unacknowledged: usize,
    /// Output tokens reserved at first for a call that names no limit, where the model's own is not known.
    pub default_output_tokens: u64,
    /// See [`Timeouts`].
    pub timeouts: Timeouts,
}

/// Files of a certificate, PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate with its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Whether the process locks itself in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// It does, or does not start.
    On,
    /// It does not; every status page says so.
    Off,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// How long a connection may be idle in HTTP/1.1, and how long the head of a request may take.
    pub head: Duration,
    /// Until a request body has arrived.
    pub body: Duration,
    /// Until a connection to a provider stands.
    pub connect: Duration,
    /// Until a provider begins its answer.
    pub first_byte: Duration,
    /// How long a provider may be silent within its answer.
    pub idle: Duration,
    /// How long a streamed answer may be silent before a sign of life is sent to the client.
    pub keep_alive: Duration,
    /// How long a client may leave unread what was sent to it: it would hold its call, and the money reserved for it.
    pub unread: Duration,
    /// How long open calls may go on after a request to stop.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            body: Duration::from_secs(60),
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(300),
            keep_alive: Duration::from_secs(10),
            unread: Duration::from_secs(120),
            drain: Duration::from_secs(60),
        }
    }
}

impl GatewayConfig {
    /// A configuration with the defaults that the example file names.
    #[must_use]
    pub fn new(name: impl Into<String>, listen: SocketAddr, link: tacit_link::Endpoint) -> Self {
        Self {
            name: name.into(),
            listen,
            admin_listen: None,
            tls: None,
            link,
            link_tls: None,
            console: None,
            sandbox: Sandbox::On,
            max_connections: 20_000,
            max_calls: 20_000,
            max_body_bytes: 32 << 20,
            max_answer_bytes: 256 << 20,
            max_bodies_bytes: 2 << 30,
            max_attempts: 4,
            trusted_proxies: Vec::new(),
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            max_unacknowledged: 100_000,
            default_output_tokens: 16_384,
            timeouts: Timeouts::default(),
        }
    }
}
