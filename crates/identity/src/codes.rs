//! Codes that are sent to an address to show that it is read. Six digits, ten minutes, five tries from one network, once: and
//! only the newest for an address and purpose counts. Kept as keyed hashes.

mod store;

pub(crate) use store::STATEMENTS;

use crate::contacts::Contact;
use crate::sessions::Origin;
use crate::{Identity, IdentityError};
use rand::RngExt as _;
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;
use store::Said;
use tacit_kernel::{Timestamp, ids};
use tacit_storage::WriteTx;
use tacit_vault::keyed_hash;

/// How long a code may be used, in minutes.
pub const CODE_MINUTES: u32 = 10;
/// The same in microseconds.
pub(crate) const CODE_LIFE: i64 = CODE_MINUTES as i64 * 60_000_000;
/// How often it may be tried from one network, so that a stranger's tries do not use up those of who asked for it.
const TRIES: i64 = 5;
/// How often from all together.
const TRIES_OF_ALL: i64 = 25;
const DIGITS: usize = 6;
const LABEL: &str = "verification-code";

/// What a code is for. One sent for one purpose is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodePurpose {
    /// To register with the address.
    Register,
    /// To consent to the registration of a minor, by whom is responsible for them.
    Guardian,
    /// To sign in.
    SignIn,
    /// To set a new password.
    PasswordReset,
    /// To become the address of an account.
    ContactChange,
    /// To show once more who is there.
    StepUp,
    /// To ask for something about one's data without being signed in.
    Rights,
}

impl CodePurpose {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Register,
        Self::Guardian,
        Self::SignIn,
        Self::PasswordReset,
        Self::ContactChange,
        Self::StepUp,
        Self::Rights,
    ];

    /// Its word in the database and on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Guardian => "guardian",
            Self::SignIn => "sign_in",
            Self::PasswordReset => "password_reset",
            Self::ContactChange => "contact_change",
            Self::StepUp => "step_up",
            Self::Rights => "rights",
        }
    }

    /// Whether the address must be an account's for the code to be sent, or nobody's; `None`: whoever's.
    const fn wants_owner(self) -> Option<bool> {
        match self {
            Self::Register | Self::ContactChange => Some(false),
            Self::SignIn | Self::PasswordReset | Self::StepUp => Some(true),
            // Or it is the address of a guardian.
            Self::Guardian | Self::Rights => None,
        }
    }
}

/// What became of the wish for a code. Whoever asked is told nothing but that a message is on its way.
#[derive(Debug)]
pub enum CodeWish {
    /// This is to be sent.
    Send {
        /// The digits.
        code: SecretString,
        /// When it is worth nothing any more.
        expires_at: Timestamp,
    },
    /// The address is an account's and cannot register again: its owner is told so.
    AlreadyRegistered,
    /// Nothing is to be sent.
    Nothing,
}

impl Identity {
    /// Makes a code for an address, at the wish of somebody from there. The row is made whether or not it will be sent: the
    /// answer tells nothing of whether there is such an account, and the time it takes differs by no more than the row of one
    /// message.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`]; storage.
    pub async fn code_wish_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        purpose: CodePurpose,
        to: &Contact,
        origin: &Origin,
    ) -> Result<CodeWish, IdentityError> {
        let (target, owner) = (self.contact_lookup(to), self.account_by_contact_in_tx(tx, to).await?);
        let counted = self.sending_by_in_tx(tx, owner, (&target, purpose.word()), origin).await?;
        self.count_in_tx(tx, &counted).await?;
        // Whether it is sent or not: the answer is to tell nothing of whether there is such an account.
        self.text_sent_in_tx(tx, owner, (to, Some(origin))).await?;
        let (code, expires_at) = self.code_made_in_tx(tx, purpose, to).await?;
        let owned = owner.is_some();
        if purpose == CodePurpose::Rights && !owned && self.wards_in_tx(tx, to).await?.is_empty() {
            return Ok(CodeWish::Nothing);
        }
        Ok(match purpose.wants_owner() {
            Some(wants) if wants != owned && purpose == CodePurpose::Register => CodeWish::AlreadyRegistered,
            Some(wants) if wants != owned => CodeWish::Nothing,
            _ => CodeWish::Send { code, expires_at },
        })
    }

    /// Makes a code for an address, whoever's and however many were sent there: staff has asked for it.
    ///
    /// # Errors
    /// Storage.
    pub async fn code_made_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        purpose: CodePurpose,
        to: &Contact,
    ) -> Result<(SecretString, Timestamp), IdentityError> {
        let (target, code, now) = (self.contact_lookup(to), digits(&mut rand::rng()), self.clock.now());
        let expires_at = now.plus_micros(CODE_LIFE);
        let hash = self.code_hash(purpose, &target, code.expose_secret());
        store::put(tx, ids::fresh(), purpose, &target, &hash, (now, expires_at)).await?;
        Ok((code, expires_at))
    }

    /// Whether that is the code that was sent; then it is used up. A wrong one costs a try, so whoever gets `false` must let
    /// the transaction commit.
    ///
    /// # Errors
    /// Storage.
    pub async fn code_take_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        purpose: CodePurpose,
        to: &Contact,
        code: &SecretString,
        from: IpAddr,
    ) -> Result<bool, IdentityError> {
        let right = self.code_try_in_tx(tx, purpose, to, code, from).await?;
        Ok(right && store::take(tx, &self.said(purpose, &self.contact_lookup(to), code)).await?)
    }

    /// Whether that is the code that was sent, without using it up; a wrong one costs a try all the same.
    pub(crate) async fn code_try_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        purpose: CodePurpose,
        to: &Contact,
        code: &SecretString,
        from: IpAddr,
    ) -> Result<bool, IdentityError> {
        let target = self.contact_lookup(to);
        let Some(id) = store::id(tx, purpose, &target).await? else { return Ok(false) };
        if self.code_tries_in_tx(tx, id, from).await? >= TRIES {
            return Ok(false);
        }
        let right = store::is(tx, &self.said(purpose, &target, code)).await?;
        if !right {
            store::tried(tx, purpose, &target).await?;
            self.code_tried_in_tx(tx, id, from).await?;
        }
        Ok(right)
    }

    /// Forgets codes that are worth nothing any more.
    pub(crate) async fn codes_forget_in_tx(&self, tx: &mut WriteTx<'_>, limit: u32) -> Result<u64, IdentityError> {
        Ok(store::forget(tx, self.clock.now(), limit).await?)
    }

    fn said<'t>(&self, purpose: CodePurpose, target: &'t [u8; 32], code: &SecretString) -> Said<'t> {
        let hash = self.code_hash(purpose, target, code.expose_secret().trim());
        Said { purpose, target, hash, now: self.clock.now(), tries: TRIES_OF_ALL }
    }

    fn code_hash(&self, purpose: CodePurpose, target: &[u8; 32], code: &str) -> [u8; 32] {
        let said = [target.as_slice(), code.as_bytes()].concat();
        keyed_hash(&self.keys.hash_key(LABEL), purpose.word(), &said)
    }
}

fn digits(rng: &mut impl rand::CryptoRng) -> SecretString {
    let text: String = (0..DIGITS).map(|_| char::from(rng.random_range(b'0'..=b'9'))).collect();
    SecretString::from(text)
}
