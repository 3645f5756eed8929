//! What people are told about their account: in the transaction that changes it, so that there is no change without its
//! notice. Who writes it down is given by the program; without one nobody is told.

use crate::contacts::{Contact, ContactKind};
use crate::registration::Language;
use crate::sessions::Session;
use crate::verification::CaseState;
use crate::{Identity, IdentityError};
use std::pin::Pin;
use tacit_kernel::ids::AccountId;
use tacit_storage::{StorageError, WriteTx};

/// What is told.
#[derive(Clone, Copy, Debug)]
pub enum Notice<'n> {
    /// This of the account was changed.
    Changed(Part),
    /// Somebody signed in from a device that the account had not seen.
    NewDevice(&'n Session),
    /// A key was reported as leaked, and ended.
    KeyLeaked,
    /// A management key was made.
    ManagementKeyMade,
    /// A management key may do something else than before, or for another time.
    ManagementKeyChanged,
    /// Staff made a key for the account.
    KeyMadeByStaff,
    /// There are new recovery codes.
    RecoveryCodesRenewed,
    /// What was ended with a recovery, and what stayed.
    Recovered(Recovered),
    /// A case of verification came so far.
    Case(CaseStep),
    /// The account was not erased as its owner had asked, since something stands in the way.
    CancellationStopped,
}

/// How far a case of verification came, as far as people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseStep {
    /// It was submitted.
    Submitted,
    /// Something is missing.
    NeedsMore,
    /// It was approved.
    Approved,
    /// It was rejected.
    Rejected,
}

impl CaseStep {
    /// What is told of a case that is in that state now.
    pub(crate) const fn of(state: CaseState) -> Option<Self> {
        match state {
            CaseState::Submitted => Some(Self::Submitted),
            CaseState::NeedsMore => Some(Self::NeedsMore),
            CaseState::Approved => Some(Self::Approved),
            CaseState::Rejected => Some(Self::Rejected),
            CaseState::Draft | CaseState::Withdrawn | CaseState::Expired => None,
        }
    }
}

/// A part of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its e-mail address.
    Email,
    /// Its phone number.
    Phone,
    /// Its password.
    Password,
    /// Its second factor.
    SecondFactor,
    /// The identities that it is linked with.
    Identity,
    /// Its passkeys.
    Passkey,
    /// The name that it signs in with.
    Name,
}

impl From<ContactKind> for Part {
    fn from(kind: ContactKind) -> Self {
        match kind {
            ContactKind::Email => Self::Email,
            ContactKind::Phone => Self::Phone,
        }
    }
}

/// What became of the other ways in when somebody got their account back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Management keys that were revoked.
    pub management_keys: u64,
    /// Passkeys that were removed, being new.
    pub passkeys: u64,
    /// Identities that were unlinked, being new.
    pub identities: u64,
    /// API keys that are still in use.
    pub api_keys: u64,
}

/// Somebody who is told something.
#[derive(Clone, Copy, Debug)]
pub struct Told<'n> {
    /// Who.
    pub account: AccountId,
    /// Where: each of these.
    pub to: &'n [Contact],
    /// In which language.
    pub language: Language,
    /// What.
    pub notice: Notice<'n>,
}

/// A notice being written.
pub type Telling<'n> = Pin<Box<dyn Future<Output = Result<(), StorageError>> + Send + 'n>>;

/// Writes notices, as part of the transaction of what they tell. What cannot be sent, since there is no way to send it, is no
/// error: the change is right all the same.
pub trait Notices: Send + Sync {
    /// Writes one.
    fn tell<'n, 't: 'n>(&'n self, tx: &'n mut WriteTx<'t>, told: Told<'n>) -> Telling<'n>;
}

impl Identity {
    /// Tells an account something at each of its addresses.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn tell_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        notice: Notice<'_>,
    ) -> Result<(), IdentityError> {
        let held = self.contacts_of_in_tx(tx, account).await?;
        let to: Vec<Contact> = held.into_iter().map(|held| held.contact).collect();
        self.tell_at_in_tx(tx, (account, &to), notice).await
    }

    /// Tells an account something at each of these addresses.
    pub(crate) async fn tell_at_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (account, to): (AccountId, &[Contact]),
        notice: Notice<'_>,
    ) -> Result<(), IdentityError> {
        let Some(notices) = self.notices.as_deref().filter(|_| !to.is_empty()) else { return Ok(()) };
        let language = self.profile_in_tx(tx, account).await?.map_or(Language::En, |profile| profile.language);
        Ok(notices.tell(tx, Told { account, to, language, notice }).await?)
    }
}
