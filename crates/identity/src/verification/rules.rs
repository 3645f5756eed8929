//! What an operator asks for, and what an account may not do, or only up to a bound, before it has shown who it is. By
//! default nothing is asked for and nothing is bounded.

use super::{Document, PaperKind, VerificationError, VerificationKind, VerificationWay, store};
use crate::keys::count_active_in_tx;
use crate::{Identity, IdentityError};
use std::cmp::min;
use tacit_kernel::Nano;
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Limits;
use tacit_storage::ReadTx;

/// The largest paper that an operator may allow, in bytes.
pub const PAPER_MAX: u64 = 8 << 20;

/// What is asked for to show a person, or an enterprise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindRules {
    /// Who decides; `None`: it is not offered.
    pub way: Option<VerificationWay>,
    /// The papers that are asked for.
    pub papers: Vec<PaperKind>,
}

/// The agency, as it is shown to people before they agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyShown {
    /// Its name in English.
    pub name_en: String,
    /// Its name in Chinese.
    pub name_zh: String,
    /// What it can be asked about; all else is decided by staff.
    pub documents: Vec<Document>,
}

/// What an account may do that was not verified. `None`: as much as any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedRules {
    /// API keys in use at most.
    pub api_keys: Option<u32>,
    /// Whether it may make management keys.
    pub management_keys: bool,
    /// Whether it may make organisations.
    pub organisations: bool,
    /// Whether it may call models at all.
    pub calls: bool,
    /// Charges per UTC day at most.
    pub spend_per_day: Option<Nano>,
    /// Charges per UTC calendar month at most.
    pub spend_per_month: Option<Nano>,
    /// The only models it may call.
    pub models: Option<Vec<String>>,
}

impl Default for UnverifiedRules {
    fn default() -> Self {
        Self {
            api_keys: None,
            management_keys: true,
            organisations: true,
            calls: true,
            spend_per_day: None,
            spend_per_month: None,
            models: None,
        }
    }
}

/// Everything about verification that an operator decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationRules {
    /// Persons.
    pub person: KindRules,
    /// Enterprises.
    pub enterprise: KindRules,
    /// The largest paper, in bytes; at most [`PAPER_MAX`].
    pub paper_max: u64,
    /// Days for which what a case holds is kept after the verdict.
    pub papers_days: u32,
    /// Days after which a case that nobody decided is over.
    pub undecided_days: u32,
    /// Accounts that may be approved for one number; `None`: any.
    pub accounts_per_number: Option<u32>,
    /// The agency.
    pub agency: Option<AgencyShown>,
    /// What who was not verified may do.
    pub unverified: UnverifiedRules,
}

impl Default for VerificationRules {
    fn default() -> Self {
        Self {
            person: KindRules::default(),
            enterprise: KindRules::default(),
            paper_max: 5 << 20,
            papers_days: 7,
            undecided_days: 30,
            accounts_per_number: Some(1),
            agency: None,
            unverified: UnverifiedRules::default(),
        }
    }
}

impl VerificationRules {
    /// What is asked for of that kind.
    #[must_use]
    pub const fn of(&self, kind: VerificationKind) -> &KindRules {
        match kind {
            VerificationKind::Person => &self.person,
            VerificationKind::Enterprise => &self.enterprise,
        }
    }

    /// The documents that may be named: those of whose papers any is asked for, or all if none is.
    #[must_use]
    pub fn documents(&self, kind: VerificationKind) -> Vec<Document> {
        let papers = &self.of(kind).papers;
        let of_kind = Document::ALL.iter().copied().filter(|document| document.kind() == kind);
        let asked = |document: &Document| papers.iter().any(|paper| paper.document() == Some(*document));
        let any = papers.iter().any(|paper| paper.document().is_some());
        of_kind.filter(|document| !any || asked(document)).collect()
    }

    /// The papers without which a case with that document cannot be submitted.
    #[must_use]
    pub fn papers(&self, document: Document) -> Vec<PaperKind> {
        let fits = |paper: &PaperKind| paper.document().is_none_or(|of| of == document);
        self.of(document.kind()).papers.iter().copied().filter(fits).collect()
    }

    /// Who decides about that document.
    ///
    /// # Errors
    /// [`VerificationError::Off`].
    pub fn way(&self, document: Document) -> Result<VerificationWay, VerificationError> {
        let way = self.of(document.kind()).way.ok_or(VerificationError::Off)?;
        let asked = self.agency.as_ref().is_some_and(|agency| agency.documents.contains(&document));
        Ok(if way == VerificationWay::Agency && !asked { VerificationWay::Staff } else { way })
    }
}

impl UnverifiedRules {
    /// Whether calls of who was not verified are bounded.
    fn bounds_calls(&self) -> bool {
        !self.calls || self.spend_per_day.is_some() || self.spend_per_month.is_some() || self.models.is_some()
    }

    /// Whether who was not verified may own organisations. Each has bounds of its own, so that whoever owned ten had eleven
    /// times what is meant for one: where anything else is bounded, they own none.
    #[must_use]
    pub fn own_organisations(&self) -> bool {
        self.organisations && self.api_keys.is_none() && !self.bounds_calls()
    }

    /// Limits under which no more is allowed than before, nor more than by these rules.
    #[must_use]
    pub fn narrow(&self, mut limits: Limits) -> Limits {
        let least = |one: Option<Nano>, other: Option<Nano>| match (one, other) {
            (Some(one), Some(other)) => Some(min(one, other)),
            (one, other) => one.or(other),
        };
        limits.spend_per_day = least(limits.spend_per_day, self.spend_per_day);
        limits.spend_per_month = least(limits.spend_per_month, self.spend_per_month);
        if let Some(models) = &self.models {
            let mut allowed = models.clone();
            allowed.retain(|model| limits.allows_model(model));
            limits.models = Some(allowed);
        }
        if !self.calls {
            limits.models = Some(Vec::new());
        }
        limits
    }
}

/// What an account may not do, or only so often, before it was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restricted {
    /// To have one more API key in use.
    ApiKey,
    /// To make a management key.
    ManagementKey,
    /// To own one more organisation.
    Organisation,
}

impl Identity {
    /// The rules of verification.
    #[must_use]
    pub fn verification_rules(&self) -> &VerificationRules {
        &self.verification
    }

    /// Whether an account was verified, as a person or as an enterprise. An organisation is what its owner is.
    ///
    /// # Errors
    /// Storage.
    pub async fn is_verified_in_tx(&self, tx: &mut ReadTx<'_>, account: AccountId) -> Result<bool, IdentityError> {
        Ok(store::approved_any(tx, account).await?)
    }

    /// Goes on only if an account may do that, verified or not.
    ///
    /// # Errors
    /// [`VerificationError::Required`]; storage.
    pub async fn unverified_may_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        what: Restricted,
    ) -> Result<(), IdentityError> {
        let rules = &self.verification.unverified;
        let may = match what {
            Restricted::ApiKey => match rules.api_keys {
                Some(most) => count_active_in_tx(tx, account).await? < u64::from(most),
                None => true,
            },
            Restricted::ManagementKey => rules.management_keys,
            Restricted::Organisation => rules.own_organisations(),
        };
        if may || self.is_verified_in_tx(tx, account).await? {
            return Ok(());
        }
        Err(VerificationError::Required.into())
    }

    /// The limits of an account as they hold now: narrower for who was not verified. The one place where these rules meet
    /// calls.
    pub(crate) async fn limits_in_force_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        limits: Limits,
    ) -> Result<Limits, IdentityError> {
        let rules = &self.verification.unverified;
        if !rules.bounds_calls() || self.is_verified_in_tx(tx, account).await? {
            return Ok(limits);
        }
        Ok(rules.narrow(limits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount() -> impl Strategy<Value = Option<Nano>> {
        proptest::option::of((0_i64..50).prop_map(Nano))
    }

    fn models() -> impl Strategy<Value = Option<Vec<String>>> {
        proptest::option::of(proptest::collection::vec("[a-d]", 0..4))
    }

    proptest! {
        #[test]
        fn narrowed_limits_allow_what_both_allow_and_nothing_else(
            (day, month, total, own) in (amount(), amount(), amount(), models()),
            (spend_per_day, spend_per_month, ours, calls) in (amount(), amount(), models(), any::<bool>()),
        ) {
            let limits = Limits { spend_per_day: day, spend_per_month: month, spend_total: total, models: own, concurrency: Some(3), ..Limits::default() };
            let rules = UnverifiedRules { calls, spend_per_day, spend_per_month, models: ours.clone(), ..UnverifiedRules::default() };
            let narrowed = rules.narrow(limits.clone());
            for model in ["a", "b", "c", "d", "e"] {
                let ours = ours.as_ref().is_none_or(|ours| ours.iter().any(|m| m == model));
                prop_assert_eq!(narrowed.allows_model(model), calls && ours && limits.allows_model(model));
            }
            for spend in 0..60 {
                let within = |bound: Option<Nano>| bound.is_none_or(|bound| spend <= bound.0);
                prop_assert_eq!(within(narrowed.spend_per_day), within(day) && within(spend_per_day));
                prop_assert_eq!(within(narrowed.spend_per_month), within(month) && within(spend_per_month));
            }
            prop_assert_eq!((narrowed.spend_total, narrowed.concurrency), (total, Some(3)));
        }
    }

    #[test]
    fn by_default_nothing_is_asked_and_nothing_is_bounded() {
        let rules = VerificationRules::default();
        assert!(rules.person.way.is_none() && rules.enterprise.way.is_none());
        assert!(!rules.unverified.bounds_calls());
        assert_eq!(rules.unverified.narrow(Limits::default()), Limits::default());
    }

    #[test]
    fn papers_are_those_of_the_document_that_is_named() {
        use PaperKind as P;
        let papers = vec![P::IdCardFront, P::IdCardBack, P::Passport];
        let mut rules = VerificationRules { person: KindRules { way: None, papers }, ..VerificationRules::default() };
        assert_eq!(rules.documents(VerificationKind::Person), [Document::IdCard, Document::Passport]);
        assert_eq!(rules.papers(Document::Passport), [P::Passport]);
        rules.person.papers = vec![P::IdCardFront];
        assert_eq!(rules.documents(VerificationKind::Person), [Document::IdCard]);
        rules.enterprise.papers = vec![P::AuthorisationLetter];
        assert_eq!(rules.documents(VerificationKind::Enterprise), [Document::BusinessLicence]);
        assert_eq!(rules.papers(Document::BusinessLicence), [P::AuthorisationLetter]);
    }

    #[test]
    fn the_agency_is_asked_only_about_what_it_knows() {
        let rules = VerificationRules {
            person: KindRules { way: Some(VerificationWay::Agency), papers: Vec::new() },
            agency: Some(AgencyShown { name_en: "A".into(), name_zh: "甲".into(), documents: vec![Document::IdCard] }),
            ..VerificationRules::default()
        };
        assert_eq!(rules.way(Document::IdCard).unwrap(), VerificationWay::Agency);
        assert_eq!(rules.way(Document::Passport).unwrap(), VerificationWay::Staff);
        assert!(matches!(rules.way(Document::BusinessLicence), Err(VerificationError::Off)));
    }
}
