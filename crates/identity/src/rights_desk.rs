//! Somebody who cannot sign in, or answers for a minor, shows that they read an address of an account. They get a pass that is good
//! for requests about its data and for nothing else. It is kept nowhere: it is sealed, and says itself for whom and until when; it
//! is good no longer than that address is one of the account, or of the guardian.

use crate::codes::CodePurpose;
use crate::contacts::Contact;
use crate::sessions::Origin;
use crate::{Identity, IdentityError};
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};
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
    /// What stands for the address that was read.
    address: [u8; 32],
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
        let sealed = Sealed { standings, address: self.contact_lookup(contact), expires_at };
        let text = serde_json::to_vec(&sealed).map_err(|_| IdentityError::CodeWrong)?;
        let token = SecretString::from(BASE64URL_NOPAD.encode(&self.rights_desk_key().seal(&AAD, &text)));
        Ok(Pass { token, standings: sealed.standings, expires_at })
    }

    /// As what a pass is good for an account; `None`: for that one it is not.
    ///
    /// # Errors
    /// [`IdentityError::SessionGone`] if it is none, or too old, or if the address that was read is not the account's, or the
    /// guardian's, any more; storage.
    pub async fn rights_desk_pass(
        &self,
        token: &SecretString,
        account: AccountId,
    ) -> Result<Option<Standing>, IdentityError> {
        let pass = self.rights_desk_opened(token)?;
        let Some(standing) = pass.standings.into_iter().find(|standing| standing.account == account) else {
            return Ok(None);
        };
        let address = &pass.address;
        let read = async |tx: &mut ReadTx<'_>| match standing.is_guardian {
            true => self.is_ward_in_tx(tx, account, address).await,
            false => Ok(self.account_by_lookup_in_tx(tx, address).await? == Some(account)),
        };
        let read = &read;
        let holds = self.db.read("rights_desk.pass", |tx| Box::pin(read(tx))).await?;
        if holds { Ok(Some(standing)) } else { Err(IdentityError::SessionGone) }
    }

    fn rights_desk_opened(&self, token: &SecretString) -> Result<Sealed, IdentityError> {
        let sealed = BASE64URL_NOPAD.decode(token.expose_secret().as_bytes());
        let sealed = sealed.map_err(|_| IdentityError::SessionGone)?;
        let text = self.rights_desk_key().open(&AAD, &sealed).map_err(|_| IdentityError::SessionGone)?;
        let pass: Sealed = serde_json::from_slice(&text).map_err(|_| IdentityError::SessionGone)?;
        if pass.expires_at <= self.clock.now() {
            return Err(IdentityError::SessionGone);
        }
        Ok(pass)
    }

    fn rights_desk_key(&self) -> SealKey {
        self.keys.platform_key().derive(LABEL)
    }
}
