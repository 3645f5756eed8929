//! Budgets that several keys of an account share: those of a member of an organisation, and of a project. Each has counters
//! of its own, which all grants that name it hold together.

use crate::limits::Counters;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Limits;
use tacit_link::{convert, wire};
use uuid::Uuid;

/// Whose keys, and which of their budgets.
type Which = (AccountId, Uuid);

/// A budget as the grant of a key names it.
pub(crate) struct Shared {
    limits: Limits,
    counters: Arc<Counters>,
}

/// The budgets of a key. Most keys have none, and no such list.
pub(crate) struct SharedBudgets(Vec<Shared>);

impl SharedBudgets {
    /// The counters of each.
    pub(super) fn counters(&self) -> impl Iterator<Item = &Arc<Counters>> {
        self.0.iter().map(|shared| &shared.counters)
    }

    /// How much the tightest of them leaves, and when there is more again.
    pub(super) fn room(&self, now: Timestamp) -> Option<(i64, Option<Timestamp>)> {
        self.0.iter().filter_map(|s| s.counters.room(&s.limits, now)).min_by_key(|(room, _)| *room)
    }

    /// Counts so much more as promised; less if negative.
    pub(super) fn reserve(&self, amount: i64) {
        self.counters().for_each(|counters| counters.reserve(amount));
    }

    /// A call that had reserved so much is over and cost `amount`.
    pub(crate) fn settle(&self, reserved: i64, amount: i64, now: Timestamp) {
        self.counters().for_each(|counters| counters.settle(reserved, amount, now));
    }

    /// The control plane has that charge.
    pub(crate) fn acknowledged(&self, amount: i64) {
        self.counters().for_each(|counters| counters.acknowledged(amount));
    }
}

/// What was taken over; instead the counters that have no mark.
type Loaded = Result<Option<Arc<SharedBudgets>>, Vec<Arc<Counters>>>;

/// The counters of all budgets that are in use.
#[derive(Default)]
pub(super) struct Pool(Mutex<HashMap<Which, Arc<Counters>>>);

impl Pool {
    /// Takes over what the control plane said of a key's budgets. `mark` says what was acknowledged of these counters before
    /// it was asked. The counters instead that were known then and have no mark: nothing was taken over.
    pub(super) fn load(
        &self,
        account: AccountId,
        told: &[wire::SharedBudget],
        mark: impl Fn(&Arc<Counters>) -> Option<i64>,
    ) -> Result<Loaded, tacit_link::Refused> {
        if told.is_empty() {
            return Ok(Ok(None));
        }
        let mut pool = self.0.lock();
        let (mut found, mut unmarked) = (Vec::with_capacity(told.len()), Vec::new());
        for shared in told {
            let which = (account, convert::id::<Uuid>("id", &shared.id)?);
            let known = pool.get(&which).cloned();
            // What nobody has charged yet needs no mark.
            match known.as_ref().map_or(Some(0), &mark) {
                Some(mark) => found.push((which, known.unwrap_or_default(), mark)),
                None => unmarked.extend(known),
            }
        }
        if !unmarked.is_empty() {
            return Ok(Err(unmarked));
        }
        let mut budgets = Vec::with_capacity(found.len());
        for (shared, (which, counters, mark)) in told.iter().zip(found) {
            counters.load_spend(&shared.spend.unwrap_or_default(), mark);
            pool.insert(which, Arc::clone(&counters));
            budgets.push(Shared { limits: convert::budget(shared).limits(), counters });
        }
        Ok(Ok(Some(Arc::new(SharedBudgets(budgets)))))
    }

    /// The counters of those budgets that are in use.
    pub(super) fn known(
        &self,
        account: AccountId,
        told: &[wire::SharedBudget],
    ) -> Result<Vec<Arc<Counters>>, tacit_link::Refused> {
        let which = told.iter().map(|shared| Ok((account, convert::id::<Uuid>("id", &shared.id)?)));
        let which = which.collect::<Result<Vec<Which>, _>>()?;
        let pool = self.0.lock();
        Ok(which.iter().filter_map(|which| pool.get(which).cloned()).collect())
    }

    /// Forgets what no grant names any more and no charge waits for.
    pub(super) fn sweep(&self) {
        self.0.lock().retain(|_, counters| Arc::strong_count(counters) > 1);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}
