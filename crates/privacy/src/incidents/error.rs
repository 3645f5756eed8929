//! Why an incident is not changed.

use tacit_identity::IdentityError;
use tacit_kernel::{ErrorKind, Fault};
use tacit_operations::messages::MessagesError;
use tacit_storage::{Retryable, StorageError};

/// Why something is not done with an incident.
#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    /// No incident of that id.
    #[error("there is no such incident")]
    NotFound,
    /// It has not come so far, or farther.
    #[error("that cannot be done with the incident as it is now: {0}")]
    State(&'static str),
    /// A moment of it cannot be true.
    #[error("it was found at the latest now, and ends at the latest now and not before it began")]
    Moment,
    /// Texts are too long.
    #[error("each part is at most 8,000 bytes long in each language")]
    Text,
    /// A category that the data map does not know.
    #[error("there is no category of data {0:?}: `tacit privacy map` lists them")]
    Category(String),
    /// Whom it concerns cannot be said so.
    #[error("{0}")]
    Criterion(String),
    /// Something of a draft is not there.
    #[error("the draft lacks {}: say it first", .0.join(", "))]
    Missing(Vec<String>),
    /// No clock of that name.
    #[error("the incident has no clock of that name: `tacit incident show` lists them")]
    Clock,
    /// It was ticked off.
    #[error("that clock is ticked off")]
    Reported,
    /// Who was told is not said, or in too many words.
    #[error(
        "say who was told in 1 to 500 bytes, or why nobody had to be; and when, not before it was found and not after now"
    )]
    ReportedTo,
    /// Clocks run that nobody ticked off.
    #[error("these clocks run: {}; tick each off first, one that does not apply by saying so", .0.join(", "))]
    ClocksRun(Vec<String>),
    /// People wait to be told.
    #[error("{0} people wait to be told; close it when all were")]
    Waiting(u64),
    /// People could not be reached and there is no announcement.
    #[error("{0} people could not be reached: announce it, so that they can read it (policy 01, 4.4)")]
    Unreached(u64),
    /// There is no way to tell anybody.
    #[error("neither e-mail nor SMS is configured (messages.smtp.host, messages.sms.provider): announce it at least")]
    NoChannel,
    /// A draft of the program cannot be made, which a test sees to.
    #[error("the draft cannot be made")]
    Template(#[from] minijinja::Error),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The keyring.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<IdentityError> for IncidentError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Storage(error) => Self::Storage(error),
            error => Self::Fault(error.into()),
        }
    }
}

impl From<MessagesError> for IncidentError {
    fn from(error: MessagesError) -> Self {
        match error {
            MessagesError::Storage(error) => Self::Storage(error),
            error => Self::Fault(error.into()),
        }
    }
}

impl Retryable for IncidentError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_retryable(),
            Self::Fault(fault) => fault.is_retryable(),
            _ => false,
        }
    }
}

impl From<IncidentError> for Fault {
    fn from(error: IncidentError) -> Self {
        let (kind, code) = match error {
            IncidentError::Fault(fault) => return fault,
            IncidentError::Storage(error) => return error.into(),
            IncidentError::Template(error) => return Self::internal("incident.template", error),
            IncidentError::NotFound => (ErrorKind::NotFound, "incident.not_found"),
            IncidentError::State(_) => (ErrorKind::Conflict, "incident.state"),
            IncidentError::Moment => (ErrorKind::Invalid, "incident.moment"),
            IncidentError::Text => (ErrorKind::Invalid, "incident.text"),
            IncidentError::Category(_) => (ErrorKind::Invalid, "incident.category"),
            IncidentError::Criterion(_) => (ErrorKind::Invalid, "incident.criterion"),
            IncidentError::Missing(_) => (ErrorKind::Conflict, "incident.missing"),
            IncidentError::Clock => (ErrorKind::NotFound, "incident.clock_not_found"),
            IncidentError::Reported => (ErrorKind::Conflict, "incident.reported"),
            IncidentError::ReportedTo => (ErrorKind::Invalid, "incident.reported_to"),
            IncidentError::ClocksRun(_) => (ErrorKind::Conflict, "incident.clocks_run"),
            IncidentError::Waiting(_) => (ErrorKind::Conflict, "incident.waiting"),
            IncidentError::Unreached(_) => (ErrorKind::Conflict, "incident.unreached"),
            IncidentError::NoChannel => (ErrorKind::Conflict, "incident.no_channel"),
        };
        Self::new(kind, code, error.to_string())
    }
}
