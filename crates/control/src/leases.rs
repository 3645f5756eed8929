//! How much of a wallet a gateway is given at once, and asking others to give back what one needs.
//!
//! A gateway asks for what it needs now and for what would be convenient. It is given the convenient amount while the
//! wallet is full; as the wallet empties, at most an equal share of half of what is left, so that each gateway still
//! finds something. What it needs it is always given if the wallet has it. If the wallet has not, but gateways hold
//! some, they are asked to give back what no call of theirs needs, and the answer waits for that for a moment.

use crate::Shared;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tacit_kernel::ids::{AccountId, SessionId};
use tacit_kernel::{Nano, Timestamp};
use tacit_ledger::LedgerError;
use tacit_ledger::leases::{LeaseOutcome, LeaseRequest};
use tacit_ledger::wallets::WalletView;
use tacit_link::{convert, wire};
use tacit_storage::changes::{self, Change};

/// How often the wallet is looked at again after a recall; together not longer than a caller waits gladly.
const LOOKS: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(30),
    Duration::from_millis(60),
    Duration::from_millis(150),
    Duration::from_millis(250),
];
/// An account's leases are not called back for the same session more often than this, in microseconds: an empty wallet
/// must not make every call of its owner a message to every gateway.
const RECALL_PAUSE: i64 = 1_000_000;
/// Recalls remembered for that; older ones are forgotten when there are more.
const REMEMBERED: usize = 4096;

/// When leases were last called back, and for which session. A recall does not reach the session it is for, so that it
/// does not stand for one that another session needs.
#[derive(Default)]
pub(crate) struct Recalls(Mutex<HashMap<(AccountId, SessionId), Timestamp>>);

impl Recalls {
    /// Whether it is time; if so it counts as done.
    fn due(&self, account: AccountId, session: SessionId, now: Timestamp) -> bool {
        let mut last = self.0.lock();
        let recent = |at: &Timestamp| now.micros_since(*at) < RECALL_PAUSE;
        if last.get(&(account, session)).is_some_and(recent) {
            return false;
        }
        if last.len() >= REMEMBERED {
            last.retain(|_, at| recent(at));
        }
        last.insert((account, session), now);
        true
    }
}

/// The most that is given at once: an equal share of half of what is there, for each gateway.
fn share(available: Nano, gateways: usize) -> Nano {
    let parts = i64::try_from(gateways.max(1)).unwrap_or(i64::MAX).saturating_mul(2);
    Nano(available.0.max(0) / parts)
}

fn available(wallet: &WalletView, request: &LeaseRequest) -> Nano {
    wallet.wallet.saturating_add(wallet.gift).saturating_add(request.give_back)
}

/// Answers a lease request.
pub(crate) async fn lease(shared: &Shared, mut request: LeaseRequest) -> Result<LeaseOutcome, LedgerError> {
    let giving_back_only = request.want <= Nano::ZERO;
    if !giving_back_only {
        let mut wallet = shared.ledger.wallet(request.account).await?;
        if available(&wallet, &request) < request.need && wallet.reserved > request.give_back {
            wallet = recall(shared, &request, wallet).await?;
        }
        let most = share(available(&wallet, &request), shared.links.connected());
        request.want = request.want.min(most).max(request.need);
    }
    shared.ledger.lease(request).await
}

/// Asks other gateways to give back, those of other control planes too, and waits until the wallet suffices or it has
/// taken too long. Who comes right after another request of the same session waits with it.
async fn recall(shared: &Shared, request: &LeaseRequest, mut wallet: WalletView) -> Result<WalletView, LedgerError> {
    let (account, session) = (request.account, request.session);
    let mut others = shared.ledger.session_list_open().await?;
    others.retain(|other| other.id != session);
    if others.is_empty() {
        return Ok(wallet);
    }
    if shared.links.recalls.due(account, session, shared.clock.now()) {
        shared.metrics.recalls.inc();
        shared.links.send_others(Some(session), &message(account));
        if others.iter().any(|other| !shared.links.is_connected(other.id)) {
            let (recall, now) = (&Change::Recall { account, but: Some(session) }, shared.clock.now());
            shared.db.write("changes.recall", |tx| Box::pin(changes::append(tx, recall, now))).await?;
        }
    }
    for pause in LOOKS {
        tokio::time::sleep(pause).await;
        wallet = shared.ledger.wallet(request.account).await?;
        if available(&wallet, request) >= request.need {
            break;
        }
    }
    Ok(wallet)
}

/// Somebody has called back what gateways hold of that account.
pub(crate) fn recalled(shared: &Shared, account: AccountId, but: Option<SessionId>) {
    // One that is for a gateway of our own comes by here again: it was passed on already.
    if but.is_some_and(|session| shared.links.is_connected(session)) {
        return;
    }
    if shared.links.send_others(but, &message(account)) {
        shared.metrics.recalls.inc();
    }
}

fn message(account: AccountId) -> wire::update::Kind {
    wire::update::Kind::Recall(wire::Recall { account: convert::id_bytes(account) })
}

/// A lease request from the wire.
///
/// # Errors
/// [`tacit_link::Refused`] for an id that is none.
pub(crate) fn request(message: &wire::LeaseRequest) -> Result<LeaseRequest, tacit_link::Refused> {
    Ok(LeaseRequest {
        session: convert::id::<SessionId>("session", &message.session)?,
        account: convert::id("account", &message.account)?,
        request: message.request,
        need: Nano(message.need),
        want: Nano(message.want),
        give_back: Nano(message.give_back),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_shrink_with_the_wallet_and_with_the_number_of_gateways() {
        assert_eq!(share(Nano(1000), 1), Nano(500));
        assert_eq!(share(Nano(1000), 5), Nano(100));
        assert_eq!(share(Nano(10), 5), Nano(1));
        assert_eq!(share(Nano(9), 5), Nano(0));
        assert_eq!(share(Nano(-5), 0), Nano(0));
    }

    #[test]
    fn an_account_is_not_called_back_all_the_time() {
        let recalls = Recalls::default();
        let (account, one, two) = (AccountId::fresh(), SessionId::fresh(), SessionId::fresh());
        assert!(recalls.due(account, one, Timestamp(0)));
        assert!(!recalls.due(account, one, Timestamp(RECALL_PAUSE - 1)));
        assert!(recalls.due(AccountId::fresh(), one, Timestamp(1)));
        assert!(recalls.due(account, two, Timestamp(1)));
        assert!(recalls.due(account, one, Timestamp(RECALL_PAUSE)));
    }
}
