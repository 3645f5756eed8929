//! Requests of people about their data as they are shown.

use crate::forms::Moment;
use serde::{Deserialize, Serialize};
use tacit_kernel::ids::{AccountId, RightsRequestId};
use tacit_kernel::{Nano, Personal, Timestamp};
use tacit_privacy::requests as r;
use utoipa::ToSchema;

macro_rules! word {
    ($(#[$doc:meta])* $name:ident as $schema:ident of $from:ty { $($(#[$of:meta])* $word:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[schema(as = $schema)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name { $($(#[$of])* $word,)+ }

        impl From<$name> for $from {
            fn from(word: $name) -> Self { match word { $($name::$word => Self::$word,)+ } }
        }

        impl From<$from> for $name {
            fn from(word: $from) -> Self { match word { $(<$from>::$word => Self::$word,)+ } }
        }
    };
}

pub(super) use word;

word! {
    /// What is asked for.
    Kind as RightsRequestKind of r::Kind {
        /// That the account ends and everything of it is erased.
        Cancellation,
        /// That something is corrected which the person cannot correct alone.
        Correction,
        /// That data is kept and not used.
        Restriction,
        /// That data does not serve to find those who cheat: it stops at once, until it is decided.
        Objection,
        /// That a decision is explained which a program made, and looked at by a human being.
        Explanation,
        /// That something was done wrongly.
        Complaint,
        /// A copy, by who cannot take it themselves.
        Copy,
        /// That some of what is held goes, and the account stays.
        Deletion,
    }
}

word! {
    /// Who asks.
    Asker as RightsRequestAsker of r::Asker {
        /// The person.
        Person,
        /// Who consented to the registration of a minor.
        Guardian,
    }
}

word! {
    /// How far a request has come.
    State as RightsRequestState of r::State {
        /// It waits for the platform, and its clock runs.
        Open,
        /// It waits for the person, and its clock stands.
        NeedInfo,
        /// It is done when its time for reflection is over.
        Cooling,
        /// It is being done.
        Executing,
        /// It is done.
        Fulfilled,
        /// It is refused; the person may appeal.
        Refused,
        /// The refusal is looked at once more.
        Appealed,
        /// The refusal stands.
        Upheld,
        /// The person took it back.
        Withdrawn,
    }
}

word! {
    /// How whoever asked showed that it is them.
    Verified as RightsRequestVerified of r::Verified {
        /// By a code that was sent to an address of the account.
        Address,
        /// By a sign-in.
        Session,
        /// By a sign-in, and by having just shown anew who they are.
        StepUp,
    }
}

word! {
    /// Why a request is refused.
    RefusalReason as RightsRequestRefusal of r::Refusal {
        /// It is manifestly unfounded.
        Unfounded,
        /// It was asked for again and again.
        Repeated,
        /// A law demands that it is kept as it is.
        Law,
        /// It would take a right from somebody else.
        Others,
        /// Nothing of the kind is held.
        NotHeld,
    }
}

/// A request, as whoever made it sees it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RightsRequest)]
pub(super) struct RequestView {
    /// Its id, `rreq_…`.
    #[schema(value_type = String)]
    id: RightsRequestId,
    /// What is asked for.
    kind: Kind,
    /// How far it has come.
    state: State,
    /// Who asks.
    asker: Asker,
    /// How it was shown who asks.
    verified: Verified,
    /// Why it was refused.
    refusal: Option<RefusalReason>,
    /// Of a cancellation: up to how much money that is left is given up; a decimal number in the settlement currency, as text.
    #[schema(value_type = Option<String>)]
    forfeits: Option<Nano>,
    /// What was asked, in the person's words.
    text: Option<String>,
    /// What was answered.
    answer: Option<String>,
    /// When it came.
    received_at: Moment,
    /// Until when it is to be answered.
    due_at: Moment,
    /// Whether it should have been answered by now.
    overdue: bool,
    /// Until when the person may end what is done by itself then.
    cooling_until: Option<Moment>,
    /// Since when nothing is under way.
    closed_at: Option<Moment>,
    /// When it last changed.
    updated_at: Moment,
}

impl RequestView {
    pub(super) fn of(request: r::Request, now: Timestamp) -> Self {
        Self {
            overdue: request.is_overdue(now),
            id: request.id,
            kind: request.kind.into(),
            state: request.state.into(),
            asker: request.asker.into(),
            verified: request.verified.into(),
            refusal: request.refusal.map(Into::into),
            forfeits: request.forfeits,
            text: request.said.map(Personal::into_inner),
            answer: request.answer.map(Personal::into_inner),
            received_at: request.received_at.into(),
            due_at: request.due_at.into(),
            cooling_until: request.cooling_until.map(Into::into),
            closed_at: request.closed_at.map(Into::into),
            updated_at: request.updated_at.into(),
        }
    }
}

/// A request, as staff sees it: without what was said, which [`super::rights_requests`] shows with a reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RightsRequestLine)]
pub(super) struct RequestLine {
    /// Its id, `rreq_…`.
    #[schema(value_type = String)]
    id: RightsRequestId,
    /// Whose data it is about; a number that leads to nobody once they were erased.
    #[schema(value_type = String)]
    account: AccountId,
    /// What is asked for.
    kind: Kind,
    /// How far it has come.
    state: State,
    /// Who asks.
    asker: Asker,
    /// How it was shown who asks.
    verified: Verified,
    /// Why it was refused.
    refusal: Option<RefusalReason>,
    /// When it came.
    received_at: Moment,
    /// Until when it is to be answered.
    due_at: Moment,
    /// Whether it should have been answered by now.
    overdue: bool,
    /// Until when the person may end what is done by itself then.
    cooling_until: Option<Moment>,
    /// Since when nothing is under way.
    closed_at: Option<Moment>,
    /// When it last changed.
    updated_at: Moment,
}

impl RequestLine {
    pub(super) fn of(request: &r::Request, now: Timestamp) -> Self {
        Self {
            id: request.id,
            account: request.account,
            kind: request.kind.into(),
            state: request.state.into(),
            asker: request.asker.into(),
            verified: request.verified.into(),
            refusal: request.refusal.map(Into::into),
            received_at: request.received_at.into(),
            due_at: request.due_at.into(),
            overdue: request.is_overdue(now),
            cooling_until: request.cooling_until.map(Into::into),
            closed_at: request.closed_at.map(Into::into),
            updated_at: request.updated_at.into(),
        }
    }
}
