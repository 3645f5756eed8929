//! Showing who one is: a person by an identity card or a passport, an enterprise by its licence. What is asked for, who
//! decides, how long what was shown is kept, and what an account may do before, is the operator's choice ([`rules`]).
//!
//! A case goes from a draft to a verdict ([`CaseState`]). What it says is sealed with the account's key, its papers with a
//! key of the case's own ([`papers`]); both are used for the verdict and for nothing else, and go when it is in, when the
//! case is withdrawn, or when nobody decided it in time ([`forgetting`]).

mod checks;
mod error;
mod forgetting;
mod model;
mod numbers;
mod papers;
mod review;
mod rules;
mod store;

pub(crate) use checks::STATEMENTS as STATEMENTS_OF_CHECKS;
pub use checks::{AgencyAnswer, Check};
pub use error::VerificationError;
pub use model::{
    Case, CaseEvent, CaseState, Details, Document, Media, PaperKind, PaperView, Verdict, VerdictReason,
    VerificationKind, VerificationWay,
};
pub(crate) use papers::STATEMENTS as STATEMENTS_OF_PAPERS;
pub use review::Deciding;
pub use rules::{AgencyShown, KindRules, PAPER_MAX, Restricted, UnverifiedRules, VerificationRules};
pub(crate) use store::STATEMENTS;

use crate::accounts::opened;
use crate::{Identity, IdentityError};
use std::sync::Arc;
use store::CaseRow;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, VerificationId};
use tacit_storage::{Page, Paged, ReadTx, StorageError, StorageErrorKind, WriteTx};
use tacit_vault::Aad;

/// Cases of an account at most, those that are over too.
const MOST: u64 = 20;
const DAY: i64 = 86_400_000_000;

const fn aad(column: &'static str, case: VerificationId) -> Aad<'static> {
    Aad { table: "verification_cases", column, row: case.0 }
}

fn days_after(at: Timestamp, days: u32) -> Timestamp {
    at.plus_micros(i64::from(days) * DAY)
}

impl Identity {
    /// The same service with these rules of verification; without them nothing is asked for and nothing is bounded.
    #[must_use]
    pub fn with_verification(self, rules: VerificationRules) -> Self {
        Self { verification: Arc::new(rules), ..self }
    }

    /// Begins a case.
    ///
    /// # Errors
    /// [`VerificationError::Off`], `Field`, `Open`, `Done`; [`IdentityError::TooMuch`], [`IdentityError::AccountErased`];
    /// storage, keyring.
    pub async fn case_open_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        details: &Details,
    ) -> Result<Case, IdentityError> {
        let rules = &self.verification;
        let (way, kind) = (rules.way(details.document())?, details.document().kind());
        self.document_check(details)?;
        if store::approved(tx, account, kind).await? {
            return Err(VerificationError::Done.into());
        }
        if store::count(tx, account).await? >= MOST {
            return Err(IdentityError::TooMuch);
        }
        let (id, now) = (VerificationId::fresh(), self.clock.now());
        let row = CaseRow {
            id,
            account,
            kind,
            state: CaseState::Draft,
            way,
            details_sealed: Some(self.details_sealed(account, id, details).await?),
            reason: None,
            note_sealed: None,
            agreed_at: None,
            created_at: now,
            submitted_at: None,
            decided_at: None,
            updated_at: now,
            forget_at: Some(days_after(now, rules.undecided_days)),
        };
        store::insert(tx, &row).await.map_err(|error| match error.kind {
            StorageErrorKind::Unique => VerificationError::Open.into(),
            StorageErrorKind::ForeignKey => IdentityError::AccountNotFound,
            _ => error.into(),
        })?;
        // Asked for last, so that what is refused leaves no key behind.
        self.papers_key_create(id).await?;
        self.case_opened_in_tx(tx, row).await
    }

    /// Changes what a case says.
    ///
    /// # Errors
    /// [`VerificationError::NotFound`], `State`, `Off`, `Field`; storage, keyring.
    pub async fn case_change_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (account, id): (AccountId, VerificationId),
        details: &Details,
    ) -> Result<Case, IdentityError> {
        let mut row = self.case_to_change_in_tx(tx, (account, id), CaseEvent::Change).await?;
        if details.document().kind() != row.kind {
            let message = "a case is about a person or about an enterprise; withdraw it to begin one of the other kind";
            return Err(VerificationError::Field { field: "document", message }.into());
        }
        row.way = self.verification.way(details.document())?;
        self.document_check(details)?;
        row.details_sealed = Some(self.details_sealed(account, id, details).await?);
        row.updated_at = self.clock.now();
        store::update(tx, &row).await?;
        self.case_opened_in_tx(tx, row).await
    }

    /// Gives a case to who decides it. `agreed`: the person said that the agency may be asked.
    ///
    /// # Errors
    /// [`VerificationError::NotFound`], `State`, `Off`, `Consent`, `PapersMissing`; [`IdentityError::TooMany`] questions to
    /// the agency; storage, keyring.
    pub async fn case_submit_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (account, id): (AccountId, VerificationId),
        agreed: bool,
    ) -> Result<Case, IdentityError> {
        let mut row = self.case_to_change_in_tx(tx, (account, id), CaseEvent::Submit).await?;
        let details = self.details_opened(&row).await?.ok_or(VerificationError::State)?;
        row.way = self.verification.way(details.document())?;
        if row.way == VerificationWay::Agency && !agreed {
            return Err(VerificationError::Consent.into());
        }
        let held = self.papers_in_tx(tx, id).await?;
        let has = |kind: &PaperKind| held.iter().any(|paper| paper.kind == *kind);
        if !self.verification.papers(details.document()).iter().all(has) {
            return Err(VerificationError::PapersMissing.into());
        }
        let now = self.clock.now();
        row.agreed_at = (row.way == VerificationWay::Agency).then_some(now);
        (row.submitted_at, row.updated_at) = (Some(now), now);
        (row.reason, row.note_sealed) = (None, None);
        store::update(tx, &row).await?;
        if row.way == VerificationWay::Agency {
            self.count_in_tx(tx, &self.asking_agency(account)).await?;
            self.check_ask_in_tx(tx, id).await?;
        }
        self.case_told_in_tx(tx, account, row.state).await?;
        self.case_opened_in_tx(tx, row).await
    }

    /// Withdraws a case; what it holds is deleted at once.
    ///
    /// # Errors
    /// [`VerificationError::NotFound`], `State`; storage, keyring. What was withdrawn and could not be deleted is deleted
    /// within the next minute.
    pub async fn case_withdraw(&self, account: AccountId, id: VerificationId) -> Result<(), IdentityError> {
        self.db.write("verification.withdraw", |tx| Box::pin(self.case_withdraw_in_tx(tx, account, id))).await?;
        self.case_forget(id).await
    }

    /// [`Self::case_withdraw`] as part of a larger transaction, after which [`Self::case_forget`] deletes what it held.
    ///
    /// # Errors
    /// As there.
    pub async fn case_withdraw_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        id: VerificationId,
    ) -> Result<(), IdentityError> {
        let mut row = self.case_to_change_in_tx(tx, (account, id), CaseEvent::Withdraw).await?;
        let now = self.clock.now();
        (row.updated_at, row.forget_at) = (now, Some(now));
        self.check_end_in_tx(tx, id).await?;
        Ok(store::update(tx, &row).await?)
    }

    /// The cases of an account.
    ///
    /// # Errors
    /// Storage.
    pub async fn case_ids(&self, account: AccountId) -> Result<Vec<VerificationId>, IdentityError> {
        Ok(self.db.read("verification.ids", |tx| Box::pin(store::ids_of(tx, account))).await?)
    }

    /// A case of an account.
    ///
    /// # Errors
    /// [`VerificationError::NotFound`]; storage, keyring.
    pub async fn case_of_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        id: VerificationId,
    ) -> Result<Case, IdentityError> {
        let row = self.own_in_tx(tx, account, id).await?;
        self.case_opened_in_tx(tx, row).await
    }

    /// A page of the cases of an account, oldest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn cases_of_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        page: Page,
    ) -> Result<Paged<Case>, IdentityError> {
        let mut items = Vec::new();
        for row in store::of_account(tx, account, page).await? {
            items.push(self.case_opened_in_tx(tx, row).await?);
        }
        Ok(page.take(items, |case| case.id.0))
    }

    /// Whether an account was verified as that.
    ///
    /// # Errors
    /// Storage.
    pub async fn is_verified_as_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        kind: VerificationKind,
    ) -> Result<bool, IdentityError> {
        Ok(store::approved(tx, account, kind).await?)
    }

    fn document_check(&self, details: &Details) -> Result<(), VerificationError> {
        let document = details.document();
        if self.verification.documents(document.kind()).contains(&document) {
            return Ok(());
        }
        Err(VerificationError::Field { field: "document", message: "that document is not taken here" })
    }

    async fn own_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        id: VerificationId,
    ) -> Result<CaseRow, IdentityError> {
        let found = store::by_id(tx, id).await?.filter(|row| row.account == account);
        // One that was withdrawn is there only until it is deleted.
        found.filter(|row| row.state != CaseState::Withdrawn).ok_or_else(|| VerificationError::NotFound.into())
    }

    /// A case of an account to which that may happen, as it is after it.
    async fn case_to_change_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        (account, id): (AccountId, VerificationId),
        event: CaseEvent,
    ) -> Result<CaseRow, IdentityError> {
        let mut row = self.own_in_tx(tx, account, id).await?;
        row.state = row.state.after(event).ok_or(VerificationError::State)?;
        Ok(row)
    }

    async fn details_sealed(
        &self,
        account: AccountId,
        id: VerificationId,
        details: &Details,
    ) -> Result<Vec<u8>, IdentityError> {
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        Ok(key.seal(&aad("details_sealed", id), &details.sealed_text()?))
    }

    async fn details_opened(&self, row: &CaseRow) -> Result<Option<Details>, IdentityError> {
        let Some(sealed) = &row.details_sealed else { return Ok(None) };
        let Some(key) = self.subject_key(row.account).await? else { return Ok(None) };
        let damaged = || StorageError::inconsistent("verification_cases", "details_sealed");
        let plain = key.open(&aad("details_sealed", row.id), sealed).map_err(|_| damaged())?;
        Ok(Some(Details::opened(&plain).ok_or_else(damaged)?))
    }

    async fn case_opened_in_tx(&self, tx: &mut ReadTx<'_>, row: CaseRow) -> Result<Case, IdentityError> {
        let details = self.details_opened(&row).await?;
        let note = match (&row.note_sealed, self.subject_key(row.account).await?) {
            (Some(sealed), Some(key)) => Some(opened(&key, &aad("note_sealed", row.id), sealed)?),
            _ => None,
        };
        let papers = self.papers_in_tx(tx, row.id).await?;
        Ok(Case { details, note, papers, ..row.closed() })
    }
}
