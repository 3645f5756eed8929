//! The worker that sends what waits. Every control plane runs one.
//!
//! - What is due is **leased** for longer than an attempt may take, in one statement that both engines understand; no
//!   other worker touches it meanwhile. The number of attempts goes up with the lease, so an attempt that nobody
//!   finished counts too.
//! - Of an attempt that failed in a way that may pass, the message waits ([`Schedule`](super::Schedule)) and is leased
//!   again; else, or when it would come too late or too often, it is given up.
//! - That a message was sent is said in a transaction after the other side took it. A process that dies in between sends
//!   it again when its lease has run out: twice at worst, never not at all.

use super::attempt::{Attempt, NotTaken, Taken};
use super::model::{Channel, Failure, State};
use super::store::{self, Leased};
use super::{Messages, MessagesError, Route, aad};
use std::sync::Arc;
use std::time::Duration;
use tacit_kernel::Timestamp;
use tacit_storage::StorageError;
use tacit_vault::keyed_hash;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How long a lease holds beyond the longest attempt, in microseconds: time to say how it ended.
const LEASE_MARGIN: i64 = 60_000_000;
/// How often it is looked for what is due although nobody said so: what waits for its next attempt, and what others wrote.
const TURN: Duration = Duration::from_secs(2);
/// A message is announced before the transaction that holds it has committed: it is looked for again after each of these.
const LOOKS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(500)];
/// How often rows whose time is over are dropped.
const SWEEP: Duration = Duration::from_secs(3600);
/// How long it is known that a message was sent, in microseconds: 180 days (data map).
const KNOWN: i64 = 180 * 86_400_000_000;
/// How long a stop waits for attempts in hand. What is not over then is tried again by whoever is there.
const STOP: Duration = Duration::from_secs(10);

/// Sends until `stop`; then lets the attempts in hand end for up to ten seconds.
pub async fn run(messages: Messages, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(messages.0.concurrency));
    let mut attempts = JoinSet::new();
    let mut turn = tokio::time::interval(TURN);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut sweep = tokio::time::interval(SWEEP);
    let mut looks: &[Duration] = &[];
    while !stop.is_cancelled() {
        let next_look = async {
            match looks.first() {
                Some(after) => tokio::time::sleep(*after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = messages.0.arrived.notified() => { looks = &LOOKS; continue; }
            () = next_look => looks = looks.get(1..).unwrap_or_default(),
            _ = turn.tick() => {}
            _ = sweep.tick() => { messages.swept().await; continue; }
            Some(ended) = attempts.join_next(), if !attempts.is_empty() => {
                if ended.is_err() {
                    tracing::error!(event = "message.panic", "an attempt panicked; its lease runs out");
                }
                // There is room again; what waited for it is due.
            }
        }
        let free = room.available_permits();
        if free == 0 {
            continue;
        }
        let leased = match messages.lease(free).await {
            Ok(leased) => leased,
            Err(error) => {
                let fault = tacit_kernel::Fault::from(error);
                let detail = fault.detail.unwrap_or_default();
                tracing::warn!(event = "message.lease_failed", error.code = fault.code, detail);
                continue;
            }
        };
        if !leased.is_empty() {
            looks = &[];
        }
        for one in leased {
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { break };
            let messages = messages.clone();
            attempts.spawn(async move {
                messages.attempted(one).await;
                drop(permit);
            });
        }
    }
    let all = async { while attempts.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP, all).await.is_err() {
        tracing::warn!(event = "message.stop_slow", "an attempt did not end in time; it is made again later");
    }
}

impl Messages {
    /// Leases up to `most` messages that are due; ends those that are over.
    pub(super) async fn lease(&self, most: usize) -> Result<Vec<Leased>, MessagesError> {
        let inner = &self.0;
        let now = inner.clock.now();
        let (waiting, due) =
            inner.db.read("messages.due", |tx| Box::pin(store::message_due(tx, now))).await.map_err(of_storage)?;
        inner.metrics.waiting.set(waiting);
        if !due {
            return Ok(Vec::new());
        }
        let longest = i64::try_from(inner.longest_attempt.as_micros()).unwrap_or(i64::MAX);
        let until = now.plus_micros(longest.saturating_add(LEASE_MARGIN));
        let (lease, attempts) = (tacit_kernel::ids::fresh(), inner.schedule.attempts);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let (ended, leased) = inner
            .db
            .write("messages.lease", |tx| Box::pin(store::message_lease(tx, lease, now, until, attempts, most)))
            .await
            .map_err(of_storage)?;
        if ended > 0 {
            inner.metrics.ended.inc_by(ended);
            tracing::info!(event = "message.not_sent", count = ended, "messages were not sent in time");
        }
        Ok(leased)
    }

    /// One attempt, and its end in the database.
    pub(super) async fn attempted(&self, leased: Leased) {
        let outcome = self.attempt(&leased).await;
        let state = match &outcome {
            Ok(_) => State::Sent,
            Err(not_taken) => self.verdict(&leased, not_taken.failure).0,
        };
        self.0.metrics.attempt(leased.channel, state);
        let (kind, channel, count) = (leased.kind.as_str(), leased.channel.as_str(), leased.attempts);
        let id = leased.id;
        match &outcome {
            Ok(_) => {
                tracing::info!(event = "message.sent", message.id = %id, message.kind = kind, message.channel = channel, attempt = count);
            }
            Err(NotTaken { failure, .. }) => tracing::warn!(
                event = "message.not_taken", message.id = %id, message.kind = kind, message.channel = channel,
                attempt = count, error.code = failure.as_str(), status = state.as_str()
            ),
        }
        // While the lease holds nobody else has the message: the longer this is tried, the fewer are sent twice.
        for pause in [0_u64, 100, 500, 2_000, 5_000, 10_000] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            match self.recorded(&leased, &outcome).await {
                Ok(()) => return,
                Err(error) => {
                    let detail = error.detail;
                    tracing::warn!(event = "message.not_recorded", message.id = %id, detail);
                }
            }
        }
    }

    /// Gives the message away.
    async fn attempt(&self, leased: &Leased) -> Attempt {
        let without = NotTaken::without_answer;
        let inner = &self.0;
        let now = inner.clock.now();
        // It was looked at when it was leased; that may be a moment ago.
        let left = leased.expires_at.micros_since(now);
        if left <= 0 {
            return Err(without(Failure::Timeout));
        }
        let key = match self.seal_key(leased.account).await {
            Ok(Some(key)) => key,
            Ok(None) => return Err(without(Failure::Erased)),
            // The keyring did not answer, which passes.
            Err(_) => return Err(without(Failure::Unreachable)),
        };
        let open = |column, sealed: &[u8]| {
            let plain = key.open(&aad(column, leased.id), sealed).map_err(|_| without(Failure::Unreadable))?;
            String::from_utf8(plain.to_vec()).map(Zeroizing::new).map_err(|_| without(Failure::Unreadable))
        };
        let to = open("recipient_sealed", &leased.recipient_sealed)?;
        let variables = open("variables_sealed", &leased.variables_sealed)?;
        let variables: serde_json::Value =
            serde_json::from_str(&variables).map_err(|_| without(Failure::Unreadable))?;
        let giving = self.given(leased, &to, &variables, now);
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0)).min(inner.longest_attempt);
        tokio::time::timeout(left, giving).await.unwrap_or(Err(without(Failure::Timeout)))
    }

    async fn given(&self, leased: &Leased, to: &str, variables: &serde_json::Value, now: Timestamp) -> Attempt {
        let inner = &self.0;
        let (kind, language) = (leased.kind, leased.language);
        let bad = |_| NotTaken::without_answer(Failure::Template);
        let kept = |done: Result<(), MessagesError>| match done {
            Ok(()) => Ok(Taken { status: 0, reference: None }),
            Err(_) => Err(NotTaken::without_answer(Failure::Unreachable)),
        };
        match leased.channel {
            Channel::Email => {
                let letter = inner.templates.letter(kind, language, variables).map_err(bad)?;
                match &inner.email {
                    Route::Open(smtp) => smtp.send(leased.id, to, letter, now).await,
                    Route::Development => kept(self.keep(leased, to, Some(letter), String::new()).await),
                    Route::Closed => Err(NotTaken::without_answer(Failure::NotConfigured)),
                }
            }
            Channel::Sms => {
                let text = inner.templates.sms(kind, language, variables).map_err(bad)?;
                match &inner.sms {
                    Route::Open(sms) => sms.send(leased.id, to, (kind, language), &text, variables, now).await,
                    Route::Development => kept(self.keep(leased, to, None, text).await),
                    Route::Closed => Err(NotTaken::without_answer(Failure::NotConfigured)),
                }
            }
        }
    }

    /// What becomes of a message after a failed attempt, and when it is tried again.
    fn verdict(&self, leased: &Leased, failure: Failure) -> (State, Timestamp) {
        let now = self.0.clock.now();
        let next = now.plus_micros(self.0.schedule.wait(leased.attempts, rand::random()));
        let state = if now >= leased.expires_at {
            State::Expired
        } else if !failure.may_pass() || leased.attempts >= self.0.schedule.attempts {
            State::Failed
        } else if next >= leased.expires_at {
            State::Expired
        } else {
            State::Waiting
        };
        (state, next)
    }

    /// Says in the database how an attempt ended.
    pub(super) async fn recorded(&self, leased: &Leased, outcome: &Attempt) -> Result<(), StorageError> {
        let inner = &self.0;
        let (id, lease, now) = (leased.id, leased.lease, inner.clock.now());
        match outcome {
            Ok(taken) => {
                let reference = taken.reference.as_deref().map(|r| self.reference_hash(r));
                inner
                    .db
                    .write("messages.sent", |tx| {
                        Box::pin(async move { store::message_sent(tx, id, now, reference).await.map(drop) })
                    })
                    .await
            }
            Err(NotTaken { failure, .. }) => {
                let (failure, (state, next)) = (*failure, self.verdict(leased, *failure));
                inner
                    .db
                    .write("messages.not_sent", |tx| {
                        Box::pin(async move {
                            match state {
                                State::Waiting => store::message_later(tx, id, lease, failure, next).await.map(drop),
                                over => store::message_end(tx, id, lease, over, failure, now).await.map(drop),
                            }
                        })
                    })
                    .await
            }
        }
    }

    /// By which a provider's id of a message is found again.
    pub(super) fn reference_hash(&self, reference: &str) -> [u8; 32] {
        const LABEL: &str = "message-reference";
        keyed_hash(&self.0.keys.hash_key(LABEL), LABEL, reference.as_bytes())
    }

    /// Drops rows whose time is over.
    pub(super) async fn swept(&self) {
        let (sent, kept) = (self.0.clock.now().plus_micros(-KNOWN), self.kept_since());
        let done: Result<u64, StorageError> =
            self.0.db.write("messages.sweep", |tx| Box::pin(store::message_drop_before(tx, sent, kept))).await;
        if let Err(error) = done {
            tracing::warn!(event = "message.sweep_failed", detail = error.detail);
        }
    }
}

fn of_storage(error: StorageError) -> MessagesError {
    error.into()
}
