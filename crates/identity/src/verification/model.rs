//! What a case is, what it goes through, and what somebody says in it.

use super::{VerificationError, numbers};
use serde::{Deserialize, Serialize};
use tacit_kernel::ids::{AccountId, VerificationId};
use tacit_kernel::{Personal, Timestamp, words};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Longest name, in bytes.
const NAME_MAX: usize = 200;

words! {
    /// Who is to be shown.
    VerificationKind {
        /// A person.
        Person = "person",
        /// An enterprise.
        Enterprise = "enterprise",
    }

    /// Who decides.
    VerificationWay {
        /// Staff, who look at the papers.
        Staff = "staff",
        /// An agency, which is asked whether name and number belong together.
        Agency = "agency",
    }

    /// How far a case has come.
    CaseState {
        /// It is being written.
        Draft = "draft",
        /// It waits for a verdict.
        Submitted = "submitted",
        /// Something is missing; it can be changed and submitted again.
        NeedsMore = "needs_more",
        /// It is them.
        Approved = "approved",
        /// It was not shown that it is them.
        Rejected = "rejected",
        /// They did not want it any more.
        Withdrawn = "withdrawn",
        /// Nobody decided it in time.
        Expired = "expired",
    }

    /// What a number stands on.
    Document {
        /// The identity card of the People's Republic of China (GB 11643).
        IdCard = "id_card",
        /// A passport, of whatever country.
        Passport = "passport",
        /// A business licence with its unified social credit code (GB 32100).
        BusinessLicence = "business_licence",
    }

    /// What may be asked for.
    PaperKind {
        /// The side of an identity card with the portrait.
        IdCardFront = "id_card_front",
        /// Its other side.
        IdCardBack = "id_card_back",
        /// The page of a passport with the portrait.
        Passport = "passport",
        /// A business licence.
        BusinessLicence = "business_licence",
        /// A letter in which the enterprise says that the person acts for it.
        AuthorisationLetter = "authorisation_letter",
    }

    /// What a paper is written in, by how it begins.
    Media {
        /// JPEG.
        Jpeg = "jpeg",
        /// PNG.
        Png = "png",
        /// PDF.
        Pdf = "pdf",
    }

    /// Why a case was not approved.
    VerdictReason {
        /// A paper cannot be read.
        Unreadable = "unreadable",
        /// Something is missing.
        Incomplete = "incomplete",
        /// Name and number do not belong together, or are not those of the papers.
        Mismatch = "mismatch",
        /// A paper is not valid, or not any more.
        NotValid = "not_valid",
        /// The papers are somebody else's.
        NotOwn = "not_own",
        /// The number was used for as many accounts as it may.
        NumberUsed = "number_used",
        /// Something else, which the note says.
        Other = "other",
    }
}

/// What happens to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseEvent {
    /// The person changes what it says, or its papers.
    Change,
    /// The person gives it away.
    Submit,
    /// More is asked for.
    AskMore,
    /// It is approved.
    Approve,
    /// It is rejected.
    Reject,
    /// The person does not want it any more.
    Withdraw,
    /// Its time is over.
    Expire,
}

impl CaseState {
    /// Whether the person or whoever decides may still do something with it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Draft | Self::Submitted | Self::NeedsMore)
    }

    /// What a case becomes; `None`: that cannot happen to it.
    #[must_use]
    pub const fn after(self, event: CaseEvent) -> Option<Self> {
        match (self, event) {
            (Self::Draft | Self::NeedsMore, CaseEvent::Change) => Some(self),
            (Self::Draft | Self::NeedsMore, CaseEvent::Submit) => Some(Self::Submitted),
            (Self::Submitted, CaseEvent::AskMore) => Some(Self::NeedsMore),
            (Self::Submitted, CaseEvent::Approve) => Some(Self::Approved),
            (Self::Submitted, CaseEvent::Reject) => Some(Self::Rejected),
            (Self::Draft | Self::Submitted | Self::NeedsMore, CaseEvent::Withdraw) => Some(Self::Withdrawn),
            (Self::Draft | Self::Submitted | Self::NeedsMore, CaseEvent::Expire) => Some(Self::Expired),
            _ => None,
        }
    }
}

impl Document {
    /// Whom it shows.
    #[must_use]
    pub const fn kind(self) -> VerificationKind {
        match self {
            Self::IdCard | Self::Passport => VerificationKind::Person,
            Self::BusinessLicence => VerificationKind::Enterprise,
        }
    }
}

impl PaperKind {
    /// The document that it is of; `None`: it goes with any of an enterprise.
    #[must_use]
    pub const fn document(self) -> Option<Document> {
        match self {
            Self::IdCardFront | Self::IdCardBack => Some(Document::IdCard),
            Self::Passport => Some(Document::Passport),
            Self::BusinessLicence => Some(Document::BusinessLicence),
            Self::AuthorisationLetter => None,
        }
    }

    /// Of whom it is.
    #[must_use]
    pub const fn kind(self) -> VerificationKind {
        match self.document() {
            Some(document) => document.kind(),
            None => VerificationKind::Enterprise,
        }
    }
}

impl Media {
    /// What begins so, if it may be a paper.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let begins =
            [(b"\xff\xd8\xff".as_slice(), Self::Jpeg), (b"\x89PNG\r\n\x1a\n", Self::Png), (b"%PDF-", Self::Pdf)];
        begins.into_iter().find_map(|(magic, media)| bytes.starts_with(magic).then_some(media))
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
        }
    }
}

/// Who somebody says they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    name: Personal<String>,
    document: Document,
    number: Personal<String>,
}

/// The same as it is sealed.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Sealed {
    name: String,
    #[zeroize(skip)]
    document: Document,
    number: String,
}

impl Details {
    /// Takes what somebody says, its number in the one form that stands for all ways to write it.
    ///
    /// # Errors
    /// [`VerificationError::Field`].
    pub fn new(name: &str, document: Document, number: &str) -> Result<Self, VerificationError> {
        let wrong = |field, message| Err(VerificationError::Field { field, message });
        let name = name.trim();
        if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
            return wrong("name", "a name is 1 to 200 bytes of text without control characters");
        }
        let number: String = number.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
        let (right, message) = match document {
            Document::IdCard => (
                numbers::is_identity_number(&number),
                "that is no number of an identity card; look for a typing mistake",
            ),
            Document::Passport => (numbers::is_passport_number(&number), "a passport has 5 to 20 letters and digits"),
            Document::BusinessLicence => {
                (numbers::is_credit_code(&number), "that is no unified social credit code; look for a typing mistake")
            }
        };
        if !right {
            return wrong("number", message);
        }
        Ok(Self { name: Personal::new(name.to_owned()), document, number: Personal::new(number) })
    }

    /// The name of the person or the enterprise.
    #[must_use]
    pub const fn name(&self) -> &Personal<String> {
        &self.name
    }

    /// What the number stands on.
    #[must_use]
    pub const fn document(&self) -> Document {
        self.document
    }

    /// The number.
    #[must_use]
    pub const fn number(&self) -> &Personal<String> {
        &self.number
    }

    /// As much of the name as a list shows: `张**`.
    #[must_use]
    pub fn masked_name(&self) -> String {
        let mut letters = self.name.reveal().chars();
        let first = letters.next().map(String::from).unwrap_or_default();
        // Not how long it is, beyond what a short name tells anyway.
        first + if letters.next().is_some() { "**" } else { "" }
    }

    /// As much of the number as a list shows: `1****************X`.
    #[must_use]
    pub fn masked_number(&self) -> String {
        let number = self.number.reveal();
        let last = number.chars().count().saturating_sub(1);
        number.chars().enumerate().map(|(place, c)| if place == 0 || place == last { c } else { '*' }).collect()
    }

    pub(super) fn sealed_text(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, VerificationError> {
        let plain =
            Sealed { name: self.name.reveal().clone(), document: self.document, number: self.number.reveal().clone() };
        let text = serde_json::to_vec(&plain);
        text.map(zeroize::Zeroizing::new)
            .map_err(|_| VerificationError::Field { field: "name", message: "it cannot be written" })
    }

    pub(super) fn opened(text: &[u8]) -> Option<Self> {
        let mut plain: Sealed = serde_json::from_slice(text).ok()?;
        let (name, number) = (std::mem::take(&mut plain.name), std::mem::take(&mut plain.number));
        Some(Self { name: Personal::new(name), document: plain.document, number: Personal::new(number) })
    }
}

/// A paper of a case, but for what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaperView {
    /// What it is of.
    pub kind: PaperKind,
    /// What it is written in.
    pub media: Media,
    /// In bytes.
    pub size: u64,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its id.
    pub id: VerificationId,
    /// Whose it is.
    pub account: AccountId,
    /// Who is to be shown.
    pub kind: VerificationKind,
    /// How far it has come.
    pub state: CaseState,
    /// Who decides it, or did.
    pub way: VerificationWay,
    /// Who they say they are; `None` once it is forgotten.
    pub details: Option<Details>,
    /// Why it was not approved.
    pub reason: Option<VerdictReason>,
    /// What whoever decided had to say to them; `None` also once it is forgotten.
    pub note: Option<Personal<String>>,
    /// When they agreed that the agency is asked.
    pub agreed_at: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it was submitted, the last time.
    pub submitted_at: Option<Timestamp>,
    /// When it was approved or rejected.
    pub decided_at: Option<Timestamp>,
    /// When something last happened to it.
    pub updated_at: Timestamp,
    /// When what it holds is deleted; `None`: it is.
    pub forget_at: Option<Timestamp>,
    /// The papers that are held.
    pub papers: Vec<PaperView>,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is them.
    Approve,
    /// It was not shown that it is them.
    Reject(VerdictReason),
    /// Something is missing.
    AskMore(VerdictReason),
}

impl Verdict {
    pub(super) const fn event(self) -> CaseEvent {
        match self {
            Self::Approve => CaseEvent::Approve,
            Self::Reject(_) => CaseEvent::Reject,
            Self::AskMore(_) => CaseEvent::AskMore,
        }
    }

    pub(super) const fn reason(self) -> Option<VerdictReason> {
        match self {
            Self::Approve => None,
            Self::Reject(reason) | Self::AskMore(reason) => Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_said_has_one_form_and_is_shown_masked() {
        let details = Details::new(" 张三丰 ", Document::IdCard, "11010519491231002x ").unwrap();
        assert_eq!(
            (details.name().reveal().as_str(), details.number().reveal().as_str()),
            ("张三丰", "11010519491231002X")
        );
        assert_eq!((details.masked_name(), details.masked_number()), ("张**".into(), "1****************X".into()));
        assert_eq!(Details::opened(&details.sealed_text().unwrap()), Some(details.clone()));
        let printed = format!("{details:?}");
        assert!(!printed.contains('张') && !printed.contains("1949"), "{printed}");
        for (name, document, number, field) in [
            ("", Document::IdCard, "11010519491231002X", "name"),
            ("a\nb", Document::IdCard, "11010519491231002X", "name"),
            ("张三", Document::IdCard, "110105194912310021", "number"),
            ("张三", Document::BusinessLicence, "11010519491231002X", "number"),
            ("Ann", Document::Passport, "E-1", "number"),
        ] {
            let refused = Details::new(name, document, number).unwrap_err();
            assert!(matches!(refused, VerificationError::Field { field: about, .. } if about == field), "{number}");
        }
    }

    #[test]
    fn a_paper_is_what_it_begins_as() {
        assert_eq!(Media::of(b"\xff\xd8\xff\xe0rest"), Some(Media::Jpeg));
        assert_eq!(Media::of(b"\x89PNG\r\n\x1a\nrest"), Some(Media::Png));
        assert_eq!(Media::of(b"%PDF-1.7"), Some(Media::Pdf));
        for other in [b"".as_slice(), b"\xff\xd8", b"GIF89a", b"<svg", b" %PDF-1.7", b"\x89PNG\n"] {
            assert_eq!(Media::of(other), None);
        }
    }

    fn events() -> impl Strategy<Value = Vec<CaseEvent>> {
        use CaseEvent as E;
        let one = prop_oneof![
            Just(E::Change),
            Just(E::Submit),
            Just(E::AskMore),
            Just(E::Approve),
            Just(E::Reject),
            Just(E::Withdraw),
            Just(E::Expire)
        ];
        proptest::collection::vec(one, 0..40)
    }

    proptest! {
        /// Whatever comes in whatever order: nothing is decided that was not submitted since it was last changed, and what
        /// is over stays over.
        #[test]
        fn a_case_goes_only_where_it_may(events in events()) {
            let (mut state, mut given_away) = (CaseState::Draft, false);
            for event in events {
                let Some(next) = state.after(event) else { continue };
                prop_assert!(state.is_open(), "{state:?} was over, and {event:?} happened to it");
                match event {
                    CaseEvent::Submit => given_away = true,
                    CaseEvent::Change | CaseEvent::AskMore => {
                        prop_assert!(event == CaseEvent::AskMore || !given_away, "changed while somebody decides");
                        given_away = false;
                    }
                    CaseEvent::Approve | CaseEvent::Reject => prop_assert!(given_away),
                    CaseEvent::Withdraw | CaseEvent::Expire => prop_assert!(!next.is_open()),
                }
                state = next;
            }
        }
    }
}
