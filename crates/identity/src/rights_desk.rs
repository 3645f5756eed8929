//! Somebody who cannot sign in, or answers for a minor, shows that they read an address of an account. They get a pass that is good
//! for requests about its data and for nothing else. It is kept nowhere: it is sealed, and says itself for whom and until when.

use crate::codes::CodePurpose;
use crate::contacts::Contact;
use crate::sessions::Origin;
use crate::{Identity, IdentityError};
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::WriteTx;
use tacit_vault::{Aad, SealKey};
use uuid::Uuid;

/// How long a pass is good, in microseconds: half an hour.
const LIFE: i64 = 30 * 60_000_000;
const LABEL: &str = "rights-desk";
const AAD: Aad<'static> = Aad { table: "rights_desk", column: "pass", row: Uuid::nil() };

/// For whom somebody may ask for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whose data it is about.
    pub account: AccountId,
    /// Whether who asks is the guardian, and not the person.
    pub is_guardian: bool,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    standings: Vec<Standing>,
    expires_at: Timestamp,
}

/// A pass.
#[derive(Debug)]
pub struct Pass {
    /// What is shown.
    pub token: SecretString,
    /// For whom it is good: an account with that address, or minors for whom whoever reads it answers.
    pub standings: Vec<Standing>,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Identity {
    /// Gives a pass to who says the code that was sent to an address. Whether an account may sign in does not matter.
    ///
    /// # Errors
    /// [`IdentityError::CodeWrong`] whatever was wrong, [`IdentityError::TooMany`]; storage.
    pub async fn rights_desk_enter(
        &self,
        contact: &Contact,
        code: &SecretString,
        origin: &Origin,
    ) -> Result<Pass, IdentityError> {
        let enter = async |tx: &mut WriteTx<'_>| -> Result<Result<Vec<Standing>, IdentityError>, IdentityError> {
            let account = self.account_by_contact_in_tx(tx, contact).await?;
            let counted = self.guess_by_in_tx(tx, account, origin, self.guess_at_code(origin.address)).await?;
            self.count_in_tx(tx, &counted).await?;
            if !self.code_take_in_tx(tx, CodePurpose::Rights, contact, code, origin.address).await? {
                return Ok(Err(IdentityError::CodeWrong));
            }
            self.guessed_right_in_tx(tx, &counted).await?;
            let wards = self.wards_in_tx(tx, contact).await?;
            let own = account.map(|account| Standing { account, is_guardian: false });
            let others = wards.into_iter().map(|account| Standing { account, is_guardian: true });
            let standings: Vec<Standing> = own.into_iter().chain(others).collect();
            Ok(if standings.is_empty() { Err(IdentityError::CodeWrong) } else { Ok(standings) })
        };
        let enter = &enter;
        let standings = self.db.write("rights_desk.enter", |tx| Box::pin(enter(tx))).await??;
        let expires_at = self.clock.now().plus_micros(LIFE);
        let sealed = Sealed { standings, expires_at };
        let text = serde_json::to_vec(&sealed).map_err(|_| IdentityError::CodeWrong)?;
        let token = SecretString::from(BASE64URL_NOPAD.encode(&self.rights_desk_key().seal(&AAD, &text)));
        Ok(Pass { token, standings: sealed.standings, expires_at })
    }

    /// For whom a pass is good.
    ///
    /// # Errors
    /// [`IdentityError::SessionGone`] if it is none, or too old.
    pub fn rights_desk_pass(&self, token: &SecretString) -> Result<Vec<Standing>, IdentityError> {
        let sealed = BASE64URL_NOPAD.decode(token.expose_secret().as_bytes());
        let sealed = sealed.map_err(|_| IdentityError::SessionGone)?;
        let text = self.rights_desk_key().open(&AAD, &sealed).map_err(|_| IdentityError::SessionGone)?;
        let pass: Sealed = serde_json::from_slice(&text).map_err(|_| IdentityError::SessionGone)?;
        if pass.expires_at <= self.clock.now() {
            return Err(IdentityError::SessionGone);
        }
        Ok(pass.standings)
    }

    fn rights_desk_key(&self) -> SealKey {
        self.keys.platform_key().derive(LABEL)
    }
}
