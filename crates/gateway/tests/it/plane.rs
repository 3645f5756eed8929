//! A control plane in memory, enough of one to hold a gateway to its word.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tacit_kernel::ids::fresh;
use tacit_kernel::{Clock, SystemClock};
use tacit_link::wire::control_plane_server::ControlPlane;
use tacit_link::wire::{self, update::Kind};
use tacit_link::{Checked, Endpoint, Listener, convert};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

pub(crate) const PEPPER: [u8; 32] = [7; 32];

/// An id as it stands in call events.
pub(crate) fn event_id(id: &[u8]) -> Option<wire::Id> {
    convert::id::<uuid::Uuid>("id", id).ok().map(Into::into)
}

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) keys: HashMap<Vec<u8>, wire::KeyGrant>,
    pub(crate) wallet: i64,
    /// Leased to the gateway and not yet charged or given back.
    pub(crate) leased: i64,
    /// Charged beyond what was leased, straight from the wallet.
    pub(crate) beyond: i64,
    answered: HashMap<u64, i64>,
    pub(crate) begun: HashSet<wire::Id>,
    pub(crate) ended: HashMap<wire::Id, wire::Ended>,
    /// How often each call was reported as ended, batches sent twice left out.
    pub(crate) times: HashMap<wire::Id, u32>,
    batch: u64,
    session: Vec<u8>,
}

impl Books {
    /// A key, with what was settled of its calls so far.
    fn grant(&self, hash: &[u8]) -> Option<wire::KeyGrant> {
        let grant = self.keys.get(hash)?;
        let spent = |of: &dyn Fn(&wire::Begun) -> bool| {
            let calls = self.ended.values().filter(|e| e.begun.as_ref().is_some_and(of));
            let sum = calls.map(|e| e.amount).sum();
            Some(wire::Spend { day: sum, month: sum, total: sum, as_of: SystemClock.now().0 })
        };
        // Of all keys that share it.
        let budgets = grant.budgets.iter().map(|shared| {
            let sharing = |g: &&wire::KeyGrant| g.budgets.iter().any(|other| other.id == shared.id);
            let keys: Vec<_> = self.keys.values().filter(sharing).map(|g| event_id(&g.key)).collect();
            wire::SharedBudget { spend: spent(&|begun| keys.contains(&begun.key)), ..shared.clone() }
        });
        Some(wire::KeyGrant {
            budgets: budgets.collect(),
            key_spend: spent(&|begun| begun.key == event_id(&grant.key)),
            account_spend: spent(&|begun| begun.account == event_id(&grant.account)),
            ..grant.clone()
        })
    }

    /// The session has ended: what was leased goes back to the wallet, and the next one begins.
    pub(crate) fn next_session(&mut self) {
        self.session = fresh().as_bytes().to_vec();
        self.wallet += std::mem::take(&mut self.leased);
        self.answered.clear();
        self.batch = 0;
    }
}

pub(crate) struct Plane {
    pub(crate) books: Mutex<Books>,
    pub(crate) strict: bool,
    pub(crate) catalog: Mutex<wire::Catalog>,
    pub(crate) updates: broadcast::Sender<Kind>,
    /// Events are taken but not acknowledged.
    pub(crate) silent: AtomicBool,
    /// Nothing can be committed: what events come on ends.
    pub(crate) full: AtomicBool,
    /// How often a gateway began to watch, and was sent the whole catalogue.
    pub(crate) watches: AtomicUsize,
    /// Look-ups of keys fail.
    pub(crate) blind: AtomicBool,
    /// Look-ups of keys that are not known never end.
    pub(crate) pensive: AtomicBool,
    /// Answers to look-ups of keys are on their way for as long as this holds.
    pub(crate) delayed: AtomicBool,
    pub(crate) lookups: AtomicUsize,
    pub(crate) leases: AtomicUsize,
    /// Milliseconds until a lease is answered.
    pub(crate) slow: AtomicU64,
    /// Lease requests up to that number are refused as old.
    pub(crate) old: AtomicU64,
}

type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Plane {
    pub(crate) fn new(wallet: i64, catalog: wire::Catalog, strict: bool) -> Arc<Self> {
        let books = Books { wallet, session: fresh().as_bytes().to_vec(), ..Books::default() };
        Arc::new(Self {
            books: Mutex::new(books),
            strict,
            catalog: Mutex::new(catalog),
            updates: broadcast::channel(64).0,
            silent: AtomicBool::new(false),
            full: AtomicBool::new(false),
            watches: AtomicUsize::new(0),
            blind: AtomicBool::new(false),
            pensive: AtomicBool::new(false),
            delayed: AtomicBool::new(false),
            lookups: AtomicUsize::new(0),
            leases: AtomicUsize::new(0),
            slow: AtomicU64::new(0),
            old: AtomicU64::new(0),
        })
    }

    /// Serves in a runtime of its own, so that killing it takes its connections with it.
    pub(crate) fn listen(self: &Arc<Self>, endpoint: &Endpoint) -> Served {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (plane, endpoint) = (Service(Arc::clone(self)), endpoint.clone());
        runtime.spawn(async move {
            let listener = Listener::bind(&endpoint).await.unwrap();
            tacit_link::serve(listener, None, plane, std::future::pending()).await.unwrap();
        });
        Served(Some(runtime))
    }

    /// The record of the only call, when it has come.
    pub(crate) async fn only_call(&self) -> wire::Ended {
        self.calls(1).await.remove(0)
    }

    pub(crate) async fn calls(&self, count: usize) -> Vec<wire::Ended> {
        for _ in 0..500 {
            {
                let books = self.books.lock().unwrap();
                if books.ended.len() >= count {
                    assert_eq!(books.ended.len(), count);
                    assert!(books.times.values().all(|n| *n == 1), "a call ended twice");
                    return books.ended.values().cloned().collect();
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no record of the call came");
    }
}

/// Serves until it is dropped; then it is gone at once and without a word to its clients.
pub(crate) struct Served(Option<tokio::runtime::Runtime>);

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone)]
struct Service(Arc<Plane>);

#[tonic::async_trait]
impl ControlPlane for Service {
    type WatchStream = Out<wire::Update>;
    type RecordStream = Out<wire::Ack>;

    async fn open(&self, request: Request<wire::Hello>) -> Result<Response<wire::Welcome>, Status> {
        request.get_ref().check()?;
        let books = self.0.books.lock().unwrap();
        Ok(Response::new(wire::Welcome {
            session: books.session.clone(),
            currency: "USD".into(),
            strict_settlement: self.0.strict,
            acknowledged: books.batch,
            key_pepper: PEPPER.to_vec(),
        }))
    }

    async fn watch(&self, _: Request<wire::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        self.0.watches.fetch_add(1, SeqCst);
        let (send, receive) = mpsc::channel(16);
        let mut updates = self.0.updates.subscribe();
        let first = Kind::Catalog(self.0.catalog.lock().unwrap().clone());
        tokio::spawn(async move {
            let _ = send.send(Ok(wire::Update { kind: Some(first) })).await;
            while let Ok(kind) = updates.recv().await {
                if send.send(Ok(wire::Update { kind: Some(kind) })).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
    }

    async fn key(&self, request: Request<wire::KeyRequest>) -> Result<Response<wire::KeyReply>, Status> {
        if self.0.blind.load(SeqCst) {
            self.0.lookups.fetch_add(1, SeqCst);
            return Err(Status::unavailable("blind"));
        }
        let grant = self.0.books.lock().unwrap().grant(&request.into_inner().hash);
        self.0.lookups.fetch_add(1, SeqCst);
        while self.0.delayed.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if grant.is_none() && self.0.pensive.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(wire::KeyReply { grant }))
    }

    async fn lease(&self, request: Request<wire::LeaseRequest>) -> Result<Response<wire::LeaseReply>, Status> {
        self.0.leases.fetch_add(1, SeqCst);
        let request = request.into_inner();
        request.check()?;
        tokio::time::sleep(Duration::from_millis(self.0.slow.load(SeqCst))).await;
        if request.request <= self.0.old.load(SeqCst) {
            return Err(Status::failed_precondition("lease.request_old"));
        }
        let mut books = self.0.books.lock().unwrap();
        if request.session != books.session {
            return Err(Status::not_found("session.ended"));
        }
        if let Some(granted) = books.answered.get(&request.request) {
            return Ok(Response::new(wire::LeaseReply { granted: *granted, left: books.wallet }));
        }
        books.wallet += request.give_back;
        books.leased -= request.give_back;
        assert!(books.leased >= 0, "more was given back than was leased");
        let granted = if books.wallet >= request.need { request.want.min(books.wallet) } else { 0 };
        books.wallet -= granted;
        books.leased += granted;
        books.answered.insert(request.request, granted);
        Ok(Response::new(wire::LeaseReply { granted, left: books.wallet }))
    }

    async fn record(&self, request: Request<Streaming<wire::Events>>) -> Result<Response<Self::RecordStream>, Status> {
        let mut events = request.into_inner();
        let (send, receive) = mpsc::channel(64);
        let plane = Arc::clone(&self.0);
        tokio::spawn(async move {
            while let Some(Ok(batch)) = events.next().await {
                batch.check().unwrap();
                if plane.full.load(SeqCst) {
                    let _ = send.send(Err(Status::unavailable("full"))).await;
                    return;
                }
                while plane.silent.load(SeqCst) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let number = batch.batch;
                {
                    let mut books = plane.books.lock().unwrap();
                    if number == books.batch + 1 {
                        books.batch = number;
                        books.begun.extend(batch.begun.into_iter().filter_map(|b| b.call));
                        for ended in batch.ended {
                            let call = ended.begun.as_ref().unwrap().call.unwrap();
                            let beyond = (ended.amount - books.leased).max(0);
                            books.leased -= ended.amount - beyond;
                            books.wallet -= beyond;
                            books.beyond += beyond;
                            assert!(books.wallet >= 0, "more was charged than there was");
                            *books.times.entry(call).or_default() += 1;
                            books.ended.insert(call, ended);
                        }
                    } else {
                        assert!(number <= books.batch, "a gap between batches");
                    }
                }
                if send.send(Ok(wire::Ack { batch: number })).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
    }

    async fn close(&self, _: Request<wire::CloseRequest>) -> Result<Response<wire::CloseReply>, Status> {
        Ok(Response::new(wire::CloseReply {}))
    }
}
