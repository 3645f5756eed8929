//! Requests of people about their data as they are shown, and what people are told of them.

use super::{Console, Undone};
use crate::forms::Moment;
use serde::{Deserialize, Serialize};
use tacit_identity::registration::Language;
use tacit_kernel::ids::{AccountId, RightsRequestId};
use tacit_kernel::{Nano, Personal, Timestamp};
use tacit_privacy::requests as r;
use tacit_storage::WriteTx;
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

/// What the person is told: that something happened, and nothing of what was said.
fn text(request: &r::Request, language: Language) -> (&'static str, String) {
    let until = request.cooling_until.unwrap_or(request.due_at);
    let id = request.id;
    match (request.state, language) {
        (r::State::Cooling, Language::En) => (
            "Your account is going to be deleted",
            format!(
                "You asked for the deletion of your account ({id}). It happens at {until}, and nothing more is sent to you then. \
                 Until then you may take it back in the console. If it was not you, do that now and change your password."
            ),
        ),
        (r::State::Cooling, Language::Zh) => (
            "您的账户即将注销",
            format!(
                "您已申请注销账户（{id}）。注销将于 {until} 执行，届时不再另行通知；在此之前您可在控制台撤回。如非本人操作，请立即撤回并修改密码。"
            ),
        ),
        (r::State::NeedInfo, Language::En) => (
            "A question about your request",
            format!(
                "We need to know something more for your request {id}. The console shows what it is; answer it there."
            ),
        ),
        (r::State::NeedInfo, Language::Zh) => {
            ("您的请求需要补充信息", format!("处理您的请求 {id} 还需要补充信息，请在控制台查看并回复。"))
        }
        (r::State::Fulfilled, Language::En) => {
            ("Your request is done", format!("Your request {id} is done. The console shows our answer."))
        }
        (r::State::Fulfilled, Language::Zh) => ("您的请求已完成", format!("您的请求 {id} 已处理完成，答复见控制台。")),
        (r::State::Refused | r::State::Upheld, Language::En) => (
            "Your request was refused",
            format!(
                "Your request {id} was refused. The console shows why, and how you may appeal; you may also turn to the regulator \
                 that the privacy policy names."
            ),
        ),
        (r::State::Refused | r::State::Upheld, Language::Zh) => (
            "您的请求未获支持",
            format!("您的请求 {id} 未获支持。请在控制台查看原因和申诉方式；您也可以向隐私政策所列的监管机构投诉。"),
        ),
        (r::State::Withdrawn, Language::En) => {
            ("Your request was taken back", format!("Your request {id} was taken back, and nothing is done."))
        }
        (r::State::Withdrawn, Language::Zh) => ("您的请求已撤回", format!("您的请求 {id} 已撤回，不再处理。")),
        (r::State::Open | r::State::Appealed | r::State::Executing, Language::En) => (
            "We have your request",
            format!("We have your request {id} and answer it until {until}. The console shows how far it is."),
        ),
        (r::State::Open | r::State::Appealed | r::State::Executing, Language::Zh) => {
            ("已收到您的请求", format!("已收到您的请求 {id}，我们将于 {until} 前答复，进展见控制台。"))
        }
    }
}

/// Tells the person what became of a request, if it becomes of it.
pub(super) async fn tell(console: &Console, tx: &mut WriteTx<'_>, request: &r::Request) -> Result<(), Undone> {
    console.notice_in_tx(tx, request.account, |language| text(request, language)).await
}
