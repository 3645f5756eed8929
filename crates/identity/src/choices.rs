//! What people decide about the use of their data: consents and their withdrawal, objections, and that their data is kept and not
//! used. Each decision is a row, so that under which one something was done can be told later; the newest of a matter holds.
//!
//! Where a purpose is served, [`Identity::refused_in_tx`] is asked: calls are refused in the statement that admits a key, staff
//! once its request is recorded and before it is served, jobs before they send. Of lists [`Identity::restricting`] says whose
//! rows are not to be shown.

mod store;
mod wording;

pub(crate) use store::STATEMENTS;
pub use wording::{Wording, digest, wording};

use crate::{Identity, IdentityError};
use std::collections::{BTreeMap, HashSet};
use tacit_kernel::Timestamp;
use tacit_kernel::datamap::{Basis, Purpose};
use tacit_kernel::ids::{AccountId, ChoiceId};
use tacit_storage::changes::{self, Change};
use tacit_storage::{Page, Paged, ReadTx, StorageError, WriteTx};

tacit_kernel::words! {
    /// What somebody may decide.
    Matter {
        /// That their data is used, and not only kept (GDPR, article 18; PIPL, article 44). Not: it is restricted.
        Use = "use",
        /// That it serves to find those who cheat (GDPR, article 21).
        FraudDetection = "fraud_detection",
        /// That it serves to make the service better (policy of 01.AI, 2.8).
        Improvement = "improvement",
    }

    /// How a decision was made.
    ChoiceVia {
        /// By the person, in the console.
        Person = "person",
        /// By a request about their data, or by what became of it.
        Request = "request",
        /// By a browser that sends Global Privacy Control.
        Gpc = "gpc",
    }
}

impl Matter {
    /// What holds for who has decided nothing.
    #[must_use]
    pub const fn unless_decided(self) -> bool {
        match self {
            Self::Use | Self::FraudDetection => true,
            Self::Improvement => false,
        }
    }

    /// On what the use rests that is decided on.
    #[must_use]
    pub const fn basis(self) -> Basis {
        match self {
            Self::Use => Basis::Contract,
            Self::FraudDetection => Basis::Interest,
            Self::Improvement => Basis::Consent,
        }
    }

    /// Whether the person decides it alone, at any time. An objection to what others are protected by is looked at by staff: it
    /// is made as a request, and holds until it is refused.
    #[must_use]
    pub const fn is_free(self) -> bool {
        !matches!(self, Self::FraudDetection)
    }

    /// Whether that purpose must not be served for who does not allow this.
    const fn stops(self, purpose: Purpose) -> bool {
        match self {
            Self::Use => !purpose.survives_restriction(),
            Self::FraudDetection => matches!(purpose, Purpose::Fraud),
            Self::Improvement => matches!(purpose, Purpose::Improvement),
        }
    }
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its id.
    pub id: ChoiceId,
    /// Of what.
    pub matter: Matter,
    /// What was decided.
    pub allowed: bool,
    /// How.
    pub via: ChoiceVia,
    /// Which text they were shown: its digest.
    pub wording: String,
    /// When.
    pub decided_at: Timestamp,
}

/// What somebody allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices(BTreeMap<Matter, Choice>);

impl Choices {
    /// Whether that is allowed. A consent is one to the text that was shown, and to no other (policy of 01.AI, 2.8.3).
    #[must_use]
    pub fn allows(&self, matter: Matter) -> bool {
        let Some(choice) = self.0.get(&matter) else { return matter.unless_decided() };
        choice.allowed && (matter.basis() != Basis::Consent || choice.wording == digest(matter))
    }

    /// What was decided last; `None`: nothing.
    #[must_use]
    pub fn of(&self, matter: Matter) -> Option<&Choice> {
        self.0.get(&matter)
    }

    /// What stands against serving that purpose.
    #[must_use]
    pub fn against(&self, purpose: Purpose) -> Option<Matter> {
        Matter::ALL.iter().copied().find(|matter| matter.stops(purpose) && !self.allows(*matter))
    }
}

/// Deletes decisions that were made before and do not hold any more; not those of accounts that are held now.
///
/// # Errors
/// Storage.
pub async fn forget_in_tx(tx: &mut WriteTx<'_>, before: Timestamp, now: Timestamp) -> Result<u64, StorageError> {
    store::forget(tx, before, now).await
}

impl Identity {
    /// What somebody allows.
    ///
    /// # Errors
    /// Storage.
    pub async fn choices_in_tx(&self, tx: &mut ReadTx<'_>, account: AccountId) -> Result<Choices, IdentityError> {
        let newest = store::newest(tx, account).await?;
        Ok(Choices(newest.into_iter().map(|choice| (choice.matter, choice)).collect()))
    }

    /// [`Self::choices_in_tx`] in a transaction of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn choices(&self, account: AccountId) -> Result<Choices, IdentityError> {
        self.db.read("choices.show", |tx| Box::pin(self.choices_in_tx(tx, account))).await
    }

    /// What stands against serving that purpose for somebody; `None`: nothing.
    ///
    /// # Errors
    /// Storage.
    pub async fn refused_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        purpose: Purpose,
    ) -> Result<Option<Matter>, IdentityError> {
        Ok(self.choices_in_tx(tx, account).await?.against(purpose))
    }

    /// [`Self::refused_in_tx`] in a transaction of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn refused(&self, account: AccountId, purpose: Purpose) -> Result<Option<Matter>, IdentityError> {
        self.db.read("choices.refused", |tx| Box::pin(self.refused_in_tx(tx, account, purpose))).await
    }

    /// Who of these accounts restricts the use of their data, asked in one statement for a page of a list.
    ///
    /// # Errors
    /// Storage.
    pub async fn restricting(&self, accounts: &[AccountId]) -> Result<HashSet<AccountId>, IdentityError> {
        self.db.read("choices.restricting", |tx| Box::pin(self.restricting_in_tx(tx, accounts))).await
    }

    /// [`Self::restricting`] as part of a larger transaction.
    ///
    /// # Errors
    /// Storage.
    pub async fn restricting_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        accounts: &[AccountId],
    ) -> Result<HashSet<AccountId>, IdentityError> {
        if accounts.is_empty() {
            return Ok(HashSet::new());
        }
        Ok(store::restricting(tx, accounts).await?)
    }

    /// Writes a decision down, and tells gateways. What holds already is not written down again. `wording` is the digest of the
    /// text that they were shown.
    ///
    /// # Errors
    /// Storage.
    pub async fn choose_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        (matter, allowed): (Matter, bool),
        (via, wording): (ChoiceVia, &str),
    ) -> Result<Choices, IdentityError> {
        let mut choices = self.choices_in_tx(tx, account).await?;
        let same = |choice: &Choice| (choice.allowed, choice.via, choice.wording.as_str()) == (allowed, via, wording);
        if choices.of(matter).is_some_and(same) {
            return Ok(choices);
        }
        let now = self.clock.now();
        let wording = wording.to_owned();
        let choice = Choice { id: ChoiceId::fresh(), matter, allowed, via, wording, decided_at: now };
        store::insert(tx, account, &choice).await?;
        choices.0.insert(matter, choice);
        changes::append(tx, &Change::Account(account), now).await?;
        // Keys that the person has in organisations serve what they do not allow either.
        self.memberships_told_in_tx(tx, account).await?;
        if matter == Matter::Use && !allowed {
            changes::append(tx, &Change::Recall { account, but: None }, now).await?;
        }
        Ok(choices)
    }

    /// A browser says that its user's data is not to be shared or used beyond what they asked for: unless they have decided
    /// otherwise themselves, it does not serve to make the service better.
    ///
    /// # Errors
    /// Storage.
    pub(crate) async fn gpc_heard_in_tx(&self, tx: &mut WriteTx<'_>, account: AccountId) -> Result<(), IdentityError> {
        if self.choices_in_tx(tx, account).await?.of(Matter::Improvement).is_some() {
            return Ok(());
        }
        // It was shown no text.
        self.choose_in_tx(tx, account, (Matter::Improvement, false), (ChoiceVia::Gpc, "")).await.map(drop)
    }

    /// A page of what somebody has decided, newest first.
    ///
    /// # Errors
    /// Storage.
    pub async fn choices_made(&self, account: AccountId, page: Page) -> Result<Paged<Choice>, IdentityError> {
        let rows = self.db.read("choices.list", |tx| Box::pin(store::list(tx, account, page))).await?;
        Ok(page.take(rows, |choice| choice.id.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_restricts_allows_nothing_but_keeping_and_what_laws_and_others_need() {
        let choice = |matter, allowed| Choice {
            id: ChoiceId::fresh(),
            matter,
            allowed,
            via: ChoiceVia::Person,
            wording: digest(matter),
            decided_at: Timestamp(1),
        };
        let nothing = Choices::default();
        let stopped = |choices: &Choices| -> Vec<Purpose> {
            Purpose::ALL.iter().copied().filter(|purpose| choices.against(*purpose).is_some()).collect()
        };
        assert_eq!(stopped(&nothing), [Purpose::Improvement], "what rests on consent needs one");
        let consents = Choices([(Matter::Improvement, choice(Matter::Improvement, true))].into());
        assert_eq!(stopped(&consents), []);
        let other = Choice { wording: "of another text".into(), ..choice(Matter::Improvement, true) };
        assert_eq!(stopped(&Choices([(Matter::Improvement, other)].into())), [Purpose::Improvement]);
        let objects = Choices([(Matter::FraudDetection, choice(Matter::FraudDetection, false))].into());
        assert_eq!(stopped(&objects), [Purpose::Fraud, Purpose::Improvement]);
        let mut restricts = consents;
        restricts.0.insert(Matter::Use, choice(Matter::Use, false));
        let all = [Purpose::Service, Purpose::Inference, Purpose::Fraud, Purpose::Support, Purpose::Improvement];
        assert_eq!(stopped(&restricts), all);
        assert_eq!(restricts.against(Purpose::Improvement), Some(Matter::Use));
    }

    #[test]
    fn what_rests_on_consent_is_off_and_what_does_not_is_on() {
        for matter in Matter::ALL {
            assert_eq!(matter.unless_decided(), matter.basis() != Basis::Consent, "{matter:?}");
        }
    }
}
