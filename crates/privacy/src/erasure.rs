//! A person is erased: unreadable at once, then every row that leads to them goes, then the bytes (docs/erasure.md).
//!
//! Every step may be cut off by a crash; whoever comes next does it again. What is done with rows is told by
//! [`OWNERS`](tacit_storage::datamap::OWNERS), so that what is added later is erased too. Nobody else's rows change, and no
//! sum of the ledger does.

mod error;
mod model;
mod store;

pub use error::ErasureError;
pub use model::{Erasure, Kept, Obstacle, Plan, Planned, Reason, State};

use crate::parts::Parts;
use crate::retention::Retention;
use crate::told::{Notice as Word, Told};
use std::sync::Arc;
use tacit_identity::notices::Notice;
use tacit_identity::{Identity, IdentityError};
use tacit_kernel::audit::{Action, ObjectKind, Phase};
use tacit_kernel::datamap::OnErasure;
use tacit_kernel::ids::{AccountId, ErasureId};
use tacit_kernel::{Clock, Fault, Nano};
use tacit_ledger::Ledger;
use tacit_storage::audit::{self, Actor, NewEntry, Object};
use tacit_storage::backup::Kind;
use tacit_storage::changes::{self, Change};
use tacit_storage::datamap::{OWNERS, Owner, erasing};
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Page, Paged, ReadTx, Sql, StorageErrorKind, WriteTx};

/// How long gateways may take to hear that an account is not served any more, in microseconds: 10 s. They ask for the keys that
/// they hold every few seconds, and are told of changes at once.
const HEARD: i64 = 10_000_000;

/// What erases people. Cloning is cheap.
#[derive(Clone)]
pub struct Erasing {
    db: Db,
    pub(crate) keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
    pub(crate) identity: Identity,
    ledger: Ledger,
    pub(crate) retention: Retention,
    pub(crate) audit: audit::Audit,
    told: Option<Told>,
}

impl Erasing {
    /// What erases people from that database and keyring.
    #[must_use]
    pub fn new(
        (db, keys, clock): (Db, Arc<KeyStore>, Arc<dyn Clock>),
        identity: Identity,
        ledger: Ledger,
        retention: Retention,
        audit: audit::Audit,
    ) -> Self {
        Self { db, keys, clock, identity, ledger, retention, audit, told: None }
    }

    /// With recipients that are told.
    #[must_use]
    pub fn with_told(self, told: Told) -> Self {
        Self { told: Some(told), ..self }
    }

    /// Which recipients are told of an erasure, and what became of it.
    ///
    /// # Errors
    /// Storage.
    pub async fn told(&self, id: ErasureId) -> Result<Vec<Word>, Fault> {
        match &self.told {
            Some(told) => told.of_erasure(id).await,
            None => Ok(Vec::new()),
        }
    }

    /// What deletes parts of what is held about people whose accounts stay.
    #[must_use]
    pub fn parts(&self) -> Parts {
        Parts::new(self.db.clone(), self.ledger.clone(), self.retention.clone())
    }

    /// What erasing an account would do, and what keeps it from being erased.
    ///
    /// # Errors
    /// [`ErasureError::Account`]; storage, keyring.
    pub async fn plan(&self, account: AccountId) -> Result<Plan, ErasureError> {
        let plan = async |tx: &mut ReadTx<'_>| {
            let obstacles = self.obstacles_in_tx(tx, account).await?;
            let mut ways = Vec::new();
            for way in OWNERS.iter().filter(|way| is_counted(way)) {
                let rows = erasing::rows(tx, way, account).await?;
                if rows > 0 {
                    ways.push(Planned { path: way.path, on_erasure: way.on_erasure, rows });
                }
            }
            Ok::<_, ErasureError>(Plan { obstacles, ways })
        };
        let plan = &plan;
        self.db.read("erasure.plan", |tx| Box::pin(plan(tx))).await
    }

    async fn obstacles_in_tx(&self, tx: &mut ReadTx<'_>, account: AccountId) -> Result<Vec<Obstacle>, ErasureError> {
        if self.identity.account_by_id_in_tx(tx, account).await?.is_none() {
            return Err(ErasureError::Account);
        }
        let mut obstacles = Vec::new();
        if self.retention.is_held_in_tx(tx, account).await? {
            obstacles.push(Obstacle::Held);
        }
        if self.identity.owns_organisations_in_tx(tx, account).await? {
            obstacles.push(Obstacle::OwnsOrganisations);
        }
        if self.identity.is_last_owner_in_tx(tx, account).await? {
            obstacles.push(Obstacle::LastOwner);
        }
        let amount = self.ledger.holding_in_tx(tx, account).await.map_err(Fault::from)?;
        if amount > Nano::ZERO {
            obstacles.push(Obstacle::Money { amount });
        }
        Ok(obstacles)
    }

    /// Begins to erase an account: when this returns, nobody acts as it any more, and nothing that was sealed for it can be
    /// read by any process that has looked at the keyring since. The rest is done by [`Self::step`]. If it was begun before,
    /// it is that erasure.
    ///
    /// # Errors
    /// [`ErasureError::Account`], [`ErasureError::Obstacle`], [`ErasureError::Reason`]; storage, keyring. If the key could not
    /// be destroyed, the next step does it.
    pub async fn begin(&self, account: AccountId, reason: Reason, forfeits: bool) -> Result<Erasure, ErasureError> {
        // Nothing stands against that one, so nobody can ask for it.
        if reason == Reason::Restored {
            return Err(ErasureError::Reason);
        }
        self.begin_as(account, reason, forfeits).await
    }

    async fn begin_as(&self, account: AccountId, reason: Reason, forfeits: bool) -> Result<Erasure, ErasureError> {
        let new = Erasure::begin(account, reason, forfeits, self.clock.now());
        // Of who was erased before nothing can be told any more; and it was then.
        let told = self.told.as_ref().filter(|_| reason != Reason::Restored);
        let prepared = match told {
            Some(told) => Some((told, told.prepare().await?)),
            None => None,
        };
        let begin = async |tx: &mut WriteTx<'_>| {
            if let Some(mut begun) = store::of_account(tx, account).await? {
                // Money that came in since may be given up too.
                begun.forfeits |= forfeits;
                store::go_on(tx, &begun).await?;
                return Ok(begun);
            }
            let obstacles = self.obstacles_in_tx(tx, account).await?;
            let given_up = |obstacle: &Obstacle| forfeits && matches!(obstacle, Obstacle::Money { .. });
            // Who was erased after the backup is erased whatever the backup says.
            let against = obstacles.into_iter().find(|o| reason != Reason::Restored && !given_up(o));
            if let Some(obstacle) = against {
                return Err(ErasureError::Obstacle(obstacle));
            }
            match self.identity.account_freeze_in_tx(tx, account).await {
                Err(IdentityError::OwnerLast) if reason == Reason::Restored => {}
                frozen => frozen?,
            }
            store::begin(tx, &new).await?;
            if let Some((told, prepared)) = &prepared {
                told.begin_in_tx(tx, (&self.identity, prepared), (new.id, account)).await?;
            }
            Ok(new.clone())
        };
        let begin = &begin;
        let begun = self.db.write("erasure.begin", |tx| Box::pin(begin(tx))).await;
        if let Some((told, prepared)) = &prepared {
            told.dismiss(prepared, begun.as_ref().ok().map(|begun| begun.id)).await?;
        }
        let begun = begun?;
        if begun.state == State::Frozen {
            self.destroy(vec![begun.clone()]).await?;
        }
        Ok(self.find(begun.id).await?.unwrap_or(begun))
    }

    /// Begins to erase whoever has a tombstone in the keyring and is still in the data, as after a backup was restored. How
    /// many. To be called before anybody is served.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn replay(&self) -> Result<u64, Fault> {
        let (mut after, mut replayed) = (None, 0);
        loop {
            let (erased, next) = self.keys.erased_in(&self.db, after).await?;
            for account in erased {
                match self.begin_as(account, Reason::Restored, true).await {
                    // Another control plane, which goes on with it, has just come to its end.
                    Err(ErasureError::Account) => {}
                    begun => {
                        begun?;
                        replayed += 1;
                    }
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(replayed),
            }
        }
    }

    /// Tells somebody that their account was not erased as they had asked.
    pub(crate) async fn tell_stopped_in_tx(&self, tx: &mut WriteTx<'_>, account: AccountId) -> Result<(), Fault> {
        let stopped = self.identity.tell_in_tx(tx, account, Notice::CancellationStopped).await;
        stopped.map_err(Fault::from)
    }

    /// Does a step of each erasure that is not done. True if one of them came further.
    ///
    /// # Errors
    /// Storage, keyring: the last failure of any of them, none of which holds up another. What was not done is done by the
    /// next step.
    pub async fn step(&self) -> Result<bool, Fault> {
        let (mut after, mut moved, mut failed) = (None, false, None);
        loop {
            let open = self.db.read("erasure.open", |tx| Box::pin(store::open(tx, after))).await?;
            let Some(last) = open.last() else { break };
            after = Some(last.id);
            let of = |state: State| open.iter().filter(move |e| e.state == state).cloned();
            let mut done = vec![self.destroy(of(State::Frozen).collect()).await];
            for erasure in of(State::Unreadable) {
                done.push(self.purge(&erasure).await);
            }
            done.push(self.sweep(of(State::Purged).collect()).await);
            for done in done {
                match done {
                    Ok(further) => moved |= further,
                    Err(fault) => failed = Some(fault),
                }
            }
        }
        failed.map_or(Ok(moved), Err)
    }

    /// Destroys the keys of those who are frozen, and tells gateways to drop what they hold.
    async fn destroy(&self, frozen: Vec<Erasure>) -> Result<bool, Fault> {
        let accounts: Vec<AccountId> = frozen.iter().filter_map(|erasure| erasure.account).collect();
        let subjects: Vec<_> = accounts.iter().map(|account| account.0).collect();
        if subjects.is_empty() {
            return Ok(false);
        }
        // What papers of verification are sealed with goes too: after the rows nobody finds it.
        for account in &accounts {
            for case in self.identity.case_ids(*account).await? {
                self.keys.destroy_fleeting(case.0).await?;
            }
        }
        let destroyed = self.keys.destroy(&subjects).await?;
        // From here on this database takes no keyring for its own that does not know of it.
        self.keys.remember_in(&self.db).await?;
        let now = self.clock.now();
        // A backup of the keyring that was begun before has the key.
        let copies_until = self.retention.shelf(Kind::Keyring).map(|shelf| shelf.until(now));
        let unreadable = async |tx: &mut WriteTx<'_>| {
            for erasure in &frozen {
                let Some(mut erasure) = standing(tx, erasure.id, State::Frozen).await? else { continue };
                erasure.state = State::Unreadable;
                erasure.unreadable_at = Some(now);
                erasure.epoch = destroyed.epoch;
                erasure.copies_until = copies_until;
                store::go_on(tx, &erasure).await?;
            }
            for account in &accounts {
                changes::append(tx, &Change::Account(*account), now).await?;
            }
            Ok::<_, Fault>(())
        };
        let unreadable = &unreadable;
        self.db.write("erasure.unreadable", |tx| Box::pin(unreadable(tx))).await?;
        Ok(true)
    }

    /// Does what erasing does with some rows. False if it waits until the last calls are settled.
    async fn purge(&self, erasure: &Erasure) -> Result<bool, Fault> {
        let id = erasure.id;
        // Apart from the work itself: it looks at what all gateways write.
        let ready = async |tx: &mut ReadTx<'_>| self.may_go_in_tx(tx, erasure).await;
        let ready = &ready;
        if erasure.place == 0 && !self.db.read("erasure.ready", |tx| Box::pin(ready(tx))).await? {
            return Ok(false);
        }
        let purge = async |tx: &mut WriteTx<'_>| self.purge_in_tx(tx, id).await;
        let purge = &purge;
        match self.db.write("erasure.purge", |tx| Box::pin(purge(tx))).await {
            // Somebody wrote rows meanwhile, one that leads to what is to go, or one that the pseudonym has already: all is gone
            // over once more, with another pseudonym.
            Err(PurgeError::Late) => {
                let again = async |tx: &mut WriteTx<'_>| {
                    let Some(mut erasure) = standing(tx, id, State::Unreadable).await? else { return Ok(()) };
                    erasure.place = 0;
                    erasure.pseudonym = Some(model::pseudonym());
                    Ok::<_, Fault>(store::go_on(tx, &erasure).await?)
                };
                let again = &again;
                // Not at once: whoever writes such rows needs a moment to hear that the account is not there any more.
                self.db.write("erasure.again", |tx| Box::pin(again(tx))).await.map(|()| false)
            }
            Err(PurgeError::Fault(fault)) => Err(fault),
            Ok(moved) => Ok(moved),
        }
    }

    async fn purge_in_tx(&self, tx: &mut WriteTx<'_>, id: ErasureId) -> Result<bool, PurgeError> {
        let Some(mut erasure) = standing(tx, id, State::Unreadable).await? else { return Ok(false) };
        let (Some(account), Some(pseudonym)) = (erasure.account, erasure.pseudonym) else { return Ok(false) };
        if erasure.place == 0 {
            if erasure.forfeits {
                self.ledger.forfeit_in_tx(tx, account).await.map_err(Fault::from)?;
            } else if self.ledger.holding_in_tx(tx, account).await.map_err(Fault::from)? > Nano::ZERO {
                // A payment that came in meanwhile. It is paid back by an adjustment; till then its owner is known.
                return Ok(false);
            }
        }
        let mut left = u64::from(erasing::STEP);
        while let Some(way) = OWNERS.get(erasure.place) {
            let done = match way.on_erasure {
                OnErasure::Committed => {
                    let rows = audit::forget_subject(tx, account).await?;
                    erasing::Erased { rows, more: false }
                }
                _ => erasing::step(tx, way, account, pseudonym).await?,
            };
            if done.rows > 0 {
                *erasure.rows.entry(way.table().to_owned()).or_default() += done.rows;
            }
            erasure.place += usize::from(!done.more);
            left = left.saturating_sub(done.rows);
            if left == 0 {
                break;
            }
        }
        let is_over = erasure.place >= OWNERS.len();
        let moved = !is_over || self.purged_in_tx(tx, &mut erasure, account).await?;
        store::go_on(tx, &erasure).await?;
        Ok(moved)
    }

    /// Whether the rows of somebody who is frozen may go: every gateway knows, and nothing more is reported.
    async fn may_go_in_tx(&self, tx: &mut ReadTx<'_>, erasure: &Erasure) -> Result<bool, Fault> {
        let (Some(account), heard) = (erasure.account, erasure.begun_at.plus_micros(HEARD)) else { return Ok(false) };
        // One that was put when it had just begun.
        let is_held = erasure.reason != Reason::Restored && self.retention.is_held_in_tx(tx, account).await?;
        Ok(!is_held && self.clock.now() >= heard && self.ledger.is_settled_in_tx(tx, account, heard).await?)
    }

    /// All ways were gone over: if no row leads to them any more, nothing leads from the erasure to them either. False: some
    /// were written meanwhile, and all is gone over once more.
    async fn purged_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        erasure: &mut Erasure,
        account: AccountId,
    ) -> Result<bool, PurgeError> {
        for way in OWNERS.iter().filter(|way| is_counted(way)) {
            if erasing::rows(tx, way, account).await? > 0 {
                erasure.place = 0;
                return Ok(false);
            }
        }
        erasure.state = State::Purged;
        erasure.purged_at = Some(self.clock.now());
        (erasure.account, erasure.pseudonym) = (None, None);
        // It names nobody: only the receipt.
        let object = Object::one(ObjectKind::Erasure, erasure.id);
        let entry = NewEntry {
            phase: Phase::Done,
            affected: Some(erasure.rows.values().sum()),
            ..NewEntry::begun(Actor::System, Action::AccountErase, object, None)
        };
        self.audit.append(tx, &entry).await?;
        Ok(true)
    }

    /// Makes the bytes of those who are purged go from the files, once for all of them, and finishes those whose key is gone
    /// for good.
    async fn sweep(&self, purged: Vec<Erasure>) -> Result<bool, Fault> {
        let mut ready = Vec::new();
        for erasure in purged {
            // Of a key that was destroyed before a crash, or by another control plane, the epoch is not known: then none may be
            // left to turn.
            let is_turned = erasure.epoch > 0 || self.keys.status().await?.waiting == 0;
            if is_turned && self.keys.is_final(erasure.epoch).await? {
                ready.push(erasure);
            }
        }
        if ready.is_empty() {
            return Ok(false);
        }
        // What freezing deleted is not counted.
        let always = |table: &str| ["erasures", "console_sessions"].contains(&table);
        let touched = |table: &str| always(table) || ready.iter().any(|erasure| erasure.rows.contains_key(table));
        let mut tables: Vec<&'static str> = OWNERS.iter().map(Owner::table).filter(|table| touched(table)).collect();
        tables.sort_unstable();
        tables.dedup();
        match self.db.sweep(&[], &tables).await {
            Err(error) if error.kind == StorageErrorKind::Busy => return Ok(false),
            swept => swept?,
        }
        let now = self.clock.now();
        let done = async |tx: &mut WriteTx<'_>| {
            for erasure in &ready {
                let Some(mut erasure) = standing(tx, erasure.id, State::Purged).await? else { continue };
                erasure.state = State::Done;
                erasure.done_at = Some(now);
                store::go_on(tx, &erasure).await?;
            }
            Ok::<_, Fault>(())
        };
        let done = &done;
        self.db.write("erasure.done", |tx| Box::pin(done(tx))).await.map(|()| true)
    }

    /// How many erasures are not done.
    ///
    /// # Errors
    /// Storage.
    pub async fn open(&self) -> Result<u64, Fault> {
        Ok(self.db.read("erasure.count", |tx| Box::pin(store::count(tx))).await?)
    }

    /// An erasure, or the receipt of one.
    ///
    /// # Errors
    /// Storage.
    pub async fn find(&self, id: ErasureId) -> Result<Option<Erasure>, Fault> {
        Ok(self.db.read("erasure.find", |tx| Box::pin(store::by_id(tx, id))).await?)
    }

    /// A page of all erasures, newest first.
    ///
    /// # Errors
    /// Storage.
    pub async fn list(&self, page: Page) -> Result<Paged<Erasure>, Fault> {
        let rows = self.db.read("erasure.list", |tx| Box::pin(store::list(tx, page))).await?;
        Ok(page.take(rows, |erasure| erasure.id.0))
    }
}

impl std::fmt::Debug for Erasing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("erasing")
    }
}

/// Ways whose rows must be gone, unlinked or emptied in the end.
fn is_counted(way: &Owner) -> bool {
    erasing::is_of_rows(way) || way.on_erasure == OnErasure::Committed
}

/// The erasure as it stands, if it still is in that state: another control plane may have gone on.
async fn standing(tx: &mut ReadTx<'_>, id: ErasureId, state: State) -> Result<Option<Erasure>, Fault> {
    Ok(store::by_id(tx, id).await?.filter(|erasure| erasure.state == state))
}

/// The constant statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = store::STATEMENTS;

use error::PurgeError;

#[cfg(test)]
pub(crate) mod tests;
