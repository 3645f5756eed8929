//! What the gateway knows of API keys: grants, looked up by keyed hash at the control plane once and refreshed in the
//! background. Keys that are not known are remembered for a moment, so that guessing does not reach the database.

mod asked;
mod shared;
#[cfg(test)]
mod tests;

pub(crate) use shared::SharedBudgets;

use crate::lease::Budget;
use crate::limits::Counters;
use crate::link::Link;
use crate::moment;
use asked::{Asked, Question};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::Duration;
use tacit_kernel::call::{CallSource, ErrorCode};
use tacit_kernel::ids::{AccountId, GroupId, KeyId};
use tacit_kernel::limits::Limits;
use tacit_kernel::{Ppm, Timestamp};
use tacit_link::{Checked, convert, wire};
use tacit_vault::SealKey;
use tokio::sync::Semaphore;

/// A grant older than this is looked up again in the background.
const FRESH: i64 = 30_000_000_000;
/// A grant that could not be refreshed for that long is no longer served from.
const USABLE: i64 = 3_600_000_000_000;
/// Between two attempts to refresh in the background.
const RETRY: i64 = 2_000_000_000;
/// How long a key stays unknown without being asked for again.
const UNKNOWN: i64 = 5_000_000_000;
/// Unknown keys remembered at most.
const MOST_UNKNOWN: usize = 10_000;
/// A grant that was not used for that long is forgotten.
const FORGET: i64 = 3_600_000_000_000;
/// Look-ups at the same time of keys that are known, and of others: guesses must not stand in the way of refreshes.
const LOOKUPS: (usize, usize) = (64, 16);
/// How long a look-up may take, with what is tried again: long enough for the control plane to restart.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take where there is a grant to go on with.
const DOUBT: Duration = Duration::from_secs(1);
/// Between two tries of one look-up.
const PAUSE: Duration = Duration::from_millis(100);

type Hash = [u8; 32];

/// An account as this gateway knows it.
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) counters: Arc<Counters>,
    pub(crate) budget: Arc<Budget>,
}

/// What a key may do, as the control plane said last.
pub(crate) struct Grant {
    pub(crate) key: KeyId,
    pub(crate) account: Arc<Account>,
    pub(crate) group: GroupId,
    pub(crate) group_multiplier: Ppm,
    pub(crate) key_disabled: bool,
    pub(crate) account_disabled: bool,
    pub(crate) restricted: bool,
    pub(crate) key_limits: Limits,
    pub(crate) account_limits: Limits,
    pub(crate) source: CallSource,
    pub(crate) seal: SealKey,
    pub(crate) counters: Arc<Counters>,
    /// What the key shares with others of its member or project.
    pub(crate) shared: Option<Arc<SharedBudgets>>,
    loaded_at: i64,
    used_at: AtomicI64,
    /// The control plane said that it has changed.
    stale: AtomicBool,
    /// It may have changed while the link was down: looked up again, and served from if that is not possible.
    doubtful: AtomicBool,
    refresh_at: AtomicI64,
}

enum Entry {
    Known(Arc<Grant>),
    Unknown { until: i64 },
}

/// See the module.
pub(crate) struct Grants {
    link: Arc<Link>,
    entries: RwLock<HashMap<Hash, Entry>>,
    accounts: Mutex<HashMap<AccountId, Arc<Account>>>,
    pool: shared::Pool,
    /// One look-up a key at a time.
    flights: Mutex<HashMap<Hash, Arc<tokio::sync::Mutex<()>>>>,
    asked: Asked,
    lookups: Semaphore,
    guesses: Semaphore,
}

/// What was acknowledged of the charges of a key, of its account and of what it shares when a look-up began.
#[derive(Default)]
struct Marks(Vec<(Arc<Counters>, i64)>);

impl Marks {
    fn add(&mut self, counters: &Arc<Counters>) {
        self.0.push((Arc::clone(counters), counters.mark()));
    }

    /// The mark of these counters, if they were there.
    fn of(&self, counters: &Arc<Counters>) -> Option<i64> {
        self.0.iter().find(|(marked, _)| Arc::ptr_eq(marked, counters)).map(|(_, mark)| *mark)
    }
}

/// A place in the queue for one key; whoever leaves last takes the queue away, also where a client has gone.
struct Flight<'a> {
    of: &'a Grants,
    hash: Hash,
    queue: Arc<tokio::sync::Mutex<()>>,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = self.of.flights.lock();
        // The map and this one; others are only made under the lock.
        if Arc::strong_count(&self.queue) <= 2 {
            flights.remove(&self.hash);
        }
    }
}

impl Grants {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            entries: RwLock::default(),
            accounts: Mutex::default(),
            pool: shared::Pool::default(),
            flights: Mutex::default(),
            asked: Asked::default(),
            lookups: Semaphore::new(LOOKUPS.0),
            guesses: Semaphore::new(LOOKUPS.1),
        }
    }

    /// The account, if any of its keys is known.
    pub(crate) fn account(&self, id: AccountId) -> Option<Arc<Account>> {
        self.accounts.lock().get(&id).cloned()
    }

    /// Every account, for the sweep.
    pub(crate) fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.lock().values().cloned().collect()
    }

    /// The grant of that key.
    ///
    /// # Errors
    /// `KeyUnknown`, or `ControlUnavailable` where it could not be asked for.
    pub(crate) async fn find(self: &Arc<Self>, key: &str) -> Result<Arc<Grant>, ErrorCode> {
        if !tacit_kernel::keytext::well_formed(key) {
            return Err(ErrorCode::KeyUnknown);
        }
        let hash = match self.link.session_ref().as_ref() {
            Some(session) => tacit_vault::keyed_hash(&session.key_pepper, "api-key", key.as_bytes()),
            None => return Err(ErrorCode::ControlUnavailable),
        };
        match self.held(&hash) {
            Some(found) => found,
            // Also those who queue behind others for the same key wait no longer than that.
            None => tokio::time::timeout(PATIENCE, self.look_up_once(hash))
                .await
                .unwrap_or(Err(ErrorCode::ControlUnavailable)),
        }
    }

    /// What is held of it, if that may be used.
    fn held(self: &Arc<Self>, hash: &Hash) -> Option<Result<Arc<Grant>, ErrorCode>> {
        let now = moment::now();
        let grant = match self.entries.read().get(hash)? {
            Entry::Unknown { until } if now < *until => return Some(Err(ErrorCode::KeyUnknown)),
            Entry::Unknown { .. } => return None,
            Entry::Known(grant) => Arc::clone(grant),
        };
        if grant.doubtful.load(Relaxed) || !grant.usable(now) {
            return None;
        }
        grant.used_at.store(now, Relaxed);
        let due = grant.refresh_at.load(Relaxed);
        if now > due && grant.refresh_at.compare_exchange(due, now + RETRY, Relaxed, Relaxed).is_ok() {
            let (grants, hash) = (Arc::clone(self), *hash);
            tokio::spawn(async move { grants.look_up(hash, true, PATIENCE).await });
        }
        Some(Ok(grant))
    }

    async fn look_up_once(self: &Arc<Self>, hash: Hash) -> Result<Arc<Grant>, ErrorCode> {
        let queue = Arc::clone(self.flights.lock().entry(hash).or_default());
        let flight = Flight { of: self, hash, queue };
        let _turn = flight.queue.lock().await;
        if let Some(found) = self.held(&hash) {
            return found;
        }
        let known = match self.entries.read().get(&hash) {
            Some(Entry::Known(grant)) => Some(Arc::clone(grant)),
            _ => None,
        };
        let Some(grant) = known else { return self.look_up(hash, false, PATIENCE).await };
        if !grant.usable(moment::now()) {
            return self.look_up(hash, true, PATIENCE).await;
        }
        match self.look_up(hash, true, DOUBT).await {
            // Named as changed in the meantime, it is no longer usable.
            Err(ErrorCode::ControlUnavailable) if grant.usable(moment::now()) => {
                grant.refresh_at.store(moment::now() + RETRY, Relaxed);
                grant.doubtful.store(false, Relaxed);
                Ok(grant)
            }
            result => result,
        }
    }

    async fn look_up(&self, hash: Hash, known: bool, patience: Duration) -> Result<Arc<Grant>, ErrorCode> {
        let permits = if known { &self.lookups } else { &self.guesses };
        let asking = async {
            let mut also = Vec::new();
            loop {
                let marks = self.marks(&hash, &also);
                let (question, answer) = match self.ask(hash, permits).await {
                    Some(answer) => answer,
                    // Somebody waits who has nothing else to go on with.
                    None if patience == PATIENCE => {
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                    None => return Err(ErrorCode::ControlUnavailable),
                };
                let Some(grant) = answer.grant else {
                    if self.remember_unknown(hash, &question) {
                        return Err(ErrorCode::KeyUnknown);
                    }
                    continue;
                };
                match self.load(hash, &grant, &marks) {
                    Ok(Ok(grant)) if self.take(hash, &grant, &question) => return Ok(grant),
                    // Changed since it was asked for.
                    Ok(Ok(_)) => {}
                    // Another key of the same account or budget is known: only now can be said what was acknowledged before.
                    Ok(Err(known)) => also = known,
                    Err(refused) => {
                        tracing::error!(
                            event = "grant.invalid",
                            detail = refused.0,
                            "the control plane sent a grant that is not valid"
                        );
                        return Err(ErrorCode::ControlUnavailable);
                    }
                }
            }
        };
        tokio::time::timeout(patience, asking).await.unwrap_or(Err(ErrorCode::ControlUnavailable))
    }

    /// Holds the grant from now on, unless it has changed since it was asked for.
    fn take(&self, hash: Hash, grant: &Arc<Grant>, question: &Question<'_>) -> bool {
        // What is named as changed is told to questions under the same lock.
        let mut entries = self.entries.write();
        let holds = !question.outdated(Some(grant.account.id));
        if holds {
            entries.insert(hash, Entry::Known(Arc::clone(grant)));
        }
        holds
    }

    /// Taken before the control plane is asked.
    fn marks(&self, hash: &Hash, also: &[Arc<Counters>]) -> Marks {
        let mut marks = Marks::default();
        if let Some(Entry::Known(grant)) = self.entries.read().get(hash) {
            marks.add(&grant.counters);
            marks.add(&grant.account.counters);
            grant.shared.iter().flat_map(|shared| shared.counters()).for_each(|counters| marks.add(counters));
        }
        also.iter().for_each(|counters| marks.add(counters));
        marks
    }

    /// Asks once. The permit is not held between tries.
    async fn ask(&self, hash: Hash, permits: &Semaphore) -> Option<(Question<'_>, wire::KeyReply)> {
        let _permit = permits.acquire().await.ok()?;
        let session = self.link.session()?;
        let request = wire::KeyRequest { session: session.id.clone(), hash: hash.to_vec() };
        let question = self.asked.ask(hash);
        let answer = self.link.client().key(request).await.ok()?.into_inner();
        Some((question, answer))
    }

    /// Holds that nobody has this key, unless it has changed since it was asked for.
    fn remember_unknown(&self, hash: Hash, question: &Question<'_>) -> bool {
        let now = moment::now();
        let mut entries = self.entries.write();
        if question.outdated(None) {
            return false;
        }
        if entries.len() >= MOST_UNKNOWN {
            let unknown = |e: &Entry| matches!(e, Entry::Unknown { .. });
            entries.retain(|_, e| !matches!(e, Entry::Unknown { until } if *until < now));
            if entries.values().filter(|e| unknown(e)).count() >= MOST_UNKNOWN {
                entries.retain(|_, e| !unknown(e));
            }
        }
        entries.insert(hash, Entry::Unknown { until: now + UNKNOWN });
        true
    }

    /// Takes over what the control plane said. Instead the counters that were known when that was asked and are not among the
    /// marks, of the account or of what the key shares: nothing was taken over then.
    fn load(
        &self,
        hash: Hash,
        grant: &wire::KeyGrant,
        marks: &Marks,
    ) -> Result<Result<Arc<Grant>, Vec<Arc<Counters>>>, tacit_link::Refused> {
        grant.check()?;
        let id: AccountId = convert::id("account", &grant.account)?;
        let counters = match self.entries.read().get(&hash) {
            Some(Entry::Known(before)) => Some(Arc::clone(&before.counters)),
            _ => None,
        };
        let mut accounts = self.accounts.lock();
        let (account, of_account) = match accounts.get(&id) {
            Some(known) => (Arc::clone(known), marks.of(&known.counters)),
            // What nobody has charged yet needs no mark.
            None => (Arc::new(Account { id, counters: Arc::default(), budget: Arc::new(Budget::new(id)) }), Some(0)),
        };
        let of_key = counters.as_ref().map_or(Some(0), |known| marks.of(known));
        let (Some(of_account), Some(of_key)) = (of_account, of_key) else {
            let mut known = self.pool.known(id, &grant.budgets)?;
            known.push(Arc::clone(&account.counters));
            return Ok(Err(known));
        };
        let shared = match self.pool.load(id, &grant.budgets, |counters| marks.of(counters))? {
            Ok(shared) => shared,
            Err(mut known) => {
                known.push(Arc::clone(&account.counters));
                return Ok(Err(known));
            }
        };
        accounts.entry(id).or_insert_with(|| Arc::clone(&account));
        drop(accounts);
        let counters = counters.unwrap_or_default();
        counters.load_spend(&grant.key_spend.unwrap_or_default(), of_key);
        account.counters.load_spend(&grant.account_spend.unwrap_or_default(), of_account);
        account.budget.forget_refusal();
        let now = moment::now();
        Ok(Ok(Arc::new(Grant {
            key: convert::id("key", &grant.key)?,
            account,
            group: convert::id("group", &grant.group)?,
            group_multiplier: Ppm(grant.group_multiplier_ppm),
            key_disabled: grant.key_disabled,
            account_disabled: grant.account_disabled,
            restricted: grant.restricted,
            key_limits: convert::limits(&grant.key_limits_json)?,
            account_limits: convert::limits(&grant.account_limits_json)?,
            source: convert::source(grant.source)?,
            seal: SealKey::from_bytes(convert::bytes32("seal_key", &grant.seal_key)?),
            counters,
            shared,
            loaded_at: now,
            used_at: AtomicI64::new(now),
            stale: AtomicBool::new(false),
            doubtful: AtomicBool::new(false),
            refresh_at: AtomicI64::new(now + FRESH),
        })))
    }

    /// The control plane says what has changed: it is looked up again when it is next needed. What it names is not
    /// served from any more. `everything` it says after each reconnect, without anything having changed as a rule: when
    /// it can be reached the grants are looked up before they are used, and otherwise they go on to hold.
    pub(crate) fn invalidate(&self, what: &wire::Invalidate) {
        let mut entries = self.entries.write();
        self.asked.changed(what);
        for hash in &what.key_hashes {
            let Ok(hash) = <Hash>::try_from(hash.as_slice()) else { continue };
            match entries.get(&hash) {
                Some(Entry::Known(grant)) => grant.stale.store(true, Relaxed),
                Some(Entry::Unknown { .. }) => {
                    entries.remove(&hash);
                }
                None => {}
            }
        }
        if what.everything {
            entries.retain(|_, e| matches!(e, Entry::Known(_)));
        }
        if what.everything || !what.accounts.is_empty() {
            for entry in entries.values() {
                let Entry::Known(grant) = entry else { continue };
                let id = grant.account.id.0;
                let named = what.accounts.iter().any(|a| a.as_slice() == id.as_bytes());
                if named {
                    grant.stale.store(true, Relaxed);
                }
                if what.everything {
                    grant.doubtful.store(true, Relaxed);
                }
                if named || what.everything {
                    grant.account.budget.forget_refusal();
                }
            }
        }
    }

    /// Forgets what nobody used for long, and gives back leases that lie idle.
    pub(crate) fn sweep(&self) {
        let now = moment::now();
        let idle: Vec<Hash> = {
            let entries = self.entries.read();
            let old = |e: &Entry| match e {
                Entry::Unknown { until } => *until < now,
                Entry::Known(g) => now.saturating_sub(g.used_at.load(Relaxed)) > FORGET && g.counters.in_flight() == 0,
            };
            entries.iter().filter(|(_, e)| old(e)).map(|(hash, _)| *hash).collect()
        };
        if !idle.is_empty() {
            let mut entries = self.entries.write();
            for hash in &idle {
                entries.remove(hash);
            }
        }
        self.pool.sweep();
        // A lease that cannot be given back now would only be lost to its calls until it can.
        let accounts = if self.link.up() { self.accounts() } else { Vec::new() };
        for account in accounts {
            if account.budget.idle(now) {
                let link = Arc::clone(&self.link);
                tokio::spawn(async move { account.budget.give_back(&link).await });
            }
        }
    }

    /// Gives back everything, at the end of the process.
    pub(crate) async fn give_back_all(&self) {
        for account in self.accounts() {
            account.budget.give_back(&self.link).await;
        }
    }
}

impl Grant {
    fn usable(&self, now: i64) -> bool {
        !self.stale.load(Relaxed) && now.saturating_sub(self.loaded_at) <= USABLE
    }

    /// How much key, account and what they share may still spend under their limits, and when there is more again.
    pub(crate) fn room(&self, now: Timestamp) -> Option<(i64, Option<Timestamp>)> {
        let key = self.counters.room(&self.key_limits, now);
        let account = self.account.counters.room(&self.account_limits, now);
        let shared = self.shared.as_ref().and_then(|shared| shared.room(now));
        [key, account, shared].into_iter().flatten().min_by_key(|(room, _)| *room)
    }

    /// Counts so much more as promised against the spend limits; less if negative.
    pub(crate) fn reserve(&self, amount: i64) {
        self.counters.reserve(amount);
        self.account.counters.reserve(amount);
        if let Some(shared) = &self.shared {
            shared.reserve(amount);
        }
    }

    /// Promises `want` against the spend limits, or all the room there is if that is `least` at least. Returns what was
    /// promised.
    ///
    /// # Errors
    /// There is less room than `least`; when there is more. Nothing is counted.
    pub(crate) fn promise(&self, least: i64, want: i64, now: Timestamp) -> Result<i64, Option<Timestamp>> {
        match self.promise_all(want, now) {
            Ok(()) => Ok(want),
            Err((room, _)) if room >= least && self.promise_all(room, now).is_ok() => Ok(room),
            Err((_, again)) => Err(again),
        }
    }

    /// Promises `amount` if there is room for it. It is counted before the room is looked at, so that calls at the same
    /// time cannot all take the same room.
    ///
    /// # Errors
    /// The room there is, and when there is more; nothing is counted.
    fn promise_all(&self, amount: i64, now: Timestamp) -> Result<(), (i64, Option<Timestamp>)> {
        self.reserve(amount);
        match self.room(now) {
            Some((room, again)) if room < 0 => {
                self.reserve(-amount);
                Err((room.saturating_add(amount), again))
            }
            _ => Ok(()),
        }
    }

    /// Tokens are taken by estimate when a call begins; what it used is known when it ends.
    pub(crate) fn correct_tokens(&self, taken: u64, used: u64) {
        if let Some(limit) = self.key_limits.tokens_per_minute {
            self.counters.tokens.correct(taken, used, limit);
        }
        if let Some(limit) = self.account_limits.tokens_per_minute {
            self.account.counters.tokens.correct(taken, used, limit);
        }
    }
}
