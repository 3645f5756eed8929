//! Ways to sign in that take two requests: what was begun waits here for its other half. A handle of 256 random bits names
//! it, of which a keyed hash is kept; it is good once and for a short time, for one purpose, and where that matters only in
//! the browser where it began. What it holds (nonces, verifiers, challenges) is sealed with the platform's key.

mod store;

pub(crate) use store::STATEMENTS;

use crate::{Identity, IdentityError, chance};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::CeremonyRow;
use subtle::ConstantTimeEq as _;
use tacit_kernel::ids::AccountId;
use tacit_kernel::words;
use tacit_storage::{StorageError, WriteTx};
use tacit_vault::{Aad, keyed_hash};
use uuid::Uuid;
use zeroize::Zeroizing;

/// How long the other half may take, in microseconds: ten minutes.
pub(crate) const CEREMONY_LIFE: i64 = 600_000_000;
const LABEL: &str = "sign-in-ceremony";
/// In bytes.
const HANDLE: usize = 32;
/// The row has no id of its own, and its handle must not be known to who can read the table: the purpose stands for both.
const AAD: Aad<'static> = Aad { table: "sign_in_ceremonies", column: "content_sealed", row: Uuid::nil() };

words! {
    /// What was begun.
    Purpose {
        /// Signing in with a provider.
        IdentitySignIn = "identity_sign_in",
        /// Linking an identity with the account of who is signed in.
        IdentityLink = "identity_link",
        /// Registering with an identity that nobody has here.
        Registration = "registration",
        /// Registering a passkey.
        PasskeyRegister = "passkey_register",
        /// Signing in with a passkey.
        PasskeySignIn = "passkey_sign_in",
        /// Showing once more who is there, with a passkey.
        PasskeyStepUp = "passkey_step_up",
    }
}

/// Something to be begun.
pub(crate) struct Beginning<'b> {
    pub(crate) purpose: Purpose,
    /// In which browser alone it may be finished.
    pub(crate) browser: Option<&'b SecretString>,
    /// Whose account it is about, if somebody is signed in.
    pub(crate) account: Option<AccountId>,
}

/// A handle, or a secret that tells a browser.
pub(crate) fn random_token() -> SecretString {
    chance::token::<HANDLE>()
}

impl Identity {
    /// Keeps what was begun.
    pub(crate) async fn ceremony_put_in_tx<T: Serialize>(
        &self,
        tx: &mut WriteTx<'_>,
        handle: &SecretString,
        begun: &Beginning<'_>,
        content: &T,
    ) -> Result<(), IdentityError> {
        let inconsistent = |_| StorageError::inconsistent("sign_in_ceremonies", "content_sealed");
        let text = Zeroizing::new(serde_json::to_vec(content).map_err(inconsistent)?);
        let row = CeremonyRow {
            browser_hash: begun.browser.map(|browser| self.browser_hash(browser)),
            account: begun.account,
            content_sealed: self.keys.platform_key().seal(&AAD, &text),
            expires_at: self.clock.now().plus_micros(CEREMONY_LIFE),
        };
        Ok(store::insert(tx, &self.handle_hash(begun.purpose, handle), begun.purpose, &row).await?)
    }

    /// Takes what was begun. It is gone then, whatever comes of it, so whoever gets `None` must let the transaction commit.
    /// `None`: no such thing was begun, it is too old, it was for another account, or in another browser.
    pub(crate) async fn ceremony_take_in_tx<T: DeserializeOwned>(
        &self,
        tx: &mut WriteTx<'_>,
        handle: &SecretString,
        wanted: &Beginning<'_>,
    ) -> Result<Option<T>, IdentityError> {
        let Some(row) = store::take(tx, &self.handle_hash(wanted.purpose, handle), wanted.purpose).await? else {
            return Ok(None);
        };
        let same_browser = match (&row.browser_hash, wanted.browser) {
            (Some(kept), Some(browser)) => bool::from(kept.as_slice().ct_eq(self.browser_hash(browser).as_slice())),
            (None, _) => true,
            (Some(_), None) => false,
        };
        if row.expires_at <= self.clock.now() || !same_browser || row.account != wanted.account {
            return Ok(None);
        }
        let inconsistent = || StorageError::inconsistent("sign_in_ceremonies", "content_sealed");
        let text = self.keys.platform_key().open(&AAD, &row.content_sealed).map_err(|_| inconsistent())?;
        Ok(Some(serde_json::from_slice(&text).map_err(|_| inconsistent())?))
    }

    pub(crate) async fn ceremonies_forget_in_tx(&self, tx: &mut WriteTx<'_>, limit: u32) -> Result<u64, IdentityError> {
        Ok(store::forget(tx, self.clock.now(), limit).await?)
    }

    fn handle_hash(&self, purpose: Purpose, handle: &SecretString) -> [u8; 32] {
        keyed_hash(&self.keys.hash_key(LABEL), purpose.as_str(), handle.expose_secret().as_bytes())
    }

    fn browser_hash(&self, browser: &SecretString) -> [u8; 32] {
        keyed_hash(&self.keys.hash_key(LABEL), "browser", browser.expose_secret().as_bytes())
    }
}
