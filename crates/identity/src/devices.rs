//! Devices from which somebody signed in before. A device is known by a token in a cookie of its own, of which a keyed hash
//! is kept for each account that it signed in to: whoever signs in from another one is told about to the account's
//! addresses. The token opens nothing.

mod store;

pub(crate) use store::STATEMENTS;

use crate::sessions::Origin;
use crate::{Identity, IdentityError, chance};
use secrecy::{ExposeSecret, SecretString};
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};
use tacit_vault::keyed_hash;

const LABEL: &str = "known-device";
/// In bytes.
const TOKEN: usize = 16;
/// Longest text that may be one.
const LONGEST: usize = 64;
/// Of one account; with one more the one that was not seen for longest is forgotten.
const MOST: u32 = 50;
/// How long a device is remembered that is not seen, in microseconds: 180 days.
pub const REMEMBERED: i64 = 180 * 86_400_000_000;

/// A device from which this account was not signed in to before.
#[derive(Debug)]
pub struct NewDevice {
    /// What it is known by from now on, if it had nothing yet.
    pub token: Option<SecretString>,
}

impl Identity {
    /// Remembers from which device somebody signed in, all that was asked for shown. `Some`: it is one that was not seen.
    pub(crate) async fn device_seen_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        origin: &Origin,
    ) -> Result<Option<NewDevice>, IdentityError> {
        let now = self.clock.now();
        let shown = origin.token.as_ref().filter(|token| token.expose_secret().len() <= LONGEST);
        if let Some(token) = shown
            && store::seen(tx, account, &self.device_hash(token), now).await?
        {
            return Ok(None);
        }
        // One that is known for another account keeps its token: a person may have two accounts.
        let made = if shown.is_some() { None } else { Some(chance::token::<TOKEN>()) };
        if let Some(token) = made.as_ref().or(shown) {
            store::insert(tx, account, &self.device_hash(token), now).await?;
            store::forget_oldest(tx, account, MOST).await?;
        }
        Ok(Some(NewDevice { token: made }))
    }

    /// By what tries of that device are counted, if the account knows it.
    pub(crate) async fn known_device_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: Option<AccountId>,
        origin: &Origin,
    ) -> Result<Option<Vec<u8>>, IdentityError> {
        let shown = origin.token.as_ref().filter(|token| token.expose_secret().len() <= LONGEST);
        let Some((account, token)) = account.zip(shown) else { return Ok(None) };
        let hash = self.device_hash(token);
        let known = store::known(tx, account, &hash).await?;
        Ok(known.then(|| [account.0.as_bytes().as_slice(), &hash].concat()))
    }

    /// Forgets devices that were not seen for long.
    pub(crate) async fn devices_forget_in_tx(&self, tx: &mut WriteTx<'_>, limit: u32) -> Result<u64, IdentityError> {
        Ok(store::forget(tx, self.clock.now().plus_micros(-REMEMBERED), limit).await?)
    }

    fn device_hash(&self, token: &SecretString) -> [u8; 32] {
        keyed_hash(&self.keys.hash_key(LABEL), LABEL, token.expose_secret().as_bytes())
    }
}
