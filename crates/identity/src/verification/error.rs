//! What can go wrong with verification.

use tacit_kernel::ErrorKind;

/// A use case of verification that failed. No text of it repeats what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerificationError {
    /// It is not offered.
    #[error("verification of that kind is not offered here")]
    Off,
    /// Something that was said will not do.
    #[error("{message}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        message: &'static str,
    },
    /// No such case of the account.
    #[error("there is no such case of verification")]
    NotFound,
    /// There is one already.
    #[error("there is a case of this kind already; go on with it, or withdraw it")]
    Open,
    /// It is verified.
    #[error("this account was verified already")]
    Done,
    /// That cannot happen to the case as it is.
    #[error("the case is in a state in which this cannot be done; read it again")]
    State,
    /// A paper that is asked for is missing.
    #[error("papers that are asked for are missing; add them, then submit")]
    PapersMissing,
    /// Nobody agreed that the agency is asked.
    #[error("an agency is asked whether name and number belong together; agree to that by agree_to_agency")]
    Consent,
    /// What came is no paper.
    #[error("{message}")]
    PaperInvalid {
        /// Why.
        message: &'static str,
    },
    /// There is no such paper.
    #[error("there is no such paper; it may have been deleted when its time was over")]
    PaperNotFound,
    /// The number was used for as many accounts as it may.
    #[error("this number was approved for as many accounts as it may be")]
    NumberUsed,
    /// Whoever decides is whom it is about.
    #[error("nobody decides about themselves")]
    Own,
    /// The account must be verified first.
    #[error("this account must be verified before it may do that; see /api/v1/verification")]
    Required,
}

impl VerificationError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Off => "verification.off",
            Self::Field { .. } => "verification.field",
            Self::NotFound => "verification.not_found",
            Self::Open => "verification.open",
            Self::Done => "verification.done",
            Self::State => "verification.state",
            Self::PapersMissing => "verification.papers_missing",
            Self::Consent => "verification.consent",
            Self::PaperInvalid { .. } => "verification.paper_invalid",
            Self::PaperNotFound => "verification.paper_not_found",
            Self::NumberUsed => "verification.number_used",
            Self::Own => "verification.own",
            Self::Required => "verification.required",
        }
    }

    /// The kind, from which an edge derives its status.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        match self {
            Self::Off | Self::Field { .. } | Self::Consent | Self::PaperInvalid { .. } => ErrorKind::Invalid,
            Self::NotFound | Self::PaperNotFound => ErrorKind::NotFound,
            Self::Open | Self::Done | Self::State | Self::PapersMissing | Self::NumberUsed => ErrorKind::Conflict,
            Self::Own | Self::Required => ErrorKind::Forbidden,
        }
    }
}
