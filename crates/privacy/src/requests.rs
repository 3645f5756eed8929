//! What people ask for about their data that is not done at once: a queue with clocks for those who decide, and the cancellation of
//! an account, which is done by itself when its time for reflection is over. Nothing is asked for by who has not shown that it is
//! them, so that nothing is fulfilled for who has not; a refusal has a reason of a closed list and a text, and can be appealed.

mod model;
mod standing;
pub(crate) mod store;
#[cfg(test)]
mod tests;

pub use model::{Asker, Event, Kind, Refusal, Request, State, Verified};

use crate::erasure::{Erasing, ErasureError, Obstacle, Reason};
use model::DAY;
use std::sync::Arc;
use tacit_kernel::audit::{Action, ObjectKind, Phase};
use tacit_kernel::ids::{AccountId, RightsRequestId};
use tacit_kernel::{Clock, ErrorKind, Fault, Nano, Personal, Timestamp};
use tacit_storage::audit::{Actor, Audit, NewEntry, Object};
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Page, Paged, ReadTx, Retryable, StorageError, StorageErrorKind, WriteTx};

/// The longest text of a person or an answer, in bytes; what is added to it later counts too.
pub const TEXT_MAX: usize = 8000;
/// Days within which a guardian is answered; a cancellation by them has as many for reflection, in which the data is not used.
const GUARDIAN_DAYS: u32 = 3;
/// Between what was said first and what was added.
const BETWEEN: &str = "\n\n";

/// What somebody asks for.
#[derive(Debug)]
pub struct New {
    /// What.
    pub kind: Kind,
    /// Who asks.
    pub asker: Asker,
    /// In their words; a cancellation needs none.
    pub said: Option<Personal<String>>,
    /// How they showed that it is them.
    pub verified: Verified,
    /// Of a cancellation: that money which is left is given up, up to that much.
    pub forfeits: Option<Nano>,
}

/// Who does something with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acting {
    /// Staff.
    Staff,
    /// The person whose account that is, or a guardian of theirs.
    Asker(AccountId, Asker),
}

/// What is done with a request.
#[derive(Debug)]
pub struct Change {
    /// What happens.
    pub event: Event,
    /// What is said with it: by the person, or to them.
    pub text: Option<Personal<String>>,
    /// Why it is refused.
    pub refusal: Option<Refusal>,
}

/// Why a request is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No request of that id, or none of that account.
    #[error("there is no such request")]
    NotFound,
    /// One of the kind is under way.
    #[error("a request of that kind is under way; add to it, or take it back")]
    UnderWay,
    /// It has not come so far, or farther.
    #[error("that cannot be done with the request as it is now")]
    State,
    /// The text is missing or too long.
    #[error("say it in 1 to {TEXT_MAX} bytes, with all that was said before")]
    Text,
    /// A refusal without a reason, or a reason without a refusal.
    #[error("a refusal has a reason of the list, and nothing else has one")]
    Reason,
    /// Something must be done before the account can be cancelled.
    #[error(transparent)]
    Obstacle(ErasureError),
    /// The account was erased.
    #[error("the account was erased")]
    Erased,
    /// The database.
    #[error(transparent)]
    Storage(StorageError),
    /// The keyring, or an erasure that is begun.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StorageError> for RequestError {
    fn from(error: StorageError) -> Self {
        match error.kind {
            StorageErrorKind::Unique => Self::UnderWay,
            _ => Self::Storage(error),
        }
    }
}

impl Retryable for RequestError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_retryable(),
            Self::Fault(fault) => fault.is_retryable(),
            _ => false,
        }
    }
}

impl From<RequestError> for Fault {
    fn from(error: RequestError) -> Self {
        let (kind, code) = match error {
            RequestError::Fault(fault) => return fault,
            RequestError::Storage(error) => return error.into(),
            RequestError::Obstacle(error) => return error.into(),
            RequestError::NotFound => (ErrorKind::NotFound, "rights_request.not_found"),
            RequestError::UnderWay => (ErrorKind::Conflict, "rights_request.under_way"),
            RequestError::State => (ErrorKind::Conflict, "rights_request.state"),
            RequestError::Text => (ErrorKind::Invalid, "rights_request.text"),
            RequestError::Reason => (ErrorKind::Invalid, "rights_request.reason"),
            RequestError::Erased => (ErrorKind::Conflict, "account.erased"),
        };
        Self::new(kind, code, error.to_string())
    }
}

/// Requests of people. Cloning is cheap.
#[derive(Clone)]
pub struct Requests {
    db: Db,
    keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
    erasing: Erasing,
    audit: Audit,
    days: u32,
    cooling_days: u32,
}

impl Requests {
    /// Requests that are answered within `days`, with so many days of reflection before an account is erased.
    #[must_use]
    pub fn new(
        (db, keys, clock): (Db, Arc<KeyStore>, Arc<dyn Clock>),
        erasing: Erasing,
        audit: Audit,
        (days, cooling_days): (u32, u32),
    ) -> Self {
        // What is done by itself is done in time too.
        Self { db, keys, clock, erasing, audit, days, cooling_days: cooling_days.min(days) }
    }

    /// Whether an account can be cancelled by who gives up so much money at most; how much there is.
    ///
    /// # Errors
    /// [`RequestError::Obstacle`]; storage.
    pub async fn may_cancel(&self, account: AccountId, most: Option<Nano>) -> Result<Nano, RequestError> {
        let plan = self.erasing.plan(account).await.map_err(obstructed)?;
        let mut held = Nano::ZERO;
        for obstacle in plan.obstacles {
            match obstacle {
                Obstacle::Money { amount } if most.is_some_and(|most| amount <= most) => held = amount,
                obstacle => return Err(RequestError::Obstacle(ErasureError::Obstacle(obstacle))),
            }
        }
        Ok(held)
    }

    /// Makes a request. A cancellation by who had just shown anew that it is them, or by a guardian, is done by itself when its
    /// time for reflection is over, and until then what a guardian wants erased is not used; a restriction is done at once; what
    /// is objected to stops until it is decided; whatever else waits for staff. So does what a guardian asks for of who must be
    /// grown up by now, and a restriction by who reads an address only where a second factor is set up.
    ///
    /// # Errors
    /// [`RequestError::UnderWay`], [`RequestError::Text`], [`RequestError::Erased`]; storage, keyring.
    pub async fn make_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        new: &New,
    ) -> Result<Request, RequestError> {
        let said = new.said.clone().filter(|said| !said.reveal().trim().is_empty());
        let is_needed = !matches!(new.kind, Kind::Cancellation | Kind::Restriction | Kind::Copy);
        if said.as_ref().map_or(is_needed, |said| said.reveal().len() > TEXT_MAX) {
            return Err(RequestError::Text);
        }
        let (now, key) = (self.clock.now(), self.keys.get(account.0).await?.ok_or(RequestError::Erased)?);
        let by_guardian = new.asker == Asker::Guardian;
        let alone = self.done_alone_in_tx(tx, account, new).await?;
        let cools = new.kind == Kind::Cancellation && alone;
        let days = self.days_of(new.asker);
        let reflection = if by_guardian { days } else { self.cooling_days };
        let mut request = Request {
            id: RightsRequestId::fresh(),
            account,
            kind: new.kind,
            state: if cools { State::Cooling } else { State::Open },
            asker: new.asker,
            verified: new.verified,
            refusal: None,
            // The money is the person's.
            forfeits: new.forfeits.filter(|_| !by_guardian),
            said,
            answer: None,
            received_at: now,
            due_at: now.plus_micros(i64::from(days) * DAY),
            paused_at: None,
            cooling_until: cools.then(|| now.plus_micros(i64::from(reflection) * DAY)),
            closed_at: None,
            updated_at: now,
        };
        if new.kind == Kind::Restriction && alone {
            request = request.after(Event::Fulfil, now, days).ok_or(RequestError::State)?;
        }
        store::insert(tx, &request, &key).await?;
        self.decide_in_tx(tx, &request).await?;
        Ok(request)
    }

    /// Does something with a request: staff with any, whoever asks with their own. A person who takes back the cancellation that a
    /// guardian asked for contests it: staff looks at it then. Fulfilling a cancellation is [`Self::cancel`].
    ///
    /// # Errors
    /// [`RequestError::NotFound`], [`RequestError::State`], [`RequestError::Text`], [`RequestError::Reason`],
    /// [`RequestError::UnderWay`] of an appeal while another is under way; storage, keyring.
    pub async fn change_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (acting, id): (Acting, RightsRequestId),
        change: &Change,
    ) -> Result<Request, RequestError> {
        let request = self.find_in_tx(tx, id).await?;
        let event = event_by(acting, &request, change.event)?;
        if (change.event == Event::Refuse) != change.refusal.is_some() {
            return Err(RequestError::Reason);
        }
        if request.kind == Kind::Cancellation && event == Event::Fulfil {
            return Err(RequestError::State);
        }
        let days = self.days_of(request.asker);
        let mut request = request.after(event, self.clock.now(), days).ok_or(RequestError::State)?;
        let text = change.text.as_ref().filter(|text| !text.reveal().trim().is_empty());
        // What is taken back needs no words, and into a guardian's nobody else writes.
        let text = text.filter(|_| event != Event::Contest);
        if text.is_none() && !matches!(event, Event::Withdraw | Event::Contest) {
            return Err(RequestError::Text);
        }
        request.refusal = change.refusal.or(request.refusal);
        if let Some(text) = text {
            let field = if event.is_of_person() { &mut request.said } else { &mut request.answer };
            let whole = match field.take() {
                Some(before) => Personal::new([before.reveal(), BETWEEN, text.reveal()].concat()),
                None => text.clone(),
            };
            if whole.reveal().len() > TEXT_MAX {
                return Err(RequestError::Text);
            }
            *field = Some(whole);
        }
        store::update(tx, &request, self.keys.get(request.account.0).await?.as_ref()).await?;
        self.decide_in_tx(tx, &request).await?;
        Ok(request)
    }

    /// A request.
    ///
    /// # Errors
    /// [`RequestError::NotFound`]; storage, keyring.
    pub async fn find_in_tx(&self, tx: &mut ReadTx<'_>, id: RightsRequestId) -> Result<Request, RequestError> {
        let stored = store::by_id(tx, id).await?.ok_or(RequestError::NotFound)?;
        let key = self.keys.get(stored.account().0).await?;
        Ok(stored.opened(key.as_ref()))
    }

    /// [`Self::find_in_tx`] in a transaction of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn find(&self, id: RightsRequestId) -> Result<Request, RequestError> {
        self.db.read("rights_request.show", |tx| Box::pin(self.find_in_tx(tx, id))).await
    }

    /// Whose data a request is about; nobody's if there is no such request.
    ///
    /// # Errors
    /// Storage.
    pub async fn account_of(&self, id: RightsRequestId) -> Result<Option<AccountId>, Fault> {
        let found = self.db.read("rights_request.account", |tx| Box::pin(store::by_id(tx, id))).await?;
        Ok(found.map(|stored| stored.account()))
    }

    /// [`Self::find`] as it is shown to who asks at all.
    ///
    /// # Errors
    /// [`RequestError::NotFound`] also if it is not theirs; storage, keyring.
    pub async fn find_of(
        &self,
        (account, asker): (AccountId, Asker),
        id: RightsRequestId,
    ) -> Result<Request, RequestError> {
        let found = self.find(id).await?;
        let theirs = Some(found).filter(|found| found.account == account);
        theirs.and_then(|found| found.shown_to(asker)).ok_or(RequestError::NotFound)
    }

    /// A page of the requests about an account as they are shown to who asks at all, newest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn of_account(
        &self,
        (account, asker): (AccountId, Asker),
        page: Page,
    ) -> Result<Paged<Request>, RequestError> {
        let of = (account, asker);
        let rows = self.db.read("rights_request.own", |tx| Box::pin(store::of_account(tx, of, page))).await?;
        let key = self.keys.get(account.0).await?;
        let shown = rows.into_iter().filter_map(|row| row.opened(key.as_ref()).shown_to(asker));
        Ok(page.take(shown.collect(), |request: &Request| request.id.0))
    }

    /// A page of all requests without their texts, oldest first: those under way, or those that are closed too.
    ///
    /// # Errors
    /// Storage.
    pub async fn list(&self, closed: bool, page: Page) -> Result<Paged<Request>, RequestError> {
        let rows = self.db.read("rights_request.list", |tx| Box::pin(store::list(tx, closed, page))).await?;
        Ok(page.take(rows.into_iter().map(|row| row.opened(None)).collect(), |request: &Request| request.id.0))
    }

    /// How many are under way, and how many of these should have been answered by now.
    ///
    /// # Errors
    /// Storage.
    pub async fn counts(&self) -> Result<(u64, u64), Fault> {
        let now = self.clock.now();
        Ok(self.db.read("rights_request.counts", |tx| Box::pin(store::counts(tx, now))).await?)
    }

    /// Cancels accounts whose time for reflection is over. How many.
    ///
    /// # Errors
    /// Storage, keyring. What was not done is done by the next call.
    pub async fn cool(&self) -> Result<u64, Fault> {
        let now = self.clock.now();
        let cooled = self.db.read("rights_request.cooled", |tx| Box::pin(store::cooled(tx, now))).await?;
        let (mut done, mut failed) = (0, None);
        for stored in cooled {
            match self.cool_one(stored.opened(None)).await {
                Ok(ended) => done += u64::from(ended),
                Err(fault) => failed = Some(fault),
            }
        }
        failed.map_or(Ok(done), Err)
    }

    async fn cool_one(&self, request: Request) -> Result<bool, Fault> {
        // What was begun was announced.
        let announced = if request.state == State::Executing {
            None
        } else {
            let object = Object::one(ObjectKind::Account, request.account);
            // Of who is erased already nothing can be sealed.
            let subject = self.keys.get(request.account.0).await?.map(|_| request.account);
            let entry = NewEntry::begun(Actor::System, Action::AccountErase, object, subject);
            Some((self.audit.record(&entry).await?, entry))
        };
        let ended = match self.cancel(request.id, None).await {
            Ok(_) => Phase::Done,
            // Another control plane was first, or the person took it back in this moment; or a hold, an organisation, money
            // that came in: then it waits for somebody to look at it.
            Err(RequestError::NotFound | RequestError::State | RequestError::Obstacle(_)) => Phase::Refused,
            Err(error) => return Err(error.into()),
        };
        let (about, entry) = match announced {
            Some((seq, entry)) => (Some(seq), entry),
            None => {
                (None, NewEntry::begun(Actor::System, Action::AccountErase, Object::any(ObjectKind::Account), None))
            }
        };
        let mut outcome = NewEntry { phase: ended, about, ..entry };
        if ended == Phase::Done {
            // Else the last word about an erased person would name them.
            (outcome.subject, outcome.object.id) = (None, None);
        }
        self.audit.record(&outcome).await?;
        Ok(ended == Phase::Done)
    }

    /// Fulfils a cancellation: the account is erased. When this returns nothing of it can be read. From its beginning on it cannot
    /// be taken back. `seen` is when it had last changed for who decides, if somebody does.
    ///
    /// # Errors
    /// [`RequestError::NotFound`], [`RequestError::State`]; [`RequestError::Obstacle`], and then it waits for staff; storage,
    /// keyring, and then [`Self::cool`] goes on.
    pub async fn cancel(&self, id: RightsRequestId, seen: Option<Timestamp>) -> Result<Request, RequestError> {
        let request = self.executed((id, seen), Event::Execute).await?;
        // What came in since is not given up by who did not know of it.
        let begun = match self.may_cancel(request.account, request.forfeits).await {
            Ok(held) => self.erasing.begin(request.account, Reason::Asked, held > Nano::ZERO).await,
            Err(RequestError::Obstacle(error)) => Err(error),
            // Whoever is being erased is held back by nothing.
            Err(RequestError::NotFound) => Err(ErasureError::Account),
            Err(error) => return Err(error),
        };
        match begun {
            // It was erased, and the process ended before that was written down here.
            Ok(_) | Err(ErasureError::Account) => self.executed((id, None), Event::Fulfil).await,
            Err(ErasureError::Fault(fault)) => Err(fault.into()),
            Err(error) => {
                self.executed((id, None), Event::Obstruct).await?;
                Err(RequestError::Obstacle(error))
            }
        }
    }

    /// A step of doing it; one that is under way may be begun again.
    async fn executed(
        &self,
        (id, seen): (RightsRequestId, Option<Timestamp>),
        event: Event,
    ) -> Result<Request, RequestError> {
        let step = async |tx: &mut WriteTx<'_>| {
            let now = self.find_in_tx(tx, id).await?;
            if now.kind != Kind::Cancellation || seen.is_some_and(|seen| seen != now.updated_at) {
                return Err(RequestError::State);
            }
            if event == Event::Execute && now.state == State::Executing {
                return Ok(now);
            }
            // The time for reflection is the person's, and nobody shortens it.
            if event == Event::Execute && now.cooling_until.is_some_and(|until| until > self.clock.now()) {
                return Err(RequestError::State);
            }
            let (account, days) = (now.account, self.days_of(now.asker));
            let next = now.after(event, self.clock.now(), days).ok_or(RequestError::State)?;
            if event == Event::Obstruct {
                self.erasing.tell_stopped_in_tx(tx, account).await?;
            }
            store::update(tx, &next, self.keys.get(next.account.0).await?.as_ref()).await?;
            Ok(next)
        };
        let step = &step;
        self.db.write("rights_request.execute", |tx| Box::pin(step(tx))).await
    }
}

impl std::fmt::Debug for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "requests answered in {} days", self.days)
    }
}

/// What it is that somebody does with a request.
fn event_by(acting: Acting, request: &Request, event: Event) -> Result<Event, RequestError> {
    let Acting::Asker(account, asker) = acting else { return Ok(event) };
    if account != request.account {
        return Err(RequestError::NotFound);
    }
    if asker == request.asker {
        return Ok(event);
    }
    let is_of_guardian = asker == Asker::Person && request.kind == Kind::Cancellation;
    // Neither takes back what the other asked for, and the person is not erased without staff if they do not want it.
    if is_of_guardian && event == Event::Withdraw { Ok(Event::Contest) } else { Err(RequestError::NotFound) }
}

fn obstructed(error: ErasureError) -> RequestError {
    match error {
        ErasureError::Account => RequestError::NotFound,
        ErasureError::Fault(fault) => RequestError::Fault(fault),
        error => RequestError::Obstacle(error),
    }
}
