//! The second factor: codes of an authenticator app (TOTP, RFC 6238), each accepted once, and ten recovery codes for the day
//! the app is lost.

mod store;

#[cfg(test)]
pub(crate) use store::BULKS;
pub(crate) use store::STATEMENTS;

use crate::notices::{Notice, Part};
use crate::sessions::Session;
use crate::sign_in::SignedIn;
use crate::{Identity, IdentityError, chance};
use data_encoding::BASE32_NOPAD;
use rand::RngExt as _;
use secrecy::{ExposeSecret, SecretString};
use store::FactorRow;
use tacit_kernel::ids::AccountId;
use tacit_kernel::{Fault, Timestamp};
use tacit_storage::{ReadTx, StorageError, WriteTx};
use tacit_vault::{Aad, keyed_hash};
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

/// In bytes, as RFC 4226 recommends.
const SECRET: usize = 20;
const RECOVERY_CODES: usize = 10;
/// In bytes: eighty bits, sixteen characters.
const RECOVERY_CODE: usize = 10;
const LABEL: &str = "recovery-code";

fn aad(account: AccountId) -> Aad<'static> {
    Aad { table: "second_factors", column: "secret_sealed", row: account.0 }
}

/// What an authenticator app is given.
pub struct Enrolment {
    /// The secret in base 32, to be typed.
    pub secret: SecretString,
    /// The same as `otpauth://…`, to be shown as a QR code.
    pub url: SecretString,
}

/// How somebody shows a second factor.
#[derive(Clone)]
pub enum SecondFactor {
    /// The six digits that the app shows.
    Totp(SecretString),
    /// One of the recovery codes.
    Recovery(SecretString),
}

impl Identity {
    /// Begins to set up an app: the secret counts from when a code of it was shown. An earlier beginning is void.
    ///
    /// # Errors
    /// [`IdentityError::SecondFactorSet`] if there is one, [`IdentityError::AccountErased`]; storage, keyring.
    pub async fn totp_begin(&self, account: AccountId, issuer: &str, name: &str) -> Result<Enrolment, IdentityError> {
        let bytes: Zeroizing<[u8; SECRET]> = Zeroizing::new(rand::rng().random());
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let sealed = &key.seal(&aad(account), bytes.as_slice());
        let now = self.clock.now();
        let begin = async |tx: &mut WriteTx<'_>| store::begin(tx, account, sealed, now).await;
        let begin = &begin;
        let begun = self.db.write("second_factor.begin", |tx| Box::pin(begin(tx))).await?;
        if !begun {
            return Err(IdentityError::SecondFactorSet);
        }
        let url = url(bytes.as_slice(), issuer, name).map_err(|error| Fault::internal("second_factor.url", error))?;
        Ok(Enrolment { secret: SecretString::from(BASE32_NOPAD.encode(bytes.as_slice())), url })
    }

    /// The app works: from now on its codes are asked for, and all sessions end that have not shown one, but for the one that
    /// sets it up, whose token changes. Gives the recovery codes, shown this once.
    ///
    /// # Errors
    /// [`IdentityError::SecondFactorWrong`], also if nothing was begun; storage, keyring.
    pub async fn totp_confirm(
        &self,
        account: AccountId,
        code: &SecretString,
        session: Option<&Session>,
    ) -> Result<(Vec<SecretString>, Option<SignedIn>), IdentityError> {
        let codes = recovery_codes();
        let (codes, now) = (&codes, self.clock.now());
        let confirm = async |tx: &mut WriteTx<'_>| {
            let row = store::get(tx, account).await?.filter(|row| row.confirmed_at.is_none());
            let row = row.ok_or(IdentityError::SecondFactorWrong)?;
            let step = self.totp_step(account, &row, code, now).await?.ok_or(IdentityError::SecondFactorWrong)?;
            store::confirm(tx, account, step, now).await?;
            self.sessions_end_in_tx(tx, account, session.map(|session| session.id)).await?;
            self.tell_in_tx(tx, account, Notice::Changed(Part::SecondFactor)).await?;
            self.recovery_put_in_tx(tx, account, codes).await?;
            Ok::<_, IdentityError>(match session {
                Some(session) => Some(self.session_turn_in_tx(tx, session).await?),
                None => None,
            })
        };
        let confirm = &confirm;
        let turned = self.db.write("second_factor.confirm", |tx| Box::pin(confirm(tx))).await?;
        Ok((codes.clone(), turned))
    }

    /// Whether a second factor is asked for.
    ///
    /// # Errors
    /// Storage.
    pub async fn second_factor_set_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<bool, IdentityError> {
        Ok(store::get(tx, account).await?.is_some_and(|row| row.confirmed_at.is_some()))
    }

    /// Whether that is one. A code of the app is accepted once, a recovery code is used up.
    pub(crate) async fn second_factor_take_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        shown: &SecondFactor,
    ) -> Result<bool, IdentityError> {
        let Some(row) = store::get(tx, account).await?.filter(|row| row.confirmed_at.is_some()) else {
            return Ok(false);
        };
        match shown {
            SecondFactor::Totp(code) => {
                let Some(step) = self.totp_step(account, &row, code, self.clock.now()).await? else { return Ok(false) };
                Ok(store::take_step(tx, account, step).await?)
            }
            SecondFactor::Recovery(code) => {
                let hash = self.recovery_hash(account, code.expose_secret());
                Ok(store::recovery_take(tx, account, &hash).await?)
            }
        }
    }

    /// New recovery codes in the place of the old ones.
    ///
    /// # Errors
    /// [`IdentityError::SecondFactorWrong`] without a second factor; storage.
    pub async fn recovery_codes_renew(&self, account: AccountId) -> Result<Vec<SecretString>, IdentityError> {
        let codes = recovery_codes();
        let codes = &codes;
        let renew = async |tx: &mut WriteTx<'_>| {
            if !self.second_factor_set_in_tx(tx, account).await? {
                return Err(IdentityError::SecondFactorWrong);
            }
            self.tell_in_tx(tx, account, Notice::RecoveryCodesRenewed).await?;
            self.recovery_put_in_tx(tx, account, codes).await
        };
        let renew = &renew;
        self.db.write("second_factor.renew", |tx| Box::pin(renew(tx))).await?;
        Ok(codes.clone())
    }

    /// Takes the second factor away, with its recovery codes; the token of the session changes.
    ///
    /// # Errors
    /// [`IdentityError::StepUpRequired`], [`IdentityError::SessionGone`]; storage.
    pub async fn second_factor_remove(&self, session: &Session) -> Result<SignedIn, IdentityError> {
        if !session.stepped_up(self.clock.now()) {
            return Err(IdentityError::StepUpRequired);
        }
        let remove = async |tx: &mut WriteTx<'_>| {
            self.session_must_go_on_in_tx(tx, session).await?;
            self.second_factor_remove_in_tx(tx, session.account).await?;
            self.session_turn_in_tx(tx, session).await
        };
        let remove = &remove;
        self.db.write("second_factor.remove", |tx| Box::pin(remove(tx))).await
    }

    /// Takes the second factor away, with its recovery codes. Whether there was one.
    pub(crate) async fn second_factor_remove_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
    ) -> Result<bool, IdentityError> {
        let removed = store::remove(tx, account).await?;
        if removed {
            self.tell_in_tx(tx, account, Notice::Changed(Part::SecondFactor)).await?;
        }
        Ok(removed)
    }

    /// How many recovery codes are left.
    ///
    /// # Errors
    /// Storage.
    pub async fn recovery_codes_left(&self, account: AccountId) -> Result<u64, IdentityError> {
        Ok(self.db.read("second_factor.left", |tx| Box::pin(store::recovery_left(tx, account))).await?)
    }

    /// The step that the code is of, if it is one of now.
    async fn totp_step(
        &self,
        account: AccountId,
        row: &FactorRow,
        code: &SecretString,
        now: Timestamp,
    ) -> Result<Option<i64>, IdentityError> {
        let Some(key) = self.subject_key(account).await? else { return Ok(None) };
        let inconsistent = || StorageError::inconsistent("second_factors", "secret_sealed");
        let secret = key.open(&aad(account), &row.secret_sealed).map_err(|_| inconsistent())?;
        let app = app(&secret).map_err(|_| inconsistent())?;
        let seconds = u64::try_from(now.0.div_euclid(1_000_000)).unwrap_or(0);
        Ok(app.check(code.expose_secret().trim(), seconds).and_then(|step| i64::try_from(step).ok()))
    }

    async fn recovery_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        codes: &[SecretString],
    ) -> Result<(), IdentityError> {
        let hashes: Vec<_> = codes.iter().map(|code| self.recovery_hash(account, code.expose_secret())).collect();
        Ok(store::recovery_put(tx, account, &hashes).await?)
    }

    /// Dashes, spaces and case do not matter: people type them from paper.
    fn recovery_hash(&self, account: AccountId, code: &str) -> [u8; 32] {
        let plain: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        let said = [account.0.as_bytes().as_slice(), plain.as_bytes()].concat();
        keyed_hash(&self.keys.hash_key(LABEL), LABEL, &said)
    }
}

fn app(secret: &[u8]) -> Result<Totp, totp_rs::TotpError> {
    Builder::new().with_secret(secret.to_vec()).build()
}

/// What apps read from a QR code. A colon parts issuer and name there, so that neither may hold one.
fn url(secret: &[u8], issuer: &str, name: &str) -> Result<SecretString, totp_rs::TotpError> {
    let plain = |text: &str| text.replace(':', " ");
    let app =
        Builder::new().with_secret(secret.to_vec()).with_issuer(Some(plain(issuer))).with_account_name(plain(name));
    app.build()?.to_url().map(SecretString::from)
}

fn recovery_codes() -> Vec<SecretString> {
    let code = || {
        let text = chance::word::<RECOVERY_CODE>();
        let groups: Vec<&str> = text.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
        SecretString::from(groups.join("-"))
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, SHA-1; the last six of its eight digits.
        let app = app(b"12345678901234567890").unwrap();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            assert_eq!(app.check(code, seconds), Some(seconds / 30));
        }
        assert_eq!(app.check("287082", 59 + 90), None);
    }

    #[test]
    fn a_label_cannot_be_forged() {
        let url = url(&[7; 20], "Acme: pay", "ann:root").unwrap();
        let url = url.expose_secret();
        assert!(url.starts_with("otpauth://totp/Acme%20%20pay:ann%20root?"), "{url}");
    }
}
