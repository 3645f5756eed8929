//! How far who asks is to be believed, and what requests say together about the use of data.

use super::{Asker, GUARDIAN_DAYS, Kind, New, Request, RequestError, Requests, Verified, store};
use tacit_identity::choices::{ChoiceVia, digest};
use tacit_identity::registration::AgeBand;
use tacit_kernel::Fault;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};

/// Microseconds of a year.
const YEAR: i64 = 31_557_600_000_000;
/// After so many years whoever registered as under 18 has come of age: they were 14 at least, since there is a band for who is
/// younger.
const UNDER_18_YEARS: i64 = 4;
/// After so many years whoever registered as under 14 may well have come of age: they were ten then, and younger ones hardly
/// register. It is no more than that somebody looks before a grown-up is erased for what their parents say.
const UNDER_14_YEARS: i64 = 8;

impl Requests {
    /// Days within which who asks is answered.
    pub(super) fn days_of(&self, asker: Asker) -> u32 {
        match asker {
            Asker::Person => self.days,
            Asker::Guardian => self.days.min(GUARDIAN_DAYS),
        }
    }

    /// Whether a restriction or a cancellation is done without staff for who asks.
    pub(super) async fn done_alone_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        new: &New,
    ) -> Result<bool, RequestError> {
        let identity = &self.erasing.identity;
        match (new.asker, new.kind, new.verified) {
            (_, kind, _) if !matches!(kind, Kind::Cancellation | Kind::Restriction) => Ok(false),
            (Asker::Guardian, ..) => Ok(self.is_minor_in_tx(tx, account).await?),
            (Asker::Person, _, Verified::StepUp) => Ok(true),
            // Whoever is in the sign-in alone may have stolen it, and would stop somebody's calls; and who set up a second factor
            // has said that reading an address is not enough.
            (Asker::Person, Kind::Restriction, Verified::Address) => {
                Ok(!identity.second_factor_set_in_tx(tx, account).await.map_err(Fault::from)?)
            }
            (Asker::Person, ..) => Ok(false),
        }
    }

    /// Whether a guardian may still speak for that account without staff.
    async fn is_minor_in_tx(&self, tx: &mut ReadTx<'_>, account: AccountId) -> Result<bool, RequestError> {
        let profile = self.erasing.identity.profile_in_tx(tx, account).await.map_err(Fault::from)?;
        let Some(profile) = profile else { return Ok(false) };
        let years = match profile.age {
            AgeBand::Under14 => UNDER_14_YEARS,
            AgeBand::Under18 => UNDER_18_YEARS,
            AgeBand::Adult => return Ok(false),
        };
        Ok(self.clock.now() < profile.registered_at.plus_micros(years * YEAR))
    }

    /// Writes down what a request that stands so says about the use of data. That something is allowed again is not written while
    /// another request says that it is not, nor against what the person decided themselves.
    pub(super) async fn decide_in_tx(&self, tx: &mut WriteTx<'_>, request: &Request) -> Result<(), RequestError> {
        let Some((matter, allowed)) = request.decides() else { return Ok(()) };
        let (identity, account, wording) = (&self.erasing.identity, request.account, digest(matter));
        if allowed {
            let held = identity.choices_in_tx(tx, account).await.map_err(Fault::from)?;
            let by_request = held.of(matter).is_some_and(|choice| choice.via == ChoiceVia::Request);
            if !by_request || store::says_no(tx, account, matter).await? {
                return Ok(());
            }
        }
        identity
            .choose_in_tx(tx, account, (matter, allowed), (ChoiceVia::Request, &wording))
            .await
            .map_err(Fault::from)?;
        Ok(())
    }
}
