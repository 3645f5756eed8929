//! Asking an agency, durably: that it is to be asked is a row written when the case is submitted, leased by whichever
//! process asks. A process that dies in between leaves its lease to run out, and the agency is asked again. What it cannot
//! tell, and what it did not answer often enough, is decided by staff.

mod store;

pub(crate) use store::STATEMENTS;

use super::store as cases;
use super::{Case, CaseState, Deciding, Details, Verdict, VerdictReason, VerificationError, VerificationWay};
use crate::{Identity, IdentityError};
use tacit_kernel::ids::{self, AccountId, VerificationId};
use tacit_storage::WriteTx;
use uuid::Uuid;

/// How often an agency is asked about a case at most.
const ATTEMPTS: u32 = 8;
/// Microseconds after the first attempt that failed; doubled after each further one, up to the second.
const FIRST_WAIT: i64 = 10_000_000;
const LONGEST_WAIT: i64 = 3_600_000_000;
/// Microseconds until it is looked again whether somebody still restricts the use of their data.
const RESTRICTED_WAIT: i64 = 60_000_000;

/// What an agency answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgencyAnswer {
    /// Name and number belong together.
    Match,
    /// They do not.
    NoMatch,
    /// It cannot tell.
    Unknown,
}

/// A case that this process alone may ask about now.
pub struct Check {
    /// The case.
    pub case: VerificationId,
    /// Whose it is.
    pub account: AccountId,
    /// What is asked about.
    pub details: Details,
    lease: Uuid,
    attempts: u32,
}

impl Identity {
    /// Leases up to `most` cases that are to be asked about, for so many microseconds.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn checks_lease(&self, most: u32, hold: i64) -> Result<Vec<Check>, IdentityError> {
        let now = self.clock.now();
        if !self.db.read("verification.checks_due", |tx| Box::pin(store::due(tx, now))).await? {
            return Ok(Vec::new());
        }
        let (lease, until) = (ids::fresh(), now.plus_micros(hold));
        let take = async |tx: &mut WriteTx<'_>| {
            let mut taken = Vec::new();
            for (case, attempts) in store::lease(tx, lease, (now, until), most).await? {
                let row = cases::by_id(tx, case).await?.filter(|row| row.state == CaseState::Submitted);
                let details = match &row {
                    Some(row) => self.details_opened(row).await?,
                    None => None,
                };
                match (row, details) {
                    // Whoever asked so often did not come to say how it ended.
                    (Some(row), Some(details)) if attempts <= ATTEMPTS => {
                        taken.push(Check { case, account: row.account, details, lease, attempts });
                    }
                    _ => self.check_to_staff_in_tx(tx, case).await?,
                }
            }
            Ok::<_, IdentityError>(taken)
        };
        let take = &take;
        self.db.write("verification.checks_lease", |tx| Box::pin(take(tx))).await
    }

    /// Takes what the agency answered. `None`: the case was withdrawn or decided meanwhile, or leased anew.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn check_answered(&self, check: &Check, answer: AgencyAnswer) -> Result<Option<Case>, IdentityError> {
        let take = async |tx: &mut WriteTx<'_>| {
            if !store::is_leased(tx, check.case, check.lease).await? {
                return Ok(None);
            }
            let verdict = match answer {
                AgencyAnswer::Match => Verdict::Approve,
                AgencyAnswer::NoMatch => Verdict::Reject(VerdictReason::Mismatch),
                AgencyAnswer::Unknown => {
                    self.check_to_staff_in_tx(tx, check.case).await?;
                    return Ok(None);
                }
            };
            match self.case_decide_in_tx(tx, check.case, Deciding::Agency, verdict, None).await {
                Ok(case) => Ok::<_, IdentityError>(Some(case)),
                // Whether that is an abuse is for people to judge.
                Err(IdentityError::Verification(VerificationError::NumberUsed)) => {
                    self.check_to_staff_in_tx(tx, check.case).await?;
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        };
        let take = &take;
        self.db.write("verification.check_answered", |tx| Box::pin(take(tx))).await
    }

    /// The agency did not answer. `may_pass`: it may when it is asked again.
    ///
    /// # Errors
    /// Storage.
    pub async fn check_failed(&self, check: &Check, may_pass: bool) -> Result<(), IdentityError> {
        let wait = FIRST_WAIT.saturating_mul(1 << check.attempts.saturating_sub(1).min(20)).min(LONGEST_WAIT);
        let later = self.clock.now().plus_micros(wait);
        let put = async |tx: &mut WriteTx<'_>| {
            if !store::is_leased(tx, check.case, check.lease).await? {
                return Ok(());
            }
            if may_pass && check.attempts < ATTEMPTS {
                return Ok::<_, IdentityError>(store::later(tx, check.case, later).await?);
            }
            self.check_to_staff_in_tx(tx, check.case).await
        };
        let put = &put;
        self.db.write("verification.check_failed", |tx| Box::pin(put(tx))).await
    }

    /// Nobody is to be asked now, since the person restricts the use of their data: the case waits, and that it was taken does
    /// not count.
    ///
    /// # Errors
    /// Storage.
    pub async fn check_waits(&self, check: &Check) -> Result<(), IdentityError> {
        let later = self.clock.now().plus_micros(RESTRICTED_WAIT);
        let put = async |tx: &mut WriteTx<'_>| {
            if store::is_leased(tx, check.case, check.lease).await? {
                store::unasked(tx, check.case, later).await?;
            }
            Ok::<_, IdentityError>(())
        };
        let put = &put;
        self.db.write("verification.check_waits", |tx| Box::pin(put(tx))).await
    }

    pub(super) async fn check_ask_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        case: VerificationId,
    ) -> Result<(), IdentityError> {
        Ok(store::insert(tx, case, self.clock.now()).await?)
    }

    pub(super) async fn check_end_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        case: VerificationId,
    ) -> Result<(), IdentityError> {
        Ok(store::delete(tx, case).await?)
    }

    async fn check_to_staff_in_tx(&self, tx: &mut WriteTx<'_>, case: VerificationId) -> Result<(), IdentityError> {
        if let Some(mut row) = cases::by_id(tx, case).await? {
            // Nothing that the person sees changes: else it would tell them that the number is somebody's.
            row.way = VerificationWay::Staff;
            cases::update(tx, &row).await?;
        }
        self.check_end_in_tx(tx, case).await
    }
}
