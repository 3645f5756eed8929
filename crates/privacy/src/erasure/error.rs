//! Why somebody is not erased.

use super::Obstacle;
use tacit_identity::IdentityError;
use tacit_kernel::{ErrorKind, Fault};
use tacit_storage::{Retryable, StorageError, StorageErrorKind};

/// Why an erasure does not begin.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// No account of that id.
    #[error("there is no such account")]
    Account,
    /// That reason is for the platform itself.
    #[error("that an account was restored is for the platform to find; give another reason")]
    Reason,
    /// Something must be done first.
    #[error("{}", say(.0))]
    Obstacle(Obstacle),
    /// The database or the keyring.
    #[error(transparent)]
    Fault(#[from] Fault),
}

const fn say(obstacle: &Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Held => "a court or an authority demands that the account is kept; end the legal hold first",
        Obstacle::OwnsOrganisations => "the account owns organisations: hand them over or erase them first",
        Obstacle::LastOwner => "this is the last owner of the platform; make somebody else one first",
        Obstacle::Money { .. } => "the account holds money: pay it back, or say that it is given up",
    }
}

impl From<StorageError> for ErasureError {
    fn from(error: StorageError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<IdentityError> for ErasureError {
    fn from(error: IdentityError) -> Self {
        Self::Fault(error.into())
    }
}

impl Retryable for ErasureError {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.is_retryable())
    }
}

impl From<ErasureError> for Fault {
    fn from(error: ErasureError) -> Self {
        let code = match &error {
            ErasureError::Fault(_) => "",
            ErasureError::Account => "account.not_found",
            ErasureError::Reason => "erasure.reason",
            ErasureError::Obstacle(obstacle) => obstacle.code(),
        };
        let kind = match error {
            ErasureError::Account => ErrorKind::NotFound,
            ErasureError::Reason => ErrorKind::Invalid,
            _ => ErrorKind::Conflict,
        };
        match error {
            ErasureError::Fault(fault) => fault,
            other => Self::new(kind, code, other.to_string()),
        }
    }
}

/// Why rows did not go.
pub(super) enum PurgeError {
    /// Rows that were written meanwhile lead to one that was to go, or are such as the pseudonym has already.
    Late,
    /// Anything else.
    Fault(Fault),
}

impl From<StorageError> for PurgeError {
    fn from(error: StorageError) -> Self {
        match error.kind {
            StorageErrorKind::ForeignKey | StorageErrorKind::Unique => Self::Late,
            _ => Self::Fault(error.into()),
        }
    }
}

impl From<Fault> for PurgeError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Retryable for PurgeError {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.is_retryable())
    }
}
