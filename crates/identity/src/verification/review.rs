//! What staff does with cases: looking through them, masked; looking at one in clear; deciding. Whether somebody may is
//! asked where the routes are, and that they looked is recorded there.

use super::{Case, CaseState, Verdict, VerdictReason, VerificationError, VerificationWay, aad, days_after, store};
use crate::notices::{CaseStep, Notice};
use crate::{Identity, IdentityError};
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, VerificationId};
use tacit_storage::changes::{self, Change};
use tacit_storage::{Page, Paged, ReadTx, WriteTx};
use tacit_vault::keyed_hash;

/// Label and domain of the hash by which a number is found again.
const NUMBER: &str = "verification-number";
/// Longest note, in bytes.
const NOTE_MAX: usize = 1000;

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deciding {
    /// That member of staff.
    Staff(AccountId),
    /// The agency, by what it answered.
    Agency,
}

impl Identity {
    /// A page of cases that were submitted once, oldest first, of one state or of all. What they say is to be masked by whoever shows them.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn case_list_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        state: Option<CaseState>,
        page: Page,
    ) -> Result<Paged<Case>, IdentityError> {
        let mut items = Vec::new();
        for row in store::list(tx, state, page).await? {
            items.push(self.case_opened_in_tx(tx, row).await?);
        }
        Ok(page.take(items, |case| case.id.0))
    }

    /// A case, whosever it is.
    ///
    /// # Errors
    /// [`VerificationError::NotFound`]; storage, keyring.
    pub async fn case_in_tx(&self, tx: &mut ReadTx<'_>, id: VerificationId) -> Result<Case, IdentityError> {
        let row = store::by_id(tx, id).await?.ok_or(VerificationError::NotFound)?;
        self.case_opened_in_tx(tx, row).await
    }

    /// Whose case that is; `None`: there is no such case.
    ///
    /// # Errors
    /// Storage.
    pub async fn case_account(&self, id: VerificationId) -> Result<Option<AccountId>, IdentityError> {
        let find = self.db.read("verification.account", |tx| {
            Box::pin(async move { Ok::<_, IdentityError>(store::by_id(tx, id).await?) })
        });
        Ok(find.await?.map(|row| row.account))
    }

    /// Decides a case that waits for it.
    ///
    /// # Errors
    /// [`VerificationError::NotFound`], `State`, `Own`, `NumberUsed`, `Field`; storage, keyring.
    pub async fn case_decide_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        id: VerificationId,
        by: Deciding,
        verdict: Verdict,
        note: Option<&Personal<String>>,
    ) -> Result<Case, IdentityError> {
        let mut row = store::by_id(tx, id).await?.ok_or(VerificationError::NotFound)?;
        if by == Deciding::Staff(row.account) {
            return Err(VerificationError::Own.into());
        }
        row.state = row.state.after(verdict.event()).ok_or(VerificationError::State)?;
        if let Deciding::Staff(_) = by {
            row.way = VerificationWay::Staff;
        }
        note_check(verdict, note)?;
        let key = self.subject_key(row.account).await?.ok_or(IdentityError::AccountErased)?;
        row.note_sealed = note.map(|note| key.seal(&aad("note_sealed", id), note.reveal().as_bytes()));
        row.reason = verdict.reason();
        let now = self.clock.now();
        row.updated_at = now;
        if !row.state.is_open() {
            row.decided_at = Some(now);
            row.forget_at = Some(days_after(now, self.verification.papers_days));
        }
        if row.state == CaseState::Approved {
            let details = self.details_opened(&row).await?.ok_or(VerificationError::State)?;
            let number = format!("{} {}", details.document().as_str(), details.number().reveal());
            let hash = keyed_hash(&self.keys.hash_key(NUMBER), NUMBER, zeroize::Zeroizing::new(number).as_bytes());
            if let Some(most) = self.verification.accounts_per_number
                && store::others(tx, &hash, row.account).await? >= u64::from(most)
            {
                return Err(VerificationError::NumberUsed.into());
            }
            store::number_put(tx, id, &hash).await?;
        }
        store::update(tx, &row).await?;
        self.check_end_in_tx(tx, id).await?;
        if row.state == CaseState::Approved {
            // Gateways may do more for this account from now on.
            changes::append(tx, &Change::Account(row.account), now).await?;
            for organisation in store::owned(tx, row.account).await? {
                changes::append(tx, &Change::Account(organisation), now).await?;
            }
        }
        self.case_told_in_tx(tx, row.account, row.state).await?;
        self.case_opened_in_tx(tx, row).await
    }

    /// Tells whose case it is how far it came.
    pub(super) async fn case_told_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        state: CaseState,
    ) -> Result<(), IdentityError> {
        match CaseStep::of(state) {
            Some(step) => self.tell_in_tx(tx, account, Notice::Case(step)).await,
            None => Ok(()),
        }
    }
}

fn note_check(verdict: Verdict, note: Option<&Personal<String>>) -> Result<(), VerificationError> {
    let wrong = |message| Err(VerificationError::Field { field: "note", message });
    let Some(note) = note.map(Personal::reveal) else {
        return match verdict.reason() {
            Some(VerdictReason::Other) => wrong("say what it is: `other` says nothing"),
            _ => Ok(()),
        };
    };
    let plain = note.chars().all(|c| c == '\n' || !c.is_control());
    if note.trim().is_empty() || note.len() > NOTE_MAX || !plain {
        return wrong("a note is 1 to 1000 bytes of text");
    }
    Ok(())
}
