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
    /// The digest of a new password, computed aside; `names` are what it must not be, nor be made of.
    ///
    /// # Errors
    /// [`IdentityError::PasswordWeak`], [`IdentityError::Busy`].
    pub async fn password_digest(&self, password: SecretString, names: &[&str]) -> Result<Digest, IdentityError> {
        check(&password, names)?;
        self.hashing.digest(password, with_parts(names)).await.map(Digest)
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

/// Names, and what they are made of.
fn with_parts(names: &[&str]) -> Vec<SecretString> {
    let parts = names.iter().flat_map(|name| name.split(|c: char| !c.is_alphanumeric())).filter(|part| part.len() > 2);
    let local = names.iter().filter_map(|name| name.split_once('@')).map(|(local, _)| local);
    names.iter().copied().chain(local).chain(parts).map(SecretString::from).collect()
}

/// Whether it breaks no rule that needs no work to see.
///
/// # Errors
/// [`IdentityError::PasswordWeak`].
pub(crate) fn check(password: &SecretString, names: &[&str]) -> Result<(), IdentityError> {
    let text = password.expose_secret();
    let weak = |message| Err(IdentityError::PasswordWeak { message });
    if text.chars().count() < SHORTEST {
        return weak("a password has at least 8 characters");
    }
    if text.len() > LONGEST {
        return weak("a password has at most 256 bytes");
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
        for bad in ["short77", "ann@EXAMPLE.org", &"xy".repeat(200)] {
            assert!(!ok(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn what_is_soon_guessed_is_no_password() {
        let hashing = Hashing::start(1, Cost { memory: 8, passes: 1 }).unwrap();
        let digest = async |text: &str| {
            let names = with_parts(&["margaret.hamilton@example.org"]);
            hashing.digest(SecretString::from(text.to_owned()), names).await.is_ok()
        };
        for good in ["correct horse", "我家的猫爱看月亮", "Tr0ub4dour&3", "apollo guidance margins"] {
            assert!(digest(good).await, "{good}");
        }
        for bad in ["password1", "aaaaaaaaaaaa", "12345678", "qwertyuiop", "iloveyou2", "margaret.hamilton", "P@ssw0rd"]
        {
            assert!(!digest(bad).await, "{bad}");
        }
    }
}
