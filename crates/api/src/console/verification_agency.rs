//! Asks the agency about the cases that were given to it, in the background, and takes what it answers. That a name and a
//! number are about to be sent to it is written into the audit log first; without that nobody is asked. Cases of who restricts
//! the use of their data wait until they lift that.

use super::Console;
use crate::problem::Refusal;
use std::time::Duration;
use tacit_identity::verification::{AgencyAnswer, Check, Document};
use tacit_kernel::Fault;
use tacit_kernel::audit::{Action, ObjectKind, Phase};
use tacit_kernel::datamap::Purpose;
use tacit_operations::agency::{Agency, Finding, LONGEST, NumberKind, Question};
use tacit_storage::audit::{Actor, NewEntry, Object};
use tokio::time::MissedTickBehavior;

/// How often it is looked for what is to be asked about.
const TURN: Duration = Duration::from_secs(2);
/// Cases asked about in one turn, one after the other.
const MOST: u32 = 4;

/// Asks until `stop`. What is under way then is asked again by whoever is there.
pub async fn ask_agency(console: Console, agency: Agency, stop: impl Future<Output = ()>) {
    let asking = async {
        let mut turn = tokio::time::interval(TURN);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            if let Err(refusal) = console.ask_due(&agency).await {
                tracing::warn!(event = "verification.not_asked", error.code = refusal.code());
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = asking => {}
    }
}

impl Console {
    /// Asks about what is due now.
    pub(super) async fn ask_due(&self, agency: &Agency) -> Result<(), Refusal> {
        // Long enough for all of them, and to say how it ended.
        let hold = LONGEST.saturating_mul(2 * MOST);
        let hold = i64::try_from(hold.as_micros()).unwrap_or(i64::MAX);
        for check in self.identity.checks_lease(MOST, hold).await? {
            self.ask_about(agency, &check).await?;
        }
        Ok(())
    }

    async fn ask_about(&self, agency: &Agency, check: &Check) -> Result<(), Refusal> {
        if self.identity.refused(check.account, Purpose::Service).await?.is_some() {
            return Ok(self.identity.check_waits(check).await?);
        }
        let object = Object::one(ObjectKind::Verification, check.case);
        let begun = NewEntry::begun(Actor::System, Action::VerificationDecide, object, Some(check.account));
        let seq = match self.audit.record(&begun).await {
            Ok(seq) => seq,
            Err(fault) => {
                self.identity.check_failed(check, true).await?;
                return Err(fault.into());
            }
        };
        let outcome = match self.asked(agency, check).await {
            Ok(true) => begun.outcome(seq, Phase::Done),
            // It is tried again, or staff decides.
            Ok(false) => NewEntry { code: Some("verification.undecided"), ..begun.outcome(seq, Phase::Refused) },
            Err(fault) => NewEntry { code: Some(fault.code), ..begun.outcome(seq, Phase::Refused) },
        };
        self.audit.record(&outcome).await?;
        Ok(())
    }

    /// Whether there is a verdict.
    async fn asked(&self, agency: &Agency, check: &Check) -> Result<bool, Fault> {
        let Some(question) = question(check) else {
            self.identity.check_failed(check, false).await?;
            return Ok(false);
        };
        match agency.ask(&question, self.clock.now()).await {
            Ok(finding) => {
                let decided = self.identity.check_answered(check, answer(finding)).await?;
                if decided.is_none() {
                    return Ok(false);
                }
                // Gateways are to hear of it as of any other change.
                (self.changed)();
                Ok(true)
            }
            Err(failure) => {
                tracing::warn!(event = "verification.unanswered", error.code = failure.as_str());
                self.identity.check_failed(check, failure.may_pass()).await?;
                Ok(false)
            }
        }
    }
}

fn question(check: &Check) -> Option<Question> {
    let kind = match check.details.document() {
        Document::IdCard => NumberKind::IdCard,
        Document::BusinessLicence => NumberKind::BusinessLicence,
        Document::Passport => return None,
    };
    let (name, number) = (check.details.name().clone(), check.details.number().clone());
    Some(Question { id: check.case.to_string(), kind, name, number })
}

const fn answer(finding: Finding) -> AgencyAnswer {
    match finding {
        Finding::Match => AgencyAnswer::Match,
        Finding::NoMatch => AgencyAnswer::NoMatch,
        Finding::Unknown => AgencyAnswer::Unknown,
    }
}
