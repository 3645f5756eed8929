//! Recording calls and charging them, within a transaction.

use super::charge;
use super::model::Difference;
use super::plan::{self, Pending};
use super::store;
use crate::calls;
use crate::error::Halt;
use crate::postings::{PurseIds, store as books};
use crate::reached;
use std::collections::{HashMap, HashSet};
use tacit_kernel::ids::{AccountId, CallId, LedgerAccountId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::WriteTx;

/// What was recorded.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) calls: Vec<CallId>,
    pub(super) amount: Nano,
    pub(super) differences: Vec<Difference>,
    pub(super) purses: HashMap<AccountId, PurseIds>,
}

/// Records calls and charges them, within a transaction. Unless `careful`, none of them may be recorded yet.
pub(super) async fn record(
    tx: &mut WriteTx<'_>,
    pending: &[Pending],
    known_purses: &HashMap<AccountId, PurseIds>,
    revenue: LedgerAccountId,
    careful: bool,
    now: Timestamp,
) -> Result<Recorded, Halt> {
    let already =
        if careful { store::calls_known(tx, pending.iter().map(|call| call.record.id)).await? } else { HashSet::new() };
    let fresh: Vec<&Pending> = pending.iter().filter(|call| !already.contains(&call.record.id)).collect();

    let leases = store::leases(tx, fresh.iter().copied()).await?;
    let mut pots = HashMap::new();
    let mut uncovered: Vec<AccountId> = charge::uncovered(fresh.iter().copied(), &leases).into_iter().collect();
    uncovered.sort();
    for account in uncovered {
        if let Some(purse) = books::purse_read(tx, account).await? {
            pots.insert(account, (purse.gift, purse.wallet));
        }
    }
    let charges = charge::charge(fresh.iter().copied(), leases, pots);

    let unknown: Vec<AccountId> =
        charges.postings.keys().filter(|account| !known_purses.contains_key(account)).copied().collect();
    let found = store::purse_ids(tx, unknown.into_iter()).await?;
    let mut purses: HashMap<AccountId, PurseIds> = found.clone();
    for account in charges.postings.keys() {
        if let Some(ids) = known_purses.get(account) {
            purses.insert(*account, *ids);
        }
    }

    let mut recorded = Recorded { purses: found, ..Recorded::default() };
    for (call, paid) in fresh.iter().zip(&charges.paid) {
        recorded.calls.push(call.record.id);
        recorded.amount = recorded.amount.saturating_add(paid.amount);
        if let Some(reason) = plan::difference(call, paid.amount) {
            let (call, said) = (call.record.id, call.said);
            recorded.differences.push(Difference { call, said, charged: paid.amount, reason });
        }
    }
    let rows = fresh.iter().copied().zip(charges.paid.iter());
    let written = calls::store::insert(
        tx,
        rows.clone().map(|(call, paid)| (&call.record, paid.amount, paid.capped, paid.settlement)),
    )
    .await?;
    if written != fresh.len() as u64 {
        return Err(Halt::Known);
    }
    calls::store::attempts_insert(tx, fresh.iter().map(|call| (call.record.id, call.failed.as_slice()))).await?;
    reached::note_late(tx, fresh.iter().map(|call| call.record.id), now).await?;
    store::usage_add(tx, rows.map(|(call, paid)| (call, paid.amount))).await?;
    store::pay(tx, &charges, &purses, revenue, now).await?;
    Ok(recorded)
}
