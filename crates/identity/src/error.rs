//! What can go wrong with groups, accounts and keys.

use tacit_kernel::{ErrorKind, Fault};
use tacit_storage::{Retryable, StorageError};

/// A failed use case. No text of it names a person or repeats what was sent.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The name or multiplier of a group breaks a rule.
    #[error("{message}")]
    GroupInvalid {
        /// The rule.
        message: &'static str,
    },
    /// No such group.
    #[error("no such group; `tacit group list` shows them")]
    GroupNotFound,
    /// The name of an account breaks the rule.
    #[error("the name of an account must be 1 to 200 bytes of text without control characters, and not an account id")]
    AccountNameInvalid,
    /// Another account has that name.
    #[error("another account has that name")]
    AccountNameTaken,
    /// No such account.
    #[error("no such account; name it by its id (acct_…) or its name")]
    AccountNotFound,
    /// The name of a key breaks the rule.
    #[error("the name of a key must be 1 to 200 bytes of text without control characters or `/`, and not a key id")]
    KeyNameInvalid,
    /// The account has another key of that name.
    #[error("the account has another key of that name")]
    KeyNameTaken,
    /// No such key.
    #[error("no such key; name it by its id (key_…) or as account/name")]
    KeyNotFound,
    /// Limits that make no sense.
    #[error("limits: {message}")]
    LimitsInvalid {
        /// What is wrong.
        message: &'static str,
    },
    /// The account's subject key is gone: it was erased.
    #[error("the account was erased")]
    AccountErased,
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The keyring.
    #[error(transparent)]
    Keyring(#[from] Fault),
}

impl IdentityError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::GroupInvalid { .. } => "group.invalid",
            Self::GroupNotFound => "group.not_found",
            Self::AccountNameInvalid => "account.name_invalid",
            Self::AccountNameTaken => "account.name_taken",
            Self::AccountNotFound => "account.not_found",
            Self::AccountErased => "account.erased",
            Self::KeyNameInvalid => "key.name_invalid",
            Self::KeyNameTaken => "key.name_taken",
            Self::KeyNotFound => "key.not_found",
            Self::LimitsInvalid { .. } => "limits.invalid",
            Self::Storage(_) => "storage",
            Self::Keyring(fault) => fault.code,
        }
    }

    /// The kind, from which an edge derives its status.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::GroupInvalid { .. }
            | Self::AccountNameInvalid
            | Self::KeyNameInvalid
            | Self::LimitsInvalid { .. } => ErrorKind::Invalid,
            Self::GroupNotFound | Self::AccountNotFound | Self::KeyNotFound => ErrorKind::NotFound,
            Self::AccountNameTaken | Self::KeyNameTaken | Self::AccountErased => ErrorKind::Conflict,
            Self::Storage(_) => ErrorKind::Internal,
            Self::Keyring(fault) => fault.kind,
        }
    }
}

impl From<IdentityError> for Fault {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Storage(e) => e.into(),
            IdentityError::Keyring(fault) => fault,
            other => Self::new(other.kind(), other.code(), other.to_string()),
        }
    }
}

impl Retryable for IdentityError {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Storage(e) if e.is_retryable())
    }
}
