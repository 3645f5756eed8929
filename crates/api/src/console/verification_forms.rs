//! How verification is written on the wire, to the person and to staff.

use crate::forms::Moment;
use serde::{Deserialize, Serialize};
use tacit_identity::verification as v;
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, VerificationId};
use utoipa::ToSchema;

macro_rules! words_of {
    ($($(#[$doc:meta])* $name:ident as $shown:ident { $($(#[$vdoc:meta])* $variant:ident,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = $shown)]
        pub(super) enum $name { $($(#[$vdoc])* $variant,)+ }

        impl From<v::$name> for $name {
            fn from(word: v::$name) -> Self { match word { $(v::$name::$variant => Self::$variant,)+ } }
        }

        impl From<$name> for v::$name {
            fn from(word: $name) -> Self { match word { $($name::$variant => Self::$variant,)+ } }
        }
    )+};
}

words_of! {
    /// Who is shown.
    VerificationKind as VerificationKind {
        /// A person.
        Person,
        /// An enterprise.
        Enterprise,
    }
    /// Who decides.
    VerificationWay as VerificationWay {
        /// Staff, who look at the papers.
        Staff,
        /// An agency, which is asked whether name and number belong together.
        Agency,
    }
    /// How far a case has come.
    CaseState as VerificationState {
        /// It is being written.
        Draft,
        /// It waits for a verdict.
        Submitted,
        /// Something is missing; it can be changed and submitted again.
        NeedsMore,
        /// It is them.
        Approved,
        /// It was not shown that it is them.
        Rejected,
        /// They did not want it any more.
        Withdrawn,
        /// Nobody decided it in time.
        Expired,
    }
    /// What a number stands on.
    Document as VerificationDocument {
        /// The identity card of the People's Republic of China.
        IdCard,
        /// A passport, of whatever country.
        Passport,
        /// A business licence with its unified social credit code.
        BusinessLicence,
    }
    /// What may be asked for.
    PaperKind as VerificationPaperKind {
        /// The side of an identity card with the portrait.
        IdCardFront,
        /// Its other side.
        IdCardBack,
        /// The page of a passport with the portrait.
        Passport,
        /// A business licence.
        BusinessLicence,
        /// A letter in which the enterprise says that the person acts for it.
        AuthorisationLetter,
    }
    /// What a paper is written in.
    Media as VerificationMedia {
        /// JPEG.
        Jpeg,
        /// PNG.
        Png,
        /// PDF.
        Pdf,
    }
    /// Why a case was not approved.
    VerdictReason as VerificationReason {
        /// A paper cannot be read.
        Unreadable,
        /// Something is missing.
        Incomplete,
        /// Name and number do not belong together, or are not those of the papers.
        Mismatch,
        /// A paper is not valid, or not any more.
        NotValid,
        /// The papers are somebody else's.
        NotOwn,
        /// The number was used for as many accounts as it may.
        NumberUsed,
        /// Something else, which the note says.
        Other,
    }
}

/// Why a case was not approved, as it is shown.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ShownVerificationReason)]
#[serde(rename_all = "snake_case")]
pub(super) enum ShownReason {
    /// A paper cannot be read.
    Unreadable,
    /// Something is missing.
    Incomplete,
    /// To the person: it was not confirmed that name, number and papers are theirs. That others have the number is nothing that
    /// they are told, and so all that may have to do with it is this.
    NotConfirmed,
    /// To staff: name and number do not belong together, or are not those of the papers.
    Mismatch,
    /// A paper is not valid, or not any more.
    NotValid,
    /// To staff: the papers are somebody else's.
    NotOwn,
    /// To staff: the number was used for as many accounts as it may.
    NumberUsed,
    /// Something else, which the note says.
    Other,
}

impl ShownReason {
    fn own(reason: v::VerdictReason) -> Self {
        match reason {
            v::VerdictReason::Mismatch | v::VerdictReason::NotOwn | v::VerdictReason::NumberUsed => Self::NotConfirmed,
            reason => Self::staff(reason),
        }
    }

    const fn staff(reason: v::VerdictReason) -> Self {
        match reason {
            v::VerdictReason::Unreadable => Self::Unreadable,
            v::VerdictReason::Incomplete => Self::Incomplete,
            v::VerdictReason::Mismatch => Self::Mismatch,
            v::VerdictReason::NotValid => Self::NotValid,
            v::VerdictReason::NotOwn => Self::NotOwn,
            v::VerdictReason::NumberUsed => Self::NumberUsed,
            v::VerdictReason::Other => Self::Other,
        }
    }
}

/// A paper that is held. What it shows is shown to whoever decides, and to nobody else.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = VerificationPaper)]
pub(super) struct Paper {
    /// What it is of.
    pub(super) kind: PaperKind,
    /// What it is written in.
    pub(super) media: Media,
    /// In bytes.
    pub(super) size: u64,
    /// When it was added.
    pub(super) added_at: Moment,
}

/// A case of verification.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = VerificationCase)]
pub(super) struct Case {
    /// Its id, `vrf_…`.
    #[schema(value_type = String)]
    pub(super) id: VerificationId,
    /// Whose it is.
    #[schema(value_type = String)]
    pub(super) account: AccountId,
    /// Who is to be shown.
    pub(super) kind: VerificationKind,
    /// How far it has come.
    pub(super) state: CaseState,
    /// Who decides it, or did; for the person, whom they gave it to.
    pub(super) way: VerificationWay,
    /// The name, masked for staff; `null` once it is deleted.
    pub(super) name: Option<String>,
    /// What the number stands on; `null` once it is deleted.
    pub(super) document: Option<Document>,
    /// The number, masked; `null` once it is deleted.
    pub(super) number: Option<String>,
    /// The papers that are held.
    pub(super) papers: Vec<Paper>,
    /// Why it was not approved.
    pub(super) reason: Option<ShownReason>,
    /// What whoever decided had to say; `null` for staff, and once it is deleted.
    pub(super) note: Option<String>,
    /// When the person agreed that an agency is asked.
    pub(super) agreed_to_agency_at: Option<Moment>,
    /// When it was begun.
    pub(super) created_at: Moment,
    /// When it was submitted, the last time.
    pub(super) submitted_at: Option<Moment>,
    /// When it was approved or rejected.
    pub(super) decided_at: Option<Moment>,
    /// When something last happened to it.
    pub(super) updated_at: Moment,
    /// When name, number, note and papers are deleted, at the latest; `null` once they are.
    pub(super) held_until: Option<Moment>,
}

impl Case {
    /// As the person sees it, who knows the number: of it, too, no more is shown than they need to tell it from another.
    pub(super) fn own(case: v::Case) -> Self {
        let name = case.details.as_ref().map(|details| details.name().reveal().clone());
        // That staff has to look at what the agency was asked tells something about the number.
        let way = if case.agreed_at.is_some() { v::VerificationWay::Agency } else { case.way };
        let reason = case.reason.map(ShownReason::own);
        Self { reason, ..Self::of(v::Case { way, ..case }, name) }
    }

    /// As staff sees it that has not said why it must see more.
    pub(super) fn masked(case: v::Case) -> Self {
        let name = case.details.as_ref().map(v::Details::masked_name);
        // People write into it what is masked elsewhere.
        Self::of(v::Case { note: None, ..case }, name)
    }

    fn of(case: v::Case, name: Option<String>) -> Self {
        let paper = |paper: v::PaperView| Paper {
            kind: paper.kind.into(),
            media: paper.media.into(),
            size: paper.size,
            added_at: paper.created_at.into(),
        };
        Self {
            id: case.id,
            account: case.account,
            kind: case.kind.into(),
            state: case.state.into(),
            way: case.way.into(),
            name,
            document: case.details.as_ref().map(|details| details.document().into()),
            number: case.details.as_ref().map(v::Details::masked_number),
            papers: case.papers.into_iter().map(paper).collect(),
            reason: case.reason.map(ShownReason::staff),
            note: case.note.map(Personal::into_inner),
            agreed_to_agency_at: case.agreed_at.map(Into::into),
            created_at: case.created_at.into(),
            submitted_at: case.submitted_at.map(Into::into),
            decided_at: case.decided_at.map(Into::into),
            updated_at: case.updated_at.into(),
            held_until: case.forget_at.map(Into::into),
        }
    }
}
