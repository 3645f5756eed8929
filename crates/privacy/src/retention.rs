//! What has served its time is deleted: call records, where calls came from, what tells of gateways, the contents of the audit
//! log. A run goes over a class in steps, each a transaction that also says how far it came: whoever goes on after a crash
//! goes on there, and what stands in the book of runs at the end is the proof. What short-lived things hold is deleted where
//! they are kept (identity, operations). Backups are files of this process: every process takes away its own.

mod days;
mod holds;
mod model;
mod shelves;
mod store;

pub use days::{Days, DaysError};
pub use holds::{Hold, HoldError};
pub use model::{Class, Debt, Due, Run};

use crate::backup::Shelf;
use shelves::Shelves;
use std::collections::HashSet;
use std::sync::Arc;
use tacit_kernel::ids::{AccountId, CallId, TransactionId};
use tacit_kernel::{Clock, Fault, Timestamp};
use tacit_ledger::Ledger;
use tacit_ledger::forgetting::Forgetting;
use tacit_storage::audit::{self, Actor, NewEntry, Object};
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Bulk, Db, Page, Paged, ReadTx, Sql, WriteTx};
use uuid::Uuid;

/// How often a class is gone over.
const EVERY: i64 = 3_600_000_000;
const DAY: i64 = 86_400_000_000;
/// Entries of the audit log in one step.
const STEP: u32 = 500;

/// The jobs of retention. Cloning is cheap.
#[derive(Clone)]
pub struct Retention {
    db: Db,
    keys: Arc<KeyStore>,
    pub(crate) clock: Arc<dyn Clock>,
    ledger: Ledger,
    audit: audit::Audit,
    days: Days,
    shelves: Shelves,
}

impl Retention {
    /// The jobs, with days within the bounds of each class.
    #[must_use]
    pub fn new(
        (db, keys, clock): (Db, Arc<KeyStore>, Arc<dyn Clock>),
        ledger: Ledger,
        audit: audit::Audit,
        days: Days,
    ) -> Self {
        Self { db, keys, clock, ledger, audit, days, shelves: Shelves::default() }
    }

    /// With backups on those shelves.
    #[must_use]
    pub fn with_shelves(self, shelves: Vec<Shelf>) -> Self {
        Self { shelves: Shelves::new(shelves), ..self }
    }

    /// Days for which each class is kept.
    #[must_use]
    pub const fn days(&self) -> &Days {
        &self.days
    }

    /// Does one step of whatever is due. True if there may be more.
    ///
    /// # Errors
    /// Storage, keyring. What was not done is done by the next step.
    pub async fn step(&self) -> Result<bool, Fault> {
        for class in self.classes() {
            if self.step_of(class).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One step of a class. False if nothing of it is due for now.
    async fn step_of(&self, class: Class) -> Result<bool, Fault> {
        if let Some(kind) = class.backups() {
            return self.prune_hourly(kind).await;
        }
        let now = self.clock.now();
        let open = self.db.read("retention.open", |tx| Box::pin(store::open(tx, class))).await?;
        let run = match open {
            Some(run) => run,
            None => {
                let last = self.db.read("retention.last", |tx| Box::pin(store::last(tx, class))).await?;
                if last.is_some_and(|last| now.micros_since(last) < EVERY) {
                    return Ok(false);
                }
                let run = Run::begin(class, self.cutoff(class), now);
                let begun = &run;
                self.db.write("retention.begin", |tx| Box::pin(store::begin(tx, begun))).await?;
                run
            }
        };
        let step = async |tx: &mut WriteTx<'_>| self.step_in_tx(tx, run.clone()).await;
        let step = &step;
        self.db.write("retention.step", |tx| Box::pin(step(tx))).await?;
        Ok(true)
    }

    async fn step_in_tx(&self, tx: &mut WriteTx<'_>, run: Run) -> Result<(), Fault> {
        // Another control plane may have gone on meanwhile.
        let Some(mut run) = store::open(tx, run.class).await?.filter(|now| now.id == run.id) else { return Ok(()) };
        let held = holds::held(tx, self.clock.now()).await?;
        let next = match run.class {
            Class::CallAddresses => self.calls(tx, Forgetting::Addresses, &mut run, &held).await?,
            Class::CallRecords => self.calls(tx, Forgetting::Calls, &mut run, &held).await?,
            Class::GatewaySessions => {
                run.deleted += self.ledger.sessions_forget_in_tx(tx, run.cutoff).await?;
                None
            }
            Class::Ledger => {
                let from = (TransactionId(run.after), run.cutoff);
                let done = self.ledger.shorten_in_tx(tx, from, &held).await.map_err(Fault::from)?;
                run.deleted += done.rows;
                run.held += done.held;
                if done.next.is_none() {
                    run.deleted += self.ledger.shorten_end_in_tx(tx, run.cutoff).await.map_err(Fault::from)?;
                }
                done.next.map(|transaction| transaction.0)
            }
            Class::Audit => {
                let after = u64::try_from(run.after.as_u128()).unwrap_or(u64::MAX);
                let done = audit::forget_before(tx, (after, run.cutoff), &held, STEP).await?;
                run.deleted += done.rows;
                run.held += done.held;
                done.next.map(|seq| Uuid::from_u128(u128::from(seq)))
            }
            Class::Backups | Class::KeyringBackups => None,
        };
        match next {
            Some(next) => {
                run.after = next;
                Ok(store::go_on(tx, &run).await?)
            }
            None => self.finish(tx, run).await,
        }
    }

    async fn calls(
        &self,
        tx: &mut WriteTx<'_>,
        what: Forgetting,
        run: &mut Run,
        held: &HashSet<AccountId>,
    ) -> Result<Option<Uuid>, Fault> {
        let from = (CallId(run.after), run.cutoff);
        let done = self.ledger.calls_forget_in_tx(tx, what, from, held).await.map_err(Fault::from)?;
        run.deleted += done.rows;
        run.held += done.held;
        Ok(done.next.map(|call| call.0))
    }

    /// A run that deleted something stands in the audit log.
    async fn finish(&self, tx: &mut WriteTx<'_>, mut run: Run) -> Result<(), Fault> {
        use tacit_kernel::audit::{Action, ObjectKind, Phase};
        run.finished_at = Some(self.now());
        store::go_on(tx, &run).await?;
        if run.deleted > 0 {
            let object = Object::one(ObjectKind::Retention, run.class.as_str());
            let entry = NewEntry {
                phase: Phase::Done,
                affected: Some(run.deleted),
                ..NewEntry::begun(Actor::System, Action::RetentionRun, object, None)
            };
            self.audit.append(tx, &entry).await?;
        }
        let (now, before) = (self.clock.now(), self.cutoff(Class::Audit));
        // Proof of the same kind, kept as long.
        crate::requests::store::forget(tx, before, now).await?;
        tacit_identity::choices::forget_in_tx(tx, before, now).await?;
        crate::transfers::forget(tx, now).await?;
        crate::told::forget(tx, before).await?;
        crate::disclosures::forget(tx, before, now).await?;
        Ok(store::prune(tx, before).await?)
    }

    /// What a run over each class would delete now. It reads all of what may be due.
    ///
    /// # Errors
    /// Storage.
    pub async fn plan(&self) -> Result<Vec<Due>, Fault> {
        let plan = async |tx: &mut ReadTx<'_>| {
            let mut plan = Vec::new();
            for class in self.classes() {
                let before = self.cutoff(class);
                let rows = match class {
                    Class::CallAddresses => self.ledger.calls_due_in_tx(tx, Forgetting::Addresses, before).await?,
                    Class::CallRecords => self.ledger.calls_due_in_tx(tx, Forgetting::Calls, before).await?,
                    Class::GatewaySessions => self.ledger.sessions_due_in_tx(tx, before).await?,
                    Class::Ledger => self.ledger.shortening_due_in_tx(tx, before).await?,
                    Class::Audit => audit::due_before(tx, before).await?,
                    Class::Backups | Class::KeyringBackups => self.backups_due(class, before)?,
                };
                plan.push(Due { class, days: self.days_of(class), before, rows });
            }
            Ok::<_, Fault>(plan)
        };
        let plan = &plan;
        self.db.read("retention.plan", |tx| Box::pin(plan(tx))).await
    }

    /// For each class how long ago the oldest thing that is not held should have gone, at most: the age of the last whole run
    /// over it. A class is in debt when that is more than two hours.
    ///
    /// # Errors
    /// Storage.
    pub async fn debts(&self) -> Result<Vec<Debt>, Fault> {
        let debts = async |tx: &mut ReadTx<'_>| {
            let mut debts = Vec::new();
            for class in self.classes() {
                let finished = store::finished(tx, class).await?;
                let behind = finished.map(|cutoff| self.cutoff(class).micros_since(cutoff).max(0));
                debts.push(Debt { class, behind_micros: behind });
            }
            Ok::<_, Fault>(debts)
        };
        let debts = &debts;
        self.db.read("retention.debts", |tx| Box::pin(debts(tx))).await
    }

    /// A page of the runs, newest first.
    ///
    /// # Errors
    /// Storage.
    pub async fn runs(&self, page: Page) -> Result<Paged<Run>, Fault> {
        let rows = self.db.read("retention.runs", |tx| Box::pin(store::runs(tx, page))).await?;
        Ok(page.take(rows, |run| run.id.0))
    }

    /// The classes that there is anything of.
    fn classes(&self) -> impl Iterator<Item = Class> {
        Class::ALL.iter().copied().filter(|class| class.backups().is_none_or(|kind| self.shelf(kind).is_some()))
    }

    /// Days for which a class is kept.
    fn days_of(&self, class: Class) -> u32 {
        let shelf = class.backups().and_then(|kind| self.shelf(kind));
        shelf.map_or_else(|| self.days.of(class), Shelf::days)
    }

    /// What is older than that is due.
    fn cutoff(&self, class: Class) -> Timestamp {
        let days = -i64::from(self.days_of(class)) * DAY;
        // A backup is gone when its days are over, not an hour later.
        let early = if class.backups().is_some() { EVERY } else { 0 };
        self.now().plus_micros(days.saturating_add(early))
    }

    /// Now.
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl std::fmt::Debug for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "retention of {:?}", self.days)
    }
}

/// The constant statements of this crate, so that a test can prepare each on both engines.
#[must_use]
pub fn statements() -> Vec<&'static Sql> {
    [
        store::STATEMENTS,
        holds::STATEMENTS,
        crate::erasure::STATEMENTS,
        crate::requests::store::STATEMENTS,
        crate::parts::STATEMENTS,
        crate::recipients::STATEMENTS,
        crate::transfers::STATEMENTS,
        crate::told::STATEMENTS,
        crate::disclosures::STATEMENTS,
        crate::incidents::STATEMENTS,
    ]
    .concat()
}

/// Those over many rows, for the same test.
#[must_use]
pub fn bulks() -> Vec<&'static Bulk> {
    crate::transfers::BULKS.to_vec()
}

#[cfg(test)]
mod tests;
