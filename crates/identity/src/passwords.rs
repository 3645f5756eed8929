//! Passwords: Argon2id, computed by a few threads of low priority so that a flood of sign-ins takes nothing from calls.

mod hashing;
mod store;

pub use hashing::{Cost, Hashing};
pub(crate) use store::STATEMENTS;

use crate::{Identity, IdentityError};
use secrecy::{ExposeSecret, SecretString};
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, StorageError, WriteTx};
use tacit_vault::Aad;

/// In characters. NIST SP 800-63B asks for eight at least, and for no rules about which.
const SHORTEST: usize = 8;
/// In bytes: what is longer is no password, and would be work.
const LONGEST: usize = 256;

fn aad(account: AccountId) -> Aad<'static> {
    Aad { table: "account_passwords", column: "digest_sealed", row: account.0 }
}

/// A password as it may be kept.
pub struct Digest(SecretString);

impl Identity {
    /// The digest of a new password, computed aside; `names` are what it must not be.
    ///
    /// # Errors
    /// [`IdentityError::PasswordWeak`], [`IdentityError::Busy`].
    pub async fn password_digest(&self, password: SecretString, names: &[&str]) -> Result<Digest, IdentityError> {
        check(&password, names)?;
        self.hashing.digest(password).await.map(Digest)
    }

    /// Keeps it as the account's.
    ///
    /// # Errors
    /// [`IdentityError::AccountErased`]; storage, keyring.
    pub async fn password_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        Digest(digest): &Digest,
    ) -> Result<(), IdentityError> {
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let sealed = key.seal(&aad(account), digest.expose_secret().as_bytes());
        Ok(store::put(tx, account, sealed, self.clock.now()).await?)
    }

    /// Takes the password away: until another one is set the account has none.
    pub(crate) async fn password_remove_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
    ) -> Result<(), IdentityError> {
        Ok(store::remove(tx, account).await?)
    }

    /// The kept digest, if the account has a password.
    pub(crate) async fn password_kept_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<Option<SecretString>, IdentityError> {
        let Some(sealed) = store::get(tx, account).await? else { return Ok(None) };
        let Some(key) = self.subject_key(account).await? else { return Ok(None) };
        let inconsistent = || StorageError::inconsistent("account_passwords", "digest_sealed");
        let plain = key.open(&aad(account), &sealed).map_err(|_| inconsistent())?;
        let text = std::str::from_utf8(&plain).map_err(|_| inconsistent())?;
        Ok(Some(SecretString::from(text.to_owned())))
    }

    /// Whether that is the password. Without a kept one it takes as long, and it is not.
    pub(crate) async fn password_is(
        &self,
        kept: Option<SecretString>,
        said: SecretString,
    ) -> Result<bool, IdentityError> {
        if said.expose_secret().len() > LONGEST {
            return Ok(false);
        }
        self.hashing.verify(kept, said).await
    }
}

fn check(password: &SecretString, names: &[&str]) -> Result<(), IdentityError> {
    let text = password.expose_secret();
    let weak = |message| Err(IdentityError::PasswordWeak { message });
    if text.chars().count() < SHORTEST {
        return weak("a password has at least 8 characters");
    }
    if text.len() > LONGEST {
        return weak("a password has at most 256 bytes");
    }
    let mut characters = text.chars();
    let first = characters.next();
    if characters.all(|c| Some(c) == first) {
        return weak("a password is more than one character again and again");
    }
    let same = |name: &&str| !name.is_empty() && text.eq_ignore_ascii_case(name);
    if names.iter().any(same) {
        return weak("a password is not a name or an address of its owner");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let ok = |text: &str| check(&SecretString::from(text.to_owned()), &["Ann@example.org", ""]).is_ok();
        assert!(ok("correct horse") && ok("密码密码密码密马"));
        for bad in ["short77", "aaaaaaaaaaaa", "ann@EXAMPLE.org", &"x".repeat(255), &"xy".repeat(200)] {
            assert!(!ok(bad), "{bad}");
        }
    }
}
