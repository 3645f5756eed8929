//! `/api/v1/account/choices`: what the caller allows to be done with their data, and what they have decided before.

use super::published::{LanguageQuery, language};
use super::rights_forms::word;
use super::{Access, Answer, Console, Input, Params, Reference, Routes, Signed, not_found};
use crate::forms::{Moment, Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::access::{Permission, Scope};
use tacit_identity::choices::{self as c, digest, wording};
use tacit_identity::registration;
use tacit_kernel::ids::{AccountId, ChoiceId};
use tacit_kernel::{ErrorKind, Fault};
use tacit_privacy::Language;
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

word! {
    /// What somebody may decide.
    Matter as ChoiceMatter of c::Matter {
        /// That their data is used, and not only kept.
        Use,
        /// That it serves to find those who cheat; who does not want that asks for it (`objection`).
        FraudDetection,
        /// That it serves to make the service better.
        Improvement,
    }
}

word! {
    /// How a decision was made.
    Via as ChoiceVia of c::ChoiceVia {
        /// By the person.
        Person,
        /// By a request about their data, or by what became of it.
        Request,
        /// By a browser that sends Global Privacy Control.
        Gpc,
    }
}

/// What may be decided, and what holds.
#[derive(Serialize, ToSchema)]
#[schema(as = Choice)]
struct ChoiceView {
    /// Of what.
    matter: Matter,
    /// What is asked.
    title: &'static str,
    /// What the answer means.
    text: &'static str,
    /// The version of title and text, to be sent with an answer.
    wording: String,
    /// On what the use rests that is decided on.
    basis: &'static str,
    /// What holds.
    allowed: bool,
    /// How that was decided; `null`: nothing was, and it holds for who has decided nothing.
    via: Option<Via>,
    /// Whether it was decided on this very text.
    current: bool,
    /// When.
    decided_at: Option<Moment>,
}

/// All that may be decided.
#[derive(Serialize, ToSchema)]
struct Choices {
    /// Each matter.
    items: Vec<ChoiceView>,
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Decision {
    /// What is decided.
    allowed: bool,
    /// The version of the text that was shown.
    #[schema(max_length = 64)]
    wording: String,
}

/// A decision that was made.
#[derive(Serialize, ToSchema)]
struct ChoiceMade {
    /// Its id, `chc_…`.
    #[schema(value_type = String)]
    id: ChoiceId,
    /// Of what.
    matter: Matter,
    /// What was decided.
    allowed: bool,
    /// How.
    via: Via,
    /// The version of the text that was shown; empty: none was.
    wording: String,
    /// When.
    decided_at: Moment,
}

impl From<c::Choice> for ChoiceMade {
    fn from(choice: c::Choice) -> Self {
        Self {
            id: choice.id,
            matter: choice.matter.into(),
            allowed: choice.allowed,
            via: choice.via.into(),
            wording: choice.wording,
            decided_at: choice.decided_at.into(),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::own(Scope::AccountRead), routes!(choices_show))
        .add(Access::PERSON, routes!(choices_decide))
        .add(Access::own(Scope::AccountRead), routes!(choices_made))
        .add(Access::Needs(Permission::PrivacyRead), routes!(accounts_choices))
}

fn shown(choices: &c::Choices, matter: c::Matter, language: Language) -> ChoiceView {
    let tongue = match language {
        Language::En => registration::Language::En,
        Language::Zh => registration::Language::Zh,
    };
    let (wording, digest, made) = (wording(matter, tongue), digest(matter), choices.of(matter));
    ChoiceView {
        matter: matter.into(),
        title: wording.title,
        text: wording.text,
        basis: matter.basis().as_str(),
        allowed: choices.allows(matter),
        via: made.map(|choice| choice.via.into()),
        current: made.is_some_and(|choice| choice.wording == digest),
        decided_at: made.map(|choice| choice.decided_at.into()),
        wording: digest,
    }
}

/// What the caller allows to be done with their data, each with what the answer means.
#[utoipa::path(get, path = "/api/v1/account/choices", tag = "account", params(LanguageQuery), responses(
    (status = 200, description = "Each matter.", body = Choices),
))]
async fn choices_show(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<LanguageQuery>,
    headers: HeaderMap,
) -> Answer<Choices> {
    let language = language(&query, &headers)?;
    let choices = console.identity.choices(caller.account).await?;
    Ok(Json(Choices { items: c::Matter::ALL.iter().map(|matter| shown(&choices, *matter, language)).collect() }))
}

/// Decides. It holds at once, everywhere, and may be decided otherwise at any time. That data is kept and not used (`use`) is decided
/// by who has just shown anew who they are, since calls are refused then.
#[utoipa::path(put, path = "/api/v1/account/choices/{matter}", tag = "account", params(
    ("matter" = inline(Matter), Path, description = "Of what."),
    LanguageQuery,
), request_body = Decision, responses(
    (status = 200, description = "What holds now.", body = ChoiceView),
    (status = 409, description = "The text is another by now; or it is decided by a request.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn choices_decide(
    State(console): State<Console>,
    caller: Signed,
    Path(matter): Path<String>,
    Params(query): Params<LanguageQuery>,
    headers: HeaderMap,
    Input(decision): Input<Decision>,
) -> Answer<ChoiceView> {
    let language = language(&query, &headers)?;
    let matter = c::Matter::parse(&matter).ok_or_else(|| not_found("choice.matter", "matter"))?;
    let conflict = |code, message: &'static str| Refusal::from(Fault::new(ErrorKind::Conflict, code, message));
    if !matter.is_free() {
        let message = "object to it with a request of the kind `objection` that says why: it holds from that moment";
        return Err(conflict("choice.request", message));
    }
    if decision.wording != digest(matter) {
        let message = "the text is another by now: read it again, and send its wording";
        return Err(conflict("choice.wording", message).about("wording"));
    }
    if matter == c::Matter::Use && !caller.stepped_up {
        return Err(IdentityError::StepUpRequired.into());
    }
    let (identity, account, decision) = (&console.identity, caller.account, &decision);
    let decide = async |tx: &mut WriteTx<'_>| {
        let decided = (matter, decision.allowed);
        identity.choose_in_tx(tx, account, decided, (c::ChoiceVia::Person, &decision.wording)).await
    };
    let decide = &decide;
    let choices = console.db.write("console.choice", |tx| Box::pin(decide(tx))).await?;
    Ok(Json(shown(&choices, matter, language)))
}

/// What the caller has decided, newest first.
#[utoipa::path(get, path = "/api/v1/account/choices/made", tag = "account", params(PageQuery), responses(
    (status = 200, description = "A page of decisions.", body = Page<ChoiceMade>),
))]
async fn choices_made(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<ChoiceMade>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    Ok(Json(Page::of(console.identity.choices_made(caller.account, page).await?, Into::into)))
}

/// What somebody has decided about the use of their data, newest first.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/choices", tag = "privacy", params(
    ("account" = String, Path, description = "The account's id."),
    PageQuery,
), responses(
    (status = 200, description = "A page of decisions.", body = Page<ChoiceMade>),
))]
async fn accounts_choices(
    State(console): State<Console>,
    Reference(account): Reference<AccountId>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<ChoiceMade>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    Ok(Json(Page::of(console.identity.choices_made(account, page).await?, Into::into)))
}
