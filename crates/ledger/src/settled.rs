//! Whether nothing more will be reported of an account that nobody can use any more, and giving up what is left of its
//! money. Both are asked before the account is erased.

use crate::postings::{LedgerAccountKind, TransactionKind, store};
use crate::settlement::store as settlement;
use crate::{Ledger, LedgerError};
use tacit_kernel::ids::{AccountId, SessionId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::{ReadTx, Sql, WriteTx};

const UNHEARD: Sql = Sql::new(
    "SELECT (SELECT COUNT(*) FROM gateway_sessions WHERE ended_at IS NULL AND seen_at < $1) \
     + (SELECT COUNT(*) FROM call_journal WHERE created_at < $1) AS n",
);
// A call whose end was set aside counts as over only while that is there, and its session open.
const ASIDE: Sql = Sql::new(
    "SELECT COUNT(*) AS n FROM set_aside_events AS s JOIN gateway_sessions AS g ON g.id = s.session_id \
     WHERE s.account_id = $1 AND (s.resolved_at IS NULL OR g.ended_at IS NULL)",
);
const OPEN_SESSIONS: Sql = Sql::new("SELECT DISTINCT session_id FROM open_calls");
/// The statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = &[&UNHEARD, &ASIDE, &OPEN_SESSIONS];

impl Ledger {
    /// Whether every gateway was heard since then, all that was reported before is settled, no call of the account is open,
    /// what was set aside of it is decided and its gateways' sessions are over, and no gateway holds money of it. `since` is a moment after all gateways were told that the account is not to be
    /// served.
    ///
    /// # Errors
    /// [`LedgerError::Storage`], [`LedgerError::Inconsistent`].
    pub async fn is_settled_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        since: Timestamp,
    ) -> Result<bool, LedgerError> {
        if store::purse_read(tx, account).await?.is_some_and(|purse| purse.reserved > Nano::ZERO) {
            return Ok(false);
        }
        let unheard: u64 = tx.one(&UNHEARD, &[since.into()]).await?.map_or(Ok(0), |row| row.get("n"))?;
        if unheard > 0 {
            return Ok(false);
        }
        let aside: u64 = tx.one(&ASIDE, &[account.into()]).await?.map_or(Ok(0), |row| row.get("n"))?;
        if aside > 0 {
            return Ok(false);
        }
        for row in tx.all(&OPEN_SESSIONS, &[]).await? {
            let session: SessionId = row.get("session_id")?;
            if settlement::open(tx, session).await?.iter().any(|(_, call)| call.account == account) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What an account holds: paid, given, or with gateways.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub async fn holding_in_tx(&self, tx: &mut ReadTx<'_>, account: AccountId) -> Result<Nano, LedgerError> {
        let purse = store::purse_read(tx, account).await?;
        Ok(purse.map_or(Nano::ZERO, |p| p.wallet.saturating_add(p.gift).saturating_add(p.reserved)))
    }

    /// Gives up what an account holds: paid money goes where money that is paid back goes, gifts to where they came from. The
    /// amount.
    ///
    /// # Errors
    /// [`LedgerError::Storage`], [`LedgerError::Raced`].
    pub async fn forfeit_in_tx(&self, tx: &mut WriteTx<'_>, account: AccountId) -> Result<Nano, LedgerError> {
        let Some(purse) = store::purse_read(tx, account).await? else { return Ok(Nano::ZERO) };
        let now = self.clock.now();
        let pots = [
            (LedgerAccountKind::Refund, purse.ids.wallet, purse.wallet),
            (LedgerAccountKind::Promotion, purse.ids.gift, purse.gift),
        ];
        for (other, own, amount) in pots.into_iter().filter(|(_, _, amount)| *amount > Nano::ZERO) {
            let other = store::platform_account(tx, other, now).await?;
            let entries = [(own, Nano(-amount.0)), (other, amount)];
            store::post(tx, TransactionKind::Adjustment, None, &entries, now).await?;
        }
        Ok(purse.wallet.saturating_add(purse.gift))
    }
}
