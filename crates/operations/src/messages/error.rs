//! What can go wrong when a message is written.

use tacit_kernel::{ErrorKind, Fault};
use tacit_storage::{Retryable, StorageError};

/// A failed use case. No text of it names a person or repeats what was sent.
#[derive(Debug, thiserror::Error)]
pub enum MessagesError {
    /// The channel is not configured, so nothing can be promised to be sent.
    #[error("no {channel} can be sent: the operator has not configured it ({remedy})")]
    NotConfigured {
        /// `e-mail` or `SMS`.
        channel: &'static str,
        /// Which setting to give.
        remedy: &'static str,
    },
    /// Not an e-mail address.
    #[error("that is not an e-mail address")]
    AddressInvalid,
    /// Not a telephone number.
    #[error("that is not a telephone number: write it with its country, such as +8613800000000")]
    NumberInvalid,
    /// It would wait for too long.
    #[error("a message waits for at most seven days")]
    TooLong,
    /// It could not be sent in time.
    #[error("the message would have expired before it is sent")]
    Expired,
    /// The account's subject key is gone: it was erased.
    #[error("the account was erased")]
    AccountErased,
    /// Only a development platform keeps what it sends.
    #[error("only the profile development, without a configured channel, keeps messages to be read")]
    NotDevelopment,
    /// No such message.
    #[error("there is no such message")]
    NotFound,
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The keyring.
    #[error(transparent)]
    Keyring(#[from] Fault),
}

impl MessagesError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotConfigured { .. } => "messages.not_configured",
            Self::AddressInvalid => "messages.address_invalid",
            Self::NumberInvalid => "messages.number_invalid",
            Self::TooLong => "messages.too_long",
            Self::Expired => "messages.expired",
            Self::AccountErased => "account.erased",
            Self::NotDevelopment => "messages.not_development",
            Self::NotFound => "messages.not_found",
            Self::Storage(_) => "storage",
            Self::Keyring(fault) => fault.code,
        }
    }

    /// The kind, from which an edge derives its status.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotConfigured { .. } => ErrorKind::Unavailable,
            Self::AddressInvalid | Self::NumberInvalid | Self::TooLong | Self::Expired => ErrorKind::Invalid,
            Self::AccountErased | Self::NotDevelopment => ErrorKind::Conflict,
            Self::NotFound => ErrorKind::NotFound,
            Self::Storage(_) => ErrorKind::Internal,
            Self::Keyring(fault) => fault.kind,
        }
    }
}

impl From<MessagesError> for Fault {
    fn from(error: MessagesError) -> Self {
        match error {
            MessagesError::Storage(e) => e.into(),
            MessagesError::Keyring(fault) => fault,
            other => Self::new(other.kind(), other.code(), other.to_string()),
        }
    }
}

impl Retryable for MessagesError {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Storage(e) if e.is_retryable())
    }
}
