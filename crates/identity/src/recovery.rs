//! Somebody gets their account back. Whoever had it meanwhile must not stay in by another door: management keys are revoked,
//! and passkeys and identities go that are new. API keys stay, for a business stands on them, and the person is told of them.

use crate::notices::{Notice, Recovered};
use crate::{Identity, IdentityError, identities, keys, management_keys, passkeys};
use tacit_kernel::ids::AccountId;
use tacit_storage::WriteTx;

/// What was added within this time before may be of somebody else, in microseconds: seven days.
const NEW: i64 = 7 * 86_400_000_000;

impl Identity {
    /// Closes the doors that somebody else may have opened, ends all sessions, and tells the account.
    pub(crate) async fn recovered_in_tx(&self, tx: &mut WriteTx<'_>, account: AccountId) -> Result<(), IdentityError> {
        let now = self.clock.now();
        let since = now.plus_micros(-NEW);
        let closed = Recovered {
            management_keys: management_keys::store::revoke_all(tx, account, now).await?,
            passkeys: passkeys::store::remove_since(tx, account, since).await?,
            identities: identities::store::unlink_since(tx, account, since).await?,
            api_keys: keys::count_active_in_tx(tx, account).await?,
        };
        self.way_in_must_stay_in_tx(tx, account).await?;
        self.sessions_end_in_tx(tx, account, None).await?;
        if closed == Recovered::default() {
            return Ok(());
        }
        self.tell_in_tx(tx, account, Notice::Recovered(closed)).await
    }
}
