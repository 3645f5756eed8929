//! The requests of the link, each in a few lines: check, ask the service that knows, answer.

use crate::metrics::{Method, Metrics, Outcome, OutcomeLabel};
use crate::panics::caught;
use crate::settling::Of;
use crate::writer::{Progress, Queue};
use crate::{Shared, events, leases, links, status};
use futures_util::{Stream, StreamExt, stream};
use std::pin::Pin;
use std::sync::Arc;
use tacit_identity::keys::BudgetOf;
use tacit_kernel::Nano;
use tacit_kernel::ids::SessionId;
use tacit_ledger::LedgerError;
use tacit_ledger::spend::{Spend as Spent, SpendOf};
use tacit_link::wire::control_plane_server::ControlPlane;
use tacit_link::wire::{
    Ack, CloseReply, CloseRequest, Events, Hello, KeyGrant, KeyReply, KeyRequest, LeaseReply, LeaseRequest,
    SharedBudget, Spend, WatchRequest, Welcome,
};
use tacit_link::{Checked, Refused, convert, wire};
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Response, Status, Streaming};

/// Label of the hash key under which API keys are known.
const API_KEY: &str = "api-key";

pub(crate) struct Service {
    shared: Arc<Shared>,
    queue: Queue,
    tasks: TaskTracker,
}

impl Service {
    pub(crate) const fn new(shared: Arc<Shared>, queue: Queue, tasks: TaskTracker) -> Self {
        Self { shared, queue, tasks }
    }

    async fn open_session(&self, hello: Hello) -> Result<Welcome, Status> {
        hello.check()?;
        let shared = &self.shared;
        let (session, acknowledged) = match self.resumed(&hello).await? {
            Some(resumed) => resumed,
            None => (self.opened(&hello).await?, 0),
        };
        Ok(Welcome {
            session: convert::id_bytes(session),
            currency: shared.currency.clone(),
            strict_settlement: shared.strict,
            acknowledged,
            key_pepper: shared.keys.hash_key(API_KEY).expose().to_vec(),
        })
    }

    /// The session that the gateway still has, if it has not been ended.
    async fn resumed(&self, hello: &Hello) -> Result<Option<(SessionId, u64)>, Status> {
        let Some(session) = convert::optional_id::<SessionId>("session", &hello.session)? else { return Ok(None) };
        match self.shared.ledger.session_resume(session).await {
            Ok(acknowledged) => {
                // What it reported elsewhere comes before what it reports now, and before it asks what was spent.
                self.queue.barrier().adopt(session)?;
                tracing::info!(event = "session.resumed", session.id = %session, "a gateway is back");
                Ok(Some((session, acknowledged)))
            }
            Err(LedgerError::SessionUnknown | LedgerError::SessionEnded) => Ok(None),
            Err(error) => Err(status::of_ledger(error)),
        }
    }

    async fn opened(&self, hello: &Hello) -> Result<SessionId, Status> {
        let opened = self.shared.ledger.session_open(&hello.gateway, &hello.version, hello.sandbox == 1).await;
        let opened = opened.map_err(status::of_ledger)?;
        tracing::info!(event = "session.opened", session.id = %opened.session, "a gateway has opened a session");
        for lost in opened.ended {
            // The new session does not depend on it: what fails here is done when the old one has been away too long.
            if let Err(error) = self.queue.settle_lost(lost).await {
                let detail = error.message();
                tracing::warn!(event = "session.settle_later", session.id = %lost, detail, "not settled yet");
            }
        }
        Ok(opened.session)
    }

    async fn key_grant(&self, request: &KeyRequest) -> Result<KeyReply, Status> {
        request.check()?;
        let shared = &self.shared;
        let hash = convert::bytes32("hash", &request.hash)?;
        let facts = shared.identity.key_grant_by_hash(hash).await.map_err(status::of_fault)?;
        let Some(facts) = facts else { return Ok(KeyReply { grant: None }) };
        let seal = shared.identity.account_call_seal_key(facts.account).await.map_err(status::of_fault)?;
        // Without its subject key the account was erased: nobody may call in its name any more.
        let Some(seal) = seal else { return Ok(KeyReply { grant: None }) };
        // A gateway takes what was acknowledged to be in the spend that it is told after that. Nothing else that it asks
        // counts on settlement: charges that are not settled yet are still in its own leases, from which it gives back
        // only what they leave.
        let session = convert::id::<SessionId>("session", &request.session)?;
        self.queue.barrier().settled(Of::Session(session)).await?;
        let now = shared.clock.now();
        let of_key =
            shared.ledger.spend(facts.account, SpendOf::Key(facts.key), now).await.map_err(status::of_ledger)?;
        let of_account = shared.ledger.spend(facts.account, SpendOf::Account, now).await.map_err(status::of_ledger)?;
        let told = |s: Spent| Spend { day: s.day.0, month: s.month.0, total: s.total.0, as_of: s.as_of.0 };
        let mut budgets = Vec::with_capacity(facts.budgets.len());
        for held in &facts.budgets {
            let of = match held.of {
                BudgetOf::Member(member) => SpendOf::Member(member),
                BudgetOf::Project(project) => SpendOf::Project(project),
            };
            let spent = shared.ledger.spend(facts.account, of, now).await.map_err(status::of_ledger)?;
            budgets.push(SharedBudget {
                id: convert::id_bytes(held.of.id()),
                per_day: convert::budget_limit(held.budget.spend_per_day),
                per_month: convert::budget_limit(held.budget.spend_per_month),
                spend: Some(told(spent)),
            });
        }
        let grant = KeyGrant {
            key: convert::id_bytes(facts.key),
            account: convert::id_bytes(facts.account),
            group: convert::id_bytes(facts.group),
            group_multiplier_ppm: facts.group_multiplier.0,
            key_disabled: !facts.key_enabled,
            account_disabled: !facts.account_enabled,
            restricted: facts.restricted,
            key_limits_json: convert::limits_json(&facts.key_limits)?,
            account_limits_json: convert::limits_json(&facts.account_limits)?,
            key_spend: Some(told(of_key)),
            account_spend: Some(told(of_account)),
            seal_key: seal.expose().to_vec(),
            source: facts.source.number(),
            budgets,
        };
        Ok(KeyReply { grant: Some(grant) })
    }

    async fn take_lease(&self, message: &LeaseRequest) -> Result<LeaseReply, Status> {
        message.check()?;
        let request = leases::request(message)?;
        let needed = request.need > Nano::ZERO;
        let outcome = leases::lease(&self.shared, request).await.map_err(status::of_ledger)?;
        let label = if needed && outcome.granted == Nano::ZERO { Outcome::Refused } else { Outcome::Ok };
        self.shared.metrics.leases.get_or_create(&OutcomeLabel { outcome: label }).inc();
        Ok(LeaseReply { granted: outcome.granted.0, left: outcome.left.0 })
    }

    async fn watched(&self, request: &WatchRequest) -> Result<ReceiverStream<links::Update>, Status> {
        request.check()?;
        let shared = &self.shared;
        let session = convert::id("session", &request.session)?;
        shared.ledger.session_resume(session).await.map_err(status::of_ledger)?;
        // Attached first: what changes from now on is not missed, and what is told twice does no harm.
        let (send, receive) = shared.links.attach(session);
        let sent = shared.sent.load_full().ok_or_else(status::unavailable)?;
        for kind in links::greeting(&sent) {
            send.try_send(Ok(wire::Update { kind: Some(kind) })).map_err(|_| status::unavailable())?;
        }
        if shared.stop.is_cancelled() {
            shared.links.end();
        }
        Ok(ReceiverStream::new(receive))
    }

    /// Reads events for as long as the gateway sends them and still listens to the answers.
    fn recorded(&self, mut incoming: Streaming<Events>) -> Acks {
        let (answer, progress) = watch::channel(Progress::Acknowledged(0));
        let (shared, queue) = (Arc::clone(&self.shared), self.queue.clone());
        let answer = Arc::new(answer);
        self.tasks.spawn(async move {
            let listening = Arc::clone(&answer);
            let read = async {
                let mut session = None;
                while let Some(message) = incoming.message().await? {
                    let kept = convert::event_bytes(&message);
                    let batch = events::batch(&shared.prices, message).await?;
                    if *session.get_or_insert(batch.session) != batch.session {
                        return Err(Refused("session").into());
                    }
                    queue.commit(batch, kept, Arc::clone(&answer)).await?;
                }
                Ok::<(), Status>(())
            };
            let result = tokio::select! {
                () = listening.closed() => return,
                () = shared.stop.cancelled() => Ok(()),
                result = alone(&shared.metrics, Method::Record, read) => result,
            };
            if let Err(status) = result {
                count(&shared, Method::Record, Some(&status));
                answer.send_replace(Progress::Failed(status));
            }
        });
        acks(progress)
    }
}

type Acks = Pin<Box<dyn Stream<Item = Result<Ack, Status>> + Send>>;

/// The acknowledgements of a stream: only the newest counts, so one that nobody reads in time is passed over.
fn acks(progress: watch::Receiver<Progress>) -> Acks {
    let next = |state: Option<(watch::Receiver<Progress>, u64)>| async move {
        let (mut progress, last) = state?;
        loop {
            progress.changed().await.ok()?;
            let seen = progress.borrow_and_update().clone();
            match seen {
                Progress::Acknowledged(batch) if batch > last => {
                    return Some((Ok(Ack { batch }), Some((progress, batch))));
                }
                Progress::Acknowledged(_) => {}
                Progress::Failed(status) => return Some((Err(status), None)),
            }
        }
    };
    stream::unfold(Some((progress, 0)), next).boxed()
}

/// Runs the work of a request; a panic in it is the failure of this request alone.
async fn alone<T>(
    metrics: &Metrics,
    method: Method,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    caught(metrics, method.word(), work).await.unwrap_or_else(|| Err(Status::internal("control.panic")))
}

fn count(shared: &Shared, method: Method, status: Option<&Status>) {
    let outcome = match status.map(Status::code) {
        None => Outcome::Ok,
        Some(Code::Internal | Code::Unavailable | Code::Unknown) => Outcome::Failed,
        Some(_) => Outcome::Refused,
    };
    shared.metrics.request(method, outcome);
}

/// Runs a request: refused while stopping, counted, and with its panics caught.
async fn guarded<T>(
    shared: &Shared,
    method: Method,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<Response<T>, Status> {
    if shared.stop.is_cancelled() {
        return Err(status::unavailable());
    }
    let result = alone(&shared.metrics, method, work).await;
    count(shared, method, result.as_ref().err());
    result.map(Response::new)
}

#[tonic::async_trait]
impl ControlPlane for Service {
    type WatchStream = ReceiverStream<links::Update>;
    type RecordStream = Acks;

    async fn open(&self, request: Request<Hello>) -> Result<Response<Welcome>, Status> {
        guarded(&self.shared, Method::Open, self.open_session(request.into_inner())).await
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        guarded(&self.shared, Method::Watch, self.watched(&request.into_inner())).await
    }

    async fn key(&self, request: Request<KeyRequest>) -> Result<Response<KeyReply>, Status> {
        guarded(&self.shared, Method::Key, self.key_grant(&request.into_inner())).await
    }

    async fn lease(&self, request: Request<LeaseRequest>) -> Result<Response<LeaseReply>, Status> {
        guarded(&self.shared, Method::Lease, self.take_lease(&request.into_inner())).await
    }

    async fn record(&self, request: Request<Streaming<Events>>) -> Result<Response<Self::RecordStream>, Status> {
        guarded(&self.shared, Method::Record, async { Ok(self.recorded(request.into_inner())) }).await
    }

    async fn close(&self, request: Request<CloseRequest>) -> Result<Response<CloseReply>, Status> {
        let message = request.into_inner();
        let close = async {
            message.check()?;
            self.queue.close(convert::id("session", &message.session)?).await?;
            Ok(CloseReply {})
        };
        guarded(&self.shared, Method::Close, close).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_failure_of_one_request_and_keeps_its_payload() {
        let metrics = Metrics::new();
        let result: Result<(), Status> = alone(&metrics, Method::Key, async { panic!("canary") }).await;
        let status = result.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Internal, "control.panic"));
        assert!(metrics.text().contains("tacit_control_panics_total 1"));
        assert!(!metrics.text().contains("canary"));
        assert_eq!(alone(&metrics, Method::Key, async { Ok(5) }).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn acknowledgements_that_nobody_read_are_passed_over() {
        let (send, receive) = watch::channel(Progress::Acknowledged(0));
        send.send_replace(Progress::Acknowledged(1));
        send.send_replace(Progress::Acknowledged(3));
        let mut stream = acks(receive);
        assert_eq!(stream.next().await.unwrap().unwrap().batch, 3);
        send.send_replace(Progress::Acknowledged(2));
        send.send_replace(Progress::Failed(status::gap()));
        assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::OutOfRange);
        assert!(stream.next().await.is_none());
    }
}
