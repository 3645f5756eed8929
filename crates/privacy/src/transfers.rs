//! The ledger of transfers: to which provider in which country calls of whom went in a year, how often, first and last. It is
//! counted from call records by a job, each call once, and never where calls are relayed or settled (docs/recipients.md).

mod model;
mod store;
#[cfg(test)]
mod tests;

pub use model::{Bounds, Counted, Level, Report, Transfer, year_of};

use crate::recipients::{Recipients, UNKNOWN};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tacit_catalog::Catalog;
use tacit_kernel::datamap::retention::TRANSFER;
use tacit_kernel::ids::{AccountId, ChannelId, ProviderId, RecipientId};
use tacit_kernel::{Clock, Fault, Timestamp};
use tacit_ledger::Ledger;
use tacit_ledger::reached::Reached;
use tacit_storage::{Bulk, Db, ReadTx, Sql, WriteTx};

const DAY: i64 = 86_400_000_000;
/// Rows of an account that are shown at most: years by providers.
const SHOWN: i64 = 500;

/// The ledger of transfers. Cloning is cheap.
#[derive(Clone)]
pub struct Transfers {
    db: Db,
    clock: Arc<dyn Clock>,
    ledger: Ledger,
    catalog: Catalog,
    recipients: Recipients,
    home: Option<Arc<str>>,
    bounds: Bounds,
}

/// Where providers are, as the register says now.
struct Whereabouts {
    providers: HashMap<ProviderId, (RecipientId, String)>,
    channels: HashMap<ChannelId, ProviderId>,
}

impl Transfers {
    /// The ledger of that database, of a platform that is at home there.
    #[must_use]
    pub fn new(
        (db, clock): (Db, Arc<dyn Clock>),
        (ledger, catalog): (Ledger, Catalog),
        recipients: Recipients,
        (home, bounds): (Option<&str>, Bounds),
    ) -> Self {
        Self { db, clock, ledger, catalog, recipients, home: home.map(Arc::from), bounds }
    }

    /// Counts some calls. True if there may be more.
    ///
    /// # Errors
    /// Storage. What was not counted is counted by the next step.
    pub async fn step(&self) -> Result<bool, Fault> {
        let step = async |tx: &mut WriteTx<'_>| self.step_in_tx(tx).await;
        let step = &step;
        self.db.write("transfer.step", |tx| Box::pin(step(tx))).await
    }

    async fn step_in_tx(&self, tx: &mut WriteTx<'_>) -> Result<bool, Fault> {
        let now = self.clock.now();
        let place = store::place(tx, now).await?;
        let mut seen = self.ledger.calls_late_in_tx(tx, place).await.map_err(Fault::from)?;
        let next = self.ledger.calls_reached_in_tx(tx, place).await.map_err(Fault::from)?;
        let further = next.seen.last().copied();
        seen.calls.extend(next.calls);
        seen.seen.extend(next.seen);
        if seen.seen.is_empty() {
            store::go_on(tx, place, now).await?;
            return Ok(false);
        }
        let whereabouts = self.whereabouts(tx).await?;
        store::add(tx, &counted(&seen.calls, &whereabouts)).await?;
        self.ledger.calls_counted_in_tx(tx, &seen.seen).await.map_err(Fault::from)?;
        store::go_on(tx, further.unwrap_or(place), now).await?;
        Ok(true)
    }

    async fn whereabouts(&self, tx: &mut ReadTx<'_>) -> Result<Whereabouts, Fault> {
        let recipients = self.recipients.list_in_tx(tx).await?;
        let countries: HashMap<RecipientId, String> =
            recipients.into_iter().map(|recipient| (recipient.id, recipient.spec.country)).collect();
        let providers = self.catalog.provider_list_in_tx(tx).await.map_err(Fault::from)?;
        let tied = providers.into_iter().filter_map(|provider| {
            let recipient = provider.recipient?;
            Some((provider.id, (recipient, countries.get(&recipient)?.clone())))
        });
        let channels = self.catalog.channel_list_in_tx(tx).await.map_err(Fault::from)?;
        let channels = channels.into_iter().map(|channel| (channel.id, channel.provider)).collect();
        Ok(Whereabouts { providers: tied.collect(), channels })
    }

    /// What was sent of an account, the latest first.
    ///
    /// # Errors
    /// Storage.
    pub async fn of_account(&self, account: AccountId) -> Result<Vec<Transfer>, Fault> {
        let found = self.db.read("transfer.of_account", |tx| Box::pin(store::of_account(tx, account, SHOWN))).await;
        Ok(found?)
    }

    /// The transfers of a year; of this one if none is given.
    ///
    /// # Errors
    /// Storage.
    pub async fn report(&self, year: Option<u16>) -> Result<Report, Fault> {
        let year = year.unwrap_or_else(|| year_of(self.clock.now()));
        let home = self.home.as_deref();
        let read = async |tx: &mut ReadTx<'_>| {
            let (countries, providers) = (store::countries(tx, year).await?, store::providers(tx, year).await?);
            // Where nobody has said what home is, everything is abroad.
            let abroad = store::abroad(tx, year, home.unwrap_or_default()).await?;
            let level = self.bounds.level(abroad);
            Ok::<_, Fault>(Report { year, home: home.map(str::to_owned), abroad, level, countries, providers })
        };
        let read = &read;
        self.db.read("transfer.report", |tx| Box::pin(read(tx))).await
    }

    /// When something was counted last; `None` before the first time.
    ///
    /// # Errors
    /// Storage.
    pub async fn counted_at(&self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.db.read("transfer.counted_at", |tx| Box::pin(store::counted_at(tx))).await?)
    }
}

/// What calls add, one of each account, year, provider and country. A provider that was tried twice by a call got it once.
fn counted(calls: &[Reached], whereabouts: &Whereabouts) -> Vec<Transfer> {
    let mut sums: BTreeMap<(AccountId, u16, ProviderId), Transfer> = BTreeMap::new();
    for call in calls {
        let failed = call.failed.iter().filter_map(|channel| whereabouts.channels.get(channel).copied());
        let providers: BTreeSet<ProviderId> = call.provider.into_iter().chain(failed).collect();
        for provider in providers {
            let (account, year, at) = (call.account, year_of(call.started_at), call.started_at);
            let known = whereabouts.providers.get(&provider);
            let empty = || Transfer {
                year,
                provider,
                recipient: known.map(|(recipient, _)| *recipient),
                country: known.map_or_else(|| UNKNOWN.to_owned(), |(_, country)| country.clone()),
                account,
                calls: 0,
                first_at: at,
                last_at: at,
            };
            let sum = sums.entry((account, year, provider)).or_insert_with(empty);
            sum.calls += 1;
            sum.first_at = sum.first_at.min(at);
            sum.last_at = sum.last_at.max(at);
        }
    }
    sums.into_values().collect()
}

/// Transfers whose time is over go.
pub(crate) async fn forget(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<(), Fault> {
    store::forget(tx, now.plus_micros(-i64::from(TRANSFER.min) * DAY), now).await?;
    Ok(())
}

impl std::fmt::Debug for Transfers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("transfers")
    }
}

/// The constant statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = store::STATEMENTS;
/// Those over many rows.
pub(crate) static BULKS: &[&Bulk] = store::BULKS;
