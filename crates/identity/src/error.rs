//! What can go wrong with groups, accounts and keys.

use tacit_kernel::ids::AccountId;
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
    #[error("another account has that name, or one that looks the same")]
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
    /// It was revoked or reported as leaked.
    #[error("that key was revoked, or reported as leaked; make a new one")]
    KeyEnded,
    /// Somebody above whoever asks did what they would undo.
    #[error("whoever runs the organisation or the platform disabled this key or set its limits; ask them")]
    KeyHeld,
    /// It may still be used.
    #[error("that key is in use; disable or revoke it first")]
    KeyInUse,
    /// Limits that make no sense.
    #[error("limits: {message}")]
    LimitsInvalid {
        /// What is wrong.
        message: &'static str,
    },
    /// The account's subject key is gone: it was erased.
    #[error("the account was erased")]
    AccountErased,
    /// The account may not be used.
    #[error("this account is disabled; contact the operator")]
    AccountDisabled,
    /// No e-mail address or phone number.
    #[error("that is no e-mail address, or no phone number with its country (+86 …)")]
    ContactInvalid,
    /// Another account has that address.
    #[error("that address belongs to another account")]
    ContactTaken,
    /// The account has no such address.
    #[error("the account has no address of that kind")]
    ContactNotFound,
    /// A password that will not do.
    #[error("{message}")]
    PasswordWeak {
        /// Why.
        message: &'static str,
    },
    /// A code that was not sent, is used up, or past its time.
    #[error("that code is wrong or no longer valid; ask for a new one")]
    CodeWrong,
    /// Name, address, password or code do not go together.
    #[error("that did not work: check what you typed, or ask for a new code")]
    SignInFailed,
    /// Too many tries.
    #[error("too many tries; try again in {seconds} seconds")]
    TooMany {
        /// How long to wait.
        seconds: u64,
    },
    /// No thread is free to compute a digest.
    #[error("too many people sign in at this moment; try again in a few seconds")]
    Busy,
    /// The session has ended.
    #[error("you are signed out; sign in again")]
    SessionGone,
    /// No such session of the account.
    #[error("there is no such session")]
    SessionNotFound,
    /// A second factor that does not fit.
    #[error("that code is wrong or was used already; wait for the next one")]
    SecondFactorWrong,
    /// There is a second factor.
    #[error("a second factor is set up already; remove it first")]
    SecondFactorSet,
    /// What was shown does not prove who is there.
    #[error("that does not show that it is you; where a second factor is set up, it is asked for")]
    ProofWrong,
    /// Something sensitive.
    #[error("show once more that it is you")]
    StepUpRequired,
    /// What was begun with a provider or a passkey is not there.
    #[error("this was begun in another browser, too long ago, or is done already; begin again")]
    SignInLost,
    /// An account has that identity.
    #[error("that identity belongs to an account already")]
    IdentityTaken,
    /// No such identity of the account.
    #[error("there is no such identity")]
    IdentityNotFound,
    /// The last way to sign in.
    #[error("this is the last way in; set a password or add another one first")]
    WayInLast,
    /// What should be a new passkey is none.
    #[error("that is no passkey for this site that verifies who holds it; try again, or with another device")]
    PasskeyInvalid,
    /// An account has that passkey.
    #[error("that passkey is registered already")]
    PasskeyTaken,
    /// No such passkey of the account.
    #[error("there is no such passkey")]
    PasskeyNotFound,
    /// The counter of a passkey went back.
    #[error("that passkey may have been copied; sign in another way and remove it")]
    PasskeyCopied {
        /// Whose it is.
        account: AccountId,
    },
    /// Nobody may register.
    #[error("registration is closed")]
    RegistrationClosed,
    /// A field of a registration is missing, or wrong.
    #[error("{field}: {message}")]
    RegistrationField {
        /// Which.
        field: &'static str,
        /// What is wrong.
        message: &'static str,
    },
    /// No such invitation, or it was used.
    #[error("that invitation is wrong, used, or too old")]
    InvitationInvalid,
    /// No such invitation of the account, or it was used.
    #[error("there is no such invitation that could be withdrawn")]
    InvitationNotFound,
    /// The name of a role, or what it is to allow.
    #[error("{message}")]
    RoleInvalid {
        /// What is wrong.
        message: &'static str,
    },
    /// No such role.
    #[error("there is no such role")]
    RoleNotFound,
    /// Somebody has the role.
    #[error("the role is in use; take it from everybody first")]
    RoleInUse,
    /// The last owner.
    #[error("this is the last owner; make somebody else one first")]
    OwnerLast,
    /// Nobody gives what they do not have.
    #[error("nobody gives or takes permissions that they do not have")]
    BeyondOwn,
    /// Nobody acts on who may do more than they.
    #[error("this account may do what you may not; ask somebody who may do as much as it")]
    BeyondReach,
    /// Nobody gives to themselves what the platform gives.
    #[error("this is your own account, or an organisation of yours; ask somebody else of the staff")]
    OwnAccount,
    /// Nothing can be sent to the account.
    #[error("the account has no e-mail address and no phone number to send that to")]
    ContactMissing,
    /// The account has as many as it may.
    #[error("there are as many as there may be; remove one first")]
    TooMuch,
    /// The name of an organisation breaks the rule.
    #[error("the name of an organisation must be 1 to 200 bytes of text without control characters")]
    OrganisationNameInvalid,
    /// Nobody may make organisations here.
    #[error("organisations are switched off on this platform")]
    OrganisationsOff,
    /// No such organisation, or whoever asks is no member.
    #[error("there is no such organisation")]
    OrganisationNotFound,
    /// It is closed.
    #[error("this organisation is closed; contact the operator to open it again")]
    OrganisationClosed,
    /// There is always one owner.
    #[error("an organisation has one owner; hand it over to another member first")]
    OrganisationOwner,
    /// No such member.
    #[error("the organisation has no such member")]
    MemberNotFound,
    /// Whoever joins is a member already.
    #[error("you are a member of this organisation already")]
    MemberAlready,
    /// A role without keys.
    #[error("that member's role has no keys; give them another role first")]
    MemberKeyless,
    /// No such invitation of the organisation.
    #[error("there is no such invitation")]
    MemberInvitationNotFound,
    /// No offer of that organisation to or from who asks.
    #[error("there is no such offer, or it is too old")]
    OfferNotFound,
    /// A token that is none, or was used, or is void.
    #[error("that invitation is wrong, used, withdrawn or too old; ask for a new one")]
    MemberInvitationInvalid,
    /// A budget that makes no sense.
    #[error("the limits of a budget must not be negative")]
    BudgetInvalid,
    /// The name of a project breaks the rule.
    #[error("the name of a project must be 1 to 200 bytes of text without control characters")]
    ProjectNameInvalid,
    /// No such project.
    #[error("the organisation has no such project")]
    ProjectNotFound,
    /// It is out of use.
    #[error("that project is archived; take it into use again first")]
    ProjectArchived,
    /// Verification.
    #[error(transparent)]
    Verification(#[from] crate::verification::VerificationError),
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
            Self::KeyEnded => "key.ended",
            Self::KeyHeld => "key.held",
            Self::KeyInUse => "key.in_use",
            Self::LimitsInvalid { .. } => "limits.invalid",
            Self::AccountDisabled => "account.disabled",
            Self::ContactInvalid => "contact.invalid",
            Self::ContactTaken => "contact.taken",
            Self::ContactNotFound => "contact.not_found",
            Self::PasswordWeak { .. } => "password.weak",
            Self::CodeWrong => "code.wrong",
            Self::SignInFailed => "sign_in.failed",
            Self::TooMany { .. } => "sign_in.too_many",
            Self::Busy => "sign_in.busy",
            Self::SessionGone => "session.gone",
            Self::SessionNotFound => "session.not_found",
            Self::SecondFactorWrong => "second_factor.wrong",
            Self::SecondFactorSet => "second_factor.set",
            Self::ProofWrong => "step_up.proof_wrong",
            Self::StepUpRequired => "access.step_up_required",
            Self::SignInLost => "sign_in.lost",
            Self::IdentityTaken => "identity.taken",
            Self::IdentityNotFound => "identity.not_found",
            Self::WayInLast => "sign_in.last_way",
            Self::PasskeyInvalid => "passkey.invalid",
            Self::PasskeyTaken => "passkey.taken",
            Self::PasskeyNotFound => "passkey.not_found",
            Self::PasskeyCopied { .. } => "passkey.copied",
            Self::RegistrationClosed => "registration.closed",
            Self::RegistrationField { .. } => "registration.field",
            Self::InvitationInvalid => "invitation.invalid",
            Self::InvitationNotFound => "invitation.not_found",
            Self::RoleInvalid { .. } => "role.invalid",
            Self::RoleNotFound => "role.not_found",
            Self::RoleInUse => "role.in_use",
            Self::OwnerLast => "role.owner_last",
            Self::BeyondOwn => "role.beyond_own",
            Self::BeyondReach => "account.beyond_own",
            Self::OwnAccount => "account.own",
            Self::ContactMissing => "contact.missing",
            Self::TooMuch => "account.too_much",
            Self::OrganisationNameInvalid => "organisation.name_invalid",
            Self::OrganisationsOff => "organisation.off",
            Self::OrganisationNotFound => "organisation.not_found",
            Self::OrganisationClosed => "organisation.closed",
            Self::OrganisationOwner => "organisation.owner",
            Self::MemberNotFound => "member.not_found",
            Self::MemberAlready => "member.already",
            Self::MemberKeyless => "member.keyless",
            Self::MemberInvitationNotFound => "member_invitation.not_found",
            Self::OfferNotFound => "ownership_offer.not_found",
            Self::MemberInvitationInvalid => "member_invitation.invalid",
            Self::BudgetInvalid => "budget.invalid",
            Self::ProjectNameInvalid => "project.name_invalid",
            Self::ProjectNotFound => "project.not_found",
            Self::ProjectArchived => "project.archived",
            Self::Verification(error) => error.code(),
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
            | Self::LimitsInvalid { .. }
            | Self::ContactInvalid
            | Self::PasswordWeak { .. }
            | Self::CodeWrong
            | Self::SecondFactorWrong
            | Self::ProofWrong
            | Self::SignInLost
            | Self::PasskeyInvalid
            | Self::RegistrationField { .. }
            | Self::InvitationInvalid
            | Self::OrganisationNameInvalid
            | Self::MemberInvitationInvalid
            | Self::BudgetInvalid
            | Self::ProjectNameInvalid
            | Self::RoleInvalid { .. } => ErrorKind::Invalid,
            Self::GroupNotFound
            | Self::AccountNotFound
            | Self::KeyNotFound
            | Self::SessionNotFound
            | Self::OrganisationNotFound
            | Self::MemberNotFound
            | Self::MemberInvitationNotFound
            | Self::InvitationNotFound
            | Self::ContactNotFound
            | Self::OfferNotFound
            | Self::ProjectNotFound
            | Self::IdentityNotFound
            | Self::PasskeyNotFound
            | Self::RoleNotFound => ErrorKind::NotFound,
            Self::AccountNameTaken
            | Self::KeyNameTaken
            | Self::KeyEnded
            | Self::KeyInUse
            | Self::AccountErased
            | Self::ContactTaken
            | Self::ContactMissing
            | Self::SecondFactorSet
            | Self::IdentityTaken
            | Self::WayInLast
            | Self::PasskeyTaken
            | Self::RoleInUse
            | Self::OwnerLast
            | Self::OrganisationOwner
            | Self::MemberAlready
            | Self::MemberKeyless
            | Self::ProjectArchived
            | Self::TooMuch => ErrorKind::Conflict,
            Self::SignInFailed | Self::SessionGone => ErrorKind::Unauthenticated,
            Self::AccountDisabled
            | Self::StepUpRequired
            | Self::RegistrationClosed
            | Self::OrganisationsOff
            | Self::OrganisationClosed
            | Self::PasskeyCopied { .. }
            | Self::KeyHeld
            | Self::OwnAccount
            | Self::BeyondOwn
            | Self::BeyondReach => ErrorKind::Forbidden,
            Self::TooMany { .. } => ErrorKind::Limited,
            Self::Busy => ErrorKind::Unavailable,
            Self::Verification(error) => error.kind(),
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
            IdentityError::TooMany { seconds } => {
                Self::new(error.kind(), error.code(), error.to_string()).after(seconds)
            }
            IdentityError::Busy => Self::new(error.kind(), error.code(), error.to_string()).after(2),
            other => Self::new(other.kind(), other.code(), other.to_string()),
        }
    }
}

impl Retryable for IdentityError {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Storage(e) if e.is_retryable())
    }
}
