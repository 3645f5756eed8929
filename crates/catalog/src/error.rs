//! What can go wrong with the catalogue.

use tacit_kernel::{ErrorKind, Fault};
use tacit_storage::{Retryable, StorageError, StorageErrorKind};

/// A failed use case. No text of it holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A provider breaks a rule.
    #[error("provider: {message}")]
    ProviderInvalid {
        /// The rule.
        message: &'static str,
    },
    /// No such provider.
    #[error("no such provider; `tacit provider list` shows them")]
    ProviderNotFound,
    /// The provider still has channels.
    #[error("channels of the provider are there: {channels}; delete them first, or disable it")]
    ProviderInUse {
        /// Which.
        channels: String,
    },
    /// A channel breaks a rule.
    #[error("channel: {message}")]
    ChannelInvalid {
        /// The rule.
        message: &'static str,
    },
    /// No such channel.
    #[error("no such channel; `tacit channel list` shows them")]
    ChannelNotFound,
    /// The channel still serves models.
    #[error("the channel is enabled and serves models: {models}; disable it first, or take them from it")]
    ChannelInUse {
        /// Which.
        models: String,
    },
    /// A credential breaks a rule.
    #[error("credential: {message}")]
    CredentialInvalid {
        /// The rule.
        message: &'static str,
    },
    /// No such credential.
    #[error("the channel has no such credential; `tacit channel show` lists their names")]
    CredentialNotFound,
    /// A model breaks a rule.
    #[error("model: {message}")]
    ModelInvalid {
        /// The rule.
        message: &'static str,
    },
    /// No such model.
    #[error("no such model; `tacit model list` shows them")]
    ModelNotFound,
    /// Channels still serve the model.
    #[error("channels serve the model: {channels}; take it from them first, or disable it")]
    ModelServed {
        /// Which.
        channels: String,
    },
    /// The model has prices, to which calls refer.
    #[error("the model has had a price, and records of calls may refer to it; disable it instead")]
    ModelPriced,
    /// A price would start in the past.
    #[error("a price cannot start in the past; leave the moment out to start now")]
    PriceInPast,
    /// Two writers made the same thing at once.
    #[error("someone else changed the same thing at the same moment; try again")]
    Conflict,
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl CatalogError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ProviderInvalid { .. } => "provider.invalid",
            Self::ProviderNotFound => "provider.not_found",
            Self::ProviderInUse { .. } => "provider.in_use",
            Self::ChannelInvalid { .. } => "channel.invalid",
            Self::ChannelNotFound => "channel.not_found",
            Self::ChannelInUse { .. } => "channel.in_use",
            Self::CredentialInvalid { .. } => "credential.invalid",
            Self::CredentialNotFound => "credential.not_found",
            Self::ModelInvalid { .. } => "model.invalid",
            Self::ModelNotFound => "model.not_found",
            Self::ModelServed { .. } | Self::ModelPriced => "model.in_use",
            Self::PriceInPast => "price.in_past",
            Self::Conflict => "catalog.conflict",
            Self::Storage(_) => "storage",
        }
    }

    /// The kind, from which an edge derives its status.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::ProviderInvalid { .. }
            | Self::ChannelInvalid { .. }
            | Self::CredentialInvalid { .. }
            | Self::ModelInvalid { .. }
            | Self::PriceInPast => ErrorKind::Invalid,
            Self::ProviderNotFound | Self::ChannelNotFound | Self::CredentialNotFound | Self::ModelNotFound => {
                ErrorKind::NotFound
            }
            Self::ProviderInUse { .. }
            | Self::ChannelInUse { .. }
            | Self::ModelServed { .. }
            | Self::ModelPriced
            | Self::Conflict => ErrorKind::Conflict,
            Self::Storage(_) => ErrorKind::Internal,
        }
    }
}

impl From<CatalogError> for Fault {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Storage(e) => e.into(),
            other => Self::new(other.kind(), other.code(), other.to_string()),
        }
    }
}

impl Retryable for CatalogError {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Storage(e) if e.is_retryable())
    }
}

/// What is in the way, by name: the first few, and how many more.
pub(crate) fn named<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const MOST: usize = 5;
    let names: Vec<_> = names.collect();
    let told = names.get(..MOST).unwrap_or(&names).join(", ");
    match names.len().saturating_sub(MOST) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

/// For statements that can violate a constraint: says what that means.
pub(crate) fn on_clash(clash: CatalogError) -> impl FnOnce(StorageError) -> CatalogError {
    move |error| match error.kind {
        StorageErrorKind::Unique | StorageErrorKind::ForeignKey => clash,
        _ => error.into(),
    }
}
