//! A service that only knows how to say hello, reached over both kinds of socket.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tacit_link::wire::control_plane_server::ControlPlane;
use tacit_link::wire::{
    Ack, CloseReply, CloseRequest, Events, Hello, KeyReply, KeyRequest, LeaseReply, LeaseRequest, Update, WatchRequest,
    Welcome,
};
use tacit_link::{Endpoint, LinkError, Listener, Tls, connect, serve};
use tokio::sync::oneshot;
use tokio_stream::Empty;
use tonic::{Code, Request, Response, Status, Streaming};

struct Greeter;

#[tonic::async_trait]
impl ControlPlane for Greeter {
    type WatchStream = Empty<Result<Update, Status>>;
    type RecordStream = Empty<Result<Ack, Status>>;

    async fn open(&self, hello: Request<Hello>) -> Result<Response<Welcome>, Status> {
        let acknowledged = u64::try_from(hello.into_inner().gateway.len()).unwrap();
        Ok(Response::new(Welcome { acknowledged, ..Welcome::default() }))
    }
    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented(""))
    }
    async fn key(&self, _: Request<KeyRequest>) -> Result<Response<KeyReply>, Status> {
        Err(Status::unimplemented(""))
    }
    async fn lease(&self, _: Request<LeaseRequest>) -> Result<Response<LeaseReply>, Status> {
        Err(Status::unimplemented(""))
    }
    async fn record(&self, _: Request<Streaming<Events>>) -> Result<Response<Self::RecordStream>, Status> {
        Err(Status::unimplemented(""))
    }
    async fn close(&self, _: Request<CloseRequest>) -> Result<Response<CloseReply>, Status> {
        Err(Status::unimplemented(""))
    }
}

struct Running {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), LinkError>>,
}

impl Running {
    fn start(listener: Listener, tls: Option<Tls>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            serve(listener, tls.as_ref(), Greeter, async {
                let _ = stopped.await;
            })
            .await
        });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(5), self.task).await.unwrap().unwrap().unwrap();
    }
}

fn hello() -> Hello {
    Hello { gateway: "four".into(), ..Hello::default() }
}

#[tokio::test]
async fn a_unix_socket_is_private_and_the_client_finds_its_way_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("link.sock");
    let endpoint = Endpoint::Unix(path.clone());
    let mut client = connect(&endpoint, None).unwrap().client();
    assert_eq!(client.open(hello()).await.unwrap_err().code(), Code::Unavailable);

    let server = Running::start(Listener::bind(&endpoint).await.unwrap(), None);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(client.open(hello()).await.unwrap().into_inner().acknowledged, 4);
    assert!(matches!(Listener::bind(&endpoint).await, Err(LinkError::InUse(_))));
    server.stop().await;
    assert!(client.open(hello()).await.is_err());

    // The file is still there, as after a kill; the next process takes its place.
    assert!(path.exists());
    let server = Running::start(Listener::bind(&endpoint).await.unwrap(), None);
    assert_eq!(client.open(hello()).await.unwrap().into_inner().acknowledged, 4);
    server.stop().await;
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate of this authority, held by one who trusts `trusted`.
    fn side(&self, name: &str, trusted: &Self) -> Tls {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.into()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        Tls::new(trusted.pem.clone().into_bytes(), cert.pem().into_bytes(), key.serialize_pem().into_bytes())
    }
}

#[tokio::test]
async fn over_tcp_both_sides_must_show_a_certificate_of_the_right_authority() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let listener = Listener::bind(&"tcp://127.0.0.1:0".parse().unwrap()).await.unwrap();
    let port = listener.tcp_address().unwrap().unwrap().port();
    let endpoint = Endpoint::Tcp { host: "localhost".into(), port };
    let server = Running::start(listener, Some(ours.side("localhost", &ours)));

    let mut good = connect(&endpoint, Some(&ours.side("gateway", &ours))).unwrap().client();
    assert_eq!(good.open(hello()).await.unwrap().into_inner().acknowledged, 4);

    let wrong = [
        ("its certificate is of another authority", ours.side("gateway", &theirs), &endpoint),
        ("our certificate is of another authority", theirs.side("gateway", &ours), &endpoint),
        ("another name", ours.side("gateway", &ours), &Endpoint::Tcp { host: "127.0.0.1".into(), port }),
    ];
    for (why, tls, endpoint) in wrong {
        let mut client = connect(endpoint, Some(&tls)).unwrap().client();
        assert!(client.open(hello()).await.is_err(), "{why}");
    }
    // No certificate at all: a client that is not ours.
    let plain = tonic::transport::Endpoint::from_shared(format!("http://localhost:{port}")).unwrap();
    let mut plain = tacit_link::Client::new(plain.connect_lazy());
    assert!(plain.open(hello()).await.is_err());
    assert!(good.open(hello()).await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn plain_tcp_is_refused_on_both_sides() {
    let tcp: Endpoint = "tcp://127.0.0.1:0".parse().unwrap();
    assert!(matches!(connect(&tcp, None), Err(LinkError::TlsRequired)));
    let listener = Listener::bind(&tcp).await.unwrap();
    assert!(matches!(serve(listener, None, Greeter, async {}).await, Err(LinkError::TlsRequired)));
    let ours = Authority::new();
    let unix = Endpoint::Unix("/nowhere/link.sock".into());
    assert!(matches!(connect(&unix, Some(&ours.side("a", &ours))), Err(LinkError::TlsUnused)));
    let bad = Tls::new(b"no".to_vec(), b"certificate".to_vec(), b"here".to_vec());
    assert!(matches!(connect(&"tcp://a:1".parse().unwrap(), Some(&bad)), Err(LinkError::Transport(_))));
}
